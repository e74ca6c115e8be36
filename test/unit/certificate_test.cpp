// Certificates that tests make: what is in them, checked with OpenSSL alone.
#if defined(TSOCK_TEST_CERTIFICATES)

#include "support/certificates/certificate.hpp"

#include <openssl/pem.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <stdexcept>
#include <string>

#include "support/certificates/openssl_objects.hpp"
#include "support/process.hpp"

using namespace tsock::test;

namespace {

using openssl::check;

struct Issued {
  Certificate root = Certificate::self_signed(authority_profile("Root"));
  Certificate server = root.issue(server_profile("www.example.com"));
};

// What an OCSP response says of a certificate, or -1 if it says nothing, or the issuer did not sign it.
int ocsp_status(const std::string& der, const Certificate& subject, const Certificate& issuer) {
  const unsigned char* begin = openssl::bytes_of(der);
  const openssl::OcspResponse response(
      check(d2i_OCSP_RESPONSE(nullptr, &begin, static_cast<long>(der.size())), "d2i_OCSP_RESPONSE"));
  BOOST_TEST(OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL);
  const openssl::OcspBasicResponse basic(check(OCSP_response_get1_basic(response.get()), "get1_basic"));
  const openssl::Owner<X509_STORE, &X509_STORE_free> store(check(X509_STORE_new(), "X509_STORE_new"));
  check(X509_STORE_add_cert(store.get(), issuer.get()), "X509_STORE_add_cert");
  if (OCSP_basic_verify(basic.get(), nullptr, store.get(), 0) != 1) return -1;
  const openssl::OcspCertificateId id(
      check(OCSP_cert_to_id(nullptr, subject.get(), issuer.get()), "OCSP_cert_to_id"));
  int status = -1;
  ASN1_GENERALIZEDTIME* since = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  if (OCSP_resp_find_status(basic.get(), id.get(), &status, nullptr, nullptr, &since, &until) != 1) return -1;
  BOOST_TEST(OCSP_check_validity(since, until, 0, -1) == 1);
  return status;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(certificate)

BOOST_AUTO_TEST_CASE(key_goes_with_its_certificate) {
  const Issued issued;
  const std::string pem = issued.server.key_pem();
  const openssl::Bio bio(check(BIO_new_mem_buf(pem.c_str(), -1), "BIO_new_mem_buf"));
  const openssl::Owner<EVP_PKEY, &EVP_PKEY_free> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  BOOST_TEST_REQUIRE(key);
  BOOST_TEST(X509_check_private_key(issued.server.get(), key.get()) == 1);
  BOOST_TEST(X509_check_private_key(issued.root.get(), key.get()) == 0);
  BOOST_TEST(X509_verify(issued.server.get(), issued.root.key().get()) == 1);
}

BOOST_AUTO_TEST_CASE(key_with_a_password_cannot_be_read_without) {
  const std::string pem = PrivateKey::ec().pem("secret");
  BOOST_TEST(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
  for (std::string password : {"secret", "wrong"}) {
    const openssl::Bio bio(check(BIO_new_mem_buf(pem.c_str(), -1), "BIO_new_mem_buf"));
    const openssl::Owner<EVP_PKEY, &EVP_PKEY_free> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, password.data()));
    BOOST_TEST(static_cast<bool>(key) == (password == "secret"));
  }
}

BOOST_AUTO_TEST_CASE(shared_key_is_the_same_at_each_use) {
  BOOST_TEST(PrivateKey::shared_rsa(1024).get() == PrivateKey::shared_rsa(1024).get());
  BOOST_TEST(EVP_PKEY_get_bits(PrivateKey::shared_rsa(1024).get()) == 1024);
  BOOST_TEST(PrivateKey::ec().public_key_sha256() != PrivateKey::ec().public_key_sha256());
}

BOOST_AUTO_TEST_CASE(hash_of_a_public_key_is_that_of_the_certificates_one) {
  const Issued issued;
  const std::string der =
      openssl::der_of<X509_PUBKEY>(X509_get_X509_PUBKEY(issued.server.get()), &i2d_X509_PUBKEY);
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  check(EVP_Digest(der.data(), der.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                   EVP_sha256(), nullptr),
        "EVP_Digest");
  digest.resize(size);
  BOOST_TEST((issued.server.key().public_key_sha256() == digest));
}

BOOST_AUTO_TEST_CASE(broken_signature_leaves_the_rest_as_it_is) {
  const Certificate root = Certificate::self_signed(authority_profile("Root"));
  CertificateProfile profile = server_profile("www.example.com");
  profile.is_signature_broken = true;
  const Certificate server = root.issue(profile);
  BOOST_TEST(X509_verify(server.get(), root.key().get()) == 0);
  BOOST_TEST(X509_check_issued(root.get(), server.get()) == X509_V_OK);
}

BOOST_AUTO_TEST_CASE(serial_is_the_one_asked_for) {
  CertificateProfile profile = authority_profile("Root");
  profile.serial = 4711;
  BOOST_TEST(Certificate::self_signed(profile).serial() == 4711U);
}

BOOST_AUTO_TEST_CASE(pkcs12_holds_the_certificate_its_key_and_its_authorities) {
  const Issued issued;
  const std::string der = issued.server.pkcs12("secret", {issued.root});
  const unsigned char* begin = openssl::bytes_of(der);
  const openssl::Pkcs12Object pkcs12(
      check(d2i_PKCS12(nullptr, &begin, static_cast<long>(der.size())), "d2i_PKCS12"));
  BOOST_TEST(PKCS12_verify_mac(pkcs12.get(), "wrong", -1) == 0);
  EVP_PKEY* key = nullptr;
  X509* x509 = nullptr;
  STACK_OF(X509)* authorities = nullptr;
  BOOST_TEST_REQUIRE(PKCS12_parse(pkcs12.get(), "secret", &key, &x509, &authorities) == 1);
  const openssl::Owner<EVP_PKEY, &EVP_PKEY_free> key_owner(key);
  const openssl::X509Object x509_owner(x509);
  const openssl::CertificateStack authorities_owner(authorities);
  BOOST_TEST(X509_cmp(x509, issued.server.get()) == 0);
  BOOST_TEST(X509_check_private_key(x509, key) == 1);
  BOOST_TEST_REQUIRE(sk_X509_num(authorities) == 1);
  BOOST_TEST(X509_cmp(sk_X509_value(authorities, 0), issued.root.get()) == 0);
}

BOOST_AUTO_TEST_CASE(ocsp_response_says_what_it_was_told_and_is_signed) {
  const Issued issued;
  const Certificate other = Certificate::self_signed(authority_profile("Root"));
  for (const auto& [status, code] : {std::pair(OcspStatus::good, V_OCSP_CERTSTATUS_GOOD),
                                     std::pair(OcspStatus::revoked, V_OCSP_CERTSTATUS_REVOKED),
                                     std::pair(OcspStatus::unknown, V_OCSP_CERTSTATUS_UNKNOWN)}) {
    const std::string der = issued.root.ocsp_response(issued.server, status);
    BOOST_TEST(ocsp_status(der, issued.server, issued.root) == code);
    BOOST_TEST(ocsp_status(der, issued.server, other) == -1);
  }
}

BOOST_AUTO_TEST_CASE(profile_that_cannot_be_is_an_error_in_words) {
  CertificateProfile profile = authority_profile("Root");
  profile.name_constraints = "permitted;nonsense";
  BOOST_CHECK_EXCEPTION(Certificate::self_signed(profile), std::runtime_error,
                        [](const std::runtime_error& error) {
                          return std::string(error.what()).starts_with("permitted;nonsense: ");
                        });
}

BOOST_AUTO_TEST_CASE(file_gets_the_permissions_asked_for) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(077);
  for (const mode_t mode : {mode_t{0600}, mode_t{0644}}) {
    const std::string path = folder.write("key.pem", PrivateKey::ec().pem(), mode);
    struct stat status {};
    BOOST_TEST_REQUIRE(::stat(path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0777U) == mode);
  }
  ::umask(before);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
