// GSSAPI streams and contexts, with Kerberos from a KDC of the test's own.
#include <dlfcn.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#ifdef TSOCK_WITH_TLS
#include <tsock/tls/tls.hpp>
#endif
#include <tsock/tsock.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "gssapi/mit/credentials_state.hpp"
#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/security_contexts.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using namespace std::chrono_literals;
using gssapi::Credentials;
using gssapi::Frame;
using gssapi::Protection;
using gssapi::SecurityContext;

constexpr std::string_view mechanism_names[] = {"kerberos", "spnego"};
constexpr Protection protections[] = {Protection::integrity, Protection::confidentiality};
constexpr StreamKind gssapi_kinds[] = {StreamKind::tcp, StreamKind::memory};

// gss_inquire_context() as it is when a ticket ends between the last call of a handshake and it.
bool ticket_ends_before_inquiry = false;

gssapi::ConnectOptions to_gsstest() { return {.target = "gsstest@localhost"}; }

struct GssapiFixture : LoopFixture {
  Kdc* kdc = Kdc::get();

  std::pair<Stream, Stream> both(std::pair<Stream, Stream> pair, const gssapi::ConnectOptions& client,
                                 const gssapi::AcceptOptions& server = {}) {
    Request<Stream> left = gssapi::connect(std::move(pair.first), client);
    Request<Stream> right = gssapi::accept(std::move(pair.second), server);
    int err = 0;
    pair.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
    return pair;
  }
  std::vector<std::byte> read_token(Stream& stream) {
    Request<Pdu> reading = stream.readv_pdu(framing::u32be{});
    int err = -1;
    const Pdu pdu = fetch(reading, err);
    BOOST_TEST_REQUIRE(err == 0);
    return pdu.copy_body();
  }
  static std::vector<std::byte> framed(const std::vector<std::byte>& token) {
    std::vector<std::byte> bytes{std::byte{0}, std::byte{0}, static_cast<std::byte>(token.size() >> 8U),
                                 static_cast<std::byte>(token.size() & 0xffU)};
    bytes.insert(bytes.end(), token.begin(), token.end());
    return bytes;
  }
  static std::vector<std::byte> message(SecurityContext& context, std::string_view text,
                                        Protection protection) {
    std::vector<std::byte> bytes;
    BOOST_TEST(context.wrap(text, protection, bytes) == 0);
    return framed(bytes);
  }
  /// One side of the tokens; a server's without a target.
  SecurityContext handshake_by_hand(Stream& stream, const gssapi::ConnectOptions& options) {
    const bool is_client = !options.target.empty();
    SecurityContext context = is_client ? SecurityContext::client(options) : SecurityContext::server();
    std::vector<std::byte> token;
    int err = EAGAIN;
    for (bool begins = is_client; err == EAGAIN; begins = false) {
      if (!begins) token = read_token(stream);
      std::vector<std::byte> answer;
      bool answers = false;
      err = context.step(token, answer, answers);
      if (answers) BOOST_TEST(error_of(stream.write(framed(answer))) == 0);
    }
    BOOST_TEST_REQUIRE(err == 0, context.reason());
    return context;
  }
  struct Failure {
    int client = 0;
    std::string client_reason;
    int server = 0;
    std::string server_reason;
  };
  Failure fail(const gssapi::ConnectOptions& client, const gssapi::AcceptOptions& server = {}) {
    auto pair = tcp_pair();
    Request<Stream> left = gssapi::connect(std::move(pair.first), client);
    Request<Stream> right = gssapi::accept(std::move(pair.second), server);
    Failure failure;
    failure.client = error_of(left);
    failure.client_reason = left.reason();
    left = {};
    failure.server = error_of(right);
    failure.server_reason = right.reason();
    return failure;
  }
};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_stream, GssapiFixture)

