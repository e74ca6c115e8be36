#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/tls_fixture.hpp"
#include "tls/context_state.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using tls::ClientAuth;
using tls::Version;

struct TlsStreamFixture : TlsFixture {
  const TlsAuthority& authority = tls_authority();
  tls::Context client = context_for(authority.client_options());
  tls::Context server = context_for(authority.server_options());
};

const StreamKind stream_kinds[] = {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory};

std::vector<std::byte> binding_of(const Stream& stream, tls::ChannelBinding kind) {
  int err = -1;
  const std::vector<std::byte> binding = tls::channel_binding(stream, kind, err);
  BOOST_TEST(err == 0);
  return binding;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_stream, TlsStreamFixture)

// ---- over what ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, a_handshake_gives_streams_that_carry_bytes_both_ways,
                       data::make(stream_kinds) * data::make(tls_versions), kind, version) {
  tls::ClientOptions options = authority.client_options();
  options.protocol = at_version(version);
  TlsPair pair = shake(stream_pair(kind), context_for(options), server);
  BOOST_TEST_REQUIRE(pair.client.err == 0, pair.client.reason);
  BOOST_TEST_REQUIRE(pair.server.err == 0, pair.server.reason);
  BOOST_TEST((send_through(pair.client.stream, pair.server.stream, pattern(100000)) == pattern(100000)));
  BOOST_TEST(
      (send_through(pair.server.stream, pair.client.stream, pattern(100001, 1)) == pattern(100001, 1)));
  BOOST_TEST(pair.client.peer().version == (version == Version::tls1_2 ? "TLSv1.2" : "TLSv1.3"));
}

BOOST_AUTO_TEST_CASE(a_tls_stream_runs_over_a_tls_stream) {
  TlsPair outer = connected(client, server);
  TlsPair inner = shake({std::move(outer.client.stream), std::move(outer.server.stream)}, client, server);
  BOOST_TEST_REQUIRE(inner.client.err == 0, inner.client.reason);
  BOOST_TEST_REQUIRE(inner.server.err == 0, inner.server.reason);
  BOOST_TEST((send_through(inner.client.stream, inner.server.stream, pattern(50000)) == pattern(50000)));
}

// ---- STARTTLS ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, starttls_loses_nothing_that_was_read_ahead, data::make(stream_kinds),
                       kind) {
  auto [ours, theirs] = stream_pair(kind);
  // The client sends its hello at once behind the command, so both are read together.
  Request<ssize_t> command = ours.write("STARTTLS\n");
  Request<Stream> connecting = tls::connect(std::move(ours), client, {.peer_name = "www.example.com"});
  Request<Pdu> line = theirs.readv_pdu(framing::line{.max_body = 100});
  int err = -1;
  BOOST_TEST(text_of(fetch(line, err).bytes()) == "STARTTLS\n");
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = tls::accept(std::move(theirs), server);
  Stream left = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  Stream right = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(error_of(command) == 0);
  BOOST_TEST((send_through(left, right, pattern(1000)) == pattern(1000)));
}

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, writes_in_flight_leave_before_the_handshake,
                       data::make(stream_kinds), kind) {
  auto [ours, theirs] = stream_pair(kind);
  Queue queue(loop);
  const std::vector<std::byte> greeting = pattern(300000);
  std::vector<std::byte> got(greeting.size());
  Request<ssize_t> first = theirs.write(queue, std::span(greeting).first(100000));
  Request<ssize_t> second = theirs.write(queue, std::span(greeting).subspan(100000));
  Request<Stream> accepting = tls::accept(std::move(theirs), server);
  Request<ssize_t> reading = ours.read(got);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((got == greeting));
  Request<Stream> connecting = tls::connect(std::move(ours), client, {.peer_name = "www.example.com"});
  int err = -1;
  Stream left = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  Stream right = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST((send_through(left, right, pattern(1000)) == pattern(1000)));
}

BOOST_AUTO_TEST_CASE(a_pump_tells_why_its_target_has_failed) {
  TlsPair pair = connected(client, server);
  auto [left, right] = memory_pair();
  pair.server.stream = Stream();
  std::vector<std::byte> buffer(1);
  Request<ssize_t> reading = pair.client.stream.read(buffer);
  const int failure = error_of(reading);
  Request<PumpResult> pumping = pump(left, pair.client.stream);
  BOOST_TEST(error_of(right.write("anything")) == 0);
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST((result.side == PumpSide::target));
  BOOST_TEST(err == failure);
  BOOST_TEST(pumping.reason() == reading.reason());
  BOOST_TEST(!pumping.reason().empty());
}

