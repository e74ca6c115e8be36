// Certificates that are refused, through tls::connect() and tls::accept(): the reason on the side that
// verifies, and what the other side is told.
#if defined(TSOCK_TEST_CERTIFICATES)

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <string_view>
#include <tsock/tls/tls.hpp>
#include <utility>

#include "support/certificates/certificate.hpp"
#include "support/certificates/refused_certificates.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

namespace data = boost::unit_test::data;

/// What one side has come to.
struct SideOutcome {
  int err = 0;
  std::string reason;
  Stream stream;
};

struct Outcomes {
  SideOutcome client;
  SideOutcome server;
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) { return byte >= ' ' && byte < 0x7f; });
}

tls::ProtocolOptions only(tls::Version version, int security_level = 2) {
  return {.lowest = version, .highest = version, .security_level = security_level};
}

struct RefusalFixture : LoopFixture {
  static tls::Context client(const tls::ClientOptions& options) {
    int err = 0;
    std::string reason;
    tls::Context context = tls::Context::client(options, err, reason);
    BOOST_TEST_REQUIRE(err == 0, reason);
    return context;
  }
  static tls::Context server(const tls::ServerOptions& options) {
    int err = 0;
    std::string reason;
    tls::Context context = tls::Context::server(options, err, reason);
    BOOST_TEST_REQUIRE(err == 0, reason);
    return context;
  }

  /// Runs a handshake until both sides are done with it. \param kind over memory what the client writes to a
  /// server that is gone fails; a kernel's buffers keep what the server has said
  Outcomes shake(const tls::Context& client, const tls::Context& server, const std::string& name,
                 StreamKind kind = StreamKind::memory) {
    auto [left, right] = stream_pair(kind);
    Request<Stream> connecting = tls::connect(std::move(left), client, {.peer_name = name});
    Request<Stream> accepting = tls::accept(std::move(right), server);
    Outcomes outcomes;
    outcomes.client.stream = fetch(connecting, outcomes.client.err);
    outcomes.client.reason = connecting.reason();
    outcomes.server.stream = fetch(accepting, outcomes.server.err);
    outcomes.server.reason = accepting.reason();
    return outcomes;
  }

  /// What a read of a client's stream gives, when its server has refused it behind the client's last message.
  void read_refusal(SideOutcome& client) {
    std::byte byte{};
    auto reading = client.stream.read(std::span(&byte, 1));
    client.err = error_of(reading);
    client.reason = reading.reason();
  }
};

/// A server that shows a certificate, however weak it is.
tls::Context server_that_shows(const CertificateCase& shown, tls::Version version) {
  return RefusalFixture::server(
      {.identities = {{.certificate_pem = shown.chain, .key_pem = shown.key}}, .protocol = only(version, 0)});
}

tls::Context client_that_knows(const CertificateCase& shown, tls::Version version, tls::VerifyLevel level) {
  return RefusalFixture::client({.trust = {.ca_pem = shown.trusted, .crl_pem = shown.crls},
                                 .verify = level,
                                 .protocol = only(version)});
}

/// A list that is missing counts for the strict alone.
tls::VerifyLevel level_for(const RefusedCertificate& refused) {
  return refused.error == X509_V_ERR_UNABLE_TO_GET_CRL ? tls::VerifyLevel::as_strict_as_possible
                                                       : tls::VerifyLevel::ca_and_name;
}

void check_reason(const SideOutcome& refusing, const RefusedCertificate& refused) {
  BOOST_TEST(refusing.err == EACCES, refusing.reason);
  const std::string expected =
      std::string("the peer's certificate is refused: ") + X509_verify_cert_error_string(refused.error);
  BOOST_TEST(refusing.reason.starts_with(expected), refusing.reason << ", not " << expected);
  const std::string depth = '(' + std::to_string(refused.depth) + " above it, ";
  BOOST_TEST(contains(refusing.reason, " above it, ") == (refused.depth > 0), refusing.reason);
  if (refused.depth > 0) BOOST_TEST(contains(refusing.reason, depth), refusing.reason << ", not " << depth);
  BOOST_TEST(is_printable(refusing.reason), refusing.reason);
}

void check_told(const SideOutcome& refused_side) {
  BOOST_TEST(refused_side.err == EPROTO, refused_side.reason);
  BOOST_TEST(refused_side.reason.starts_with("the peer refuses: "), refused_side.reason);
}

constexpr tls::Version versions[] = {tls::Version::tls1_2, tls::Version::tls1_3};

/// An authority, and a server's certificate of it.
struct Named {
  Certificate authority = Certificate::self_signed(authority_profile("Authority"));
  CertificateCase shown;