BOOST_DATA_TEST_CASE_F(GssapiFixture, both_sides_know_each_other_and_exchange_bytes,
                       data::make(gssapi_kinds) * data::make(mechanism_names) * data::make({0U, 1U}), kind,
                       mechanism, level) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.mechanism = mechanism;
  options.protection = protections[level];
  auto [client, server] = both(stream_pair(kind), options, {.protection = protections[level]});
  BOOST_TEST((send_through(client, server, pattern(300'000)) == pattern(300'000)));
  BOOST_TEST((send_through(server, client, pattern(1000, 1)) == pattern(1000, 1)));
  int err = -1;
  const gssapi::Peer seen = gssapi::peer(server, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(seen.name == "alice@TSOCK.TEST");
  BOOST_TEST(contains(seen.own_name, "gsstest"));
  BOOST_TEST(seen.mechanism == "kerberos");
  BOOST_TEST(seen.is_mutual);
  BOOST_TEST(!seen.is_anonymous);
  BOOST_TEST(seen.is_sealed == (level == 1));
  BOOST_TEST(seen.strength == 256U);
  BOOST_TEST(!seen.delegated);
  const gssapi::Peer found = gssapi::peer(client, err);
  BOOST_TEST(found.name == "gsstest/localhost@TSOCK.TEST");
  BOOST_TEST(found.own_name == "alice@TSOCK.TEST");
  BOOST_TEST((found.lifetime > 50min && found.lifetime <= 1h));
}

BOOST_AUTO_TEST_CASE(a_signed_message_is_refused_where_sealed_ones_are_agreed_on) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  auto pair = tcp_pair();
  Request<Stream> accepting = gssapi::accept(std::move(pair.second));
  SecurityContext client = handshake_by_hand(pair.first, options);
  int err = -1;
  Stream server = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(error_of(pair.first.write(message(client, "secret", Protection::integrity))) == 0);
  std::vector<std::byte> buffer(6);
  Request<ssize_t> reading = server.read(buffer);
  BOOST_TEST(error_of(reading) == EBADMSG);
  BOOST_TEST(reading.reason() == "a message is not sealed");
}