// ---- what cannot be ----

BOOST_AUTO_TEST_CASE(a_context_that_is_empty_or_of_the_other_side_is_einval) {
  const auto failure = [&](Request<Stream> request, std::string_view reason) {
    BOOST_TEST(error_of(request) == EINVAL);
    BOOST_TEST(request.reason() == reason);
  };
  failure(tls::connect(tcp_pair().first, tls::Context()), "there is no TLS context");
  failure(tls::accept(tcp_pair().first, tls::Context()), "there is no TLS context");
  failure(tls::connect(tcp_pair().first, server), "the TLS context is for the other side");
  failure(tls::accept(tcp_pair().first, client), "the TLS context is for the other side");
}

BOOST_AUTO_TEST_CASE(a_name_is_needed_where_it_is_verified) {
  Request<Stream> connecting = tls::connect(tcp_pair().first, client);
  BOOST_TEST(error_of(connecting) == EINVAL);
  BOOST_TEST(connecting.reason() == "the peer's name is needed to verify its certificate");
  for (const char* const name : {"a b", ".example.com", "exa..mple", "münchen.de", "*.example.com", "a:80"}) {
    connecting = tls::connect(tcp_pair().first, client, {.peer_name = name});
    BOOST_TEST(error_of(connecting) == EINVAL, name);
    BOOST_TEST(connecting.reason() == "the peer's name is neither an IP address nor a DNS name in ASCII");
  }
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_not_there_or_busy_is_told) {
  BOOST_TEST(!tls::connect(Stream(), client, {.peer_name = "x"}));
  auto [closed, closed_peer] = tcp_pair();
  BOOST_TEST(error_of(closed.disconnect()) == 0);
  BOOST_TEST(error_of(tls::accept(std::move(closed), server)) == ENOTCONN);
  auto [ours, theirs] = tcp_pair();
  std::vector<std::byte> buffer(1);
  const Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(tls::accept(std::move(ours), server)) == EBUSY);
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_no_tls_stream_has_no_tls_peer) {
  auto [ours, theirs] = tcp_pair();
  int err = 0;
  BOOST_TEST(tls::peer(ours, err).version == "");
  BOOST_TEST(err == ENOTSUP);
  err = 0;
  BOOST_TEST(tls::channel_binding(ours, tls::ChannelBinding::exporter, err).empty());
  BOOST_TEST(err == ENOTSUP);
  err = 0;
  BOOST_TEST(tls::export_keying_material(ours, "x", "", 1, err).empty());
  BOOST_TEST(err == ENOTSUP);
  TlsPair pair = connected(client, server);
  Request<void> leaving = pair.client.stream.disconnect();
  BOOST_TEST(error_of(pair.server.stream.disconnect()) == 0);
  BOOST_TEST(error_of(leaving) == 0);
  static_cast<void>(tls::peer(pair.client.stream, err));
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(what_is_no_tls_is_told_in_words) {
  auto [ours, theirs] = tcp_pair();
  Request<Stream> accepting = tls::accept(std::move(ours), server);
  BOOST_TEST(error_of(theirs.write("GET / HTTP/1.0\r\n\r\n")) == 0);
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(accepting.reason() == "the peer speaks HTTP, not TLS");
  auto [client_side, peer] = tcp_pair();
  Request<Stream> connecting = tls::connect(std::move(client_side), client, {.peer_name = "www.example.com"});
  BOOST_TEST(error_of(peer.write("220 mail.example.com ESMTP\r\n")) == 0);
  BOOST_TEST(error_of(connecting) == EPROTO);
  BOOST_TEST(connecting.reason() == "the peer does not speak TLS");
}

// ---- ALPN ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, the_server_chooses_the_protocol_by_its_own_order,
                       data::make(tls_versions), version) {
  tls::ClientOptions client_options = authority.client_options();
  client_options.protocol = at_version(version);
  client_options.protocol.alpn = {"old", "h", "new"};
  tls::ServerOptions server_options = authority.server_options();
  server_options.protocol.alpn = {"newest", "new", "old"};
  const TlsPair pair = connected(context_for(client_options), context_for(server_options));
  BOOST_TEST(pair.client.peer().alpn == "new");
  BOOST_TEST(pair.server.peer().alpn == "new");
}