  explicit Named(const CertificateProfile& profile) {
    const Certificate own = authority.issue(profile);
    shown = {.chain = own.pem(), .key = own.key_pem(), .trusted = authority.pem()};
  }
};

/// The handshake of a client with that certificate, and a server that asks for one and knows what the case
/// knows.
Outcomes shake_with_client_certificate(RefusalFixture& fixture, const CertificateCase& shown,
                                       tls::Version version) {
  const Named own(server_profile("www.example.com"));
  const tls::Context server =
      RefusalFixture::server({.identities = {{.certificate_pem = own.shown.chain, .key_pem = own.shown.key}},
                              .client_auth = tls::ClientAuth::require,
                              .trust = {.ca_pem = shown.trusted, .crl_pem = shown.crls},
                              .protocol = only(version)});
  const tls::Context client =
      RefusalFixture::client({.trust = {.ca_pem = own.authority.pem()},
                              .identity = {.certificate_pem = shown.chain, .key_pem = shown.key},
                              .protocol = only(version)});
  return fixture.shake(client, server, "www.example.com", StreamKind::tcp);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_refused, RefusalFixture)

BOOST_DATA_TEST_CASE(client_refuses_a_certificate_in_words_and_tells_its_server,
                     data::make(refused_certificates()), refused) {
  const CertificateCase shown = refused.make();
  for (const tls::Version version : versions) {
    if (refused.needs_tls1_3 && version != tls::Version::tls1_3) continue;
    const Outcomes outcomes = shake(client_that_knows(shown, version, level_for(refused)),
                                    server_that_shows(shown, version), shown.expected_name);
    check_reason(outcomes.client, refused);
    check_told(outcomes.server);
  }
}

BOOST_DATA_TEST_CASE(client_accepts_a_certificate_that_is_good, data::make(accepted_certificates()),
                     accepted) {
  const CertificateCase shown = accepted.make();
  for (const tls::Version version : versions) {
    const Outcomes outcomes = shake(client_that_knows(shown, version, tls::VerifyLevel::ca_and_name),
                                    server_that_shows(shown, version), shown.expected_name);
    BOOST_TEST(outcomes.client.err == 0, outcomes.client.reason);
    BOOST_TEST(outcomes.server.err == 0, outcomes.server.reason);
    int err = 0;
    const tls::Peer peer = tls::peer(outcomes.client.stream, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(peer.is_verified);
    BOOST_TEST(peer.verification == "ok");
  }
}

BOOST_DATA_TEST_CASE(strict_client_refuses_what_breaks_the_letter_of_the_rules,
                     data::make(strictly_refused_certificates()), refused) {
  // The strict want a list for each certificate, which is looked for after these faults.
  const CertificateCase shown = refused.make();
  const tls::Version version = tls::Version::tls1_3;
  const tls::Context server = server_that_shows(shown, version);
  const Outcomes strict = shake(client_that_knows(shown, version, tls::VerifyLevel::as_strict_as_possible),
                                server, shown.expected_name);
  check_reason(strict.client, refused);
  check_told(strict.server);
  const Outcomes lenient =
      shake(client_that_knows(shown, version, tls::VerifyLevel::ca_and_name), server, shown.expected_name);
  BOOST_TEST(lenient.client.err == 0, lenient.client.reason);
}

BOOST_DATA_TEST_CASE(server_refuses_a_client_in_words_and_tells_it, data::make(refused_client_certificates()),
                     refused) {
  const CertificateCase shown = refused.make();
  for (const tls::Version version : versions) {
    Outcomes outcomes = shake_with_client_certificate(*this, shown, version);
    check_reason(outcomes.server, refused);
    // In TLS 1.3 the client is done before its certificate is judged.
    if (version == tls::Version::tls1_3) {
      BOOST_TEST_REQUIRE(outcomes.client.err == 0, outcomes.client.reason);
      read_refusal(outcomes.client);
    }
    check_told(outcomes.client);
  }
}

BOOST_DATA_TEST_CASE(server_accepts_a_client_that_is_good, data::make(accepted_client_certificates()),
                     accepted) {
  const CertificateCase shown = accepted.make();
  for (const tls::Version version : versions) {
    const Outcomes outcomes = shake_with_client_certificate(*this, shown, version);
    BOOST_TEST(outcomes.client.err == 0, outcomes.client.reason);
    BOOST_TEST(outcomes.server.err == 0, outcomes.server.reason);
    int err = 0;
    const tls::Peer peer = tls::peer(outcomes.server.stream, err);
    BOOST_TEST(peer.is_verified);
  }
}

BOOST_AUTO_TEST_CASE(client_without_a_certificate_is_refused_where_one_is_required) {
  for (const tls::Version version : versions) {
    const Named own(server_profile("www.example.com"));
    const tls::Context server = RefusalFixture::server(
        {.identities = {{.certificate_pem = own.shown.chain, .key_pem = own.shown.key}},
         .client_auth = tls::ClientAuth::require,
         .trust = {.ca_pem = own.authority.pem()},
         .protocol = only(version)});
    Outcomes outcomes = shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name), server,
                              "www.example.com", StreamKind::tcp);
    BOOST_TEST(outcomes.server.err == EACCES);
    BOOST_TEST(outcomes.server.reason == "the peer has sent no certificate");
    if (version == tls::Version::tls1_3) read_refusal(outcomes.client);
    check_told(outcomes.client);
  }
}

