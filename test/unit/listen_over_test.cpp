// Listeners of layered streams, over the toy engine.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/toy_engine.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;

struct HandshakeFailure {
  Address peer;
  int err = 0;
  std::string reason = {};
};

/// Waits for one byte, and leaves the rest to the stream.
class DoorEngine final : public layer::Engine {
 public:
  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& /*out*/) noexcept override {
    if (in.empty()) return at_end ? layer::Step{.err = EPROTO} : layer::Step{.input = 1};
    in.take(1);
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
};

struct ListenOverFixture : LoopFixture {
  std::vector<HandshakeFailure> failures;
  int begun = 0;  // handshakes

  Listener below() {
    int err = -1;
    Listener listener = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  static Request<Stream> toy(Stream stream, ToyEngine::Side side) {
    return layer::layer_over(std::move(stream), std::make_unique<ToyEngine>(side), "toy");
  }
  std::function<Request<Stream>(Stream)> handshake() {
    return [this](Stream stream) {
      ++begun;
      return toy(std::move(stream), ToyEngine::Side::server);
    };
  }
  layer::ListenOptions noting(layer::ListenOptions options = {}) {
    options.on_failure = [this](const Address& peer, int err, std::string_view reason) {
      failures.push_back({.peer = peer, .err = err, .reason = std::string(reason)});
    };
    return options;
  }
  Listener listen(const layer::ListenOptions& options = {}) {
    return layer::listen_over(below(), handshake(), options.on_failure ? options : noting(options));
  }

  /// A client that says nothing yet.
  Stream silent(const Listener& listener) {
    Request<Stream> connecting = Stream::connect(loop, listener.local_address());
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Request<Stream> client(const Listener& listener) { return toy(silent(listener), ToyEngine::Side::client); }
  Stream accepted(Listener& listener) {
    Request<Stream> accepting = listener.accept();
    int err = -1;
    Stream stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Stream finished(Request<Stream>& request) {
    int err = -1;
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0, request.reason());
    return stream;
  }
  [[nodiscard]] bool sees_end(Stream& stream) {
    std::vector<std::byte> buffer(1);
    const int err = error_of(stream.read(buffer));
    return err == EPIPE || err == ECONNRESET;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(listen_over, ListenOverFixture)

BOOST_AUTO_TEST_CASE(accepted_streams_are_those_whose_handshake_is_done) {
  Listener listener = listen();
  Request<Stream> connecting = client(listener);
  Stream server = accepted(listener);
  Stream ours = finished(connecting);
  BOOST_TEST((send_through(ours, server, pattern(5000)) == pattern(5000)));
  BOOST_TEST((send_through(server, ours, pattern(5001, 1)) == pattern(5001, 1)));
  BOOST_TEST(server.remote_address().string() == ours.local_address().string());
}

BOOST_AUTO_TEST_CASE(address_and_socket_are_those_of_the_listener_below) {
  Listener socket = below();
  const std::string address = socket.local_address().string();
  const NativeSocket handle = socket.native_handle();
  const Listener listener = layer::listen_over(std::move(socket), handshake(), noting());
  BOOST_TEST(listener.local_address().string() == address);
  BOOST_TEST(listener.native_handle() == handle);
  BOOST_TEST(!layer::listen_over(Listener(), handshake()));
}

BOOST_AUTO_TEST_CASE(many_clients_at_once_are_all_served) {
  constexpr std::size_t many = 60;
  Listener listener = listen({.most_handshakes = 7});
  std::vector<Stream> servers;
  for_each_accept(listener, [&](Stream stream) { servers.push_back(std::move(stream)); });
  std::vector<Request<Stream>> connecting;
  std::vector<Stream> silent_ones;
  for (std::size_t i = 0; i < many; ++i) {
    Request<Stream> tcp = Stream::connect(loop, listener.local_address());
    silent_ones.push_back(finished(tcp));
  }
  for (Stream& each : silent_ones) connecting.push_back(toy(std::move(each), ToyEngine::Side::client));
  BOOST_TEST(run_until([&] { return servers.size() == many; }));
  for (Request<Stream>& each : connecting) BOOST_TEST(error_of(each) == 0);
  BOOST_TEST(failures.empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_before_the_first_accept) {
  Listener listener = listen();
  const Stream stream = silent(listener);
  loop.run_until_idle();
  BOOST_TEST(begun == 0);
  const Request<Stream> accepting = listener.accept();
  BOOST_TEST(run_until([&] { return begun == 1; }));
}

BOOST_AUTO_TEST_CASE(a_client_that_hangs_delays_nobody) {
  Listener listener = listen({.handshake_time = 1h});
  std::vector<Stream> hanging;
  Request<Stream> accepting = listener.accept();
  for (int i = 0; i < 5; ++i) hanging.push_back(silent(listener));
  BOOST_TEST(run_until([&] { return begun == 5; }));
  Request<Stream> connecting = client(listener);
  Stream server = finished(accepting);
  Stream ours = finished(connecting);
  BOOST_TEST((send_through(ours, server, pattern(100)) == pattern(100)));
  BOOST_TEST(failures.empty());
}

BOOST_AUTO_TEST_CASE(a_client_that_hangs_is_ended_by_its_time) {
  Listener listener = listen({.handshake_time = 1ms});
  const Request<Stream> accepting = listener.accept();
  Stream hanging = silent(listener);
  BOOST_TEST(run_until([&] { return !failures.empty(); }));
  BOOST_TEST(failures[0].err == ETIMEDOUT);
  BOOST_TEST(failures[0].peer.string() == hanging.local_address().string());
  BOOST_TEST(sees_end(hanging));
  BOOST_TEST(accepting.is_in_progress());
}

BOOST_AUTO_TEST_CASE(no_more_handshakes_run_at_once_than_allowed) {
  Listener listener = listen({.most_handshakes = 2, .handshake_time = 1h});
  Request<Stream> accepting = listener.accept();
  Stream first = silent(listener);
  const Stream second = silent(listener);
  Request<Stream> connecting = client(listener);
  BOOST_TEST(run_until([&] { return begun == 2; }));
  loop.run_until_idle();
  BOOST_TEST(begun == 2);
  BOOST_TEST(accepting.is_in_progress());
  first = Stream();
  const Stream server = finished(accepting);
  const Stream ours = finished(connecting);
  BOOST_TEST(begun == 3);
  BOOST_TEST(failures.size() == 1U);
}

BOOST_AUTO_TEST_CASE(finished_streams_that_nobody_accepts_count_as_handshakes) {
  Listener listener = listen({.most_handshakes = 2, .handshake_time = 1h});
  std::vector<Request<Stream>> connecting;
  for (int i = 0; i < 5; ++i) connecting.push_back(client(listener));
  const Stream taken = accepted(listener);
  BOOST_TEST(run_until([&] {
    return std::ranges::count_if(connecting, [](const auto& each) { return !each.is_in_progress(); }) == 3;
  }));
  loop.run_until_idle();
  BOOST_TEST(begun == 3);
  std::vector<Stream> rest;
  for (int i = 0; i < 4; ++i) rest.push_back(accepted(listener));
  for (Request<Stream>& each : connecting) BOOST_TEST(error_of(each) == 0);
}

BOOST_AUTO_TEST_CASE(with_no_handshakes_allowed_nothing_is_accepted) {
  Listener listener = listen({.most_handshakes = 0});
  Request<Stream> accepting = listener.accept();
  const Stream stream = silent(listener);
  loop.run_until_idle();
  BOOST_TEST(begun == 0);
  accepting.cancel();
  BOOST_TEST(error_of(accepting) == ECANCELED);
}

// ---- failures ----

BOOST_AUTO_TEST_CASE(a_failure_is_told_with_peer_error_and_reason) {
  Listener listener = listen();
  const Request<Stream> accepting = listener.accept();
  Stream stream = silent(listener);
  BOOST_TEST(error_of(stream.write(bytes_of(std::string("\0\3pub", 5)))) == 0);
  BOOST_TEST(run_until([&] { return !failures.empty(); }));
  BOOST_TEST(failures[0].err == EPROTO);
  BOOST_TEST(failures[0].reason == "toy: the peer does not know the greeting");
  BOOST_TEST(failures[0].peer.string() == stream.local_address().string());
}

BOOST_AUTO_TEST_CASE(failures_never_pause_accepting) {
  Listener listener = listen({.most_handshakes = 1});
  Request<Stream> accepting = listener.accept();
  for (int i = 0; i < 100; ++i) {
    Stream stream = silent(listener);
    stream = Stream();
    BOOST_TEST(!listener.is_paused());
  }
  BOOST_TEST(run_until([&] { return failures.size() == 100; }));
  BOOST_TEST(!listener.is_paused());
  Request<Stream> connecting = client(listener);
  const Stream server = finished(accepting);
  const Stream ours = finished(connecting);
}

BOOST_AUTO_TEST_CASE(the_function_for_failures_may_destroy_the_listener) {
  Listener listener;
  int calls = 0;
  layer::ListenOptions options;
  options.on_failure = [&](const Address& peer, int, std::string_view reason) {
    listener = Listener();
    ++calls;
    BOOST_TEST(!peer.is_empty());
    BOOST_TEST(reason != "");
  };
  listener = layer::listen_over(below(), handshake(), options);
  Request<Stream> accepting = listener.accept();
  Stream stream = silent(listener);
  Stream other = silent(listener);
  BOOST_TEST(run_until([&] { return begun == 2; }));
  BOOST_TEST(error_of(stream.disconnect()) == 0);
  BOOST_TEST(error_of(accepting) == ECANCELED);
  BOOST_TEST(calls == 1);
  BOOST_TEST(sees_end(other));
}

BOOST_AUTO_TEST_CASE(that_function_may_destroy_it_when_no_handshake_could_begin) {
  Listener listener;
  layer::ListenOptions options;
  int calls = 0;
  options.on_failure = [&](const Address&, int err, std::string_view) {
    listener = Listener();
    BOOST_TEST(err == ENOMEM);
    ++calls;
  };
  listener = layer::listen_over(
      below(), [](const Stream&) -> Request<Stream> { throw std::bad_alloc(); }, options);
  Request<Stream> accepting = listener.accept();
  Stream stream = silent(listener);
  BOOST_TEST(error_of(accepting) == ECANCELED);
  BOOST_TEST(calls == 1);
  BOOST_TEST(sees_end(stream));
}

BOOST_AUTO_TEST_CASE(the_handshake_function_may_destroy_the_listener) {
  for (const int kind : {0, 1, 2}) {
    std::unique_ptr<Listener> listener;
    int calls = 0;
    // What it has captured is there until it returns.
    const auto destroy = [&, capture = std::make_shared<int>(7)](Stream stream) -> Request<Stream> {
      listener.reset();
      calls += *capture;
      if (kind == 1) throw std::bad_alloc();
      if (kind == 2) return {};
      return toy(std::move(stream), ToyEngine::Side::server);
    };
    listener = std::make_unique<Listener>(layer::listen_over(below(), destroy, noting()));
    Request<Stream> accepting = listener->accept();
    Stream stream = silent(*listener);
    BOOST_TEST(error_of(accepting) == ECANCELED);
    BOOST_TEST(sees_end(stream));
    BOOST_TEST(calls == 7);
  }
  BOOST_TEST(failures.empty());
}

BOOST_AUTO_TEST_CASE(what_accepts_below_ends) {
  Listener socket = below();
  Request<Stream> accepting = socket.accept();
  Listener listener = layer::listen_over(std::move(socket), handshake(), noting());
  BOOST_TEST(error_of(accepting) == ECANCELED);
  int taken = 0;
  socket = below();
  for_each_accept(socket, [&](const Stream&) { ++taken; });
  listener = layer::listen_over(std::move(socket), handshake(), noting());
  Request<Stream> connecting = client(listener);
  const Stream server = accepted(listener);
  const Stream ours = finished(connecting);
  BOOST_TEST(taken == 0);
}

BOOST_AUTO_TEST_CASE(what_the_handshake_function_throws_costs_the_connection_only) {
  int kind = 0;
  Listener listener = layer::listen_over(
      below(),
      [&](Stream stream) -> Request<Stream> {
        ++kind;
        if (kind == 1) throw std::bad_alloc();
        if (kind == 2) throw std::string("what a user throws");
        if (kind == 3) return {};
        return toy(std::move(stream), ToyEngine::Side::server);
      },
      noting({.most_handshakes = 1}));
  Request<Stream> accepting = listener.accept();
  for (int i = 0; i < 3; ++i) {
    Stream stream = silent(listener);
    BOOST_TEST(sees_end(stream));
  }
  Request<Stream> connecting = client(listener);
  const Stream server = finished(accepting);
  const Stream ours = finished(connecting);
  BOOST_TEST_REQUIRE(failures.size() == 3U);
  BOOST_TEST(failures[0].err == ENOMEM);
  BOOST_TEST(failures[1].err == ECONNABORTED);
  BOOST_TEST(failures[2].err == ECONNABORTED);
  for (const HandshakeFailure& failure : failures) BOOST_TEST(!failure.peer.is_empty());
}

BOOST_AUTO_TEST_CASE(without_a_function_failures_are_logged_once_a_second_at_most) {
  std::ostringstream log;
  loop.set_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  Listener listener = layer::listen_over(below(), handshake());
  const Request<Stream> accepting = listener.accept();
  Stream stream = silent(listener);
  BOOST_TEST(error_of(stream.write(bytes_of(std::string("\0\3pub", 5)))) == 0);
  BOOST_TEST(sees_end(stream));
  for (int i = 0; i < 3; ++i) {
    Stream other = silent(listener);
    BOOST_TEST(error_of(other.shutdown_write()) == 0);
    BOOST_TEST(sees_end(other));
  }
  loop.set_logger(nullptr);
  const std::string text = log.str();
  BOOST_TEST(text.find("listener on " + listener.local_address().string() + ": handshake of " +
                       stream.local_address().string() + " failed: ") != std::string::npos,
             text);
  BOOST_TEST(text.find("toy: the peer does not know the greeting\n") != std::string::npos, text);
}

// ---- the end ----

BOOST_AUTO_TEST_CASE(destroying_the_listener_ends_handshakes_and_streams_that_wait) {
  std::vector<Stream> hanging;
  Request<Stream> connecting;
  Request<Stream> accepting;
  {
    Listener listener = listen({.handshake_time = 1h});
    accepting = listener.accept();
    for (int i = 0; i < 3; ++i) hanging.push_back(silent(listener));
    BOOST_TEST(run_until([&] { return begun == 3; }));
  }
  BOOST_TEST(error_of(accepting) == ECANCELED);
  for (Stream& each : hanging) BOOST_TEST(sees_end(each));
  BOOST_TEST(failures.empty());
}

BOOST_AUTO_TEST_CASE(for_each_accept_may_destroy_the_listener) {
  auto listener = std::make_unique<Listener>(listen());
  std::vector<Stream> servers;
  for_each_accept(*listener, [&](Stream stream) {
    servers.push_back(std::move(stream));
    listener.reset();
  });
  std::vector<Request<Stream>> connecting;
  for (int i = 0; i < 3; ++i) {
    Request<Stream> tcp = Stream::connect(loop, listener->local_address());
    Stream stream = finished(tcp);
    connecting.push_back(toy(std::move(stream), ToyEngine::Side::client));
    if (listener == nullptr) break;
  }
  for (Request<Stream>& each : connecting) wait_for(each);
  BOOST_TEST(servers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(accepted_streams_do_what_the_options_say) {
  Listener listener = listen({.stream = {.strict_tsocket = true}});
  Request<Stream> connecting = client(listener);
  Stream server = accepted(listener);
  Stream ours = finished(connecting);
  BOOST_TEST(error_of(ours.shutdown_write()) == 0);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(server.read(buffer)) == EPIPE);
  BOOST_TEST(error_of(server.write("x")) == EPIPE);
}

namespace {

/// Gives errors, and never a connection.
class ScriptedListener final : public ListenerBackend {
 public:
  explicit ScriptedListener(std::vector<int>& errors) : errors_(errors) {}
  void attach(ListenerEvents& /*events*/) noexcept override {}
  int try_accept(std::unique_ptr<StreamBackend>& /*stream*/) noexcept override {
    if (errors_.empty()) return EAGAIN;
    const int err = errors_.front();
    errors_.erase(errors_.begin());
    return err;
  }
  Readiness want_acceptable() noexcept override {
    return errors_.empty() ? Readiness::later : Readiness::now;
  }
  [[nodiscard]] Address local_address() const noexcept override { return {}; }

 private:
  std::vector<int>& errors_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_error_of_the_listener_below_is_told_once) {
  std::vector<int> errors{EBADF, EINVAL};
  Listener listener =
      layer::listen_over(Listener(loop, std::make_unique<ScriptedListener>(errors)), handshake(), noting());
  Request<Stream> accepting = listener.accept();
  BOOST_TEST(error_of(accepting) == EBADF);
  accepting = listener.accept();
  BOOST_TEST(error_of(accepting) == EINVAL);
  accepting = listener.accept();
  loop.run_until_idle();
  BOOST_TEST(accepting.is_in_progress());
}

namespace {

/// Ends at once, with a stream.
class GivenStream final : public Operation<Stream> {
 public:
  explicit GivenStream(Stream stream) noexcept : stream_(std::move(stream)) {}
  void start() override { done(std::move(stream_)); }

 private:
  Stream stream_;
};

/// Its connections are streams.
class StreamGiver final : public ListenerBackend {
 public:
  explicit StreamGiver(std::vector<Stream>& streams) : streams_(streams) {}
  void attach(ListenerEvents& /*events*/) noexcept override {}
  int try_accept(std::unique_ptr<StreamBackend>& /*stream*/) noexcept override { return EIO; }
  int try_accept_stream(Stream& stream) noexcept override {
    if (streams_.empty()) return EAGAIN;
    stream = std::move(streams_.back());
    streams_.pop_back();
    return 0;
  }
  Readiness want_acceptable() noexcept override {
    return streams_.empty() ? Readiness::later : Readiness::now;
  }
  [[nodiscard]] Address local_address() const noexcept override { return {}; }

 private:
  std::vector<Stream>& streams_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_handshake_that_gives_a_closed_stream_has_failed) {
  Listener listener = layer::listen_over(
      below(),
      [this](const Stream& /*stream*/) {
        Stream closed = memory_stream_pair(loop).first;
        closed.abort();
        return make_request<GivenStream>(loop, std::move(closed));
      },
      noting());
  const Request<Stream> accepting = listener.accept();
  const Stream client = silent(listener);
  BOOST_TEST(run_until([this] { return !failures.empty(); }));
  BOOST_TEST(failures.front().err == ECONNABORTED);
  BOOST_TEST(accepting.is_in_progress());
}

BOOST_AUTO_TEST_CASE(a_backend_may_give_streams_with_all_that_belongs_to_them) {
  Listener socket = below();
  Stream theirs = silent(socket);
  Stream ours = accepted(socket);
  BOOST_TEST(error_of(theirs.write("abc")) == 0);
  std::vector<std::byte> first(1);
  BOOST_TEST(error_of(ours.read(first)) == 0);
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 2U);  // read ahead
  std::vector<Stream> streams;
  streams.push_back(std::move(ours));
  Listener listener(loop, std::make_unique<StreamGiver>(streams), {.strict_tsocket = true});
  Stream stream = accepted(listener);
  std::vector<std::byte> rest(2);
  BOOST_TEST(error_of(stream.read(rest)) == 0);
  BOOST_TEST(text_of(rest) == "bc");
  BOOST_TEST(error_of(theirs.shutdown_write()) == 0);
  BOOST_TEST(error_of(stream.read(first)) == EPIPE);
  BOOST_TEST(error_of(stream.write("x")) == EPIPE);  // as the options of the listener say
  const Request<Stream> accepting = listener.accept();
  loop.run_until_idle();
  BOOST_TEST(accepting.is_in_progress());
}

BOOST_AUTO_TEST_CASE(listeners_stand_on_each_other) {
  Listener listener = layer::listen_over(listen(), handshake(), noting());
  Request<Stream> outer = client(listener);
  Request<Stream> accepting = listener.accept();
  Request<Stream> inner = toy(finished(outer), ToyEngine::Side::client);
  Stream server = finished(accepting);
  Stream ours = finished(inner);
  BOOST_TEST((send_through(ours, server, pattern(1000)) == pattern(1000)));
}

BOOST_AUTO_TEST_CASE(a_layer_that_steps_aside_leaves_its_engine_and_what_was_read_behind_the_handshake) {
  Listener listener = layer::listen_over(
      below(),
      [](Stream stream) {
        return layer::layer_over(std::move(stream), std::make_unique<DoorEngine>(), "door");
      },
      noting());
  Request<Stream> accepting = listener.accept();
  for (const std::string_view text : {"abc", "def"}) {
    Stream client = silent(listener);
    Request<ssize_t> writing = client.write(text);
    const bool is_first = text == "abc";
    Stream stream = is_first ? finished(accepting) : accepted(listener);
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(dynamic_cast<const DoorEngine*>(layer::engine_of(stream)) != nullptr);
    BOOST_TEST(stream.native_handle() != invalid_socket);
    std::vector<std::byte> rest(2);
    BOOST_TEST(error_of(stream.read(rest)) == 0);
    BOOST_TEST(text_of(rest) == text.substr(1));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
