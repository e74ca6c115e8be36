#include <openssl/evp.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/process.hpp"
#include "support/scoped_environment.hpp"
#include "support/tls_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using tls::OcspCheck;
using tls::VerifyLevel;
using tls::Version;

std::string pin_of(const Certificate& certificate) {
  const std::string hash = certificate.key().public_key_sha256();
  std::array<unsigned char, 45> text{};
  EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(hash.data()), 32);
  return "sha256//" + std::string(reinterpret_cast<const char*>(text.data()));
}

struct JudgementFixture : TlsFixture {
  const TlsAuthority& authority = tls_authority();
  Certificate certificate = authority.server();
  tls::Context server = context_for(tls::ServerOptions{.identities = {authority.identity(certificate)}});

  TlsSide client_of(const tls::ClientOptions& options, const tls::Context& to) {
    return shake(context_for(options), to).client;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_certificate, JudgementFixture)

// ---- pinned keys ----

BOOST_AUTO_TEST_CASE(a_pinned_key_is_found_anywhere_in_a_verified_chain) {
  const TlsAuthority foreign;
  const std::vector<Certificate> chain{certificate, authority.intermediate, authority.root};
  for (const Certificate& pinned : chain) {
    tls::ClientOptions options = authority.client_options();
    options.trust.pinned_keys = {pin_of(foreign.root), pin_of(pinned)};
    const TlsSide side = client_of(options, server);
    BOOST_TEST(side.err == 0, side.reason);
  }
}

BOOST_DATA_TEST_CASE_F(JudgementFixture, a_chain_without_a_pinned_key_is_refused,
                       data::make({false, true}) * data::make(tls_versions), verifies, version) {
  tls::ClientOptions options = authority.client_options();
  options.verify = verifies ? VerifyLevel::ca_and_name : VerifyLevel::no_check;
  options.protocol = at_version(version);
  options.trust.pinned_keys = {pin_of(authority.server())};
  const TlsPair pair = shake(context_for(options), server);
  BOOST_TEST(pair.client.err == EACCES);
  BOOST_TEST(pair.client.reason ==
             "the peer's certificate is refused: its key is none of the pinned ones (CN=www.example.com)");
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason.starts_with("the peer refuses: "), pair.server.reason);
}

BOOST_AUTO_TEST_CASE(a_pinned_key_does_not_stand_in_for_the_authority_or_the_name) {
  const TlsAuthority foreign;
  const Certificate unknown = foreign.server();
  tls::ClientOptions options = authority.client_options();
  options.trust.pinned_keys = {pin_of(unknown)};
  const tls::Context other = context_for(tls::ServerOptions{.identities = {foreign.identity(unknown)}});
  BOOST_TEST(client_of(options, other).err == EACCES);
}

BOOST_AUTO_TEST_CASE(without_verification_only_the_peers_own_key_counts) {
  const TlsAuthority foreign;
  const Certificate unknown = foreign.server();
  const tls::Context other = context_for(tls::ServerOptions{.identities = {foreign.identity(unknown)}});
  tls::ClientOptions options = authority.client_options();
  options.verify = VerifyLevel::no_check;
  options.trust.pinned_keys = {pin_of(unknown)};
  BOOST_TEST(client_of(options, other).err == 0);
  // Anybody can send the certificate of an authority along.
  options.trust.pinned_keys = {pin_of(foreign.intermediate)};
  BOOST_TEST(client_of(options, other).err == EACCES);
}

BOOST_AUTO_TEST_CASE(a_server_pins_the_keys_of_its_clients) {
  const Certificate known = authority.client();
  tls::ServerOptions options{.identities = {authority.identity(certificate)},
                             .client_auth = tls::ClientAuth::require,
                             .trust = {.ca_pem = authority.root.pem(), .pinned_keys = {pin_of(known)}}};
  const tls::Context pinning = context_for(options);
  tls::ClientOptions client_options = authority.client_options();
  client_options.identity = authority.identity(known);
  BOOST_TEST(shake(context_for(client_options), pinning).server.err == 0);
  client_options.identity = authority.identity(authority.client());
  BOOST_TEST(shake(context_for(client_options), pinning).server.err == EACCES);
}