BOOST_DATA_TEST_CASE_F(GssapiFixture, messages_that_are_changed_repeated_dropped_or_moved_end_the_stream,
                       data::make({0, 1, 2, 3, 4}) * data::make({0U, 1U}), fault, level) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.protection = protections[level];
  auto pair = tcp_pair();
  Request<Stream> accepting = gssapi::accept(std::move(pair.second), {.protection = protections[level]});
  SecurityContext client = handshake_by_hand(pair.first, options);
  int err = -1;
  Stream server = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  std::vector<std::vector<std::byte>> messages;
  for (const std::string_view text : {"one", "two", "six"})
    messages.push_back(message(client, text, protections[level]));
  const char* reason = "";
  switch (fault) {
    case 0:
      messages[1].back() ^= std::byte{1};
      reason = "a message was changed or is none of this context";
      break;
    case 1:
      messages[1] = messages[0];
      reason = "a message was repeated";
      break;
    case 2:
      messages.erase(messages.begin() + 1);
      reason = "a message is missing in front of this one";
      break;
    case 3:
      std::swap(messages[1], messages[2]);
      reason = "a message is missing in front of this one";
      break;
    default:
      messages[1] = bytes_of(std::string_view("\0\0\0\5clear", 9));
      reason = "a message was changed or is none of this context";
  }
  for (const auto& each : messages) BOOST_TEST(error_of(pair.first.write(each)) == 0);
  std::vector<std::byte> buffer(3);
  BOOST_TEST(error_of(server.read(buffer)) == 0);
  BOOST_TEST(text_of(buffer) == "one");
  Request<ssize_t> reading = server.read(buffer);
  BOOST_TEST(error_of(reading) == EBADMSG);
  BOOST_TEST(contains(reading.reason(), reason), reading.reason());
  BOOST_TEST(error_of(server.read(buffer)) == EBADMSG);
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_anywhere_in_a_message_is_seen) {
  if (kdc == nullptr) return;
  for (const Protection protection : protections) {
    auto [client, server] = security_contexts(to_gsstest());
    std::vector<std::byte> good;
    BOOST_TEST(client.wrap("a message", protection, good) == 0);
    unsigned accepted = 0;
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::vector<std::byte> bad = good;
      bad[bit / 8] ^= std::byte{1} << (bit % 8);
      std::vector<std::byte> plain;
      Protection found{};
      const int err = server.unwrap(bad, plain, found);
      if (err == 0) ++accepted;
      if (err != 0) BOOST_TEST(err == EBADMSG);
      if (err == 0) BOOST_TEST(text_of(plain) == "a message");
      if (err == 0) std::tie(client, server) = security_contexts(to_gsstest());
      if (err == 0) break;
    }
    BOOST_TEST(accepted == 0U);
    std::vector<std::byte> plain;
    Protection found{};
    BOOST_TEST(server.unwrap(good, plain, found) == 0);
    BOOST_TEST(text_of(plain) == "a message");
    BOOST_TEST((found == protection));
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_is_cut_at_any_byte_is_seen) {
  if (kdc == nullptr) return;
  auto [client, server] = security_contexts(to_gsstest());
  for (const Protection protection : protections) {
    std::vector<std::byte> good;
    BOOST_TEST(client.wrap("a message", protection, good) == 0);
    std::vector<std::byte> plain;
    Protection found{};
    for (std::size_t size = 0; size < good.size(); ++size) {
      std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      BOOST_TEST(server.unwrap(cut, plain, found) == EBADMSG);
    }
    BOOST_TEST(plain.empty());
    BOOST_TEST(server.unwrap(good, plain, found) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_anywhere_in_a_token_is_an_error_in_words) {
  if (kdc == nullptr) return;
  SecurityContext client = SecurityContext::client(to_gsstest());
  std::vector<std::byte> token;
  bool answers = false;
  BOOST_TEST(client.step({}, token, answers) == EAGAIN);
  unsigned taken = 0;
  for (std::size_t place = 0; place < token.size(); ++place) {
    std::vector<std::byte> bad = token;
    bad[place] ^= std::byte{1} << (place % 8);
    SecurityContext server = SecurityContext::server();
    std::vector<std::byte> answer;
    const int err = server.step(bad, answer, answers);
    if (err == 0) ++taken;
    if (err != 0 && err != EAGAIN) BOOST_TEST(!server.reason().empty());
  }
  // The ticket's name of the service and the like are not what proves anything.
  BOOST_TEST(taken < 64U);
}

BOOST_AUTO_TEST_CASE(the_limit_of_a_message_is_exact) {
  if (kdc == nullptr) return;
  auto [client, server] = security_contexts(to_gsstest());
  for (const Protection protection : protections) {
    for (const std::size_t most : {100U, 1000U, 16384U, 65536U}) {
      const std::size_t limit = client.wrap_size_limit(most, protection);
      BOOST_TEST_REQUIRE(limit != 0U);
      std::vector<std::byte> exact;
      BOOST_TEST(client.wrap(pattern(limit), protection, exact) == 0);
      BOOST_TEST(exact.size() <= most);
      std::vector<std::byte> longer;
      BOOST_TEST(client.wrap(pattern(limit + 1), protection, longer) == 0);
      BOOST_TEST(longer.size() > most);
    }
  }
}

BOOST_AUTO_TEST_CASE(messages_of_a_stream_are_as_long_as_they_may_be) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.messages.most_sent = 1000;
  auto pair = tcp_pair();
  Request<Stream> connecting = gssapi::connect(std::move(pair.first), options);
  SecurityContext server = handshake_by_hand(pair.second, {});
  int err = -1;
  Stream client = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  const std::size_t limit = server.wrap_size_limit(1000, Protection::confidentiality);
  BOOST_TEST(error_of(client.write(pattern(limit + 1))) == 0);
  for (const std::size_t expected : {limit, std::size_t{1}}) {
    std::vector<std::byte> token = read_token(pair.second);
    BOOST_TEST(token.size() <= 1000U);
    std::vector<std::byte> plain;
    Protection found{};
    BOOST_TEST(server.unwrap(token, plain, found) == 0);
    BOOST_TEST(plain.size() == expected);
  }
}

BOOST_AUTO_TEST_CASE(small_writes_of_one_turn_share_a_message) {
  if (kdc == nullptr) return;
  auto pair = tcp_pair();
  Request<Stream> connecting = gssapi::connect(std::move(pair.first), to_gsstest());
  SecurityContext server = handshake_by_hand(pair.second, {});
  int err = -1;
  Stream client = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  Queue queue(loop);
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 10; ++i) writes.push_back(client.write(queue, "0123456789"));
  std::size_t messages = 0;
  std::size_t bytes = 0;
  while (bytes < 100) {
    std::vector<std::byte> token = read_token(pair.second);
    std::vector<std::byte> plain;
    Protection found{};
    BOOST_TEST_REQUIRE(server.unwrap(token, plain, found) == 0);
    bytes += plain.size();
    ++messages;
  }
  BOOST_TEST(messages <= 2U);
  for (Request<ssize_t>& write : writes) BOOST_TEST(error_of(write) == 0);
}

