#include <algorithm>
#include <atomic>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <future>
#include <ostream>
#include <string>
#include <thread>
#include <tsock/sasl/sasl.hpp>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/sasl_fixture.hpp"
#if defined(TSOCK_WITH_TLS) && defined(TSOCK_TEST_CERTIFICATES)
#include "support/tls_fixture.hpp"
#endif

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::string_view_literals;

const StreamKind below_sasl[] = {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory};

/// A client's stream with a layer, whose other side is the raw stream below and a server that has no stream.
struct SaslStreamFixture : SaslFixture {
  /// What a client makes of one write: a message with its length in front. The client's stream is
  /// `ends.first`.
  std::vector<std::byte> message_of(ByteView plain) {
    Request<ssize_t> writing = writer.write(plain);
    BOOST_TEST(error_of(writing) == 0);
    std::vector<std::byte> header(4);
    Request<ssize_t> reading = wire.read(header);
    BOOST_TEST(error_of(reading) == 0);
    const std::size_t length =
        std::to_integer<std::size_t>(header[2]) << 8U | std::to_integer<std::size_t>(header[3]);
    std::vector<std::byte> body(length);
    reading = wire.read(body);
    BOOST_TEST(error_of(reading) == 0);
    header.insert(header.end(), body.begin(), body.end());
    return header;
  }

  Stream writer;  ///< the client's
  Stream wire;    ///< what it writes
  Stream feed;    ///< what the server reads
  Stream reader;  ///< the server's

  void set_up(std::uint32_t longest_message = 65536) {
    sasl::ServerOptions server = sasl_server_options();
    server.security.longest_message = longest_message;
    SaslPair pair = authenticated(sasl_client_options("DIGEST-MD5"), server);
    auto [left, right] = tcp_pair();
    auto [third, fourth] = tcp_pair();
    wire = std::move(right);
    feed = std::move(third);
    Request<Stream> client = sasl::wrap(std::move(left), std::move(pair.client));
    Request<Stream> other = sasl::wrap(std::move(fourth), std::move(pair.server));
    int err = -1;
    writer = fetch(client, err);
    BOOST_TEST_REQUIRE(err == 0);
    reader = fetch(other, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  void send(std::span<const std::byte> bytes) {
    Request<ssize_t> writing = feed.write(bytes);
    BOOST_TEST(error_of(writing) == 0);
  }
  int error_of_read(std::string* reason = nullptr) {
    std::vector<std::byte> bytes(1);
    Request<ssize_t> reading = reader.read(bytes);
    const int err = error_of(reading);
    if (reason != nullptr) *reason = reading.reason();
    return err;
  }
  std::string read_text(std::size_t size) {
    std::vector<std::byte> bytes(size);
    Request<ssize_t> reading = reader.read(bytes);
    BOOST_TEST(error_of(reading) == 0, reading.reason());
    return text_of(bytes);
  }
};

constexpr std::string_view tampered = "a message of the security layer was changed, repeated or left out";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sasl_stream, SaslStreamFixture)

BOOST_DATA_TEST_CASE_F(SaslStreamFixture, a_layer_carries_bytes_both_ways, data::make(below_sasl), kind) {
  auto [left, right] = digest_pair(stream_pair(kind));
  BOOST_TEST((send_through(left, right, pattern(200000)) == pattern(200000)));
  BOOST_TEST((send_through(right, left, pattern(200001, 1)) == pattern(200001, 1)));
  int err = -1;
  BOOST_TEST(sasl::peer(left, err).mechanism == "DIGEST-MD5");
  BOOST_TEST(err == 0);
  BOOST_TEST(sasl::peer(right, err).user == "alice");
  BOOST_TEST(sasl::peer(right, err).strength == 128U);
}

BOOST_DATA_TEST_CASE_F(SaslStreamFixture, every_strength_carries_bytes, data::make({1U, 56U, 128U}),
                       strength) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.security.highest_strength = strength;
  auto [left, right] = layered(tcp_pair(), authenticated(client, sasl_server_options()));
  for (std::size_t size : {1U, 100U, 10000U, 60000U, 65000U, 65500U, 65530U})
    BOOST_TEST((send_through(left, right, pattern(size)) == pattern(size)), size);
  BOOST_TEST((send_through(left, right, pattern(100000)) == pattern(100000)));
}