// ---- OCSP ----

namespace {

struct StapleFixture : JudgementFixture {
  tls::Context stapling(const std::string& response) const {
    tls::Identity identity = authority.identity(certificate);
    identity.ocsp_response = response;
    return context_for(tls::ServerOptions{.identities = {identity}});
  }
  tls::ClientOptions asking(OcspCheck check, Version version = Version::tls1_3) const {
    tls::ClientOptions options = authority.client_options();
    options.ocsp = check;
    options.protocol = at_version(version);
    return options;
  }
  std::string response(const OcspProfile& profile) const {
    return authority.intermediate.ocsp_response(certificate, profile);
  }
};

constexpr OcspCheck checks[] = {OcspCheck::ask, OcspCheck::require};
constexpr int kinds_of_check[] = {0, 1};

}  // namespace

BOOST_DATA_TEST_CASE_F(StapleFixture, a_stapled_response_that_is_good_is_taken,
                       data::make(kinds_of_check) * data::make(tls_versions), kind, version) {
  const std::string good = response({});
  const TlsSide side = client_of(asking(checks[kind], version), stapling(good));
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  BOOST_TEST(side.peer().ocsp_response == good);
}

BOOST_AUTO_TEST_CASE(a_response_comes_only_when_it_is_asked_for) {
  tls::Identity identity = authority.identity(certificate);
  const TemporaryFolder folder;
  const std::string good = authority.intermediate.ocsp_response(certificate, OcspStatus::good);
  identity.ocsp_response_file = folder.write("response.der", good);
  const tls::Context from_file = context_for(tls::ServerOptions{.identities = {identity}});
  tls::ClientOptions options = authority.client_options();
  TlsSide side = client_of(options, from_file);
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  BOOST_TEST(side.peer().ocsp_response == "");
  options.ocsp = OcspCheck::require;
  side = client_of(options, from_file);
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  BOOST_TEST(side.peer().ocsp_response == good);
}

BOOST_DATA_TEST_CASE_F(StapleFixture, a_response_that_does_not_come_is_missed_where_it_is_required,
                       data::make(tls_versions), version) {
  BOOST_TEST(client_of(asking(OcspCheck::ask, version), server).err == 0);
  const TlsPair pair = shake(context_for(asking(OcspCheck::require, version)), server);
  BOOST_TEST(pair.client.err == EACCES);
  BOOST_TEST(pair.client.reason == "the server has stapled no OCSP response");
}

BOOST_DATA_TEST_CASE_F(StapleFixture, a_response_that_says_nothing_good_is_refused,
                       data::make(kinds_of_check) * data::make(tls_versions) * data::xrange(7), kind, version,
                       fault) {
  const TlsAuthority foreign;
  std::string stapled;
  std::string words;
  if (fault == 0) {
    stapled = response({.status = OcspStatus::revoked});
    words = "the certificate is revoked";
  } else if (fault == 1) {
    stapled = response({.status = OcspStatus::unknown});
    words = "the CA does not know the certificate";
  } else if (fault == 2) {
    stapled = response({.this_update = -48h, .next_update = -24h});
    words = "it is too old, or from the future";
  } else if (fault == 3) {
    stapled = response({.this_update = 24h, .next_update = 48h});
    words = "it is too old, or from the future";
  } else if (fault == 4) {
    stapled = authority.intermediate.ocsp_response(authority.server(), OcspStatus::good);
    words = "it is about another certificate";
  } else if (fault == 5) {
    stapled = foreign.root.ocsp_response(certificate, OcspStatus::good);
    words = "its signature is not valid";
  } else {
    stapled = "no response";
    words = "it cannot be read";
  }
  const TlsPair pair = shake(context_for(asking(checks[kind], version)), stapling(stapled));
  BOOST_TEST(pair.client.err == EACCES);
  BOOST_TEST(pair.client.reason.starts_with("the server's OCSP response is refused: " + words),
             pair.client.reason);
  // It is looked at only when it was asked for.
  BOOST_TEST(client_of(asking(OcspCheck::none, version), stapling(stapled)).err == 0);
}

