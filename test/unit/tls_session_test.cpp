#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <limits>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/tls_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using tls::ClientAuth;
using tls::EarlyData;
using tls::PreSharedKey;
using tls::Version;

struct SessionFixture : TlsFixture {
  const TlsAuthority& authority = tls_authority();
  Certificate certificate = authority.server();

  tls::ClientOptions client_options(Version version = Version::tls1_3) const {
    tls::ClientOptions options = authority.client_options();
    options.protocol = at_version(version);
    return options;
  }
  tls::ServerOptions server_options() const { return {.identities = {authority.identity(certificate)}}; }

  /// Whether the next connection resumes a session, on which both sides have to agree.
  bool resumes(const tls::Context& client, const tls::Context& server,
               const tls::ConnectOptions& options = {.peer_name = "www.example.com"}) {
    TlsPair pair = connected(client, server, options);
    converse(pair);
    BOOST_TEST(pair.client.peer().is_resumed == pair.server.peer().is_resumed);
    return pair.client.peer().is_resumed;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_session, SessionFixture)

BOOST_DATA_TEST_CASE_F(SessionFixture, a_session_is_resumed_and_its_peer_still_known,
                       data::make(tls_versions), version) {
  const tls::Context client = context_for(client_options(version));
  const tls::Context server = context_for(server_options());
  make_session(client, server);
  for (int again = 0; again < 3; ++again) {
    TlsPair pair = connected(client, server);
    converse(pair);
    BOOST_TEST(pair.client.peer().is_resumed);
    BOOST_TEST(pair.server.peer().is_resumed);
    BOOST_TEST(pair.client.peer().is_verified);
    BOOST_TEST(pair.client.peer().verification == "ok");
    BOOST_TEST_REQUIRE(!pair.client.peer().chain.empty());
    BOOST_TEST(pair.client.peer().chain[0] == certificate.pem());
    BOOST_TEST(pair.server.peer().server_name == "www.example.com");
  }
}

BOOST_DATA_TEST_CASE_F(SessionFixture, a_session_survives_a_goodbye, data::make(tls_versions), version) {
  const tls::Context client = context_for(client_options(version));
  const tls::Context server = context_for(server_options());
  TlsPair pair = connected(client, server);
  converse(pair);
  Request<void> leaving = pair.client.stream.disconnect();
  BOOST_TEST(error_of(pair.server.stream.disconnect()) == 0);
  BOOST_TEST(error_of(leaving) == 0);
  BOOST_TEST(resumes(client, server));
}

BOOST_DATA_TEST_CASE_F(SessionFixture, a_session_belongs_to_one_name, data::make(tls_versions), version) {
  CertificateProfile profile = server_profile("www.example.com");
  profile.dns_names.emplace_back("mail.example.com");
  const Certificate both = authority.intermediate.issue(profile);
  const tls::Context client = context_for(client_options(version));
  const tls::Context server = context_for(tls::ServerOptions{.identities = {authority.identity(both)}});
  make_session(client, server);
  BOOST_TEST(!resumes(client, server, {.peer_name = "mail.example.com"}));
  BOOST_TEST(resumes(client, server, {.peer_name = "WWW.example.com."}));
}

BOOST_DATA_TEST_CASE_F(SessionFixture, no_session_is_kept_without_a_name_or_where_none_is_wanted,
                       data::make(tls_versions), version) {
  const tls::Context server = context_for(server_options());
  tls::ClientOptions options = client_options(version);
  options.verify = tls::VerifyLevel::ca_only;
  const tls::Context nameless = context_for(options);
  make_session(nameless, server, {});
  BOOST_TEST(!resumes(nameless, server, {}));

  options.remembered_servers = 0;
  const tls::Context forgetful = context_for(options);
  make_session(forgetful, server);
  BOOST_TEST(!resumes(forgetful, server));

  const tls::Context client = context_for(client_options(version));
  make_session(client, server);
  BOOST_TEST(!resumes(client, server, {.peer_name = "www.example.com", .resume = false}));
  BOOST_TEST(resumes(client, server));
}

BOOST_AUTO_TEST_CASE(the_server_that_was_used_least_recently_is_forgotten_first) {
  tls::ClientOptions options = client_options();
  options.remembered_servers = 2;
  const tls::Context client = context_for(options);
  tls::ServerOptions named;
  for (const char* const name : {"a.example.com", "b.example.com", "c.example.com"})
    named.identities.push_back(authority.identity(authority.server(name)));
  const tls::Context server = context_for(named);
  make_session(client, server, {.peer_name = "a.example.com"});
  make_session(client, server, {.peer_name = "b.example.com"});
  BOOST_TEST(resumes(client, server, {.peer_name = "a.example.com"}));
  make_session(client, server, {.peer_name = "c.example.com"});
  BOOST_TEST(resumes(client, server, {.peer_name = "a.example.com"}));
  BOOST_TEST(!resumes(client, server, {.peer_name = "b.example.com"}));
}

// ---- tickets ----

BOOST_DATA_TEST_CASE_F(SessionFixture, no_tickets_no_resumption, data::make(tls_versions), version) {
  tls::ServerOptions options = server_options();
  options.tickets = 0;
  const tls::Context client = context_for(client_options(version));
  const tls::Context server = context_for(options);
  make_session(client, server);
  BOOST_TEST(!resumes(client, server));
}

BOOST_DATA_TEST_CASE_F(SessionFixture, a_session_ends_with_the_lifetime_of_its_ticket,
                       data::make(tls_versions), version) {
  const tls::Context client = context_for(client_options(version));
  tls::ServerOptions options = server_options();
  options.ticket_lifetime = std::chrono::seconds(1);
  const tls::Context server = context_for(options);
  make_session(client, server);
  // OpenSSL counts whole seconds.
  Request<void> sleeping = loop.sleep(std::chrono::milliseconds(2100));
  BOOST_TEST(error_of(sleeping) == 0);
  BOOST_TEST(!resumes(client, server));
}

BOOST_DATA_TEST_CASE_F(SessionFixture, each_ticket_of_tls_1_3_is_used_once, data::make({1U, 3U}), tickets) {
  tls::ServerOptions options = server_options();
  options.tickets = tickets;
  const tls::Context client = context_for(client_options());
  const tls::Context server = context_for(options);
  make_session(client, server);
  // Connections at the same time, none of which has read a new ticket.
  std::vector<TlsPair> pairs;
  for (unsigned i = 0; i < tickets + 1; ++i) {
    pairs.push_back(connected(client, server));
    BOOST_TEST(pairs.back().client.peer().is_resumed == (i < tickets));
  }
}

BOOST_DATA_TEST_CASE_F(SessionFixture, the_two_keys_before_the_newest_still_open_tickets,
                       data::make(tls_versions) * data::make({0, 1, 2, 3}), version, rotations) {
  tls::ServerOptions options = server_options();
  const tls::Context client = context_for(client_options(version));
  const tls::Context server = context_for(options);
  make_session(client, server);
  for (int i = 0; i < rotations; ++i) BOOST_TEST(options.ticket_keys.rotate() == 0);
  BOOST_TEST(resumes(client, server) == (rotations < 3));
  // A ticket that was opened with an old key was replaced.
  for (int i = rotations; i < 3; ++i) BOOST_TEST(options.ticket_keys.rotate() == 0);
  BOOST_TEST(resumes(client, server) == (rotations != 0));
}

BOOST_DATA_TEST_CASE_F(SessionFixture, contexts_of_other_loops_share_ticket_keys,
                       data::make(tls_versions) * data::make({false, true}), version, shares) {
  tls::ServerOptions options = server_options();
  const tls::Context client = context_for(client_options(version));
  make_session(client, context_for(options));
  if (!shares) options.ticket_keys = tls::TicketKeys();
  const tls::Context other = context_for(options);
  TlsFixture elsewhere;
  TlsPair pair = elsewhere.connected(client, other);
  BOOST_TEST(pair.client.peer().is_resumed == shares);
  BOOST_TEST(pair.server.peer().is_resumed == shares);
}

BOOST_AUTO_TEST_CASE(explicit_keys_open_the_tickets_of_other_processes) {
  const std::vector<std::byte> key = pattern(tls::TicketKeys::key_size);
  tls::ServerOptions here = server_options();
  tls::ServerOptions there = server_options();
  BOOST_TEST(here.ticket_keys.rotate(key) == 0);
  BOOST_TEST(there.ticket_keys.rotate(key) == 0);
  const tls::Context client = context_for(client_options());
  make_session(client, context_for(here));
  BOOST_TEST(resumes(client, context_for(there)));
}

BOOST_DATA_TEST_CASE_F(SessionFixture, a_server_resumes_no_session_for_which_less_was_asked,
                       data::make(tls_versions) * data::make({ClientAuth::none, ClientAuth::request}),
                       version, asked_before) {
  tls::ServerOptions options = server_options();
  options.trust = {.ca_pem = authority.root.pem()};
  options.client_auth = asked_before;
  const tls::Context lenient = context_for(options);
  options.client_auth = ClientAuth::require;
  const tls::Context strict = context_for(options);
  // A client without a certificate: it must not come in by its old session.
  const tls::Context anonymous = context_for(client_options(version));
  make_session(anonymous, lenient);
  const TlsPair refused = shake(anonymous, strict);
  BOOST_TEST(refused.server.err == EACCES);
  // One with a certificate is asked for it.
  tls::ClientOptions with_certificate = client_options(version);
  with_certificate.identity = authority.identity(authority.client());
  const tls::Context client = context_for(with_certificate);
  make_session(client, lenient);
  TlsPair pair = connected(client, strict);
  BOOST_TEST(!pair.server.peer().is_resumed);
  BOOST_TEST(pair.server.peer().is_verified);
  // What was asked of it there counts there.
  converse(pair);
  pair = connected(client, strict);
  BOOST_TEST(pair.server.peer().is_resumed);
  BOOST_TEST(pair.server.peer().is_verified);
  BOOST_TEST(pair.server.peer().chain.size() >= 1U);
}

BOOST_DATA_TEST_CASE_F(SessionFixture, a_server_resumes_no_session_of_clients_that_others_trust,
                       data::make(tls_versions), version) {
  const TlsAuthority foreign;
  tls::ServerOptions options = server_options();
  options.client_auth = ClientAuth::require;
  options.trust = {.ca_pem = authority.root.pem()};
  const tls::Context ours = context_for(options);
  options.trust = {.ca_pem = foreign.root.pem()};
  const tls::Context theirs = context_for(options);
  tls::ClientOptions with_certificate = client_options(version);
  with_certificate.identity = authority.identity(authority.client());
  const tls::Context client = context_for(with_certificate);
  make_session(client, ours);
  BOOST_TEST(shake(client, theirs).server.err == EACCES);
}

BOOST_DATA_TEST_CASE_F(SessionFixture, bindings_of_a_resumed_session_are_the_same_on_both_sides,
                       data::make(tls_versions), version) {
  tls::ServerOptions options = server_options();
  options.identities.insert(options.identities.begin(),
                            authority.identity(authority.server("other.example.com")));
  const tls::Context client = context_for(client_options(version));
  const tls::Context server = context_for(options);
  make_session(client, server);
  const TlsPair pair = connected(client, server);
  BOOST_TEST(pair.client.peer().is_resumed);
  for (const auto kind :
       {tls::ChannelBinding::server_end_point, tls::ChannelBinding::exporter, tls::ChannelBinding::unique}) {
    if (kind == tls::ChannelBinding::unique && version == Version::tls1_3) continue;
    int err = -1;
    const auto of_client = tls::channel_binding(pair.client.stream, kind, err);
    BOOST_TEST(err == 0);
    const auto of_server = tls::channel_binding(pair.server.stream, kind, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(!of_client.empty());
    BOOST_TEST((of_client == of_server));
  }
}

// ---- early data ----

namespace {

struct EarlyFixture : SessionFixture {
  static constexpr std::uint32_t most = 100000;
  tls::Context client = context_for(client_options());
  tls::Context server = early_server();

  tls::Context early_server() const {
    tls::ServerOptions options = server_options();
    options.replayable_early_data = most;
    return context_for(options);
  }

  static tls::ConnectOptions with(const std::vector<std::byte>& early) {
    return {.peer_name = "www.example.com", .early_data = early};
  }
  /// The bytes come first and once; then both sides talk.
  void hears(TlsPair& pair, const std::vector<std::byte>& expected) {
    std::vector<std::byte> got(expected.size());
    Request<ssize_t> reading = pair.server.stream.read(got);
    BOOST_TEST(error_of(reading) == 0, reading.reason());
    BOOST_TEST((got == expected));
    converse(pair);
  }
};

}  // namespace

BOOST_DATA_TEST_CASE_F(EarlyFixture, early_data_is_taken_by_a_server_that_allows_it,
                       data::make({1U, 1000U, 16384U, 16385U, 99999U, 100000U}), size) {
  make_session(client, server);
  const std::vector<std::byte> early = pattern(size);
  TlsPair pair = connected(client, server, with(early));
  hears(pair, early);
  BOOST_TEST(pair.client.peer().early_data == EarlyData::accepted);
  BOOST_TEST(pair.server.peer().early_data == EarlyData::accepted);
  BOOST_TEST(pair.client.peer().is_resumed);
  BOOST_TEST(pair.server.peer().is_resumed);
}

BOOST_FIXTURE_TEST_CASE(a_server_gives_early_data_and_answers_before_the_client_is_done, EarlyFixture) {
  make_session(client, server);
  auto [ours, theirs] = tcp_pair();
  auto [bridge_to_client, bridge_to_server] = tcp_pair();
  // The client's first flight is passed on by hand, and nothing behind it.
  Request<Stream> connecting = tls::connect(std::move(ours), client, with(bytes_of("question")));
  std::vector<std::byte> flight(16384);
  Request<ssize_t> reading = theirs.read_some(flight);
  int err = -1;
  const auto size = static_cast<std::size_t>(fetch(reading, err));
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = tls::accept(std::move(bridge_to_server), server);
  BOOST_TEST(error_of(bridge_to_client.write(std::span(flight).first(size))) == 0);
  Stream early = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(read_text(early, 8) == "question");
  BOOST_TEST(tls::peer(early, err).early_data == EarlyData::accepted);
  Request<ssize_t> answering = early.write("answer");
  BOOST_TEST(error_of(answering) == 0);
  const std::vector<std::byte> exported = tls::export_keying_material(early, "x", "", 16, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(connecting.is_in_progress());
  Request<ssize_t> back = bridge_to_client.read_some(flight);
  const auto answer_size = static_cast<std::size_t>(fetch(back, err));
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(error_of(theirs.write(std::span(flight).first(answer_size))) == 0);
  Stream done = fetch(connecting, err);
  BOOST_TEST(err == 0, connecting.reason());
  BOOST_TEST(read_text(done, 6) == "answer");
  BOOST_TEST((tls::export_keying_material(done, "x", "", 16, err) == exported));
}

namespace {
constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
}  // namespace

// The rest of the handshake is passed on byte by byte: a message of 26 bytes, and another one. The server
// ends behind so many bytes of it.
BOOST_DATA_TEST_CASE_F(EarlyFixture, a_server_writes_and_ends_at_any_byte_of_the_clients_last_flight,
                       data::make({never, std::size_t{0}, std::size_t{30}}), end) {
  make_session(client, server);
  auto [ours, theirs] = tcp_pair();
  auto [bridge_to_client, bridge_to_server] = tcp_pair();
  Request<Stream> connecting = tls::connect(std::move(ours), client, with(bytes_of("question")));
  std::vector<std::byte> flight(16384);
  Request<ssize_t> reading = theirs.read_some(flight);
  int err = -1;
  auto size = static_cast<std::size_t>(fetch(reading, err));
  Request<Stream> accepting = tls::accept(std::move(bridge_to_server), server);
  BOOST_TEST(error_of(bridge_to_client.write(std::span(flight).first(size))) == 0);
  Stream early = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(read_text(early, 8) == "question");
  Request<ssize_t> back = bridge_to_client.read_some(flight);
  size = static_cast<std::size_t>(fetch(back, err));
  BOOST_TEST(error_of(theirs.write(std::span(flight).first(size))) == 0);
  Stream done = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());

  Request<ssize_t> last = theirs.read_some(flight);
  size = static_cast<std::size_t>(fetch(last, err));
  BOOST_TEST_REQUIRE(size > 30U);
  Request<void> ending;
  std::string written;
  for (std::size_t i = 0; i < size; ++i) {
    static_cast<void>(early.pending_bytes(err));  // takes what has come
    if (i == end) ending = early.disconnect();
    if (i < end) {
      Request<ssize_t> writing = early.write("!");
      BOOST_TEST_REQUIRE(error_of(writing) == 0, writing.reason());
      written += '!';
    }
    BOOST_TEST(error_of(bridge_to_client.write(std::span(flight).subspan(i, 1))) == 0);
    loop.run_until_idle();
  }
  const Request<PumpResult> passing = pump(bridge_to_client, theirs);
  if (!written.empty()) BOOST_TEST(read_text(done, written.size()) == written);
  if (end == never) return;
  std::vector<std::byte> next(1);
  Request<ssize_t> reading_on = done.read(next);
  BOOST_TEST(error_of(reading_on) == EPIPE, reading_on.reason());
}

BOOST_FIXTURE_TEST_CASE(a_first_flight_that_is_sent_again_is_not_taken_twice, EarlyFixture) {
  make_session(client, server);
  auto [ours, theirs] = tcp_pair();
  const Request<Stream> connecting = tls::connect(std::move(ours), client, with(bytes_of("pay 100")));
  std::vector<std::byte> flight(16384);
  Request<ssize_t> reading = theirs.read_some(flight);
  int err = -1;
  flight.resize(static_cast<std::size_t>(fetch(reading, err)));
  BOOST_TEST_REQUIRE(err == 0);

  auto [first_peer, first] = tcp_pair();
  Request<Stream> accepting = tls::accept(std::move(first), server);
  BOOST_TEST(error_of(first_peer.write(flight)) == 0);
  Stream taken = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(read_text(taken, 7) == "pay 100");

  auto [second_peer, second] = tcp_pair();
  Request<Stream> replayed = tls::accept(std::move(second), server);
  BOOST_TEST(error_of(second_peer.write(flight)) == 0);
  // The server answers as to a client that it does not know, and waits for its last flight.
  std::vector<std::byte> answer(1);
  BOOST_TEST(error_of(second_peer.read(answer)) == 0);
  BOOST_TEST(replayed.is_in_progress());
  BOOST_TEST(error_of(second_peer.shutdown_write()) == 0);
  BOOST_TEST(error_of(replayed) == EPROTO);
}

BOOST_DATA_TEST_CASE_F(EarlyFixture, early_data_that_a_server_refuses_is_sent_again_and_arrives_once,
                       data::make({true, false}) * data::make({100U, 16000U, 60000U}), allows, size) {
  make_session(client, server);
  // Another server of that name, or the same one after a restart.
  const tls::Context other = allows ? early_server() : context_for(server_options());
  const std::vector<std::byte> early = pattern(size);
  TlsPair pair = connected(client, other, with(early));
  hears(pair, early);
  BOOST_TEST(pair.client.peer().early_data == EarlyData::refused);
  BOOST_TEST(pair.server.peer().early_data == EarlyData::refused);
  BOOST_TEST(!pair.client.peer().is_resumed);
}

BOOST_DATA_TEST_CASE_F(EarlyFixture, early_data_waits_where_no_session_allows_it, data::make({0, 1, 2, 3}),
                       kind) {
  tls::Context other = server;
  std::size_t size = 1000;
  if (kind == 1) {  // a session of a server that takes none
    other = context_for(server_options());
    make_session(client, other);
  } else if (kind == 2) {  // more than it takes
    size = most + 1;
    make_session(client, other);
  } else if (kind == 3) {  // TLS 1.2
    client = context_for(client_options(Version::tls1_2));
    make_session(client, other);
  }
  const std::vector<std::byte> early = pattern(size);
  TlsPair pair = connected(client, other, with(early));
  hears(pair, early);
  BOOST_TEST(pair.client.peer().early_data == EarlyData::none);
  BOOST_TEST(pair.server.peer().early_data == EarlyData::none);
  BOOST_TEST(pair.client.peer().is_resumed == (kind != 0));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_takes_early_data_serves_clients_without_it, EarlyFixture) {
  make_session(client, server);
  BOOST_TEST(resumes(client, server));
  const tls::Context old = context_for(client_options(Version::tls1_2));
  make_session(old, server);
  BOOST_TEST(resumes(old, server));
}

BOOST_FIXTURE_TEST_CASE(a_client_that_ends_behind_its_early_data_has_ended_in_the_middle, EarlyFixture) {
  make_session(client, server);
  auto [ours, theirs] = tcp_pair();
  const Request<Stream> connecting = tls::connect(std::move(ours), client, with(bytes_of("question")));
  std::vector<std::byte> flight(16384);
  Request<ssize_t> reading = theirs.read_some(flight);
  int err = -1;
  flight.resize(static_cast<std::size_t>(fetch(reading, err)));
  auto [peer, accepted] = tcp_pair();
  Request<Stream> accepting = tls::accept(std::move(accepted), server);
  BOOST_TEST(error_of(peer.write(flight)) == 0);
  Stream stream = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  BOOST_TEST(read_text(stream, 8) == "question");
  BOOST_TEST(error_of_read(stream) == EPROTO);
}

// ---- pre-shared keys ----

namespace {

struct PskFixture : SessionFixture {
  std::vector<std::byte> key = pattern(32);

  auto finder() const {
    return [known = key](std::string_view identity) {
      return identity == "device 7" ? PreSharedKey(std::string(identity), known) : PreSharedKey();
    };
  }
  tls::Context psk_client(Version version, std::string name, std::vector<std::byte> bytes) const {
    tls::ClientOptions options = client_options(version);
    options.psk = {std::move(name), std::move(bytes)};
    return context_for(options);
  }
  tls::Context psk_server() const { return context_for(tls::ServerOptions{.find_psk = finder()}); }
  tls::Context server_with_both() const {
    tls::ServerOptions options = server_options();
    options.find_psk = finder();
    return context_for(options);
  }
};

}  // namespace

BOOST_DATA_TEST_CASE_F(PskFixture, a_key_that_both_have_is_enough, data::make(tls_versions), version) {
  TlsPair pair = connected(psk_client(version, "device 7", key), psk_server(), {});
  converse(pair);
  BOOST_TEST(pair.server.peer().psk_identity == "device 7");
  BOOST_TEST(pair.client.peer().psk_identity == "");
  for (const TlsSide* const side : {&pair.client, &pair.server}) {
    BOOST_TEST(!side->peer().is_resumed);
    BOOST_TEST(!side->peer().is_verified);
    BOOST_TEST(side->peer().verification == "");
    BOOST_TEST(side->peer().chain.empty());
  }
}

BOOST_DATA_TEST_CASE_F(PskFixture, an_unknown_identity_is_refused, data::make(tls_versions), version) {
  const TlsPair pair = shake(psk_client(version, "device 8", key), psk_server(), {});
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason == "no pre-shared key that both sides have");
  BOOST_TEST(pair.client.err == EPROTO);
  BOOST_TEST(pair.client.reason.starts_with("the peer refuses: "), pair.client.reason);
}

BOOST_DATA_TEST_CASE_F(PskFixture, another_key_is_refused, data::make(tls_versions), version) {
  const TlsPair pair = shake(psk_client(version, "device 7", pattern(32, 1)), psk_server(), {});
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.server.reason == "the peer has another pre-shared key");
  BOOST_TEST(pair.client.err == EPROTO);
  BOOST_TEST(pair.client.reason.starts_with("the peer refuses: "), pair.client.reason);
}

