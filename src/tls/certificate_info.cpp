#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <new>
#include <tsock/tls/certificate_info.hpp>

#include "tls/openssl.hpp"
#include "tls/printable.hpp"

namespace tsock::inline v0::tls {

namespace {

OpenSslPointer<X509> read_certificate(std::string_view pem, int& err) {
  err = EINVAL;
  if (pem.size() > INT_MAX) return nullptr;
  ERR_clear_error();
  const OpenSslPointer<BIO> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  OpenSslPointer<X509> certificate;
  if (text != nullptr) certificate.reset(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
  err = certificate != nullptr ? 0 : take_error(text != nullptr ? EINVAL : ENOMEM).err;
  return certificate;
}

std::string hexadecimal(const ASN1_INTEGER* number) {
  BIGNUM* const big = ASN1_INTEGER_to_BN(number, nullptr);
  char* const digits = big != nullptr ? BN_bn2hex(big) : nullptr;
  BN_free(big);
  if (digits == nullptr) throw std::bad_alloc();
  std::string text = digits;
  OPENSSL_free(digits);
  return text;
}

// The beginning of time for one that cannot be read.
std::chrono::sys_seconds time_of(const ASN1_TIME* time) noexcept {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  const std::chrono::year_month_day date(std::chrono::year(fields.tm_year + 1900),
                                         std::chrono::month(static_cast<unsigned>(fields.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(fields.tm_mday)));
  return std::chrono::sys_days(date) + std::chrono::hours(fields.tm_hour) +
         std::chrono::minutes(fields.tm_min) + std::chrono::seconds(fields.tm_sec);
}

std::vector<std::string> names_in(const X509& certificate) {
  std::vector<std::string> texts;
  const GeneralNamesPointer names = alternative_names(certificate);
  if (names != nullptr) texts.reserve(static_cast<std::size_t>(sk_GENERAL_NAME_num(names.get())));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
    texts.push_back(printable_name(*sk_GENERAL_NAME_value(names.get(), i)));
  return texts;
}

// Keys of kinds that OpenSSL does not know keep their place empty.
void describe_key(const X509& certificate, CertificateInfo& info) {
  EVP_PKEY* const key = X509_get0_pubkey(&certificate);
  if (key == nullptr) return;
  const char* const kind = EVP_PKEY_get0_type_name(key);
  info.key_kind = kind != nullptr ? kind : "";
  info.key_bits = EVP_PKEY_get_bits(key);
  std::array<char, 80> group{};
  std::size_t size = 0;
  if (info.key_kind == "EC" && EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1)
    info.key_group.assign(group.data(), size);
}

std::string signature_hash_of(X509& certificate) {
  int hash = NID_undef;
  if (X509_get_signature_info(&certificate, &hash, nullptr, nullptr, nullptr) != 1 || hash == NID_undef)
    return {};
  const char* const name = OBJ_nid2sn(hash);
  return name != nullptr ? name : "";
}

std::string pin_of(const X509& certificate) {
  std::array<unsigned char, 32> hash{};
  if (!hash_public_key(certificate, hash)) throw std::bad_alloc();
  std::array<unsigned char, 45> base64{};
  EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(hash.size()));
  return "sha256//" + std::string(reinterpret_cast<const char*>(base64.data()));
}

}  // namespace

CertificateInfo describe_certificate(std::string_view pem, int& err) {
  CertificateInfo info;
  const OpenSslPointer<X509> certificate = read_certificate(pem, err);
  if (certificate == nullptr) return info;
  info.subject = printable_name(X509_get_subject_name(certificate.get()));
  info.issuer = printable_name(X509_get_issuer_name(certificate.get()));
  info.serial = hexadecimal(X509_get0_serialNumber(certificate.get()));
  info.not_before = time_of(X509_get0_notBefore(certificate.get()));
  info.not_after = time_of(X509_get0_notAfter(certificate.get()));
  info.names = names_in(*certificate);
  describe_key(*certificate, info);
  info.signature_hash = signature_hash_of(*certificate);
  info.public_key_pin = pin_of(*certificate);
  info.is_authority = X509_check_ca(certificate.get()) == 1;
  ERR_clear_error();
  return info;
}

}  // namespace tsock::inline v0::tls
