// What layers add to the contract of streams, which the contract suite checks over them.
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/layer/layer_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/toy_engine.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using namespace std::chrono_literals;
using Side = ToyEngine::Side;

/// Waits for three bytes, and changes nothing behind them.
class KnockEngine final : public layer::Engine {
 public:
  explicit KnockEngine(std::shared_ptr<void> owned = nullptr) : owned_(std::move(owned)) {}
  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& /*out*/) noexcept override {
    if (in.size() < 3) return at_end ? layer::Step{.err = EPROTO} : layer::Step{.input = 3};
    in.take(3);
    return {};
  }
  layer::Step unwrap(layer::ByteBlock& /*in*/, bool /*at_end*/, std::span<const iovec> /*to*/,
                     std::size_t& /*given*/, layer::ByteBlock& /*out*/) noexcept override {
    return {.err = EIO};
  }
  layer::Step wrap(std::span<const iovec> /*from*/, std::size_t& /*taken*/,
                   layer::ByteBlock& /*out*/) noexcept override {
    return {.err = EIO};
  }
  [[nodiscard]] bool is_transparent() const noexcept override { return true; }

 private:
  std::shared_ptr<void> owned_;
};

/// Needs no handshake and changes nothing.
class CopyEngine final : public layer::Engine {
 public:
  layer::Step handshake(layer::ByteBlock& /*in*/, bool /*at_end*/,
                        layer::ByteBlock& /*out*/) noexcept override {
    return {};
  }
  layer::Step unwrap(layer::ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                     layer::ByteBlock& /*out*/) noexcept override {
    std::size_t skip = given;
    const std::size_t before = given;
    for (const iovec& vector : to) {
      const std::size_t begin = std::min(skip, vector.iov_len);
      const std::size_t step = std::min(vector.iov_len - begin, in.size());
      std::ranges::copy(in.bytes().first(step), static_cast<std::byte*>(vector.iov_base) + begin);
      in.take(step);
      given += step;
      skip -= begin;
    }
    if (!in.empty()) return {};
    if (at_end) return {.err = given == before ? EPIPE : 0};
    return {.input = 1};
  }
  layer::Step wrap(std::span<const iovec> from, std::size_t& taken, layer::ByteBlock& out) noexcept override {
    for (const iovec& vector : from) {
      if (!out.append(std::as_bytes(std::span(static_cast<const char*>(vector.iov_base), vector.iov_len))))
        return {.err = ENOMEM};
      taken += vector.iov_len;
    }
    return {};
  }
};

/// A floor that counts its calls. It gives single bytes, and tells of room from inside of each, as the other
/// end of a pair in memory may.
class CountingBackend final : public StreamBackend {
 public:
  struct Script {
    std::string input;
    bool has_room = true;
    unsigned writes = 0;
    unsigned depth = 0;
    unsigned deepest = 0;
    StreamEvents* events = nullptr;
    bool is_destroyed = false;
    int write_error = 0;
  };
  explicit CountingBackend(std::shared_ptr<Script> script) noexcept : script_(std::move(script)) {}
  CountingBackend(const CountingBackend&) = delete;
  CountingBackend& operator=(const CountingBackend&) = delete;
  ~CountingBackend() override { script_->is_destroyed = true; }
  void attach(StreamEvents& events) noexcept override { script_->events = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    script_->deepest = std::max(script_->deepest, ++script_->depth);
    if (script_->write_error == 0) script_->events->on_writable();
    --script_->depth;
    if (script_->input.empty()) {
      err = EAGAIN;
      return -1;
    }
    *static_cast<char*>(vectors.front().iov_base) = script_->input.front();
    script_->input.erase(0, 1);
    return 1;
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    ++script_->writes;
    err = script_->write_error != 0 ? script_->write_error : EAGAIN;
    return script_->has_room && err == EAGAIN ? static_cast<ssize_t>(vectors.front().iov_len) : -1;
  }
  int try_shutdown_write() noexcept override { return 0; }
  int try_disconnect(Linger& /*linger*/) noexcept override { return 0; }
  void abort() noexcept override {}
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return Readiness::later; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& /*err*/) noexcept override { return script_->input.size(); }

 private:
  std::shared_ptr<Script> script_;
};

