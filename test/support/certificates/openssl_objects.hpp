#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

/// What the files of this folder share: owners of OpenSSL's objects, and errors. Not for headers.
namespace tsock::test::openssl {

template <class Object, auto release>
struct Release {
  void operator()(Object* object) const noexcept { release(object); }
};
template <class Object, auto release>
using Owner = std::unique_ptr<Object, Release<Object, release>>;

inline void free_names(GENERAL_NAMES* names) noexcept { GENERAL_NAMES_free(names); }
inline void free_certificates(STACK_OF(X509) * certificates) noexcept {
  sk_X509_pop_free(certificates, X509_free);
}

using Bio = Owner<BIO, &BIO_free_all>;
using Bignum = Owner<BIGNUM, &BN_free>;
using X509Object = Owner<X509, &X509_free>;
using CrlObject = Owner<X509_CRL, &X509_CRL_free>;
using RevokedObject = Owner<X509_REVOKED, &X509_REVOKED_free>;
using ExtensionObject = Owner<X509_EXTENSION, &X509_EXTENSION_free>;
using NameObject = Owner<X509_NAME, &X509_NAME_free>;
using TimeObject = Owner<ASN1_TIME, &ASN1_TIME_free>;
using IntegerObject = Owner<ASN1_INTEGER, &ASN1_INTEGER_free>;
using OctetObject = Owner<ASN1_OCTET_STRING, &ASN1_OCTET_STRING_free>;
using OidObject = Owner<ASN1_OBJECT, &ASN1_OBJECT_free>;
using GeneralNameObject = Owner<GENERAL_NAME, &GENERAL_NAME_free>;
using GeneralNames = Owner<GENERAL_NAMES, &free_names>;
using CertificateStack = Owner<STACK_OF(X509), &free_certificates>;
using Pkcs12Object = Owner<PKCS12, &PKCS12_free>;
using OcspResponse = Owner<OCSP_RESPONSE, &OCSP_RESPONSE_free>;
using OcspBasicResponse = Owner<OCSP_BASICRESP, &OCSP_BASICRESP_free>;
using OcspCertificateId = Owner<OCSP_CERTID, &OCSP_CERTID_free>;

/// Throws what OpenSSL says, unless `result` is a success (a pointer, or a positive number). \return it.
template <class Result>
Result check(Result result, const char* what) {
  bool failed = false;
  if constexpr (std::is_pointer_v<Result>) {
    failed = result == nullptr;
  } else {
    failed = result <= 0;
  }
  if (!failed) return result;
  std::string text = what;
  while (const unsigned long error = ERR_get_error()) {
    text += ": ";
    text += ERR_reason_error_string(error) != nullptr ? ERR_reason_error_string(error) : "unknown error";
  }
  throw std::runtime_error(text);
}

inline Bio memory_bio() { return Bio(check(BIO_new(BIO_s_mem()), "BIO_new")); }

inline std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

/// DER by one of the i2d_ functions.
template <class Object>
std::string der_of(const Object* object, int (*encode)(const Object*, unsigned char**)) {
  unsigned char* bytes = nullptr;
  const int size = check(encode(object, &bytes), "i2d");
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

inline const unsigned char* bytes_of(const std::string& text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace tsock::test::openssl