BOOST_DATA_TEST_CASE_F(PskFixture, certificates_are_the_way_of_a_client_with_a_name_where_no_key_fits,
                       data::make(tls_versions) * data::make({false, true}), version, server_has_keys) {
  const tls::Context server = server_has_keys ? server_with_both() : context_for(server_options());
  // To a server with keys of TLS 1.2 an unknown identity is the end, so it gets a good one.
  const bool is_known = server_has_keys && version == Version::tls1_2;
  TlsPair pair = connected(psk_client(version, is_known ? "device 7" : "device 8", key), server);
  converse(pair);
  BOOST_TEST(pair.client.peer().is_verified);
  BOOST_TEST(pair.server.peer().psk_identity == "");
}

BOOST_DATA_TEST_CASE_F(PskFixture, a_client_without_a_name_takes_no_certificate, data::make(tls_versions),
                       version) {
  const TlsPair pair = shake(psk_client(version, "device 7", key), context_for(server_options()), {});
  BOOST_TEST(pair.client.err == (version == Version::tls1_3 ? EACCES : EPROTO));
  if (version == Version::tls1_3)
    BOOST_TEST(pair.client.reason ==
               "the server does not know the pre-shared key, and no name is given for its certificate");
  BOOST_TEST(pair.server.err == EPROTO);
}