BOOST_AUTO_TEST_CASE(lengths_of_zero_and_above_the_limit_are_refused) {
  if (kdc == nullptr) return;
  for (const std::string_view header : {std::string_view("\0\0\0\0", 4), std::string_view("\0\1\0\1", 4)}) {
    auto pair = tcp_pair();
    Request<Stream> accepting =
        gssapi::accept(std::move(pair.second), {.messages = {.most_received = 65536}});
    const SecurityContext client = handshake_by_hand(pair.first, to_gsstest());
    int err = -1;
    Stream server = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(error_of(pair.first.write(header)) == 0);
    std::vector<std::byte> buffer(1);
    Request<ssize_t> reading = server.read(buffer);
    BOOST_TEST(error_of(reading) == EMSGSIZE);
    BOOST_TEST(contains(reading.reason(), "where 1 to 65536 are allowed"));
  }
}

// ---- who one is ----

BOOST_AUTO_TEST_CASE(credentials_come_from_a_cache_a_keytab_or_a_password) {
  if (kdc == nullptr) return;
  const Credentials password = Credentials::with_password("alice", Kdc::alices_password);
  for (const Credentials& credentials :
       {Credentials::from_ccache("FILE:" + kdc->file("cc")),
        Credentials::from_keytab(kdc->file("alice.keytab"), "alice"),
        Credentials::from_keytab(kdc->file("alice.keytab")), password, password}) {
    gssapi::ConnectOptions options = to_gsstest();
    options.credentials = credentials;
    auto [client, server] =
        both(tcp_pair(), options, {.credentials = Credentials::from_keytab(kdc->file("server.keytab"))});
    int err = -1;
    BOOST_TEST(gssapi::peer(server, err).name == "alice@TSOCK.TEST");
  }
}

BOOST_AUTO_TEST_CASE(a_principal_is_a_target_too) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options{.target = "ldap/localhost@TSOCK.TEST"};
  auto [client, server] = both(tcp_pair(), options);
  int err = -1;
  BOOST_TEST(gssapi::peer(client, err).name == "ldap/localhost@TSOCK.TEST");
}

BOOST_AUTO_TEST_CASE(delegated_credentials_act_for_the_client) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.delegate = true;
  auto [client, server] = both(tcp_pair(), options);
  int err = -1;
  const Credentials delegated = gssapi::peer(server, err).delegated;
  BOOST_TEST_REQUIRE(static_cast<bool>(delegated));
  client = Stream();
  server = Stream();
  gssapi::ConnectOptions onward{.target = "ldap@localhost", .credentials = delegated};
  auto [middle, last] = both(tcp_pair(), onward);
  BOOST_TEST(gssapi::peer(last, err).name == "alice@TSOCK.TEST");
  std::string reason;
  const std::string cache = "FILE:" + kdc->file("stored");
  BOOST_TEST_REQUIRE(delegated.store(cache, reason) == 0, reason);
  onward.credentials = Credentials::from_ccache(cache);
  auto [third, fourth] = both(tcp_pair(), onward);
  BOOST_TEST(gssapi::peer(fourth, err).name == "alice@TSOCK.TEST");
}

BOOST_AUTO_TEST_CASE(a_server_need_not_prove_who_it_is) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.mutual = false;
  auto [client, server] = both(tcp_pair(), options);
  int err = -1;
  BOOST_TEST(!gssapi::peer(client, err).is_mutual);
  BOOST_TEST(!gssapi::peer(server, err).is_mutual);
  BOOST_TEST((send_through(client, server, pattern(1000)) == pattern(1000)));
  BOOST_TEST((send_through(server, client, pattern(1000, 1)) == pattern(1000, 1)));
}

BOOST_AUTO_TEST_CASE(channel_bindings_have_to_be_the_same) {
  if (kdc == nullptr) return;
  const auto binding = gssapi::channel_bindings("tls-server-end-point", bytes_of("hash"));
  BOOST_TEST(text_of(binding) == "tls-server-end-point:hash");
  gssapi::ConnectOptions options = to_gsstest();
  options.channel_bindings = binding;
  {
    auto [client, server] = both(tcp_pair(), options, {.channel_bindings = binding});
    int err = -1;
    BOOST_TEST(gssapi::peer(server, err).is_bound);
  }
  Failure failure = fail(options, {.channel_bindings = bytes_of("other")});
  BOOST_TEST(failure.server == EACCES);
  BOOST_TEST(contains(failure.server_reason, "hannel bindings"), failure.server_reason);
  BOOST_TEST(failure.client != 0);
  options.channel_bindings = {};
  failure = fail(options, {.channel_bindings = binding});
  BOOST_TEST(failure.server == EACCES);
  BOOST_TEST(failure.server_reason == "the client has shown no channel bindings");
}