BOOST_AUTO_TEST_CASE(what_is_sent_is_not_readable) {
  set_up();
  const std::string text = text_of(message_of("a secret message"));
  BOOST_TEST(text.find("secret") == std::string::npos);
  BOOST_TEST(text.starts_with("\0\0\0"sv));
}

BOOST_AUTO_TEST_CASE(a_mechanism_without_a_layer_leaves_the_stream_as_it_is) {
  SaslPair pair = authenticated(sasl_client_options("SCRAM-SHA-256"), sasl_server_options());
  auto [left, right] = tcp_pair();
  Request<Stream> wrapping = sasl::wrap(std::move(left), std::move(pair.client));
  int err = -1;
  left = fetch(wrapping, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<ssize_t> writing = left.write("plain");
  BOOST_TEST(error_of(writing) == 0);
  std::vector<std::byte> bytes(5);
  Request<ssize_t> reading = right.read(bytes);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(bytes) == "plain");
  static_cast<void>(sasl::peer(left, err));
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_not_done_is_einval) {
  Request<Stream> wrapping = sasl::wrap(tcp_pair().first, sasl_client(sasl_client_options()));
  BOOST_TEST(error_of(wrapping) == EINVAL);
  BOOST_TEST(wrapping.reason() == "the SASL session is not done");
  wrapping = sasl::wrap(tcp_pair().first, sasl::Session());
  BOOST_TEST(error_of(wrapping) == EINVAL);
}

