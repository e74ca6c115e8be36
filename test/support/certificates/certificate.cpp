#include "support/certificates/certificate.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <ctime>
#include <string_view>
#include <utility>

#include "support/certificates/openssl_objects.hpp"

namespace tsock::test {
namespace {

using openssl::check;

openssl::TimeObject time_from_now(std::chrono::seconds offset) {
  // A long may count no more than 68 years of seconds.
  const auto days = std::chrono::duration_cast<std::chrono::days>(offset);
  return openssl::TimeObject(check(ASN1_TIME_adj(nullptr, std::time(nullptr), static_cast<int>(days.count()),
                                                 static_cast<long>((offset - days).count())),
                                   "ASN1_TIME_adj"));
}

openssl::IntegerObject integer(std::uint64_t value) {
  openssl::IntegerObject number(check(ASN1_INTEGER_new(), "ASN1_INTEGER_new"));
  check(ASN1_INTEGER_set_uint64(number.get(), value), "ASN1_INTEGER_set_uint64");
  return number;
}

std::uint64_t random_serial() {
  std::uint64_t serial = 0;
  check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)), "RAND_bytes");
  return (serial >> 1U) | 1U;  // positive, also where it is taken as signed
}

const EVP_MD* hash_for(const PrivateKey& key, const std::string& name) {
  if (EVP_PKEY_is_a(key.get(), "ED25519") != 0) return nullptr;  // has its own
  return check(EVP_get_digestbyname(name.c_str()), "EVP_get_digestbyname");
}

openssl::ExtensionObject extension_of(const RawExtension& raw) {
  const openssl::OidObject oid(check(OBJ_txt2obj(raw.oid.c_str(), 1), "OBJ_txt2obj"));
  const openssl::OctetObject value(check(ASN1_OCTET_STRING_new(), "ASN1_OCTET_STRING_new"));
  check(ASN1_OCTET_STRING_set(value.get(), openssl::bytes_of(raw.der), static_cast<int>(raw.der.size())),
        "ASN1_OCTET_STRING_set");
  return openssl::ExtensionObject(
      check(X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), raw.is_critical ? 1 : 0, value.get()),
            "X509_EXTENSION"));
}

void add_extension(X509* x509, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  const openssl::ExtensionObject extension(
      check(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), value.c_str()));
  check(X509_add_ext(x509, extension.get(), -1), "X509_add_ext");
}

void add_name(GENERAL_NAMES* names, int type, const std::string& value) {
  openssl::GeneralNameObject name(check(GENERAL_NAME_new(), "GENERAL_NAME_new"));
  if (type == GEN_IPADD) {
    GENERAL_NAME_set0_value(name.get(), type, check(a2i_IPADDRESS(value.c_str()), value.c_str()));
  } else {
    ASN1_IA5STRING* const text = check(ASN1_IA5STRING_new(), "ASN1_IA5STRING_new");
    GENERAL_NAME_set0_value(name.get(), type, text);
    check(ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())), "ASN1_STRING_set");
  }
  check(sk_GENERAL_NAME_push(names, name.get()), "sk_GENERAL_NAME_push");
  static_cast<void>(name.release());
}

void add_alternative_names(X509* x509, const CertificateProfile& profile) {
  const openssl::GeneralNames names(check(GENERAL_NAMES_new(), "GENERAL_NAMES_new"));
  for (const std::string& name : profile.dns_names) add_name(names.get(), GEN_DNS, name);
  for (const std::string& address : profile.ip_addresses) add_name(names.get(), GEN_IPADD, address);
  for (const std::string& address : profile.email_addresses) add_name(names.get(), GEN_EMAIL, address);
  for (const std::string& uri : profile.uris) add_name(names.get(), GEN_URI, uri);
  if (sk_GENERAL_NAME_num(names.get()) == 0) return;
  // RFC 5280 wants it critical where there is no other name.
  const int is_critical = profile.common_name.empty() ? 1 : 0;
  check(X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(), is_critical, X509V3_ADD_DEFAULT),
        "subjectAltName");
}

std::string basic_constraints(const CertificateProfile& profile) {
  if (!profile.has_basic_constraints) return {};
  std::string value = profile.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE";
  if (profile.path_length) value += ",pathlen:" + std::to_string(*profile.path_length);
  return value;
}