BOOST_AUTO_TEST_CASE(no_protocol_is_chosen_when_one_side_has_none) {
  tls::ClientOptions client_options = authority.client_options();
  client_options.protocol.alpn = {"a"};
  tls::ServerOptions server_options = authority.server_options();
  server_options.protocol.alpn = {"a"};
  const TlsPair not_asked = connected(client, context_for(server_options));
  BOOST_TEST(not_asked.client.peer().alpn == "");
  BOOST_TEST(not_asked.server.peer().alpn == "");
  const TlsPair not_answered = connected(context_for(client_options), server);
  BOOST_TEST(not_answered.client.peer().alpn == "");
  BOOST_TEST(not_answered.server.peer().alpn == "");
}

BOOST_AUTO_TEST_CASE(no_protocol_in_common_is_refused) {
  tls::ClientOptions client_options = authority.client_options();
  client_options.protocol.alpn = {"a", "b"};
  tls::ServerOptions server_options = authority.server_options();
  server_options.protocol.alpn = {"c"};
  const TlsPair pair = shake(context_for(client_options), context_for(server_options));
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason == "no protocol of ALPN that both sides have");
  BOOST_TEST(pair.client.err == EPROTO);
  BOOST_TEST(pair.client.reason == "the peer refuses: tlsv1 alert no application protocol");
}

// ---- names and identities ----

namespace {

struct IdentitiesFixture : TlsStreamFixture {
  Certificate first = authority.server("first.example.com");
  Certificate second = authority.server("second.example.com");
  Certificate wildcard = authority.server("*.example.org");
  Certificate rsa = authority.server("both.example.com", PrivateKey::shared_rsa(2048));
  Certificate ec = authority.server("both.example.com");
  tls::Context many = make_server();