BOOST_AUTO_TEST_CASE(messages_that_were_read_ahead_belong_to_the_layer) {
  SaslPair pair = authenticated(sasl_client_options("DIGEST-MD5"), sasl_server_options());
  auto [left, right] = tcp_pair();
  Request<ssize_t> command = left.write("OK\n");
  Request<Stream> client = sasl::wrap(std::move(left), std::move(pair.client));
  int err = -1;
  left = fetch(client, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<ssize_t> writing = left.write("inside");
  BOOST_TEST(error_of(writing) == 0);
  Request<Pdu> line = right.readv_pdu(framing::line{.max_body = 10});
  BOOST_TEST(text_of(fetch(line, err).bytes()) == "OK\n");
  Request<Stream> server = sasl::wrap(std::move(right), std::move(pair.server));
  reader = fetch(server, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(read_text(6) == "inside");
}

// ---- sizes ----

BOOST_AUTO_TEST_CASE(a_write_of_the_most_is_one_message_and_one_byte_more_is_two) {
  set_up(4096);
  int err = -1;
  const std::size_t most = sasl::peer(writer, err).most_plain;
  BOOST_TEST((most > 4000U && most < 4096U));
  const std::vector<std::byte> exact = message_of(std::string(most, 'x'));
  BOOST_TEST(exact.size() - 4 <= 4096U);
  send(exact);
  BOOST_TEST(read_text(most) == std::string(most, 'x'));
  const std::string more(most + 1, 'y');
  const std::vector<std::byte> first = message_of(more);
  BOOST_TEST(first.size() == exact.size());
  const std::vector<std::byte> second = message_of("z");  // reads what was left of the write before
  BOOST_TEST(second.size() < 64U);
  send(first);
  send(second);
  BOOST_TEST(read_text(most + 1) == more);
}

BOOST_AUTO_TEST_CASE(a_message_of_the_longest_length_is_taken_and_a_longer_one_is_not) {
  set_up(4096);
  send(bytes_of("\0\0\x10\0"sv));
  send(std::vector<std::byte>(4096));
  std::string reason;
  BOOST_TEST(error_of_read(&reason) == EBADMSG);
  BOOST_TEST(reason == tampered);

  set_up(4096);
  send(bytes_of("\0\0\x10\1"sv));  // and nothing behind it
  BOOST_TEST(error_of_read(&reason) == EMSGSIZE);
  BOOST_TEST(reason == "a message of 4097 bytes, where 1 to 4096 are allowed");
  BOOST_TEST(error_of_read() == EMSGSIZE);
}

BOOST_DATA_TEST_CASE_F(SaslStreamFixture, a_length_that_cannot_be_ends_the_stream,
                       data::make({"\0\0\0\0"sv, "\xff\xff\xff\xff"sv, "\0\1\0\1"sv, "HTTP"sv}), header) {
  set_up();
  send(bytes_of(header));
  BOOST_TEST(error_of_read() == EMSGSIZE);
}

// ---- what somebody does on the way ----

BOOST_AUTO_TEST_CASE(a_bit_flipped_anywhere_in_a_message_is_noticed) {
  set_up();
  const std::size_t size = message_of("sixteen bytes ..").size();
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    set_up();
    std::vector<std::byte> message = message_of("sixteen bytes ..");
    BOOST_TEST_REQUIRE(message.size() == size);
    message[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    send(message);
    feed = Stream();
    const int err = error_of_read();
    // A length that has changed is too long, or more than there is.
    const bool is_noticed = err == EBADMSG || (bit < 32 && (err == EMSGSIZE || err == EPROTO));
    BOOST_TEST_REQUIRE(is_noticed, "bit " << bit << " gave " << err);
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_is_repeated_is_noticed) {
  set_up();
  const std::vector<std::byte> message = message_of("once");
  send(message);
  BOOST_TEST(read_text(4) == "once");
  send(message);
  std::string reason;
  BOOST_TEST(error_of_read(&reason) == EBADMSG);
  BOOST_TEST(reason == tampered);
  BOOST_TEST(error_of_read() == EBADMSG);
}

BOOST_AUTO_TEST_CASE(messages_in_another_order_are_noticed) {
  set_up();
  const std::vector<std::byte> first = message_of("first");
  send(message_of("second"));
  send(first);
  BOOST_TEST(error_of_read() == EBADMSG);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_left_out_is_noticed) {
  set_up();
  send(message_of("first"));
  static_cast<void>(message_of("second"));
  send(message_of("third"));
  BOOST_TEST(read_text(5) == "first");
  BOOST_TEST(error_of_read() == EBADMSG);
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_cut_inside_of_a_message_is_eproto) {
  set_up();
  const std::size_t size = message_of("some bytes").size();
  for (std::size_t cut = 0; cut <= size; ++cut) {
    set_up();
    const std::vector<std::byte> message = message_of("some bytes");
    if (cut != 0) send(std::span(message).first(cut));
    feed = Stream();
    if (cut == size) BOOST_TEST(read_text(10) == "some bytes");
    BOOST_TEST_REQUIRE(error_of_read() == (cut == 0 || cut == size ? EPIPE : EPROTO), "cut at " << cut);
  }
}

BOOST_AUTO_TEST_CASE(bytes_in_front_of_a_bad_message_are_given_first) {
  set_up();
  std::vector<std::byte> both = message_of("good");
  std::vector<std::byte> bad = message_of("bad");
  bad.back() ^= std::byte{1};
  both.insert(both.end(), bad.begin(), bad.end());
  send(both);
  BOOST_TEST(read_text(4) == "good");
  BOOST_TEST(error_of_read() == EBADMSG);
}

BOOST_AUTO_TEST_CASE(the_layer_has_no_half_close) {
  auto [left, right] = digest_pair(tcp_pair());
  Request<void> ending = left.shutdown_write();
  BOOST_TEST(error_of(ending) == ENOTSUP);
  BOOST_TEST((send_through(left, right, pattern(100)) == pattern(100)));
}

// ---- steps on a worker ----

BOOST_AUTO_TEST_CASE(steps_may_run_on_a_worker_thread) {
  sasl::ServerOptions options = sasl_server_options();
  const std::thread::id ours = std::this_thread::get_id();
  std::thread::id theirs;
  options.password_of = [&](std::string_view) {
    theirs = std::this_thread::get_id();
    return std::optional<std::string>("alicepw");
  };
  sasl::ClientOptions client_options = sasl_client_options("DIGEST-MD5");
  std::promise<void> go_on;
  std::atomic<bool> waits = false;
  client_options.password = [&waits, released = go_on.get_future().share()] {
    if (waits) released.wait();
    return std::string("alicepw");
  };
  sasl::ClientSession client = sasl_client(client_options);
  sasl::ServerSession server = sasl_server(options);
  int err = -1;
  Request<sasl::Reply> request = client.start(loop, "DIGEST-MD5");
  static_cast<void>(fetch(request, err));
  BOOST_TEST_REQUIRE(err == 0);
  request = server.start(loop, "DIGEST-MD5", std::nullopt);
  sasl::Reply reply = fetch(request, err);
  BOOST_TEST_REQUIRE(err == 0);
  waits = true;
  request = client.step(loop, *reply.bytes);
  static_cast<void>(client.step("", err));
  BOOST_TEST(err == EBUSY);
  BOOST_TEST(client.reason().empty());
  go_on.set_value();
  reply = fetch(request, err);
  BOOST_TEST_REQUIRE(err == 0);
  request = server.step(loop, *reply.bytes);
  reply = fetch(request, err);
  BOOST_TEST_REQUIRE(err == 0, server.reason());
  request = client.step(loop, *reply.bytes);
  static_cast<void>(fetch(request, err));
  BOOST_TEST(err == 0);
  BOOST_TEST((client.is_done() && server.is_done()));
  BOOST_TEST((theirs != std::thread::id() && theirs != ours));
}

BOOST_AUTO_TEST_CASE(a_handshake_ends_at_once_while_a_step_is_stuck) {
  std::promise<void> release;
  sasl::ClientOptions options = sasl_client_options("CRAM-MD5");
  options.password = [done = release.get_future().share()] {
    done.wait();
    return std::string("alicepw");
  };
  auto [left, right] = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(left), options);
  Request<Stream> accepting = sasl::accept(std::move(right), sasl_server_options());
  connecting.set_timeout(std::chrono::milliseconds(20));
  BOOST_TEST(error_of(connecting) == ETIMEDOUT);
  BOOST_TEST(error_of(accepting) == EPROTO);
  release.set_value();
}

// ---- in TLS ----

#if defined(TSOCK_WITH_TLS) && defined(TSOCK_TEST_CERTIFICATES)
/// One side of a TLS stream, and what ties SASL to it.
sasl::SecurityOptions inside(const Stream& stream) {
  int err = -1;
  sasl::SecurityOptions security{.external_strength = 256};
  security.channel_binding = {.type = "tls-exporter",
                              .bytes = tls::channel_binding(stream, tls::ChannelBinding::exporter, err),
                              .is_required = true};
  BOOST_TEST(err == 0);
  return security;
}

struct SaslInTlsFixture : TlsFixture {
  TlsPair tls_pair =
      connected(context_for(tls_authority().client_options()), context_for(tls_authority().server_options()));
  sasl::ClientOptions client = sasl_client_options();
  sasl::ServerOptions server = sasl_server_options();

  int shake_hands(std::string* mechanism = nullptr) {
    Request<Stream> connecting = sasl::connect(std::move(tls_pair.client.stream), client);
    Request<Stream> accepting = sasl::accept(std::move(tls_pair.server.stream), server);
    int err = -1;
    Stream left = fetch(connecting, err);
    const int server_error = error_of(accepting);
    if (err != 0) return server_error;
    if (mechanism != nullptr) *mechanism = sasl::peer(left, err).mechanism;
    return err;
  }
};

BOOST_FIXTURE_TEST_CASE(scram_is_bound_to_the_tls_stream_below, SaslInTlsFixture) {
  client.security = inside(tls_pair.client.stream);
  server.security = inside(tls_pair.server.stream);
  client.mechanisms = {"SCRAM-SHA-256-PLUS"};
  std::string mechanism;
  BOOST_TEST(shake_hands(&mechanism) == 0);
  BOOST_TEST(mechanism == "SCRAM-SHA-256-PLUS");
}

BOOST_FIXTURE_TEST_CASE(scram_in_another_tls_stream_is_refused, SaslInTlsFixture) {
  const TlsPair other =
      connected(context_for(tls_authority().client_options()), context_for(tls_authority().server_options()));
  client.security = inside(other.client.stream);  // as of somebody in the middle
  server.security = inside(tls_pair.server.stream);
  client.mechanisms = {"SCRAM-SHA-256-PLUS"};
  BOOST_TEST(shake_hands() == EPROTO);
}

BOOST_FIXTURE_TEST_CASE(a_password_may_be_sent_inside_tls, SaslInTlsFixture) {
  client.security.external_strength = 256;
  server.security.external_strength = 256;
  client.mechanisms = {"PLAIN"};
  std::string mechanism;
  BOOST_TEST(shake_hands(&mechanism) == 0);
  BOOST_TEST(mechanism == "PLAIN");
}
#endif

// ---- handshakes of connect() and accept() ----

BOOST_DATA_TEST_CASE_F(SaslStreamFixture, a_handshake_gives_streams_that_carry_bytes_both_ways,
                       data::make(below_sasl) * data::make({"DIGEST-MD5", "SCRAM-SHA-256", "CRAM-MD5"}), kind,
                       mechanism) {
  auto [left, right] = stream_pair(kind);
  Request<Stream> connecting = sasl::connect(std::move(left), sasl_client_options(mechanism));
  Request<Stream> accepting = sasl::accept(std::move(right), sasl_server_options());
  int err = -1;
  left = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  right = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST((send_through(left, right, pattern(200000)) == pattern(200000)));
  BOOST_TEST((send_through(right, left, pattern(200001, 1)) == pattern(200001, 1)));
  for (const Stream* stream : {&left, &right}) {
    const sasl::Peer peer = sasl::peer(*stream, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(peer.mechanism == mechanism);
    BOOST_TEST(peer.user == "alice");
    BOOST_TEST(peer.strength == (peer.mechanism == "DIGEST-MD5" ? 128U : 0U));
  }
  BOOST_TEST(error_of(left.shutdown_write()) == ENOTSUP);
  right = Stream();
  std::vector<std::byte> bytes(1);
  Request<ssize_t> reading = left.read(bytes);
  BOOST_TEST(error_of(reading) == EPIPE);
}

BOOST_AUTO_TEST_CASE(both_sides_are_told_that_the_password_is_wrong) {
  auto [left, right] = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(left), sasl_client_options("SCRAM-SHA-256", "wrong"));
  Request<Stream> accepting = sasl::accept(std::move(right), sasl_server_options());
  BOOST_TEST(error_of(accepting) == EACCES);
  BOOST_TEST(!accepting.reason().empty());
  BOOST_TEST(error_of(connecting) == EACCES);
  BOOST_TEST(connecting.reason() == "the server refuses: authentication failed");
}

BOOST_AUTO_TEST_CASE(a_client_without_a_mechanism_of_the_server_is_enotsup) {
  auto [left, right] = tcp_pair();
  sasl::ServerOptions server = sasl_server_options();
  server.mechanisms = {"DIGEST-MD5"};
  Request<Stream> connecting = sasl::connect(std::move(left), sasl_client_options("SCRAM-SHA-256"));
  Request<Stream> accepting = sasl::accept(std::move(right), server);
  BOOST_TEST(error_of(connecting) == ENOTSUP);
  BOOST_TEST(connecting.reason() == "none of the server's mechanisms is possible and allowed");
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(accepting.reason() == "the peer ended the stream during the handshake");
}

BOOST_AUTO_TEST_CASE(options_that_make_no_sense_fail_the_handshake) {
  sasl::ClientOptions options = sasl_client_options();
  options.security.longest_message = 0x1000000;
  Request<Stream> connecting = sasl::connect(tcp_pair().first, options);
  BOOST_TEST(error_of(connecting) == EINVAL);
  BOOST_TEST(connecting.reason() == "the longest message is more than 0xffffff bytes");
}

BOOST_AUTO_TEST_CASE(bytes_behind_the_last_frame_belong_to_the_stream) {
  auto [left, right] = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(left), sasl_client_options("CRAM-MD5"));
  Request<Stream> accepting = sasl::accept(std::move(right), sasl_server_options());
  int err = -1;
  right = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<ssize_t> writing = right.write("greeting");
  BOOST_TEST(error_of(writing) == 0);
  reader = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(read_text(8) == "greeting");
}

/// What a server may send in place of its next frame, and what a client makes of it.
struct FalseFrame {
  std::string_view bytes;
  int err;
  std::string_view reason;
  friend std::ostream& operator<<(std::ostream& out, const FalseFrame& frame) { return out << frame.reason; }
};
constexpr FalseFrame false_frames[] = {
    {"\0\0\0\0"sv, EPROTO, "the server has sent a frame of an unknown kind"},
    {"\0\0\0\1X"sv, EPROTO, "the server has sent a frame of an unknown kind"},
    {"\0\0\0\1S"sv, EPROTO, "the server accepts before it has proved who it is"},
    {"\0\0\0\4Fno\n"sv, EACCES, "the server refuses: no\\x0a"},
    {"\0\4\0\1"sv, EMSGSIZE, "a message of 262145 bytes, where 0 to 262144 are allowed"},
};

BOOST_DATA_TEST_CASE_F(SaslStreamFixture, a_server_that_does_not_keep_to_the_protocol_is_refused,
                       data::make(false_frames), frame) {
  auto [left, right] = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(left), sasl_client_options("SCRAM-SHA-256"));
  Request<ssize_t> writing = right.write("\0\0\0\x0dSCRAM-SHA-256"sv);
  BOOST_TEST(error_of(writing) == 0);
  Request<ssize_t> second = right.write(frame.bytes);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(error_of(connecting) == frame.err);
  BOOST_TEST(connecting.reason() == frame.reason);
}