#ifdef TSOCK_WITH_TLS
BOOST_AUTO_TEST_CASE(a_tls_stream_below_gives_the_bindings_of_both_sides) {
  if (kdc == nullptr) return;
  const tls::PreSharedKey key("test", std::vector<std::byte>(32, std::byte{7}));
  int err = 0;
  std::string reason;
  const tls::Context client_context = tls::Context::client({.trust = {}, .psk = key}, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  tls::ServerOptions server_options;
  server_options.find_psk = [&key](std::string_view) { return key; };
  const tls::Context server_context = tls::Context::server(server_options, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  auto pair = tcp_pair();
  Request<Stream> left = tls::connect(std::move(pair.first), client_context);
  Request<Stream> right = tls::accept(std::move(pair.second), server_context);
  pair.first = fetch(left, err);
  BOOST_TEST_REQUIRE(err == 0, left.reason());
  pair.second = fetch(right, err);
  BOOST_TEST_REQUIRE(err == 0, right.reason());
  const auto binding_of = [&err](const Stream& stream) {
    return gssapi::channel_bindings("tls-exporter",
                                    tls::channel_binding(stream, tls::ChannelBinding::exporter, err));
  };
  gssapi::ConnectOptions options = to_gsstest();
  options.channel_bindings = binding_of(pair.first);
  const gssapi::AcceptOptions server_side{.channel_bindings = binding_of(pair.second)};
  auto [client, server] = both(std::move(pair), options, server_side);
  BOOST_TEST(gssapi::peer(server, err).is_bound);
  BOOST_TEST((send_through(client, server, pattern(100'000)) == pattern(100'000)));
}
#endif

// ---- failures, each in words ----

BOOST_AUTO_TEST_CASE(what_a_client_has_wrong_is_an_error_in_words) {
  if (kdc == nullptr) return;
  struct Case {
    gssapi::ConnectOptions options;
    int err;
    const char* words;
  };
  const Case cases[]{
      {{}, EINVAL, "there is no name of the service"},
      {{.target = "gsstest@localhost", .mechanism = "rot13"}, EINVAL, "'rot13' is no mechanism"},
      {{.target = "gsstest@localhost", .mechanism = "1.2.3.4"}, EINVAL, "mechanism"},
      {{.target = "nosuch@localhost"}, EACCES, "not found in Kerberos database"},
      {{.target = "gsstest@localhost", .credentials = Credentials::from_ccache("FILE:/nonexistent")},
       EACCES,
       "redentials cache"},
      {{.target = "gsstest@localhost", .credentials = Credentials::from_keytab("/nonexistent", "alice")},
       EACCES,
       "No credentials cache found"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("alice", "wrong")},
       EACCES,
       "ntegrity check failed"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("nobody", "pw")},
       EACCES,
       "not found in Kerberos database"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("bob", "bobpw")},
       EACCES,
       "revoked"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("a@ABSENT.TEST", "pw")},
       EHOSTUNREACH,
       "annot contact any KDC"},
  };
  for (const Case& each : cases) {
    BOOST_TEST_INFO_SCOPE("expected: " << each.words);
    auto pair = tcp_pair();
    Request<Stream> connecting = gssapi::connect(std::move(pair.first), each.options);
    BOOST_TEST(error_of(connecting) == each.err, each.words);
    BOOST_TEST(contains(connecting.reason(), each.words), each.words << ": " << connecting.reason());
  }
}

BOOST_AUTO_TEST_CASE(a_server_without_the_key_says_so_to_both) {
  if (kdc == nullptr) return;
  for (const char* keytab : {"stale.keytab", "other.keytab", "absent.keytab"}) {
    const Failure failure = fail(to_gsstest(), {.credentials = Credentials::from_keytab(kdc->file(keytab))});
    BOOST_TEST(failure.server == EACCES, keytab << ": " << failure.server_reason);
    BOOST_TEST(!failure.server_reason.empty());
    BOOST_TEST(failure.client != 0);
    BOOST_TEST(!failure.client_reason.empty());
  }
}