  tls::Context make_server() const {
    tls::ServerOptions options;
    for (const Certificate* const each : {&first, &second, &wildcard, &rsa, &ec})
      options.identities.push_back(authority.identity(*each));
    return context_for(options);
  }
  /// The certificate that a client gets.
  std::string shown(const tls::ConnectOptions& options, const tls::ProtocolOptions& protocol = {}) {
    tls::ClientOptions client_options = authority.client_options();
    client_options.verify = tls::VerifyLevel::ca_only;
    client_options.protocol = protocol;
    const TlsPair pair = connected(context_for(client_options), many, options);
    BOOST_TEST(pair.server.peer().server_name == options.peer_name);
    return pair.client.peer().chain.at(0);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_client_gets_the_certificate_of_the_name_that_it_asks_for, IdentitiesFixture) {
  BOOST_TEST(shown({.peer_name = "first.example.com"}) == first.pem());
  BOOST_TEST(shown({.peer_name = "second.example.com"}) == second.pem());
  BOOST_TEST(shown({.peer_name = "www.example.org"}) == wildcard.pem());
  // A wildcard is one label, and no name at all is the first one's.
  BOOST_TEST(shown({.peer_name = "a.www.example.org"}) == first.pem());
  BOOST_TEST(shown({.peer_name = "unknown.example.net"}) == first.pem());
  BOOST_TEST(shown({}) == first.pem());
}

BOOST_DATA_TEST_CASE_F(IdentitiesFixture, the_kind_of_key_is_chosen_by_what_the_client_takes,
                       data::make({false, true}), takes_ec) {
  const std::string name = "both.example.com";
  BOOST_TEST(shown({.peer_name = name},
                   {.highest = Version::tls1_2,
                    .ciphers = takes_ec ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "ECDHE-RSA-AES128-GCM-SHA256"}) ==
             (takes_ec ? ec : rsa).pem());
}

// TLS 1.3 has no ciphers for it: the client says which signatures it can verify.
BOOST_FIXTURE_TEST_CASE(the_kind_of_key_is_chosen_by_the_signatures_that_a_client_of_tls_1_3_takes,
                        IdentitiesFixture) {
  const auto shown_for = [this](const char* signatures) {
    tls::ClientOptions options = authority.client_options();
    options.protocol = at_version(Version::tls1_3);
    const tls::Context context = context_for(options);
    BOOST_TEST_REQUIRE(SSL_CTX_set1_sigalgs_list(context.state()->context(), signatures) == 1);
    const TlsPair pair = connected(context, many, {.peer_name = "both.example.com"});
    BOOST_TEST(pair.client.peer().version == "TLSv1.3");
    return pair.client.peer().chain.at(0);
  };
  BOOST_TEST(shown_for("rsa_pss_rsae_sha256") == rsa.pem());
  BOOST_TEST(shown_for("ecdsa_secp256r1_sha256") == ec.pem());
}

BOOST_AUTO_TEST_CASE(another_name_may_be_asked_for_than_is_expected) {
  const tls::ConnectOptions options{.peer_name = "www.example.com", .server_name = "Front.example.net"};
  const TlsPair pair = connected(client, server, options);
  BOOST_TEST(pair.server.peer().server_name == "front.example.net");
  BOOST_TEST(pair.client.peer().is_verified);
  for (const char* const wrong : {"192.0.2.1", "a b", ".example.net"}) {
    TlsPair refused = shake(client, server, {.peer_name = "www.example.com", .server_name = wrong});
    BOOST_TEST(refused.client.err == EINVAL);
    BOOST_TEST(refused.client.reason == "the server's name (SNI) is no DNS name in ASCII");
  }
}

BOOST_AUTO_TEST_CASE(a_session_is_resumed_with_the_name_that_it_was_asked_for_by) {
  const auto is_resumed = [&](const char* name) {
    TlsPair pair = connected(client, server, {.peer_name = "www.example.com", .server_name = name});
    BOOST_TEST((send_through(pair.server.stream, pair.client.stream, pattern(1)) == pattern(1)));
    return pair.client.peer().is_resumed;
  };
  BOOST_TEST(!is_resumed("a.example.net"));
  BOOST_TEST(is_resumed("a.example.net"));
  BOOST_TEST(!is_resumed("b.example.net"));
  BOOST_TEST(!is_resumed(""));
  BOOST_TEST(is_resumed(""));
}

BOOST_AUTO_TEST_CASE(a_name_goes_to_the_server_as_it_stands_in_certificates) {
  const TlsPair pair = connected(client, server, {.peer_name = "WWW.Example.com."});
  BOOST_TEST(pair.server.peer().server_name == "www.example.com");
  BOOST_TEST(pair.client.peer().server_name == "www.example.com");
}

BOOST_AUTO_TEST_CASE(an_address_is_verified_and_not_sent) {
  CertificateProfile profile = server_profile("www.example.com");
  profile.ip_addresses = {"192.0.2.1", "2001:db8::1"};
  const tls::Context named = context_for(
      tls::ServerOptions{.identities = {authority.identity(authority.intermediate.issue(profile))}});
  for (const char* const address : {"192.0.2.1", "2001:db8::1", "2001:DB8:0::1"}) {
    const TlsPair pair = connected(client, named, {.peer_name = address});
    BOOST_TEST(pair.server.peer().server_name == "");
    BOOST_TEST(pair.client.peer().is_verified);
  }
  const TlsPair other = shake(client, named, {.peer_name = "192.0.2.2"});
  BOOST_TEST(other.client.err == EACCES);
  BOOST_TEST(other.client.reason ==
             "the peer's certificate is refused: IP address mismatch: it is for www.example.com, 192.0.2.1, "
             "2001:DB8:0:0:0:0:0:1, not for 192.0.2.2");
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_name_is_refused_and_the_server_learns_it) {
  const TlsPair pair = shake(client, server, {.peer_name = "www.example.org"});
  BOOST_TEST(pair.client.err == EACCES);
  BOOST_TEST(pair.client.reason ==
             "the peer's certificate is refused: hostname mismatch: it is for www.example.com, not for "
             "www.example.org");
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason.starts_with("the peer refuses: "), pair.server.reason);
}

BOOST_AUTO_TEST_CASE(levels_of_verification_ask_for_more_and_more) {
  const TlsAuthority foreign;
  const tls::Context unknown = context_for(foreign.server_options());
  const auto failure = [&](tls::VerifyLevel level, const tls::Context& to, const std::string& name) {
    tls::ClientOptions options = authority.client_options();
    options.verify = level;
    return shake(context_for(options), to, {.peer_name = name}).client.err;
  };
  using enum tls::VerifyLevel;
  BOOST_TEST(failure(no_check, unknown, "other.example.com") == 0);
  BOOST_TEST(failure(ca_only, unknown, "www.example.com") == EACCES);
  BOOST_TEST(failure(ca_only, server, "other.example.com") == 0);
  BOOST_TEST(failure(ca_and_name_if_available, server, "") == 0);
  BOOST_TEST(failure(ca_and_name_if_available, server, "other.example.com") == EACCES);
  BOOST_TEST(failure(ca_and_name, server, "www.example.com") == 0);
  BOOST_TEST(failure(as_strict_as_possible, server, "www.example.com") == EACCES);  // without a list
}

// ---- certificates of clients ----

namespace {

struct ClientAuthFixture : TlsStreamFixture {
  tls::Context asking(ClientAuth auth, Version version) const {
    tls::ServerOptions options = authority.server_options();
    options.client_auth = auth;
    options.trust = {.ca_pem = authority.root.pem()};
    options.protocol = at_version(version);
    return context_for(options);
  }
  tls::Context showing(const tls::Identity& identity) const {
    tls::ClientOptions options = authority.client_options();
    options.identity = identity;
    return context_for(options);
  }
};

const auto auth_kinds = data::make({ClientAuth::none, ClientAuth::request, ClientAuth::require});

}  // namespace

BOOST_DATA_TEST_CASE_F(ClientAuthFixture, a_good_certificate_of_a_client_is_taken_where_it_is_asked_for,
                       auth_kinds* data::make(tls_versions), auth, version) {
  const Certificate certificate = authority.client("somebody");
  TlsPair pair = connected(showing(authority.identity(certificate)), asking(auth, version));
  converse(pair);
  const tls::Peer seen = pair.server.peer();
  const bool is_asked = auth != ClientAuth::none;
  BOOST_TEST(seen.is_verified == is_asked);
  BOOST_TEST(seen.verification == (is_asked ? "ok" : ""));
  BOOST_TEST(seen.chain.size() == (is_asked ? 2U : 0U));
  if (is_asked) BOOST_TEST(seen.chain[0] == certificate.pem());
  if (is_asked) BOOST_TEST(seen.chain[1] == authority.intermediate.pem());
}

BOOST_DATA_TEST_CASE_F(ClientAuthFixture, a_client_without_a_certificate_is_refused_where_it_is_required,
                       auth_kinds* data::make(tls_versions), auth, version) {
  TlsPair pair = shake(client, asking(auth, version));
  if (auth != ClientAuth::require) {
    BOOST_TEST_REQUIRE(pair.server.err == 0, pair.server.reason);
    BOOST_TEST_REQUIRE(pair.client.err == 0, pair.client.reason);
    converse(pair);
    BOOST_TEST(!pair.server.peer().is_verified);
    BOOST_TEST(pair.server.peer().verification == "");
    BOOST_TEST(pair.server.peer().chain.empty());
    return;
  }
  BOOST_TEST(pair.server.err == EACCES);
  BOOST_TEST(pair.server.reason == "the peer has sent no certificate");
  std::string reason = pair.client.reason;
  // A client of TLS 1.3 is done before it hears of it.
  BOOST_TEST(pair.client.err == (version == Version::tls1_3 ? 0 : EPROTO));
  if (version == Version::tls1_3) BOOST_TEST(error_of_read(pair.client.stream, &reason) == EPROTO);
  BOOST_TEST(reason.starts_with("the peer refuses: "), reason);
}

BOOST_DATA_TEST_CASE_F(ClientAuthFixture, a_bad_certificate_of_a_client_is_refused_where_it_is_asked_for,
                       auth_kinds* data::make(tls_versions), auth, version) {
  const TlsAuthority foreign;
  TlsPair pair = shake(showing(foreign.identity(foreign.client())), asking(auth, version));
  if (auth == ClientAuth::none) {
    BOOST_TEST(pair.server.err == 0, pair.server.reason);
    BOOST_TEST(pair.client.err == 0, pair.client.reason);
    return;
  }
  BOOST_TEST(pair.server.err == EACCES);
  BOOST_TEST(pair.server.reason.starts_with("the peer's certificate is refused: "), pair.server.reason);
  std::string reason = pair.client.reason;
  BOOST_TEST(pair.client.err == (version == Version::tls1_3 ? 0 : EPROTO));
  if (version == Version::tls1_3) BOOST_TEST(error_of_read(pair.client.stream, &reason) == EPROTO);
  BOOST_TEST(reason == "the peer refuses: tlsv1 alert unknown ca");
}

// What a pair in memory is given waits for a reader: the alert, too.
BOOST_DATA_TEST_CASE_F(ClientAuthFixture, a_refused_client_hears_why_where_an_alert_has_to_wait,
                       data::make(tls_versions), version) {
  const TlsAuthority foreign;
  TlsPair pair =
      shake(memory_pair(), showing(foreign.identity(foreign.client())), asking(ClientAuth::require, version));
  BOOST_TEST(pair.server.err == EACCES);
  std::string reason = pair.client.reason;
  BOOST_TEST(pair.client.err == (version == Version::tls1_3 ? 0 : EPROTO));
  if (version == Version::tls1_3) BOOST_TEST(error_of_read(pair.client.stream, &reason) == EPROTO);
  BOOST_TEST(reason == "the peer refuses: tlsv1 alert unknown ca");
  loop.run();  // the last words have left
}

// ---- versions ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, versions_that_do_not_meet_are_refused, data::make(tls_versions),
                       version) {
  const bool is_old = version == Version::tls1_2;
  tls::ClientOptions client_options = authority.client_options();
  client_options.protocol = at_version(version);
  tls::ServerOptions server_options = authority.server_options();
  server_options.protocol = at_version(is_old ? Version::tls1_3 : Version::tls1_2);
  const TlsPair pair = shake(context_for(client_options), context_for(server_options));
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason == "no version of TLS that both sides allow");
  BOOST_TEST(pair.client.err == EPROTO);
  BOOST_TEST(pair.client.reason == "the peer refuses: tlsv1 alert protocol version");
}