BOOST_AUTO_TEST_CASE(a_peer_that_stops_at_any_byte_meets_the_deadline_or_the_end) {
  // What a server sends in a whole handshake.
  std::vector<std::byte> sent;
  {
    auto client_side = tcp_pair();
    auto server_side = tcp_pair();
    Stream& right = client_side.second;
    Stream& third = server_side.first;
    Request<Stream> connecting =
        sasl::connect(std::move(client_side.first), sasl_client_options("DIGEST-MD5"));
    Request<Stream> accepting = sasl::accept(std::move(server_side.second), sasl_server_options());
    std::vector<std::byte> piece(1);
    Request<ssize_t> there = third.read(piece);
    std::vector<std::byte> back(1);
    Request<ssize_t> here = right.read(back);
    Request<ssize_t> to_client;
    Request<ssize_t> to_server;
    const auto step = [&] {
      if (!there.is_in_progress()) {
        sent.push_back(piece[0]);
        to_client = right.write(std::vector<std::byte>(piece));
        BOOST_TEST(error_of(to_client) == 0);
        there.restart([&] { return third.read(piece); });
      }
      if (!here.is_in_progress()) {
        to_server = third.write(std::vector<std::byte>(back));
        BOOST_TEST(error_of(to_server) == 0);
        here.restart([&] { return right.read(back); });
      }
      return !connecting.is_in_progress() && !accepting.is_in_progress();
    };
    BOOST_TEST_REQUIRE(run_until(step));
    int err = -1;
    Stream stream = connecting.recv(err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    BOOST_TEST_REQUIRE(sent.size() > 100U);
  }
  // The challenge is not the one that the client answers, but up to there it is a server.
  for (std::size_t cut = 0; cut < sent.size(); cut += cut < 8 ? 1 : 13) {
    for (const bool ends : {false, true}) {
      auto [left, right] = tcp_pair();
      Request<Stream> connecting = sasl::connect(std::move(left), sasl_client_options("DIGEST-MD5"));
      Request<ssize_t> writing;
      if (cut != 0) {
        writing = right.write(std::span(sent).first(cut));
        BOOST_TEST(error_of(writing) == 0);
      }
      if (ends) {
        right = Stream();
      } else {
        connecting.set_timeout(std::chrono::milliseconds(5));
      }
      const int err = error_of(connecting);
      BOOST_TEST((err == (ends ? EPROTO : ETIMEDOUT) || err == EACCES || (ends && err == EPIPE) ||
                  (ends && err == ECONNRESET)),
                 "cut at " << cut << ": " << err);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