BOOST_DATA_TEST_CASE_F(StapleFixture, a_responder_may_sign_to_whom_the_issuer_has_given_that,
                       data::make(tls_versions), version) {
  const auto judged = [&](const Certificate& issuer, const CertificateProfile& profile) {
    const Certificate responder = issuer.issue(profile);
    const std::string stapled = authority.intermediate.ocsp_response(certificate, {}, responder);
    return client_of(asking(OcspCheck::require, version), stapling(stapled));
  };
  const CertificateProfile delegated{.common_name = "Responder", .extended_key_usage = "OCSPSigning"};
  const TlsSide good = judged(authority.intermediate, delegated);
  BOOST_TEST(good.err == 0, good.reason);
  // One for other purposes, of another authority, and one that is over.
  CertificateProfile expired = delegated;
  expired.not_before = -48h;
  expired.not_after = -24h;
  const std::array<std::pair<const Certificate*, CertificateProfile>, 3> bad{{
      {&authority.intermediate, client_profile("Responder")},
      {&authority.root, delegated},
      {&authority.intermediate, expired},
  }};
  for (const auto& [issuer, profile] : bad) {
    const TlsSide side = judged(*issuer, profile);
    BOOST_TEST(side.err == EACCES);
    BOOST_TEST(side.reason.starts_with("the server's OCSP response is refused: its signature is not valid"),
               side.reason);
  }
}

BOOST_FIXTURE_TEST_CASE(the_words_of_openssl_are_in_the_reason, StapleFixture) {
  const Certificate foreign = Certificate::self_signed(authority_profile("Foreign"));
  const std::string stapled = foreign.ocsp_response(certificate, OcspStatus::good);
  const TlsSide side = client_of(asking(OcspCheck::require), stapling(stapled));
  BOOST_TEST(side.reason ==
             "the server's OCSP response is refused: its signature is not valid: certificate verify error");
  const TlsSide late =
      client_of(asking(OcspCheck::require), stapling(response({.this_update = -48h, .next_update = -24h})));
  BOOST_TEST(late.reason ==
             "the server's OCSP response is refused: it is too old, or from the future: status expired");
}

BOOST_FIXTURE_TEST_CASE(a_resumed_session_is_not_judged_again, StapleFixture) {
  const tls::Context client = context_for(asking(OcspCheck::require));
  const tls::Context stapled = stapling(response({}));
  make_session(client, stapled);
  TlsPair pair = connected(client, stapled);
  BOOST_TEST(pair.client.peer().is_resumed);
}

BOOST_FIXTURE_TEST_CASE(each_identity_has_its_own_response, StapleFixture) {
  const Certificate second = authority.server("second.example.com");
  tls::Identity first = authority.identity(certificate);
  first.ocsp_response = response({});
  tls::Identity other = authority.identity(second);
  other.ocsp_response = authority.intermediate.ocsp_response(second, OcspStatus::good);
  const tls::Context both = context_for(tls::ServerOptions{.identities = {first, other}});
  const tls::Context client = context_for(asking(OcspCheck::require));
  TlsPair pair = connected(client, both, {.peer_name = "second.example.com"});
  BOOST_TEST(pair.client.peer().ocsp_response == other.ocsp_response);
  pair = connected(client, both);
  BOOST_TEST(pair.client.peer().ocsp_response == first.ocsp_response);
}

BOOST_FIXTURE_TEST_CASE(a_response_and_a_revocation_list_go_together, StapleFixture) {
  tls::ClientOptions options = asking(OcspCheck::require);
  options.trust.crl_pem = authority.intermediate.crl();
  const TlsSide side = client_of(options, stapling(response({})));
  BOOST_TEST(side.err == 0, side.reason);
}

BOOST_FIXTURE_TEST_CASE(a_pre_shared_key_needs_no_response, StapleFixture) {
  const std::vector<std::byte> key(32, std::byte{1});
  for (const Version version : tls_versions) {
    tls::ClientOptions options = asking(OcspCheck::require, version);
    options.psk = {"name", key};
    const tls::Context keys = context_for(
        tls::ServerOptions{.find_psk = [&](std::string_view) { return tls::PreSharedKey("name", key); }});
    const TlsSide side = client_of(options, keys);
    BOOST_TEST(side.err == 0, side.reason);
  }
}

