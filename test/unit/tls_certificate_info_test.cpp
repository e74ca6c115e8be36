#include <openssl/evp.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <tsock/tls/certificate_info.hpp>
#include <vector>

#include "support/certificates/certificate.hpp"

namespace {

using namespace std::chrono_literals;
using tsock::test::Certificate;
using tsock::test::PrivateKey;
using tsock::tls::CertificateInfo;
using tsock::tls::describe_certificate;

CertificateInfo describe(const std::string& pem) {
  int err = 0;
  CertificateInfo info = describe_certificate(pem, err);
  BOOST_TEST_REQUIRE(err == 0);
  return info;
}

std::string base64_of(const std::string& hash) {
  std::array<unsigned char, 64> text{};
  EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(hash.data()),
                  static_cast<int>(hash.size()));
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tls_certificate_info)

BOOST_AUTO_TEST_CASE(certificate_is_described_with_names_key_and_signature) {
  const Certificate root = Certificate::self_signed(tsock::test::authority_profile("Root, the first"));
  tsock::test::CertificateProfile profile = tsock::test::server_profile("www.example.com");
  profile.ip_addresses = {"192.0.2.1", "2001:db8::1"};
  profile.email_addresses = {"admin@example.com"};
  profile.uris = {"https://example.com/"};
  profile.serial = 0x1234abU;
  const CertificateInfo info = describe(root.issue(profile).pem());
  BOOST_TEST(info.subject == "CN=www.example.com");
  BOOST_TEST(info.issuer == "CN=Root\\, the first");
  BOOST_TEST(info.serial == "1234AB");
  const std::vector<std::string> names{"www.example.com", "192.0.2.1", "2001:DB8:0:0:0:0:0:1",
                                       "email:admin@example.com", "URI:https://example.com/"};
  BOOST_TEST(info.names == names, boost::test_tools::per_element());
  BOOST_TEST(info.key_kind == "EC");
  BOOST_TEST(info.key_group == "prime256v1");
  BOOST_TEST(info.key_bits == 256);
  BOOST_TEST(info.signature_hash == "SHA256");
  BOOST_TEST(!info.is_authority);
  BOOST_TEST(describe(root.pem()).is_authority);
}

BOOST_AUTO_TEST_CASE(times_are_those_of_the_certificate_beyond_the_range_of_the_clock) {
  const auto before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  tsock::test::CertificateProfile profile = tsock::test::server_profile("www.example.com");
  profile.not_before = -48h;
  profile.not_after = std::chrono::years(1000);
  const CertificateInfo info = describe(Certificate::self_signed(profile).pem());
  const auto after = std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::now());
  BOOST_TEST((info.not_before >= before - 48h && info.not_before <= after - 48h));
  BOOST_TEST((info.not_after >= before + std::chrono::years(1000) - 1s));
  BOOST_TEST((info.not_after <= after + std::chrono::years(1000) + 1s));
}

BOOST_AUTO_TEST_CASE(what_controls_a_terminal_is_escaped) {
  tsock::test::CertificateProfile profile = tsock::test::server_profile("a.example\n\x1b[31m");
  profile.dns_names.emplace_back("nul\0.example", 12);
  profile.dns_names.emplace_back("\xc3\xa9.example");
  const CertificateInfo info = describe(Certificate::self_signed(profile).pem());
  const std::vector<std::string> names{"a.example\\x0a\\x1b[31m", "nul\\x00.example", "\\xc3\\xa9.example"};
  BOOST_TEST(info.names == names, boost::test_tools::per_element());
  for (const char byte : info.subject + info.issuer) BOOST_TEST((byte >= 0x20 && byte < 0x7f));
}

BOOST_AUTO_TEST_CASE(pin_is_the_hash_of_the_public_key) {
  const PrivateKey key = PrivateKey::ed25519();
  const CertificateInfo info =
      describe(Certificate::self_signed(tsock::test::server_profile("a.example"), key).pem());
  BOOST_TEST(info.public_key_pin == "sha256//" + base64_of(key.public_key_sha256()));
  BOOST_TEST(info.key_kind == "ED25519");
  BOOST_TEST(info.key_group == "");
  BOOST_TEST(info.signature_hash == "");
}

BOOST_AUTO_TEST_CASE(size_of_an_rsa_key_and_its_hash_are_told) {
  tsock::test::CertificateProfile profile = tsock::test::server_profile("a.example");
  profile.signature_hash = "SHA384";
  const CertificateInfo info =
      describe(Certificate::self_signed(profile, PrivateKey::shared_rsa(2048)).pem());
  BOOST_TEST(info.key_kind == "RSA");
  BOOST_TEST(info.key_bits == 2048);
  BOOST_TEST(info.signature_hash == "SHA384");
}

BOOST_AUTO_TEST_CASE(text_without_a_certificate_is_refused) {
  for (const std::string& text :
       {std::string(), std::string("no PEM"), PrivateKey::ec().pem(),
        std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")}) {
    int err = 0;
    const CertificateInfo info = describe_certificate(text, err);
    BOOST_TEST(err == EINVAL);
    BOOST_TEST(info.public_key_pin == "");
  }
}

BOOST_AUTO_TEST_SUITE_END()