BOOST_AUTO_TEST_CASE(ciphers_suites_and_groups_are_those_that_are_set) {
  tls::ClientOptions options = authority.client_options();
  options.protocol.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256";
  options.protocol.groups = "P-384";
  TlsPair pair = connected(context_for(options), server);
  for (const TlsSide* const side : {&pair.client, &pair.server}) {
    BOOST_TEST(side->peer().cipher == "TLS_CHACHA20_POLY1305_SHA256");
    BOOST_TEST(side->peer().group == "secp384r1");
  }
  options.protocol = at_version(Version::tls1_2);
  options.protocol.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  options.protocol.groups = "X25519:P-256";
  pair = connected(context_for(options), server);
  for (const TlsSide* const side : {&pair.client, &pair.server}) {
    BOOST_TEST(side->peer().cipher == "ECDHE-ECDSA-AES256-GCM-SHA384");
    BOOST_TEST(side->peer().group == "x25519");
  }
  options.protocol.ciphers = "ECDHE-RSA-AES256-GCM-SHA384";  // for a key of another kind
  pair = shake(context_for(options), server);
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason == "no cipher that both sides allow");
}

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, the_order_of_the_server_decides_which_cipher_is_taken,
                       data::make(tls_versions), version) {
  const bool is_old = version == Version::tls1_2;
  const std::string strong = is_old ? "ECDHE-ECDSA-AES256-GCM-SHA384" : "TLS_AES_256_GCM_SHA384";
  const std::string quick = is_old ? "ECDHE-ECDSA-AES128-GCM-SHA256" : "TLS_AES_128_GCM_SHA256";
  const auto in_order = [is_old, version](const std::string& first, const std::string& second) {
    tls::ProtocolOptions protocol = at_version(version);
    (is_old ? protocol.ciphers : protocol.cipher_suites) = first + ":" + second;
    return protocol;
  };
  tls::ClientOptions client_options = authority.client_options();
  tls::ServerOptions server_options = authority.server_options();
  client_options.protocol = in_order(strong, quick);
  server_options.protocol = in_order(quick, strong);
  const TlsPair pair = connected(context_for(client_options), context_for(server_options));
  BOOST_TEST(pair.client.peer().cipher == quick);
  BOOST_TEST(pair.server.peer().cipher == quick);
}