struct LayerFixture : LoopFixture {
  Stream copy_over(Stream below) {
    Request<Stream> request = layer::layer_over(std::move(below), std::make_unique<CopyEngine>(), "copy");
    int err = 0;
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }

  static Request<Stream> knock(Stream below) {
    return layer::layer_over(std::move(below), std::make_unique<KnockEngine>(), "knock");
  }

  static Request<Stream> toy(Stream below, Side side, const layer::LayerOptions& options = {}) {
    return layer::layer_over(std::move(below), std::make_unique<ToyEngine>(side), "toy", options);
  }

  std::pair<Stream, Stream> toys(std::pair<Stream, Stream> below, const layer::LayerOptions& options = {}) {
    Request<Stream> left = toy(std::move(below.first), Side::client, options);
    Request<Stream> right = toy(std::move(below.second), Side::server, options);
    int err = 0;
    std::pair<Stream, Stream> pair;
    pair.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0);
    pair.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0);
    return pair;
  }

  std::string read_text(Stream& stream, std::size_t size) {
    std::vector<std::byte> bytes(size);
    int err = 0;
    Request<ssize_t> reading = stream.read(bytes);
    fetch(reading, err);
    BOOST_TEST(err == 0);
    return text_of(bytes);
  }
};

/// A peer of a toy that the test writes byte by byte.
std::vector<std::byte> record(std::string_view text) {
  std::vector<std::byte> bytes{static_cast<std::byte>(text.size() >> 8U),
                               static_cast<std::byte>(text.size())};
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

constexpr StreamKind kinds[] = {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(layer_over, LayerFixture)

BOOST_DATA_TEST_CASE_F(LayerFixture, a_handshake_gives_a_stream_that_carries_bytes_both_ways,
                       data::make(kinds), kind) {
  auto [client, server] = toys(stream_pair(kind));
  BOOST_TEST((send_through(client, server, pattern(100000)) == pattern(100000)));
  BOOST_TEST((send_through(server, client, pattern(100001, 1)) == pattern(100001, 1)));
}

BOOST_AUTO_TEST_CASE(the_options_for_behaviour_pass_to_the_new_stream) {
  auto below = tcp_pair();
  BOOST_TEST(below.first.set_options({.strict_tsocket = true}) == 0);
  auto [client, server] = toys(std::move(below));
  // In strict mode the peer's end is the end of writing, too.
  BOOST_TEST(error_of(server.shutdown_write()) == 0);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(client.read(buffer)) == EPIPE);
  BOOST_TEST(error_of(client.write("x")) == EPIPE);
}

BOOST_AUTO_TEST_CASE(options_of_the_socket_pass_through_the_layer) {
  auto [client, server] = toys(tcp_pair());
  BOOST_TEST(client.set_options({.keepalive = true}) == 0);
  BOOST_TEST(client.native_handle() == -1);
  BOOST_TEST(client.remote_address().is_ipv4());
  auto [left, right] = toys(memory_pair());
  BOOST_TEST(left.set_options({.keepalive = true}) == ENOTSUP);
}

BOOST_DATA_TEST_CASE_F(LayerFixture, what_was_read_ahead_is_the_handshakes_first_input, data::make(kinds),
                       kind) {
  auto [ours, peer] = stream_pair(kind);
  const std::vector<std::byte> greeting = record("toy");
  std::vector<std::byte> sent = bytes_of("START\n");
  sent.insert(sent.end(), greeting.begin(), greeting.end());
  Request<ssize_t> writing = peer.write(sent);
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  int err = 0;
  fetch(line, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = toy(std::move(ours), Side::server);
  BOOST_TEST(read_text(peer, 7) == text_of(record("well?")));
  BOOST_TEST(error_of(writing) == 0);
  writing = peer.write(record("go on"));
  const Stream layered = fetch(accepting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(LayerFixture, writes_that_were_started_leave_before_the_handshake, data::make(kinds),
                       kind) {
  auto [ours, peer] = stream_pair(kind);
  Queue queue(loop);
  Request<ssize_t> first = ours.write(queue, "220 go ");
  Request<ssize_t> second = ours.write(queue, "ahead\n");
  const Request<Stream> connecting = toy(std::move(ours), Side::client);
  BOOST_TEST(read_text(peer, 13) == "220 go ahead\n");
  BOOST_TEST(read_text(peer, 5) == text_of(record("toy")));
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(connecting.is_in_progress());
}

BOOST_AUTO_TEST_CASE(a_read_or_a_monitor_in_progress_is_ebusy_or_ends) {
  auto [ours, peer] = tcp_pair();
  std::vector<std::byte> buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(toy(std::move(ours), Side::client)) == EBUSY);
  BOOST_TEST(error_of(reading) == ECANCELED);

  auto [other, other_peer] = tcp_pair();
  Request<void> watching = other.monitor();
  const Request<Stream> connecting = toy(std::move(other), Side::client);
  BOOST_TEST(error_of(watching) == ECONNABORTED);
  BOOST_TEST(connecting.is_in_progress());
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_not_open_is_enotconn) {
  auto [ours, peer] = tcp_pair();
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(error_of(toy(std::move(ours), Side::client)) == ENOTCONN);
  BOOST_TEST(!toy(Stream(), Side::client));
}

BOOST_AUTO_TEST_CASE(the_error_that_ended_the_stream_below_is_told) {
  auto [ours, peer] = tcp_pair();
  peer.abort();
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(ours.read(buffer)) == ECONNRESET);
  BOOST_TEST(error_of(toy(std::move(ours), Side::client)) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(LayerFixture, a_handshake_that_fails_says_why, data::make(kinds), kind) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> accepting = toy(std::move(ours), Side::server);
  BOOST_TEST(accepting.reason() == "");
  Request<ssize_t> writing = peer.write(record("pub"));
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(accepting.reason() == "toy: the peer does not know the greeting");
  BOOST_TEST(error_of(writing) == 0);
  std::vector<std::byte> buffer(1);
  const int err = error_of(peer.read(buffer));
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
}

BOOST_DATA_TEST_CASE_F(LayerFixture, a_peer_that_ends_in_the_handshake_is_told_in_words, data::make(kinds),
                       kind) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> accepting = toy(std::move(ours), Side::server);
  loop.run_until_idle();
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(accepting.reason() == "toy: the peer ended the stream during the handshake");
}

BOOST_AUTO_TEST_CASE(trace_and_dump_show_the_layer_and_the_reason) {
  auto [ours, peer] = tcp_pair();
  std::string reason;
  loop.set_trace([&](const TraceEvent& event) {
    if (event.kind == TraceKind::finished && event.name == std::string_view("toy")) reason = event.reason;
  });
  Request<Stream> accepting = toy(std::move(ours), Side::server);
  BOOST_TEST(dump().find(" toy ") != std::string::npos);
  peer = Stream();
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(reason == "toy: the peer ended the stream during the handshake");
  loop.set_trace({});
}

BOOST_DATA_TEST_CASE_F(LayerFixture, a_silent_peer_is_ended_by_the_deadline_or_by_cancelling,
                       data::make(kinds) * data::make({false, true}), kind, cancels) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> accepting = toy(std::move(ours), Side::server);
  if (cancels) {
    accepting.cancel();
  } else {
    accepting.set_timeout(1ms);
  }
  BOOST_TEST(error_of(accepting) == (cancels ? ECANCELED : ETIMEDOUT));
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(peer.read(buffer)) == EPIPE);  // the stream below is closed
}