// No client of ours would do that.
BOOST_AUTO_TEST_CASE(a_client_that_asks_for_less_than_the_server_wants_is_refused) {
  if (kdc == nullptr) return;
  constexpr OM_uint32 least = GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG;
  struct Case {
    OM_uint32 flags;
    int err;
    const char* words;
  };
  const Case cases[]{
      {least, EACCES, "the client does not detect messages that are repeated or missing"},
      {least | GSS_C_REPLAY_FLAG, EACCES, "the client does not detect messages that are repeated or missing"},
      {least | GSS_C_SEQUENCE_FLAG, EACCES,
       "the client does not detect messages that are repeated or missing"},
      {least | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG, 0, ""},
  };
  for (const Case& each : cases) {
    gssapi::GssName target;
    std::string reason;
    BOOST_TEST_REQUIRE(gssapi::import_target("gsstest@localhost", target, reason) == 0);
    gssapi::GssContext context;
    gssapi::GssBuffer token;
    OM_uint32 minor = 0;
    const OM_uint32 major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, context.place(), target.get(),
                                                 GSS_C_NO_OID, each.flags, 0, GSS_C_NO_CHANNEL_BINDINGS,
                                                 GSS_C_NO_BUFFER, nullptr, token.place(), nullptr, nullptr);
    BOOST_TEST_REQUIRE(!GSS_ERROR(major));
    auto pair = tcp_pair();
    Request<Stream> accepting = gssapi::accept(std::move(pair.second));
    BOOST_TEST(error_of(pair.first.write(framed({token.bytes().begin(), token.bytes().end()}))) == 0);
    BOOST_TEST(error_of(accepting) == each.err, accepting.reason());
    BOOST_TEST(accepting.reason() == each.words);
  }
}

BOOST_AUTO_TEST_CASE(a_clock_that_is_wrong_is_told_in_words) {
  if (kdc == nullptr) return;
  // A server that allows no difference finds one as soon as there is one.
  const std::string usual = std::getenv("KRB5_CONFIG");
  const std::string strict = kdc->file("strict.conf");
  Kdc::run({"sh", "-c", "sed 's/forwardable = true/clockskew = 0/' " + usual + " > " + strict});
  SecurityContext client = SecurityContext::client(to_gsstest());
  SecurityContext server = SecurityContext::server();
  std::vector<std::byte> token;
  std::vector<std::byte> answer;
  bool answers = false;
  BOOST_TEST(client.step({}, token, answers) == EAGAIN);
  Request<void> pause = loop.sleep(1100ms);
  BOOST_TEST(error_of(pause) == 0);
  ::setenv("KRB5_CONFIG", strict.c_str(), 1);
  const int err = server.step(token, answer, answers);
  ::setenv("KRB5_CONFIG", usual.c_str(), 1);
  BOOST_TEST(err == EACCES);
  BOOST_TEST(contains(server.reason(), "lock skew too great"), server.reason());
  BOOST_TEST_REQUIRE(answers);
  BOOST_TEST(client.step(answer, token, answers) == EACCES);
  BOOST_TEST(contains(client.reason(), "lock skew too great"), client.reason());
}

BOOST_AUTO_TEST_CASE(an_expired_ticket_is_told_in_words) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.credentials = Credentials::from_ccache(kdc->ticket("alice", Kdc::alices_password, {"-l", "1s"}));
  std::string reason;
  int err = 0;
  BOOST_TEST(run_until([&] {
    auto pair = tcp_pair();
    Request<Stream> connecting = gssapi::connect(std::move(pair.first), options);
    const Request<Stream> accepting = gssapi::accept(std::move(pair.second));
    err = error_of(connecting);
    reason = connecting.reason();
    return err != 0;
  }));
  BOOST_TEST(err == ETIME, "errno " << err << ": " << reason);
  BOOST_TEST(contains(reason, "xpired"), reason);
}