void add_extensions(X509* x509, X509* issuer, const CertificateProfile& profile) {
  const bool is_authority = profile.is_authority;
  add_extension(x509, issuer, NID_basic_constraints, basic_constraints(profile));
  add_extension(x509, issuer, NID_key_usage,
                profile.key_usage.value_or(is_authority ? "critical,keyCertSign,cRLSign"
                                                        : "critical,digitalSignature"));
  add_extension(x509, issuer, NID_ext_key_usage,
                profile.extended_key_usage.value_or(is_authority ? "" : "serverAuth"));
  add_extension(x509, issuer, NID_name_constraints, profile.name_constraints);
  if (profile.has_key_identifiers) {
    add_extension(x509, issuer, NID_subject_key_identifier, "hash");
    const bool is_known = X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0;
    if (issuer != x509 && is_known) {
      add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always");
    }
  }
  add_alternative_names(x509, profile);
  for (const RawExtension& raw : profile.raw_extensions) {
    check(X509_add_ext(x509, extension_of(raw).get(), -1), "X509_add_ext");
  }
}

// The signature is what comes last, in certificates as in lists.
std::string with_broken_signature(std::string der) {
  der.back() = static_cast<char>(der.back() ^ 1);
  return der;
}

openssl::OcspBasicResponse basic_response(const Certificate& issuer, const Certificate& subject,
                                          const OcspProfile& profile, const Certificate& signer) {
  openssl::OcspBasicResponse response(check(OCSP_BASICRESP_new(), "OCSP_BASICRESP_new"));
  const openssl::OcspCertificateId id(
      check(OCSP_cert_to_id(nullptr, subject.get(), issuer.get()), "OCSP_cert_to_id"));
  int code = V_OCSP_CERTSTATUS_GOOD;
  if (profile.status == OcspStatus::revoked) code = V_OCSP_CERTSTATUS_REVOKED;
  if (profile.status == OcspStatus::unknown) code = V_OCSP_CERTSTATUS_UNKNOWN;
  const openssl::TimeObject since = time_from_now(profile.this_update);
  const openssl::TimeObject until = time_from_now(profile.next_update);
  check(OCSP_basic_add1_status(response.get(), id.get(), code, OCSP_REVOKED_STATUS_KEYCOMPROMISE, since.get(),
                               since.get(), until.get()),
        "OCSP_basic_add1_status");
  check(OCSP_basic_sign(response.get(), signer.get(), signer.key().get(), hash_for(signer.key(), "SHA256"),
                        nullptr, 0),
        "OCSP_basic_sign");
  return response;
}

}  // namespace

Certificate::Certificate(std::shared_ptr<x509_st> x509, PrivateKey key)
    : x509_(std::move(x509)), key_(std::move(key)) {}

Certificate Certificate::self_signed(const CertificateProfile& profile, PrivateKey key) {
  return make(profile, std::move(key), nullptr);
}

Certificate Certificate::issue(const CertificateProfile& profile, PrivateKey key) const {
  return make(profile, std::move(key), this);
}

Certificate Certificate::make(const CertificateProfile& profile, PrivateKey key, const Certificate* issuer) {
  openssl::X509Object made(check(X509_new(), "X509_new"));
  X509* const x509 = made.get();
  X509* const signer = issuer != nullptr ? issuer->get() : x509;
  const PrivateKey& signing_key = issuer != nullptr ? issuer->key_ : key;

  check(X509_set_version(x509, profile.version - 1), "X509_set_version");
  check(X509_set_serialNumber(x509, integer(profile.serial ? *profile.serial : random_serial()).get()),
        "serial");
  check(X509_set1_notBefore(x509, time_from_now(profile.not_before).get()), "notBefore");
  check(X509_set1_notAfter(x509, time_from_now(profile.not_after).get()), "notAfter");
  if (!profile.common_name.empty()) {
    check(X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName, MBSTRING_UTF8,
                                     openssl::bytes_of(profile.common_name),
                                     static_cast<int>(profile.common_name.size()), -1, 0),
          "common name");
  }
  check(X509_set_issuer_name(x509, X509_get_subject_name(signer)), "X509_set_issuer_name");
  check(X509_set_pubkey(x509, key.get()), "X509_set_pubkey");
  if (profile.version >= 3) add_extensions(x509, signer, profile);
  check(X509_sign(x509, signing_key.get(), hash_for(signing_key, profile.signature_hash)), "X509_sign");

  // Read back, so that nothing depends on what the object keeps of its making.
  std::string der = openssl::der_of<X509>(x509, &i2d_X509);
  if (profile.is_signature_broken) der = with_broken_signature(std::move(der));
  const unsigned char* begin = openssl::bytes_of(der);
  std::shared_ptr<x509_st> parsed(check(d2i_X509(nullptr, &begin, static_cast<long>(der.size())), "d2i_X509"),
                                  &X509_free);
  return {std::move(parsed), std::move(key)};
}