// ---- what the reason says ----

BOOST_AUTO_TEST_CASE(name_mismatch_says_which_names_there_are_and_which_was_expected) {
  CertificateProfile profile = server_profile("one.example.com");
  profile.dns_names.emplace_back("two.example.com");
  profile.ip_addresses = {"192.0.2.1"};
  const Named own(profile);
  const tls::Version version = tls::Version::tls1_3;
  const Outcomes outcomes = shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name),
                                  server_that_shows(own.shown, version), "www.example.com");
  BOOST_TEST(outcomes.client.reason ==
             std::string("the peer's certificate is refused: ") +
                 X509_verify_cert_error_string(X509_V_ERR_HOSTNAME_MISMATCH) +
                 ": it is for one.example.com, two.example.com, 192.0.2.1, not for www.example.com");
}

BOOST_AUTO_TEST_CASE(address_mismatch_says_which_address_was_expected) {
  const Named own(server_profile("one.example.com"));
  const tls::Version version = tls::Version::tls1_3;
  const Outcomes outcomes = shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name),
                                  server_that_shows(own.shown, version), "192.0.2.7");
  BOOST_TEST(outcomes.client.err == EACCES);
  BOOST_TEST(contains(outcomes.client.reason, "it is for one.example.com, not for 192.0.2.7"),
             outcomes.client.reason);
}

BOOST_AUTO_TEST_CASE(reason_shows_the_first_names_of_many) {
  CertificateProfile profile = server_profile("0.example.com");
  for (int i = 1; i < 200; ++i) profile.dns_names.push_back(std::to_string(i) + ".example.com");
  const Named own(profile);
  const tls::Version version = tls::Version::tls1_3;
  const Outcomes outcomes = shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name),
                                  server_that_shows(own.shown, version), "www.example.com");
  BOOST_TEST(contains(outcomes.client.reason, "7.example.com, and more, not for www.example.com"),
             outcomes.client.reason);
  BOOST_TEST(!contains(outcomes.client.reason, "8.example.com"));
}

BOOST_AUTO_TEST_CASE(control_characters_of_names_are_escaped) {
  using namespace std::string_literals;
  CertificateProfile profile = server_profile("evil\x1b[2J\r\nexample.com\0.example.org"s);
  profile.common_name = "evil \x1b]0;title\x07";
  const Named own(profile);
  const tls::Version version = tls::Version::tls1_3;
  const Outcomes mismatch = shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name),
                                  server_that_shows(own.shown, version), "www.example.com");
  BOOST_TEST(contains(mismatch.client.reason, R"(evil\x1b[2J\x0d\x0aexample.com\x00.example.org)"),
             mismatch.client.reason);
  const Certificate stranger = Certificate::self_signed(authority_profile("Stranger"));
  CertificateCase untrusted = own.shown;
  untrusted.trusted = stranger.pem();
  const Outcomes unknown = shake(client_that_knows(untrusted, version, tls::VerifyLevel::ca_and_name),
                                 server_that_shows(untrusted, version), "www.example.com");
  BOOST_TEST(unknown.client.err == EACCES);
  BOOST_TEST(contains(unknown.client.reason, "CN=evil "), unknown.client.reason);
  BOOST_TEST(is_printable(unknown.client.reason), unknown.client.reason);
}

// ---- the levels ----

BOOST_AUTO_TEST_CASE(no_check_takes_any_certificate_and_says_how_it_is) {
  const Named own(server_profile("one.example.com"));
  CertificateCase shown = own.shown;
  shown.trusted = "";
  for (const tls::Version version : versions) {
    const Outcomes outcomes = shake(client_that_knows(shown, version, tls::VerifyLevel::no_check),
                                    server_that_shows(shown, version), "www.example.com");
    BOOST_TEST(outcomes.client.err == 0, outcomes.client.reason);
    int err = 0;
    const tls::Peer peer = tls::peer(outcomes.client.stream, err);
    BOOST_TEST(!peer.is_verified);
    BOOST_TEST(peer.verification != "ok");
  }
}