// ---- what is known of the peer ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, both_sides_know_what_was_agreed_on, data::make(tls_versions),
                       version) {
  const Certificate certificate = authority.server();
  tls::ClientOptions options = authority.client_options();
  options.protocol = at_version(version);
  options.protocol.groups = "X25519:P-256";  // which one is first by default depends on OpenSSL
  TlsPair pair = connected(context_for(options),
                           context_for(tls::ServerOptions{.identities = {authority.identity(certificate)}}));
  converse(pair);
  const tls::Peer of_client = pair.client.peer();
  const tls::Peer of_server = pair.server.peer();
  BOOST_TEST(of_client.version == of_server.version);
  BOOST_TEST(of_client.cipher == of_server.cipher);
  BOOST_TEST(of_client.cipher != "");
  BOOST_TEST(of_client.group == "x25519");
  BOOST_TEST(of_server.group == "x25519");
  BOOST_TEST(of_client.server_name == "www.example.com");
  BOOST_TEST(of_server.server_name == "www.example.com");
  BOOST_TEST(of_client.psk_identity == "");
  BOOST_TEST(of_client.verification == "ok");
  BOOST_TEST(of_client.is_verified);
  BOOST_TEST(!of_client.is_resumed);
  BOOST_TEST(!of_server.is_resumed);
  BOOST_TEST(of_client.early_data == tls::EarlyData::none);
  const std::vector<std::string> expected{certificate.pem(), authority.intermediate.pem()};
  BOOST_TEST(of_client.chain == expected, boost::test_tools::per_element());
  BOOST_TEST(of_client.ocsp_response == "");
  BOOST_TEST(of_server.chain.empty());
  BOOST_TEST(of_server.verification == "");
  BOOST_TEST(!of_server.is_verified);
}