BOOST_AUTO_TEST_CASE(a_ticket_that_ends_within_the_handshake_is_told_in_words) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.credentials = Credentials::from_ccache(kdc->ticket("alice", Kdc::alices_password, {"-l", "4s"}));
  SecurityContext client = SecurityContext::client(options);
  SecurityContext server = SecurityContext::server();
  std::vector<std::byte> token;
  std::vector<std::byte> answer;
  bool answers = false;
  BOOST_TEST_REQUIRE(client.step({}, token, answers) == EAGAIN, client.reason());
  BOOST_TEST_REQUIRE(server.step(token, answer, answers) == 0, server.reason());
  BOOST_TEST(error_of(loop.sleep(4100ms)) == 0);
  BOOST_TEST(client.step(answer, token, answers) == ETIME);
  BOOST_TEST(client.reason() == "the ticket has expired");
  BOOST_TEST(!client.is_established());
}

BOOST_AUTO_TEST_CASE(a_ticket_that_ends_behind_the_last_token_is_told_in_the_same_words) {
  if (kdc == nullptr) return;
  SecurityContext client = SecurityContext::client(to_gsstest());
  SecurityContext server = SecurityContext::server();
  std::vector<std::byte> token;
  std::vector<std::byte> answer;
  bool answers = false;
  BOOST_TEST_REQUIRE(client.step({}, token, answers) == EAGAIN, client.reason());
  BOOST_TEST_REQUIRE(server.step(token, answer, answers) == 0, server.reason());
  ticket_ends_before_inquiry = true;
  const int err = client.step(answer, token, answers);
  ticket_ends_before_inquiry = false;
  BOOST_TEST(err == ETIME);
  BOOST_TEST(client.reason() == "the ticket has expired");
  BOOST_TEST(!client.is_established());
}

BOOST_AUTO_TEST_CASE(a_context_whose_lifetime_is_over_ends_with_etime) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.credentials = Credentials::from_ccache(kdc->ticket("alice", Kdc::alices_password, {"-l", "4s"}));
  auto [client, server] = both(tcp_pair(), options);
  options.messages.may_outlive_ticket = true;
  auto [outliving, other_server] = both(tcp_pair(), options);
  Request<void> pause = loop.sleep(4100ms);
  BOOST_TEST(error_of(pause) == 0);
  int err = -1;
  BOOST_TEST((gssapi::peer(client, err).lifetime == 0s));
  Request<ssize_t> writing = client.write("x");
  BOOST_TEST(error_of(writing) == ETIME);
  BOOST_TEST(writing.reason() == "the security context has expired");
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(server.write("x")) == 0);
  BOOST_TEST(error_of(client.read(buffer)) == ETIME);
  BOOST_TEST((send_through(outliving, other_server, pattern(10)) == pattern(10)));
}

BOOST_AUTO_TEST_CASE(a_silent_kdc_holds_up_no_end_of_the_request) {
  if (kdc == nullptr) return;
  for (unsigned end = 0; end < 3; ++end) {
    gssapi::ConnectOptions options = to_gsstest();
    options.credentials = Credentials::with_password("alice@SILENT.TEST", "pw");
    auto pair = tcp_pair();
    std::optional<Request<Stream>> connecting(gssapi::connect(std::move(pair.first), options));
    loop.run_until_idle();
    if (end == 0) {
      connecting->cancel();
      BOOST_TEST(error_of(*connecting) == ECANCELED);
    } else if (end == 1) {
      connecting->set_timeout(1ms);
      BOOST_TEST(error_of(*connecting) == ETIMEDOUT);
    }
    connecting.reset();
    std::vector<std::byte> buffer(1);
    BOOST_TEST(error_of(pair.second.read(buffer)) == EPIPE);
  }
}