BOOST_AUTO_TEST_CASE(ca_only_takes_any_name_of_a_trusted_authority) {
  const Named own(server_profile("one.example.com"));
  const tls::Version version = tls::Version::tls1_3;
  const tls::Context server = server_that_shows(own.shown, version);
  for (const char* const name : {"www.example.com", "192.0.2.1", ""}) {
    const Outcomes outcomes =
        shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_only), server, name);
    BOOST_TEST(outcomes.client.err == 0, outcomes.client.reason);
  }
  CertificateCase untrusted = own.shown;
  untrusted.trusted = "";
  const Outcomes outcomes =
      shake(client_that_knows(untrusted, version, tls::VerifyLevel::ca_only), server, "one.example.com");
  BOOST_TEST(outcomes.client.err == EACCES, outcomes.client.reason);
}

BOOST_AUTO_TEST_CASE(ca_and_name_if_available_looks_at_the_name_when_there_is_one) {
  const Named own(server_profile("one.example.com"));
  const tls::Version version = tls::Version::tls1_3;
  const tls::Context client =
      client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name_if_available);
  const tls::Context server = server_that_shows(own.shown, version);
  BOOST_TEST(shake(client, server, "").client.err == 0);
  BOOST_TEST(shake(client, server, "one.example.com").client.err == 0);
  BOOST_TEST(shake(client, server, "two.example.com").client.err == EACCES);
}

BOOST_AUTO_TEST_CASE(ca_and_name_needs_a_name) {
  const Named own(server_profile("one.example.com"));
  const tls::Version version = tls::Version::tls1_3;
  for (const tls::VerifyLevel level :
       {tls::VerifyLevel::ca_and_name, tls::VerifyLevel::as_strict_as_possible}) {
    const Outcomes outcomes =
        shake(client_that_knows(own.shown, version, level), server_that_shows(own.shown, version), "");
    BOOST_TEST(outcomes.client.err == EINVAL);
    BOOST_TEST(outcomes.client.reason == "the peer's name is needed to verify its certificate");
    BOOST_TEST(outcomes.server.err == EPROTO);
  }
}

BOOST_AUTO_TEST_CASE(name_that_can_be_none_is_refused_before_anything_is_sent) {
  const Named own(server_profile("one.example.com"));
  const tls::Version version = tls::Version::tls1_3;
  using namespace std::string_literals;
  for (const std::string& name : {"b\xc3\xbc"s + "cher.example"s, "one example"s, "one.example.com\0.org"s}) {
    const Outcomes outcomes =
        shake(client_that_knows(own.shown, version, tls::VerifyLevel::ca_and_name_if_available),
              server_that_shows(own.shown, version), name);
    BOOST_TEST(outcomes.client.err == EINVAL, name << ": " << outcomes.client.reason);
    BOOST_TEST(!outcomes.client.reason.empty());
  }
}

BOOST_AUTO_TEST_CASE(strict_client_needs_a_list_of_each_authority) {
  const Certificate root = Certificate::self_signed(authority_profile("Root"));
  const Certificate between = root.issue(authority_profile("Between"));
  const Certificate own = between.issue(server_profile("www.example.com"));
  CertificateCase shown{.chain = own.pem() + between.pem(), .key = own.key_pem(), .trusted = root.pem()};
  const tls::Version version = tls::Version::tls1_3;
  const tls::Context server = server_that_shows(shown, version);
  const auto outcome_with = [&](const std::string& lists, tls::VerifyLevel level) {
    shown.crls = lists;
    return shake(client_that_knows(shown, version, level), server, shown.expected_name).client;
  };
  const auto strict = tls::VerifyLevel::as_strict_as_possible;
  const auto lenient = tls::VerifyLevel::ca_and_name;
  BOOST_TEST(outcome_with("", lenient).err == 0);
  BOOST_TEST(outcome_with("", strict).err == EACCES);
  // With a list at all, that of the peer's own issuer has to be there; those further up may be missing.
  BOOST_TEST(outcome_with(root.crl(), lenient).err == EACCES);
  BOOST_TEST(outcome_with(between.crl(), lenient).err == 0);
  const SideOutcome missing = outcome_with(between.crl(), strict);
  BOOST_TEST(missing.err == EACCES);
  BOOST_TEST(contains(missing.reason, "(1 above it, CN=Between)"), missing.reason);
  const SideOutcome all = outcome_with(between.crl() + root.crl(), strict);
  BOOST_TEST(all.err == 0, all.reason);
  const SideOutcome revoked = outcome_with(between.crl({.serials = {own.serial()}}) + root.crl(), strict);
  BOOST_TEST(contains(revoked.reason, X509_verify_cert_error_string(X509_V_ERR_CERT_REVOKED)),
             revoked.reason);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