BOOST_FIXTURE_TEST_CASE(what_a_peer_said_before_it_closed_explains_a_failed_write, LayerFixture) {
  // In the handshake,
  auto script = std::make_shared<CountingBackend::Script>();
  script->write_error = EPIPE;
  script->input = std::string("\0\5never", 7);
  Request<Stream> shaking = toy(Stream(loop, std::make_unique<CountingBackend>(script)), Side::client);
  BOOST_TEST(error_of(shaking) == EPROTO);
  BOOST_TEST(shaking.reason() == "toy: the peer does not know the greeting");
  // where there is nothing to be read,
  script = std::make_shared<CountingBackend::Script>();
  script->write_error = EPIPE;
  shaking = toy(Stream(loop, std::make_unique<CountingBackend>(script)), Side::client);
  BOOST_TEST(error_of(shaking) == EPIPE);
  BOOST_TEST(shaking.reason() == "");
  // and behind it.
  script = std::make_shared<CountingBackend::Script>();
  script->input = std::string("\0\5well?", 7);
  shaking = toy(Stream(loop, std::make_unique<CountingBackend>(script)), Side::client);
  int err = -1;
  Stream stream = fetch(shaking, err);
  BOOST_TEST_REQUIRE(err == 0);
  script->input = "\xff\xff";
  script->write_error = ECONNRESET;
  Request<ssize_t> writing = stream.write("question");
  BOOST_TEST(error_of(writing) == ECONNRESET);
  BOOST_TEST(writing.reason() == "toy: the record is too long");
  Request<void> disconnecting = std::move(stream).disconnect();
  BOOST_TEST(error_of(disconnecting) == ECONNRESET);
  BOOST_TEST(disconnecting.reason() == "toy: the record is too long");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_handshake_that_is_done_before_it_is_told_stays_cancelled, LayerFixture) {
  for (const bool transparent : {true, false}) {
    auto script = std::make_shared<CountingBackend::Script>();
    std::unique_ptr<layer::Engine> engine = std::make_unique<KnockEngine>();
    if (!transparent) engine = std::make_unique<ToyEngine>(Side::server);
    Request<Stream> knocking = layer::layer_over(Stream(loop, std::make_unique<CountingBackend>(script)),
                                                 std::move(engine), "knock");
    knocking.cancel();
    script->input = transparent ? "abc" : std::string("\0\3toy\0\5go on", 12);
    while (!script->input.empty()) script->events->on_readable();
    BOOST_TEST(!script->is_destroyed);  // it is what calls
    BOOST_TEST(error_of(knocking) == ECANCELED);
  }
}