BOOST_AUTO_TEST_CASE(an_unverified_peer_is_judged_in_words_all_the_same) {
  const TlsAuthority foreign;
  tls::ClientOptions options = authority.client_options();
  options.verify = tls::VerifyLevel::no_check;
  const TlsPair pair = connected(context_for(options), context_for(foreign.server_options()));
  BOOST_TEST(!pair.client.peer().is_verified);
  BOOST_TEST(pair.client.peer().verification == "unable to get local issuer certificate");
  BOOST_TEST(pair.client.peer().chain.size() == 2U);
  // At that level nothing was asked for, so nothing counts as verified.
  const TlsPair good = connected(context_for(options), server);
  BOOST_TEST(good.client.peer().verification == "ok");
  BOOST_TEST(!good.client.peer().is_verified);
}

// ---- channel bindings and the exporter ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, channel_bindings_are_the_same_on_both_sides,
                       data::make(tls_versions), version) {
  using enum tls::ChannelBinding;
  tls::ClientOptions options = authority.client_options();
  options.protocol = at_version(version);
  const tls::Context both = context_for(options);
  const TlsPair one = connected(both, server);
  const TlsPair two = connected(both, server);
  const std::vector<std::byte> certificate = binding_of(one.client.stream, server_end_point);
  BOOST_TEST(certificate.size() == 32U);
  BOOST_TEST((certificate == binding_of(one.server.stream, server_end_point)));
  BOOST_TEST((certificate == binding_of(two.client.stream, server_end_point)));
  const std::vector<std::byte> exported = binding_of(one.client.stream, exporter);
  BOOST_TEST(exported.size() == 32U);
  BOOST_TEST((exported == binding_of(one.server.stream, exporter)));
  BOOST_TEST((exported != binding_of(two.client.stream, exporter)));
  if (version == Version::tls1_2) {
    const std::vector<std::byte> finished = binding_of(one.client.stream, unique);
    BOOST_TEST(finished.size() == 12U);
    BOOST_TEST((finished == binding_of(one.server.stream, unique)));
    BOOST_TEST((finished != binding_of(two.client.stream, unique)));
    return;
  }
  for (const TlsSide* const side : {&one.client, &one.server}) {
    int err = 0;
    BOOST_TEST(tls::channel_binding(side->stream, unique, err).empty());
    BOOST_TEST(err == ENOTSUP);
  }
}

BOOST_AUTO_TEST_CASE(the_binding_to_a_certificate_takes_its_hash) {
  CertificateProfile profile = server_profile("www.example.com");
  profile.signature_hash = "SHA384";
  const Certificate certificate = authority.intermediate.issue(profile);
  const TlsPair pair =
      connected(client, context_for(tls::ServerOptions{.identities = {authority.identity(certificate)}}));
  const auto binding = binding_of(pair.client.stream, tls::ChannelBinding::server_end_point);
  BOOST_TEST(binding.size() == 48U);
  BOOST_TEST((binding == binding_of(pair.server.stream, tls::ChannelBinding::server_end_point)));
}