BOOST_DATA_TEST_CASE_F(PskFixture, a_server_with_keys_and_certificates_serves_a_client_that_has_only_a_key,
                       data::make(tls_versions), version) {
  TlsPair pair = connected(psk_client(version, "device 7", key), server_with_both(), {});
  converse(pair);
  BOOST_TEST(pair.server.peer().psk_identity == "device 7");
}

BOOST_DATA_TEST_CASE_F(PskFixture, a_resumed_session_still_tells_the_identity, data::make(tls_versions),
                       version) {
  const tls::Context client = psk_client(version, "device 7", key);
  const tls::Context server = psk_server();
  make_session(client, server);
  for (int again = 0; again < 2; ++again) {
    TlsPair pair = connected(client, server);
    converse(pair);
    BOOST_TEST(pair.client.peer().is_resumed == pair.server.peer().is_resumed);
    if (version == Version::tls1_2) BOOST_TEST(pair.server.peer().is_resumed);
    BOOST_TEST(pair.server.peer().psk_identity == "device 7");
  }
}

BOOST_DATA_TEST_CASE_F(PskFixture, a_function_that_throws_or_gives_too_much_knows_no_key,
                       data::make(tls_versions) * data::make({false, true}), version, throws) {
  const tls::Context server = context_for(tls::ServerOptions{.find_psk = [throws](std::string_view) {
    if (throws) throw std::string("database");
    return PreSharedKey("device 7", std::vector<std::byte>(100000));
  }});
  const TlsPair pair = shake(psk_client(version, "device 7", key), server, {});
  BOOST_TEST(pair.server.err == EPROTO);
  BOOST_TEST(pair.client.err == EPROTO);
}

BOOST_DATA_TEST_CASE_F(PskFixture, a_key_copied_assigned_and_moved_is_the_key, data::make({0, 1, 2}), how) {
  const PreSharedKey original("device 7", key);
  PreSharedKey other("x", pattern(5));
  if (how == 0) {
    other = original;
  } else if (how == 1) {
    PreSharedKey copy(original);
    other = std::move(copy);
  } else {
    PreSharedKey& same = other = original;
    other = same;
  }
  BOOST_TEST(other.identity == "device 7");
  BOOST_TEST((other.key == key));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