BOOST_FIXTURE_TEST_CASE(what_the_stream_below_captured_may_destroy_the_handshake, LayerFixture) {
  struct Destroyer {
    std::optional<Request<Stream>>* request;
    explicit Destroyer(std::optional<Request<Stream>>& destroyed) noexcept : request(&destroyed) {}
    Destroyer(const Destroyer&) = delete;
    Destroyer& operator=(const Destroyer&) = delete;
    ~Destroyer() { request->reset(); }
  };
  for (const bool succeeds : {true, false}) {
    std::optional<Request<Stream>> shaking;
    auto [ours, peer] = memory_pair();
    ours.set_watermarks({.high = 100, .low = 10},
                        [held = std::make_shared<Destroyer>(shaking)](Watermark) {});
    shaking = toy(std::move(ours), Side::server);
    int calls = 0;
    shaking->set_callback([&](Request<Stream>&) { ++calls; });
    Request<Stream> other;
    if (succeeds) {
      other = toy(std::move(peer), Side::client);
    } else {
      peer = Stream();
    }
    BOOST_TEST(run_until([&] { return !shaking.has_value(); }));
    BOOST_TEST(calls == 0);
  }
}

BOOST_DATA_TEST_CASE_F(LayerFixture, an_abandoned_handshake_closes_the_stream_below, data::make(kinds),
                       kind) {
  auto [ours, peer] = stream_pair(kind);
  std::optional<Request<Stream>> accepting(toy(std::move(ours), Side::server));
  loop.run_until_idle();
  accepting.reset();
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(peer.read(buffer)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(a_handshake_is_not_over_before_its_last_message_has_left) {
  auto [ours, peer] = memory_pair();
  Request<Stream> connecting = toy(std::move(ours), Side::client);
  BOOST_TEST(read_text(peer, 5) == text_of(record("toy")));
  BOOST_TEST(error_of(peer.write(record("well?"))) == 0);
  loop.run_until_idle();
  BOOST_TEST(connecting.is_in_progress());
  BOOST_TEST(read_text(peer, 7) == text_of(record("go on")));
  int err = -1;
  const Stream layered = fetch(connecting, err);
  BOOST_TEST(err == 0);
}

BOOST_DATA_TEST_CASE_F(LayerFixture, a_transparent_layer_steps_aside_and_loses_no_byte, data::make(kinds),
                       kind) {
  auto [ours, peer] = stream_pair(kind);
  Request<ssize_t> writing = peer.write("abcwhat follows");
  Request<Stream> knocking = knock(std::move(ours));
  int err = -1;
  Stream stream = fetch(knocking, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(read_text(stream, 12) == "what follows");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((stream.native_handle() != invalid_socket) == (kind != StreamKind::memory));
  BOOST_TEST(dynamic_cast<const KnockEngine*>(layer::engine_of(stream)) != nullptr);
  BOOST_TEST((send_through(stream, peer, pattern(100)) == pattern(100)));
}

BOOST_AUTO_TEST_CASE(a_transparent_layer_can_be_listed_before_its_stream_is_delivered) {
  auto [ours, peer] = memory_pair();
  Request<ssize_t> writing = peer.write("abc");
  Request<Stream> knocking = knock(std::move(ours));  // done, but nobody was told
  std::ostringstream list;
  loop.dump(list);
  BOOST_TEST(!list.str().empty());
  BOOST_TEST(error_of(knocking) == 0);
  BOOST_TEST(error_of(writing) == 0);
}

// A function of the user in an engine may own the Loop, which handles what libuv has left when it is
// destroyed.
BOOST_AUTO_TEST_CASE(no_event_comes_while_an_engine_that_owns_the_loop_is_destroyed) {
  auto own = std::make_unique<Loop>();
  std::shared_ptr<void> owner(nullptr, [&](void*) { own.reset(); });
  int err = 0;
  auto [below, peer] = Stream::socketpair(*own, err);
  Request<Stream> handshake =
      layer::layer_over(std::move(below), std::make_unique<KnockEngine>(std::move(owner)), "knock");
  own->run_until_idle();
  BOOST_TEST(handshake.is_in_progress());
  BOOST_TEST(::send(peer.native_handle(), "abc", 3, 0) == 3);
  handshake = {};
  BOOST_TEST(own == nullptr);
}

BOOST_AUTO_TEST_CASE(a_request_keeps_the_reason_after_its_stream_is_gone) {
  auto [ours, peer] = tcp_pair();
  Request<Stream> accepting = toy(std::move(ours), Side::server);
  BOOST_TEST(error_of(peer.write(record("toy"))) == 0);
  BOOST_TEST(read_text(peer, 7) == text_of(record("well?")));
  BOOST_TEST(error_of(peer.write(record("go on"))) == 0);
  int err = 0;
  Stream layered = fetch(accepting, err);
  BOOST_TEST(err == 0);
  std::vector<std::byte> too_long(2, std::byte{0xff});
  BOOST_TEST(error_of(peer.write(too_long)) == 0);
  std::vector<std::byte> buffer(1);
  Request<ssize_t> reading = layered.read(buffer);
  BOOST_TEST(error_of(reading) == EMSGSIZE);
  Request<ssize_t> again = layered.read(buffer);
  BOOST_TEST(error_of(again) == EMSGSIZE);
  layered = Stream();
  BOOST_TEST(reading.reason() == "toy: the record is too long");
  BOOST_TEST(again.reason() == "toy: the record is too long");
  // A success has none, also in the memory of one that had.
  again = {};
  auto [left, right] = memory_pair();
  BOOST_TEST((send_through(left, right, pattern(10)) == pattern(10)));
}

BOOST_AUTO_TEST_CASE(a_pump_tells_why_its_source_has_failed) {
  auto [client, server] = toys(tcp_pair());
  auto [left, right] = memory_pair();
  Request<PumpResult> pumping = pump(client, left);
  server = Stream();
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST((result.side == PumpSide::source));
  BOOST_TEST(err == EPROTO);
  BOOST_TEST(pumping.reason() == "toy: the stream was cut");
}

// ---- the end ----

BOOST_DATA_TEST_CASE_F(LayerFixture, a_goodbye_is_an_end_and_a_cut_stream_an_error, data::make({false, true}),
                       cuts) {
  auto [client, server] = toys(tcp_pair());
  Request<ssize_t> writing = server.write("last words");
  BOOST_TEST(error_of(writing) == 0);
  Request<void> leaving;
  if (cuts) {
    server = Stream();
  } else {
    leaving = server.disconnect();
  }
  BOOST_TEST(read_text(client, 10) == "last words");
  std::vector<std::byte> buffer(1);
  Request<ssize_t> reading = client.read(buffer);
  BOOST_TEST(error_of(reading) == (cuts ? EPROTO : EPIPE));
  BOOST_TEST(reading.reason() == (cuts ? "toy: the stream was cut" : ""));
  if (cuts) return;
  BOOST_TEST(error_of(client.disconnect()) == 0);
  BOOST_TEST(error_of(leaving) == 0);
}

BOOST_AUTO_TEST_CASE(disconnect_waits_for_the_goodbye_of_the_peer_and_not_longer_than_its_time) {
  auto [client, server] = toys(unix_pair(), {.goodbye_time = 1h});
  Request<void> leaving = client.disconnect();
  loop.run_until_idle();
  BOOST_TEST(leaving.is_in_progress());
  BOOST_TEST(error_of(server.disconnect()) == 0);
  BOOST_TEST(error_of(leaving) == 0);

  auto [left, right] = toys(tcp_pair(), {.goodbye_time = 1ms});
  BOOST_TEST(error_of(left.disconnect()) == 0);
  BOOST_TEST(!left.is_open());
}

BOOST_AUTO_TEST_CASE(a_floor_that_reads_nothing_ahead_is_asked_for_what_the_engine_needs) {
  auto [below, peer] = memory_pair();
  Stream stream = copy_over(std::move(below));
  const std::vector<std::byte> sent = pattern(1000);
  Request<ssize_t> writing = peer.write(sent);
  read_text(stream, 3);
  loop.run_until_idle();
  BOOST_TEST(writing.is_in_progress());
  read_text(stream, 997);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(a_floor_without_room_is_asked_again_when_it_says_that_it_has_some) {
  auto script = std::make_shared<CountingBackend::Script>();
  Stream stream = copy_over(Stream(loop, std::make_unique<CountingBackend>(script)));
  script->has_room = false;
  Queue queue(loop);
  Request<ssize_t> first = stream.write(queue, "one");
  loop.run_until_idle();
  BOOST_TEST(script->writes == 1U);
  Request<ssize_t> second = stream.write(queue, "two");
  loop.run_until_idle();
  BOOST_TEST(script->writes == 1U);
  script->has_room = true;
  script->events->on_writable();
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
}

BOOST_AUTO_TEST_CASE(a_handshake_is_not_entered_again_by_room_that_its_own_reading_makes) {
  auto script = std::make_shared<CountingBackend::Script>();
  script->input = "knock";
  Request<Stream> knocking = knock(Stream(loop, std::make_unique<CountingBackend>(script)));
  int err = 0;
  Stream stream = fetch(knocking, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(script->deepest == 1U);
  BOOST_TEST(script->input == "ck");
}

BOOST_AUTO_TEST_CASE(half_close_is_the_goodbye_of_one_side) {
  auto [client, server] = toys(tcp_pair());
  BOOST_TEST(error_of(client.shutdown_write()) == 0);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(server.read(buffer)) == EPIPE);
  BOOST_TEST((send_through(server, client, pattern(5000)) == pattern(5000)));
  BOOST_TEST(error_of(client.write("more")) == EPIPE);
}

// ---- pending bytes ----

BOOST_AUTO_TEST_CASE(pending_bytes_are_those_of_the_user) {
  auto pair = toys(tcp_pair());
  Stream& server = pair.second;
  BOOST_TEST(error_of(pair.first.write("abc")) == 0);
  int err = 0;
  BOOST_TEST_REQUIRE(run_until([&] { return server.pending_bytes(err) != 0; }));
  BOOST_TEST(server.pending_bytes(err) == 3U);
  BOOST_TEST(err == 0);
  BOOST_TEST(read_text(server, 3) == "abc");
  BOOST_TEST(server.pending_bytes(err) == 0U);
}

// ---- messages ----

namespace {

/// Keeps each call apart.
class MessageSink final : public StreamBackend {
 public:
  MessageSink(std::vector<std::string>& calls, std::size_t& room) : calls_(calls), room_(room) {}
  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> /*vectors*/, int& err) noexcept override {
    err = EAGAIN;
    return -1;
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    if (room_ == 0) {
      err = EAGAIN;
      return -1;
    }
    --room_;
    std::string message;
    for (const iovec& vector : vectors)
      message.append(static_cast<const char*>(vector.iov_base), vector.iov_len);
    calls_.push_back(message);
    return static_cast<ssize_t>(message.size());
  }
  int try_flush() noexcept override {
    ++flushes_;
    return 0;
  }
  int try_shutdown_write() noexcept override { return ENOTSUP; }
  int try_disconnect(Linger& /*linger*/) noexcept override { return 0; }
  void abort() noexcept override {}
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return room_ != 0 ? Readiness::now : Readiness::later; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& /*err*/) noexcept override { return 0; }
  [[nodiscard]] StreamTraits traits() const noexcept override { return {.message_size = 10}; }
  [[nodiscard]] StreamEvents& events() noexcept { return *events_; }
  [[nodiscard]] std::size_t flushes() const noexcept { return flushes_; }

 private:
  std::vector<std::string>& calls_;
  std::size_t& room_;
  std::size_t flushes_ = 0;
  StreamEvents* events_ = nullptr;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_backend_of_messages_gets_each_write_whole_and_alone) {
  std::vector<std::string> calls;
  std::size_t room = 2;
  auto backend = std::make_unique<MessageSink>(calls, room);
  MessageSink& sink = *backend;
  Stream stream(loop, std::move(backend));
  Queue queue(loop);
  const std::string text = "abcdefghijklmnop";  // writes that lie side by side stay apart, too
  std::vector<Request<ssize_t>> writes;
  for (std::size_t i = 0; i < 4; ++i)
    writes.push_back(stream.write(queue, std::string_view(text).substr(i * 3, 3)));
  const std::string first = "1";
  const std::string second = "23";
  writes.push_back(stream.writev(queue, std::array{make_vector(std::as_bytes(std::span(first))),
                                                   make_vector(std::as_bytes(std::span(second)))}));
  BOOST_TEST(error_of(writes[1]) == 0);
  BOOST_TEST(writes[2].is_in_progress());
  room = 100;
  sink.events().on_writable();
  for (std::size_t i : {0U, 2U, 3U, 4U}) BOOST_TEST(error_of(writes[i]) == 0);
  const std::vector<std::string> expected{"abc", "def", "ghi", "jkl", "123"};
  BOOST_TEST(calls == expected, boost::test_tools::per_element());
  Request<ssize_t> left = stream.write(queue, std::string_view(text).substr(0, 2));
  Request<ssize_t> right = stream.write(queue, std::string_view(text).substr(2, 2));
  BOOST_TEST(error_of(left) == 0);
  BOOST_TEST(error_of(right) == 0);
  BOOST_TEST(calls.back() == "cd");
  BOOST_TEST(error_of(stream.write("12345678901")) == EMSGSIZE);
  BOOST_TEST(error_of(stream.write("1234567890")) == 0);
}

BOOST_AUTO_TEST_CASE(messages_that_are_written_together_leave_with_one_flush) {
  std::vector<std::string> calls;
  std::size_t room = 1000;
  auto backend = std::make_unique<MessageSink>(calls, room);
  const MessageSink& sink = *backend;
  Stream stream(loop, std::move(backend));
  Queue queue(loop);
  std::vector<Request<ssize_t>> writes;
  for (std::size_t i = 0; i < 64; ++i) writes.push_back(stream.write(queue, "message"));
  for (Request<ssize_t>& write : writes) BOOST_TEST(error_of(write) == 0);
  BOOST_TEST(calls.size() == 64U);
  BOOST_TEST(sink.flushes() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