// ---- revocation lists ----

BOOST_DATA_TEST_CASE_F(JudgementFixture, a_list_in_a_file_or_in_memory_is_looked_into,
                       data::make({false, true}), in_file) {
  const TemporaryFolder folder;
  const auto failure = [&](const std::string& list) {
    tls::ClientOptions options = authority.client_options();
    if (in_file) {
      options.trust.crl_file = folder.write("crl.pem", list);
    } else {
      options.trust.crl_pem = list;
    }
    return client_of(options, server);
  };
  const TlsSide good = failure(authority.intermediate.crl());
  BOOST_TEST(good.err == 0, good.reason);
  const TlsSide both = failure(authority.root.crl() + authority.intermediate.crl());
  BOOST_TEST(both.err == 0, both.reason);
  const TlsSide revoked = failure(authority.intermediate.crl({.serials = {certificate.serial()}}));
  BOOST_TEST(revoked.err == EACCES);
  BOOST_TEST(revoked.reason == "the peer's certificate is refused: certificate revoked (CN=www.example.com)");
  const TlsSide above = failure(authority.root.crl({.serials = {authority.intermediate.serial()}}) +
                                authority.intermediate.crl());
  BOOST_TEST(above.err == EACCES);
  BOOST_TEST(above.reason ==
             "the peer's certificate is refused: certificate revoked (1 above it, CN=Intermediate)");
  const TlsSide missing = failure(authority.root.crl());
  BOOST_TEST(missing.err == EACCES);
  BOOST_TEST(missing.reason.starts_with("the peer's certificate is refused: unable to get certificate CRL"),
             missing.reason);
}

BOOST_AUTO_TEST_CASE(a_server_looks_into_lists_for_its_clients) {
  const Certificate revoked = authority.client("lost");
  const tls::Context strict = context_for(
      tls::ServerOptions{.identities = {authority.identity(certificate)},
                         .client_auth = tls::ClientAuth::require,
                         .trust = {.ca_pem = authority.root.pem(),
                                   .crl_pem = authority.intermediate.crl({.serials = {revoked.serial()}})}});
  tls::ClientOptions options = authority.client_options();
  options.identity = authority.identity(authority.client());
  BOOST_TEST(shake(context_for(options), strict).server.err == 0);
  options.identity = authority.identity(revoked);
  const TlsPair pair = shake(context_for(options), strict);
  BOOST_TEST(pair.server.err == EACCES);
  BOOST_TEST(pair.server.reason == "the peer's certificate is refused: certificate revoked (CN=lost)");
}

// ---- where CAs come from ----

BOOST_AUTO_TEST_CASE(cas_are_those_of_the_system_unless_others_are_named) {
  const TemporaryFolder folder;
  // OpenSSL's own variable for the system's file.
  const ScopedEnvironment environment("SSL_CERT_FILE", folder.write("ca.pem", authority.root.pem()));
  const TlsSide side = client_of({}, server);
  BOOST_TEST(side.err == 0, side.reason);
  const Certificate other = Certificate::self_signed(authority_profile("Other"));
  BOOST_TEST(client_of({.trust = {.ca_pem = other.pem()}}, server).err == EACCES);
  BOOST_TEST(client_of({.trust = {.system_cas = true, .ca_pem = other.pem()}}, server).err == 0);
}

BOOST_AUTO_TEST_CASE(cas_come_from_a_file_and_a_directory_with_hashed_names) {
  const TemporaryFolder folder;
  tls::ClientOptions options;
  options.trust = {.ca_file = folder.write("ca.pem", authority.root.pem())};
  BOOST_TEST(client_of(options, server).err == 0);
  if (!has_program("openssl")) return;
  const TemporaryFolder directory;
  static_cast<void>(directory.write("ca.pem", authority.root.pem()));
  Process rehash({"openssl", "rehash", directory.file("")});
  BOOST_TEST(rehash.finish() == 0);
  options.trust = {.ca_directory = directory.file("")};
  const TlsSide side = client_of(options, server);
  BOOST_TEST(side.err == 0, side.reason);
  options.trust = {.ca_directory = folder.file("")};  // without hashed names
  BOOST_TEST(client_of(options, server).err == EACCES);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