std::string Certificate::pem() const {
  const openssl::Bio bio = openssl::memory_bio();
  check(PEM_write_bio_X509(bio.get(), x509_.get()), "PEM_write_bio_X509");
  return openssl::text_of(bio);
}

std::string Certificate::der() const { return openssl::der_of<X509>(x509_.get(), &i2d_X509); }

std::uint64_t Certificate::serial() const {
  std::uint64_t serial = 0;
  check(ASN1_INTEGER_get_uint64(&serial, X509_get0_serialNumber(x509_.get())), "serial");
  return serial;
}

std::string Certificate::crl(const CrlProfile& profile) const {
  openssl::CrlObject crl(check(X509_CRL_new(), "X509_CRL_new"));
  check(X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2), "X509_CRL_set_version");
  check(X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(x509_.get())), "X509_CRL_set_issuer_name");
  check(X509_CRL_set1_lastUpdate(crl.get(), time_from_now(profile.this_update).get()), "lastUpdate");
  check(X509_CRL_set1_nextUpdate(crl.get(), time_from_now(profile.next_update).get()), "nextUpdate");
  const openssl::TimeObject revoked_at = time_from_now(profile.this_update);
  for (const std::uint64_t serial : profile.serials) {
    openssl::RevokedObject revoked(check(X509_REVOKED_new(), "X509_REVOKED_new"));
    check(X509_REVOKED_set_serialNumber(revoked.get(), integer(serial).get()), "serial");
    check(X509_REVOKED_set_revocationDate(revoked.get(), revoked_at.get()), "revocationDate");
    check(X509_CRL_add0_revoked(crl.get(), revoked.get()), "X509_CRL_add0_revoked");
    static_cast<void>(revoked.release());
  }
  if (X509_get_ext_by_NID(x509_.get(), NID_subject_key_identifier, -1) >= 0) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, x509_.get(), nullptr, nullptr, crl.get(), 0);
    const openssl::ExtensionObject extension(
        check(X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid"), "keyid"));
    check(X509_CRL_add_ext(crl.get(), extension.get(), -1), "X509_CRL_add_ext");
  }
  check(X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, integer(1).get(), 0, X509V3_ADD_DEFAULT),
        "crl number");
  for (const RawExtension& raw : profile.raw_extensions) {
    check(X509_CRL_add_ext(crl.get(), extension_of(raw).get(), -1), "X509_CRL_add_ext");
  }
  check(X509_CRL_sign(crl.get(), key_.get(), hash_for(key_, profile.signature_hash)), "X509_CRL_sign");
  if (profile.is_signature_broken) {
    const std::string der = with_broken_signature(openssl::der_of<X509_CRL>(crl.get(), &i2d_X509_CRL));
    const unsigned char* begin = openssl::bytes_of(der);
    crl.reset(check(d2i_X509_CRL(nullptr, &begin, static_cast<long>(der.size())), "d2i_X509_CRL"));
  }
  const openssl::Bio bio = openssl::memory_bio();
  check(PEM_write_bio_X509_CRL(bio.get(), crl.get()), "PEM_write_bio_X509_CRL");
  return openssl::text_of(bio);
}

std::string Certificate::pkcs12(const std::string& password,
                                const std::vector<Certificate>& authorities) const {
  const openssl::CertificateStack others(check(sk_X509_new_null(), "sk_X509_new_null"));
  for (const Certificate& authority : authorities) {
    check(X509_up_ref(authority.get()), "X509_up_ref");
    check(sk_X509_push(others.get(), authority.get()), "sk_X509_push");
  }
  const openssl::Pkcs12Object pkcs12(
      check(PKCS12_create(password.c_str(), nullptr, key_.get(), x509_.get(), others.get(), 0, 0, 0, 0, 0),
            "PKCS12_create"));
  return openssl::der_of<PKCS12>(pkcs12.get(), &i2d_PKCS12);
}

std::string Certificate::ocsp_response(const Certificate& subject, const OcspProfile& profile) const {
  return ocsp_response(subject, profile, *this);
}

std::string Certificate::ocsp_response(const Certificate& subject, const OcspProfile& profile,
                                       const Certificate& responder) const {
  const openssl::OcspBasicResponse basic = basic_response(*this, subject, profile, responder);
  const openssl::OcspResponse response(
      check(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()), "OCSP_response_create"));
  return openssl::der_of<OCSP_RESPONSE>(response.get(), &i2d_OCSP_RESPONSE);
}

}  // namespace tsock::test