BOOST_DATA_TEST_CASE_F(GssapiFixture, a_peer_that_stops_at_any_byte_meets_the_deadline_or_the_end,
                       data::make(mechanism_names) * data::make({"client", "server"}), mechanism, stopping) {
  if (kdc == nullptr) return;
  gssapi::ConnectOptions options = to_gsstest();
  options.mechanism = mechanism;
  const bool is_client = stopping == std::string_view("client");
  std::size_t size = 0;
  for (const double part : {0.0, 0.001, 0.01, 0.5, 0.999}) {
    for (const bool ends : {false, true}) {
      auto pair = tcp_pair();
      Request<Stream> request = is_client ? gssapi::accept(std::move(pair.second))
                                          : gssapi::connect(std::move(pair.second), options);
      SecurityContext context = is_client ? SecurityContext::client(options) : SecurityContext::server();
      std::vector<std::byte> token;
      if (!is_client) token = read_token(pair.first);
      std::vector<std::byte> answer;
      bool answers = false;
      context.step(token, answer, answers);
      BOOST_TEST_REQUIRE(answers);
      std::vector<std::byte> bytes = framed(answer);
      size = bytes.size();
      bytes.resize(static_cast<std::size_t>(static_cast<double>(size) * part));
      if (!bytes.empty()) BOOST_TEST(error_of(pair.first.write(bytes)) == 0);
      if (ends) {
        pair.first = Stream();
        BOOST_TEST(error_of(request) == EPROTO);
        BOOST_TEST(request.reason() == "the peer ended the stream during the handshake");
      } else {
        loop.run_until_idle();
        BOOST_TEST(request.is_in_progress());
        request.set_timeout(1ms);
        BOOST_TEST(error_of(request) == ETIMEDOUT);
        std::vector<std::byte> buffer(1);
        BOOST_TEST(error_of(pair.first.read(buffer)) != 0);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_speaks_something_else_is_eproto) {
  if (kdc == nullptr) return;
  auto pair = tcp_pair();
  Request<Stream> accepting = gssapi::accept(std::move(pair.second));
  BOOST_TEST(error_of(pair.first.write(std::string_view("\0\0\0\5howdy", 9))) == 0);
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(!accepting.reason().empty());
  pair = tcp_pair();
  accepting = gssapi::accept(std::move(pair.second), {.messages = {.most_token = 1000}});
  BOOST_TEST(error_of(pair.first.write("GET / HTTP/1.0\r\n\r\n")) == 0);
  BOOST_TEST(error_of(accepting) == EMSGSIZE);
  BOOST_TEST(contains(accepting.reason(), "where 1 to 1000 are allowed"));
}

// ---- without a stream ----

BOOST_AUTO_TEST_CASE(a_context_signs_and_verifies_what_goes_its_own_way) {
  if (kdc == nullptr) return;
  auto [client, server] = security_contexts(to_gsstest());
  std::vector<std::byte> signature;
  BOOST_TEST(client.sign("text", signature) == 0);
  BOOST_TEST(server.verify("text", signature) == 0);
  BOOST_TEST(server.verify("text", signature) == EBADMSG);
  BOOST_TEST(server.reason() == "a message was repeated");
  std::vector<std::byte> next;
  BOOST_TEST(client.sign("text", next) == 0);
  BOOST_TEST(server.verify("test", next) == EBADMSG);
  BOOST_TEST(client.peer().name == "gsstest/localhost@TSOCK.TEST");
  bool answers = false;
  BOOST_TEST(client.step({}, next, answers) == EINVAL);
}

BOOST_AUTO_TEST_CASE(a_context_that_is_not_established_gives_einval) {
  SecurityContext none;
  SecurityContext context = SecurityContext::client(to_gsstest());
  std::vector<std::byte> bytes;
  Protection found{};
  bool answers = false;
  BOOST_TEST(none.step({}, bytes, answers) == EINVAL);
  for (SecurityContext* each : {&none, &context}) {
    BOOST_TEST(!each->is_established());
    BOOST_TEST(each->wrap("x", Protection::integrity, bytes) == EINVAL);
    BOOST_TEST(each->unwrap(bytes, bytes, found) == EINVAL);
    BOOST_TEST(each->sign("x", bytes) == EINVAL);
    BOOST_TEST(each->verify("x", "y") == EINVAL);
    BOOST_TEST(each->wrap_size_limit(1000, Protection::integrity) == 0U);
    BOOST_TEST(each->peer().name.empty());
  }
}

BOOST_AUTO_TEST_CASE(another_stream_has_no_peer_of_gssapi) {
  auto pair = memory_pair();
  int err = 0;
  BOOST_TEST(gssapi::peer(pair.first, err).name.empty());
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test

// In front of the one of the library.
extern "C" OM_uint32 gss_inquire_context(OM_uint32* minor, gss_ctx_id_t context, gss_name_t* source,
                                         gss_name_t* target, OM_uint32* lifetime, gss_OID* mechanism,
                                         OM_uint32* flags, int* is_local, int* is_open) {
  if (tsock::test::ticket_ends_before_inquiry) {
    *minor = 0;
    return GSS_S_CONTEXT_EXPIRED;
  }
  static auto* const library =
      reinterpret_cast<decltype(&gss_inquire_context)>(::dlsym(RTLD_NEXT, "gss_inquire_context"));
  return library(minor, context, source, target, lifetime, mechanism, flags, is_local, is_open);
}