BOOST_FIXTURE_TEST_CASE(the_binding_to_a_certificate_is_to_the_one_that_was_chosen, IdentitiesFixture) {
  const TlsPair pair = connected(client, many, {.peer_name = "second.example.com"});
  BOOST_TEST((binding_of(pair.client.stream, tls::ChannelBinding::server_end_point) ==
              binding_of(pair.server.stream, tls::ChannelBinding::server_end_point)));
}

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, exported_keys_are_the_same_on_both_sides, data::make(tls_versions),
                       version) {
  tls::ClientOptions options = authority.client_options();
  options.protocol = at_version(version);
  const TlsPair pair = connected(context_for(options), server);
  const auto exported = [](const TlsSide& side, std::string_view label, std::string_view context,
                           std::size_t size) {
    int err = -1;
    const std::vector<std::byte> key = tls::export_keying_material(side.stream, label, context, size, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(key.size() == size);
    return key;
  };
  const auto key = exported(pair.client, "EXPERIMENTAL-x", "context", 100);
  BOOST_TEST((key == exported(pair.server, "EXPERIMENTAL-x", "context", 100)));
  BOOST_TEST((key != exported(pair.client, "EXPERIMENTAL-y", "context", 100)));
  BOOST_TEST((key != exported(pair.client, "EXPERIMENTAL-x", "another", 100)));
  BOOST_TEST(
      (exported(pair.client, "EXPERIMENTAL-x", "", 1) == exported(pair.server, "EXPERIMENTAL-x", "", 1)));
  for (const std::size_t size : {std::size_t{0}, std::size_t{16385}}) {
    int err = 0;
    BOOST_TEST(tls::export_keying_material(pair.client.stream, "x", "", size, err).empty());
    BOOST_TEST(err == EINVAL);
  }
  int err = 0;
  BOOST_TEST(tls::export_keying_material(pair.client.stream, "", "", 1, err).empty());
  BOOST_TEST(err == EINVAL);
}

// ---- the key log ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, the_key_log_is_the_same_on_both_sides_and_nothing_else,
                       data::make(tls_versions), version) {
  std::vector<std::string> client_lines;
  std::vector<std::string> server_lines;
  tls::ClientOptions client_options = authority.client_options();
  client_options.protocol = at_version(version);
  client_options.protocol.key_log = [&](std::string_view line) { client_lines.emplace_back(line); };
  tls::ServerOptions server_options = authority.server_options();
  server_options.protocol.key_log = [&](std::string_view line) { server_lines.emplace_back(line); };
  TlsPair pair = connected(context_for(client_options), context_for(server_options));
  converse(pair);
  std::sort(client_lines.begin(), client_lines.end());
  std::sort(server_lines.begin(), server_lines.end());
  BOOST_TEST(client_lines == server_lines, boost::test_tools::per_element());
  BOOST_TEST(client_lines.size() == (version == Version::tls1_2 ? 1U : 5U));
  for (const std::string& line : client_lines) {
    const std::size_t label = line.find(' ');
    BOOST_TEST_REQUIRE(label != std::string::npos);
    BOOST_TEST((version == Version::tls1_2 ? line.starts_with("CLIENT_RANDOM ")
                                           : line.find("_SECRET") != std::string::npos));
    BOOST_TEST(line.find_first_not_of("0123456789abcdef ", label) == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(what_the_key_log_throws_is_lost) {
  tls::ClientOptions options = authority.client_options();
  options.protocol.key_log = [](std::string_view) { throw std::string("full"); };
  TlsPair pair = connected(context_for(options), server);
  converse(pair);
}

// ---- the end ----

BOOST_DATA_TEST_CASE_F(TlsStreamFixture, a_close_notify_is_an_end_and_a_cut_stream_an_error,
                       data::make(tls_versions) * data::make({false, true}), version, is_cut) {
  tls::ClientOptions options = authority.client_options();
  options.protocol = at_version(version);
  TlsPair pair = connected(context_for(options), server);
  Request<void> leaving;
  if (is_cut) {
    pair.server.stream = Stream();
  } else {
    leaving = pair.server.stream.disconnect();
  }
  std::string reason;
  BOOST_TEST(error_of_read(pair.client.stream, &reason) == (is_cut ? EPROTO : EPIPE));
  BOOST_TEST(reason == (is_cut ? "the peer has ended the connection without a close_notify" : ""));
  if (is_cut) return;
  BOOST_TEST(error_of(pair.client.stream.disconnect()) == 0);
  BOOST_TEST(error_of(leaving) == 0);
}

BOOST_AUTO_TEST_CASE(a_cut_stream_ends_in_order_where_that_is_allowed) {
  tls::ClientOptions options = authority.client_options();
  options.protocol.allow_missing_close_notify = true;
  TlsPair pair = connected(context_for(options), server);
  pair.server.stream = Stream();
  BOOST_TEST(error_of_read(pair.client.stream) == EPIPE);
}

BOOST_AUTO_TEST_CASE(half_close_leaves_the_other_direction_open) {
  TlsPair pair = connected(client, server);
  BOOST_TEST(error_of(pair.client.stream.shutdown_write()) == 0);
  BOOST_TEST(error_of_read(pair.server.stream) == EPIPE);
  BOOST_TEST((send_through(pair.server.stream, pair.client.stream, pattern(50000)) == pattern(50000)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
