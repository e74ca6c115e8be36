// A Loop that goes before what was made on it.
#include <uv.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(loop_end)

namespace {

/// The leak checker sees to it that nothing stays.
struct EndFixture {
  EndFixture() { loop->set_logger(nullptr); }
  EndFixture(const EndFixture&) = delete;
  EndFixture& operator=(const EndFixture&) = delete;
  ~EndFixture() = default;
  std::optional<Loop> loop{std::in_place};
};

template <class T>
int error_of(Request<T>& request) {
  int err = 0;
  BOOST_TEST(!request.is_in_progress());
  static_cast<void>(request.recv(err));
  return err;
}

int error_of_sleep(Request<void>& request) {
  int err = 0;
  BOOST_TEST(!request.is_in_progress());
  request.recv(err);
  return err;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(requests_end_with_ecanceled_and_without_a_callback, EndFixture) {
  const auto shared = std::make_shared<int>(0);
  Remote<int> remote;
  Remote<int> finished_remote;
  auto sleeping = loop->sleep(1h);
  auto manual = make_manual(*loop, remote);
  auto finished = make_manual(*loop, finished_remote);
  auto signal = loop->signal(SIGUSR1);
  finished_remote.operation->done(5);
  sleeping.set_callback([shared](auto&) { BOOST_ERROR("called after the loop went"); });
  finished.set_callback([shared](auto&) { BOOST_ERROR("called after the loop went"); });
  loop.reset();
  BOOST_TEST(shared.use_count() == 1);
  int err = 0;
  BOOST_TEST(!sleeping.is_in_progress());
  sleeping.recv(err);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(error_of(manual) == ECANCELED);
  BOOST_TEST((remote.outcomes == std::vector<Outcome>{Outcome::failed}));
  BOOST_TEST(remote.destroyed == 1);
  BOOST_TEST(error_of(signal) == ECANCELED);
  // It had its result already.
  BOOST_TEST(finished.recv(err) == 5);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(what_is_done_to_a_request_afterwards_is_harmless, EndFixture) {
  auto sleeping = loop->sleep(1h);
  auto detached = loop->sleep(1h);
  auto fetched = loop->sleep(1h);
  loop.reset();
  int err = 0;
  BOOST_TEST(!sleeping.cancel());
  sleeping.set_timeout(1ns);
  sleeping.clear_deadline();
  sleeping.set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
  BOOST_TEST(sleeping.wait(err));
  auto moved = std::move(sleeping);
  moved = {};
  std::move(detached).detach([](auto&) { BOOST_ERROR("called after the loop went"); });
  fetched.recv(err);
  std::move(fetched).detach();
}

BOOST_FIXTURE_TEST_CASE(detached_requests_and_their_captures_go, EndFixture) {
  const auto shared = std::make_shared<int>(0);
  Remote<void> remote;
  loop->sleep(1h).detach([shared](auto&) { ++*shared; });
  make_manual(*loop, remote).detach([shared](auto&) { ++*shared; });
  loop->sleep(0ns).detach([shared](auto&) { ++*shared; });
  loop.reset();
  BOOST_TEST(shared.use_count() == 1);
  BOOST_TEST(*shared == 0);
  BOOST_TEST(remote.destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(a_callback_that_owns_its_own_request_and_stream_goes, EndFixture) {
  struct Session {
    Stream stream;
    Queue queue;
    std::array<std::byte, 8> buffer{};
    Request<ssize_t> reading = {};
    Request<ssize_t> writing = {};
  };
  int err = 0;
  auto [a, b] = Stream::socketpair(*loop, err);
  auto session = std::make_shared<Session>(Session{std::move(a), Queue(*loop)});
  const std::weak_ptr<Session> watch = session;
  session->reading = session->stream.read(session->buffer);
  session->writing = session->stream.write(session->queue, "x");
  session->reading.set_callback([session, text = std::string(100, 'x')](auto&) {});
  session->writing.set_callback([session](auto&) {});
  session.reset();
  loop.reset();
  BOOST_TEST(watch.expired());
}

BOOST_FIXTURE_TEST_CASE(streams_are_closed_and_their_requests_end, EndFixture) {
  int err = 0;
  auto [a, b] = Stream::socketpair(*loop, err);
  auto memory = memory_stream_pair(*loop);
  std::array<std::byte, 4> buffer{};
  auto reading = b.read(buffer);
  auto writing = a.write("1234");
  auto memory_writing = memory.first.write("1234");
  auto monitoring = a.monitor();
  loop.reset();
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(error_of(writing) == ECANCELED);
  BOOST_TEST(error_of(memory_writing) == ECANCELED);
  BOOST_TEST(!monitoring.is_in_progress());
  BOOST_TEST(!a.is_open());
  BOOST_TEST(a.native_handle() == -1);
  BOOST_TEST(a.pending_bytes(err) == 0U);
  BOOST_TEST(err == ENOTCONN);
  BOOST_TEST(a.queued_bytes() == 0U);
  a.abort();
  Stream moved = std::move(a);
  a = std::move(b);
}

BOOST_FIXTURE_TEST_CASE(listeners_and_connects_end, EndFixture) {
  int err = 0;
  Listener listener = Listener::tcp(*loop, tsock::test::loopback_v4(), {}, err);
  BOOST_TEST(err == 0);
  auto connecting = Stream::connect(*loop, listener.local_address());
  auto accepting = listener.accept();
  loop.reset();
  BOOST_TEST(error_of(connecting) == ECANCELED);
  BOOST_TEST(error_of(accepting) == ECANCELED);
}

BOOST_FIXTURE_TEST_CASE(for_each_accept_ends, EndFixture) {
  int err = 0;
  const auto shared = std::make_shared<int>(0);
  Listener listener = Listener::tcp(*loop, tsock::test::loopback_v4(), {}, err);
  for_each_accept(listener, [shared](Stream) { ++*shared; });
  loop.reset();
  BOOST_TEST(shared.use_count() == 1);
}

BOOST_FIXTURE_TEST_CASE(queues_and_holds_outlive_it, EndFixture) {
  Queue queue(*loop, "late");
  auto turn = queue.wait();
  int err = 0;
  BOOST_TEST(turn.wait(err));
  QueueHold hold = turn.recv(err);
  auto waiting = queue.wait();
  Remote<int> remote;
  auto submitted = queue.submit([&] { return make_manual(*loop, remote); });
  loop.reset();
  BOOST_TEST(error_of(waiting) == ECANCELED);
  BOOST_TEST(error_of(submitted) == ECANCELED);
  BOOST_TEST(queue.name() == "late");
  queue.stop();
  queue.start();
  hold.release();
  BOOST_TEST(queue.length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_queue_hold_that_nobody_fetched_is_released, EndFixture) {
  Queue queue(*loop);
  auto turn = queue.wait();
  auto next = queue.wait();
  loop.reset();
  turn = {};
  BOOST_TEST(queue.length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(pdus_keep_their_bytes, EndFixture) {
  auto [a, b] = memory_stream_pair(*loop);
  auto writing = a.write("a line\n");
  auto reading = b.readv_pdu(framing::line{});
  int err = -1;
  BOOST_TEST(reading.wait(err));
  Pdu pdu = reading.recv(err);
  BOOST_TEST(err == 0);
  loop.reset();
  BOOST_TEST(tsock::test::text_of(pdu.body()) == "a line");
  Pdu moved = std::move(pdu);
  BOOST_TEST(tsock::test::text_of(moved.body()) == "a line");
}

BOOST_FIXTURE_TEST_CASE(children_of_operations_go_with_them, EndFixture) {
  struct Parent : Operation<void> {
    explicit Parent(std::shared_ptr<int> shared) : shared_(std::move(shared)) {}
    void start() override {
      child_ = loop().sleep(1h);
      child_.set_callback([this](auto&) { done(); });
      detached_ = loop().sleep(0ns);
    }
    std::shared_ptr<int> shared_;
    Request<void> child_;
    Request<void> detached_;
  };
  const auto shared = std::make_shared<int>(0);
  auto held = make_request<Parent>(*loop, shared);
  make_request<Parent>(*loop, shared).detach();
  loop.reset();
  BOOST_TEST(shared.use_count() == 1);
  int err = 0;
  held.recv(err);
  BOOST_TEST(err == ECANCELED);
}

BOOST_FIXTURE_TEST_CASE(captures_that_destroy_other_requests_are_fine, EndFixture) {
  // Each callback holds the request before it: ending one destroys another that may or may not have ended.
  std::shared_ptr<Request<void>> previous;
  for (int i = 0; i < 50; ++i) {
    auto request =
        std::make_shared<Request<void>>(loop->sleep(i % 3 == 0 ? 0ns : std::chrono::nanoseconds(1h)));
    if (i % 2 == 0) {
      request->set_callback([held = previous](auto&) {});
      previous = request;
    } else {
      std::move(*request).detach([held = previous](auto&) {});
      previous = std::make_shared<Request<void>>(loop->sleep(1h));
    }
  }
  previous.reset();
  loop.reset();
}

BOOST_FIXTURE_TEST_CASE(a_loop_ends_with_exceptions_and_a_trace_left_in_it, EndFixture) {
  const auto shared = std::make_shared<int>(0);
  loop->set_trace([shared](const TraceEvent&) { ++*shared; });
  auto sleeping = loop->sleep(0ns);
  sleeping.set_callback([](auto&) {});
  loop.reset();
  BOOST_TEST(shared.use_count() == 1);
  BOOST_TEST(*shared >= 1);
}

namespace {

/// A Loop that goes in a callback of its own.
struct EndInCallback {
  explicit EndInCallback(uv_loop_t* borrowed) : loop(make(borrowed)) { loop->set_logger(nullptr); }
  static std::unique_ptr<Loop> make(uv_loop_t* borrowed) {
    return borrowed == nullptr ? std::make_unique<Loop>() : std::make_unique<Loop>(borrowed);
  }
  [[nodiscard]] std::function<void()> end() {
    return [this] {
      BOOST_TEST(loop != nullptr);
      loop.reset();
    };
  }
  std::unique_ptr<Loop> loop;
};

/// Runs `body` for each way to run, with a loop of its own and with a borrowed one.
template <class F>
void for_each_way(F body) {
  const std::vector<std::pair<std::string, std::function<void(Loop&)>>> ways{
      {"run", [](Loop& loop) { loop.run(); }},
      {"run_once",
       [](Loop& loop) {
         while (loop.run_once()) {
         }
       }},
      {"wait", [](Loop& loop) {
         int err = 0;
         auto waiting = loop.sleep(1h);
         static_cast<void>(waiting.wait(err));
         waiting.recv(err);
         BOOST_TEST(err == ECANCELED);
       }}};
  for (const auto& [name, way] : ways) {
    BOOST_TEST_CONTEXT(name << " with a loop of its own") {
      EndInCallback owner(nullptr);
      body(owner, way);
      BOOST_TEST(owner.loop == nullptr);
    }
    BOOST_TEST_CONTEXT(name << " with a borrowed loop") {
      uv_loop_t borrowed;
      BOOST_TEST_REQUIRE(uv_loop_init(&borrowed) == 0);
      {
        EndInCallback owner(&borrowed);
        body(owner, way);
        BOOST_TEST(owner.loop == nullptr);
      }
      uv_run(&borrowed, UV_RUN_DEFAULT);
      BOOST_TEST(uv_loop_close(&borrowed) == 0);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_timer_destroys_the_loop) {
  for_each_way([](EndInCallback& owner, const auto& run) {
    auto other = owner.loop->sleep(1h);
    other.set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
    owner.loop->sleep(1ms).detach([end = owner.end()](auto&) { end(); });
    run(*owner.loop);
    BOOST_TEST(error_of_sleep(other) == ECANCELED);
  });
}

BOOST_AUTO_TEST_CASE(a_turn_without_waiting_destroys_the_loop) {
  EndInCallback owner(nullptr);
  owner.loop->sleep(0ns).detach([end = owner.end()](auto&) { end(); });
  owner.loop->sleep(0ns).detach([](auto&) { BOOST_ERROR("called after the loop went"); });
  owner.loop->run_until_idle();
  BOOST_TEST(owner.loop == nullptr);
}

BOOST_AUTO_TEST_CASE(a_posted_function_destroys_the_loop) {
  for_each_way([](EndInCallback& owner, const auto& run) {
    const auto shared = std::make_shared<int>(0);
    owner.loop->post([end = owner.end()] { end(); });
    owner.loop->post([shared] { BOOST_ERROR("called after the loop went"); });
    run(*owner.loop);
    BOOST_TEST(shared.use_count() == 1);
  });
}

BOOST_AUTO_TEST_CASE(a_signal_destroys_the_loop) {
  for_each_way([](EndInCallback& owner, const auto& run) {
    owner.loop->signal(SIGUSR1).detach([end = owner.end()](auto&) { end(); });
    owner.loop->post([] { ::raise(SIGUSR1); });
    run(*owner.loop);
  });
}

BOOST_AUTO_TEST_CASE(a_read_a_write_and_an_accept_destroy_the_loop) {
  for (const char* const step : {"read", "write", "accept", "next vector", "message"}) {
    BOOST_TEST_CONTEXT(step) {
      for_each_way([step = std::string_view(step)](EndInCallback& owner, const auto& run) {
        int err = 0;
        Listener listener =
            Listener::listen(*owner.loop, Address::inet_from_strings("ipv4", "127.0.0.1", 0, err), {}, err);
        BOOST_TEST_REQUIRE(err == 0);
        Stream accepted;
        std::array<std::byte, 4> bytes{};
        const auto end = owner.end();
        Request<ssize_t> reading;
        Request<Pdu> message;
        Request<Stream> accepting = listener.accept();
        accepting.set_callback([&](auto& request) {
          if (step == "accept") return end();
          accepted = request.recv(err);
          if (step == "next vector") {
            reading = accepted.readv_pdu([&](VectorList&) {
              end();
              return EIO;
            });
          } else if (step == "message") {
            message = accepted.readv_pdu(framing::u8{});
            message.set_callback([&](auto&) { end(); });
          } else {
            reading = accepted.read(bytes);
            reading.set_callback([&](auto&) { end(); });
          }
        });
        Request<Stream> connecting = Stream::connect(*owner.loop, listener.local_address());
        Stream client;
        Request<ssize_t> writing;
        connecting.set_callback([&](auto& request) {
          client = request.recv(err);
          writing = client.write(std::string_view("\3abc"));
          if (step == "write") writing.set_callback([&](auto&) { end(); });
        });
        if (step == "write") accepting = {};
        run(*owner.loop);
      });
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
