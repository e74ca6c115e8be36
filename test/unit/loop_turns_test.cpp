// Who runs the turns of a loop: tsock, or an application that has taken libuv's loop.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <tsock/poll.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

BOOST_AUTO_TEST_SUITE(loop_turns)

namespace {

struct TurnsFixture : LoopFixture {
  struct Pair {
    Stream ours;
    Stream peer;
    std::array<std::byte, 1> byte{};
    Request<ssize_t> reading;
  };
  std::vector<Pair> pairs;

  /// Makes pairs with a read each, and sends each its byte.
  void answer(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      auto [ours, peer] = unix_pair();
      pairs.push_back({.ours = std::move(ours), .peer = std::move(peer), .byte = {}, .reading = {}});
    }
    for (Pair& pair : pairs) {
      pair.reading = pair.ours.read(pair.byte);
      // Not by the loop, whose turns this is about.
      BOOST_TEST_REQUIRE(::write(pair.peer.native_handle(), "x", 1) == 1);
    }
  }
  [[nodiscard]] std::size_t count_answered() const {
    std::size_t count = 0;
    for (const Pair& pair : pairs) count += pair.reading.is_in_progress() ? 0U : 1U;
    return count;
  }
};

/// Handles of the application that count the turns.
struct TurnCounter {
  explicit TurnCounter(uv_loop_t* uv) {
    uv_prepare_init(uv, &before);
    uv_check_init(uv, &after);
    before.data = after.data = this;
    uv_prepare_start(&before, [](uv_prepare_t* handle) { ++static_cast<TurnCounter*>(handle->data)->begun; });
    uv_check_start(&after, [](uv_check_t* handle) { ++static_cast<TurnCounter*>(handle->data)->ended; });
    uv_unref(reinterpret_cast<uv_handle_t*>(&before));
    uv_unref(reinterpret_cast<uv_handle_t*>(&after));
  }
  TurnCounter(const TurnCounter&) = delete;
  TurnCounter& operator=(const TurnCounter&) = delete;
  ~TurnCounter() = default;
  void close() {
    uv_close(reinterpret_cast<uv_handle_t*>(&before), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&after), nullptr);
  }

  uv_prepare_t before{};
  uv_check_t after{};
  unsigned begun = 0;
  unsigned ended = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(more_events_than_one_call_takes_are_all_served, TurnsFixture) {
  answer(300);
  loop.run_until_idle();
  BOOST_TEST(count_answered() == pairs.size());
}

BOOST_FIXTURE_TEST_CASE(more_events_than_one_call_takes_are_all_served_by_libuvs_turns, TurnsFixture) {
  uv_loop_t* const uv = loop.native_handle();
  answer(300);
  uv_run(uv, UV_RUN_NOWAIT);
  BOOST_TEST(count_answered() > 64U);
  loop.run_until_idle();
  BOOST_TEST(count_answered() == pairs.size());
}

BOOST_FIXTURE_TEST_CASE(other_things_have_their_turn_between_many_events, TurnsFixture) {
  answer(300);
  std::size_t answered_before_post = 0;
  loop.post([&] { answered_before_post = count_answered(); });
  loop.run_until_idle();
  BOOST_TEST(count_answered() == pairs.size());
  BOOST_TEST(answered_before_post < pairs.size());
}

BOOST_FIXTURE_TEST_CASE(function_posted_before_runs_in_the_turn_of_the_last_request, TurnsFixture) {
  bool was_posted = false;
  loop.post([&] { was_posted = true; });
  int err = -1;
  BOOST_TEST(loop.sleep(0ms).wait(err));
  BOOST_TEST(was_posted);

  answer(1);
  was_posted = false;
  loop.post([&] { was_posted = true; });
  BOOST_TEST(pairs.front().reading.wait(err));
  BOOST_TEST(was_posted);
}

BOOST_FIXTURE_TEST_CASE(loop_with_nothing_to_do_ends_after_events_of_libuv, TurnsFixture) {
  auto [ours, peer] = unix_pair();
  std::array<std::byte, 1> byte{};
  for (int i = 0; i < 3; ++i) {
    loop.post([] {});
    loop.run();
  }
  auto reading = ours.read(byte);
  loop.post([&] { reading.cancel(); });
  loop.run();
  BOOST_TEST(!reading.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(application_that_has_the_loop_may_run_it, TurnsFixture) {
  answer(1);
  uv_run(loop.native_handle(), UV_RUN_DEFAULT);
  BOOST_TEST(count_answered() == 1U);
  auto sleeping = loop.sleep(1ms);
  uv_run(loop.native_handle(), UV_RUN_DEFAULT);
  BOOST_TEST(!sleeping.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(completion_that_waits_when_the_loop_is_given_away_is_called, TurnsFixture) {
  unsigned calls = 0;
  auto failed = Stream::connect(loop, Address());
  failed.set_callback([&](auto&) { ++calls; });
  BOOST_TEST(calls == 0U);
  uv_run(loop.native_handle(), UV_RUN_DEFAULT);
  BOOST_TEST(calls == 1U);
}

BOOST_FIXTURE_TEST_CASE(loop_that_was_given_away_may_be_watched_by_another, TurnsFixture) {
  answer(1);
  uv_loop_t* const uv = loop.native_handle();
  uv_run(uv, UV_RUN_NOWAIT);
  loop.run_until_idle();
  const auto is_readable = [uv] {
    pollfd descriptor{.fd = uv_backend_fd(uv), .events = POLLIN, .revents = 0};
    return ::poll(&descriptor, 1, 0) == 1;
  };
  pairs[0].reading = pairs[0].ours.read(pairs[0].byte);
  loop.run_until_idle();
  BOOST_TEST(!is_readable());
  BOOST_TEST_REQUIRE(::write(pairs[0].peer.native_handle(), "y", 1) == 1);
  BOOST_TEST(is_readable());
  uv_run(uv, UV_RUN_NOWAIT);
  BOOST_TEST(count_answered() == 1U);
}

BOOST_FIXTURE_TEST_CASE(callback_may_take_the_loop_in_the_middle_of_a_run, TurnsFixture) {
  answer(2);
  std::optional<TurnCounter> counter;
  pairs[0].reading.set_callback([&](auto&) {
    counter.emplace(loop.native_handle());
    pairs[0].reading = pairs[0].ours.read(pairs[0].byte);
    BOOST_TEST(::write(pairs[0].peer.native_handle(), "y", 1) == 1);
  });
  loop.run();
  BOOST_TEST(count_answered() == 2U);
  BOOST_TEST_REQUIRE(counter.has_value());
  const unsigned turns = counter->begun;
  BOOST_TEST(turns != 0U);
  BOOST_TEST(counter->ended != 0U);
  pairs[0].reading = pairs[0].ours.read(pairs[0].byte);
  loop.run_until_idle();
  BOOST_TEST(counter->begun > turns);
  pairs[0].reading.cancel();
  counter->close();
  loop.run();
}

BOOST_FIXTURE_TEST_CASE(exception_and_stop_end_a_run_in_which_the_loop_was_taken, TurnsFixture) {
  for (const bool throws : {true, false}) {
    Loop own;
    own.set_logger(nullptr);
    auto endless = own.sleep(1h);
    own.post([&] {
      static_cast<void>(own.native_handle());
      if (throws) throw std::runtime_error("thrown");
      own.stop();
    });
    if (throws) {
      BOOST_CHECK_THROW(own.run(), std::runtime_error);
    } else {
      own.run();
    }
    BOOST_TEST(endless.is_in_progress());
  }
}

BOOST_FIXTURE_TEST_CASE(callback_may_take_the_loop_and_destroy_it, TurnsFixture) {
  for (const bool destroys : {false, true}) {
    auto own = std::make_unique<Loop>();
    own->post([&] {
      static_cast<void>(own->native_handle());
      if (destroys) own.reset();
    });
    own->run();
    BOOST_TEST((own == nullptr) == destroys);
  }
}

BOOST_FIXTURE_TEST_CASE(what_happens_beside_the_end_of_a_loop_ends_with_it, TurnsFixture) {
  for (const bool are_libuvs : {false, true}) {
    auto own = std::make_unique<Loop>();
    if (are_libuvs) static_cast<void>(own->native_handle());
    answer(4);
    std::vector<Request<PollEvents>> polls;
    unsigned calls = 0;
    for (Pair& pair : pairs) {
      pair.reading.cancel();
      polls.push_back(poll(*own, pair.ours.native_handle(), PollEvents::readable));
      polls.back().set_callback([&](auto&) {
        ++calls;
        own.reset();
      });
    }
    own->run();
    BOOST_TEST(calls == 1U);
    unsigned cancelled = 0;
    for (auto& request : polls) {
      int err = 0;
      static_cast<void>(request.recv(err));
      cancelled += err == ECANCELED ? 1U : 0U;
    }
    BOOST_TEST(cancelled == 3U);
    pairs.clear();
    loop.run_until_idle();
  }
}

// A callback that waits for its turn when a deadline is due is called in the last look before that.
BOOST_FIXTURE_TEST_CASE(loop_may_be_destroyed_in_the_last_look_before_a_deadline, TurnsFixture) {
  auto own = std::make_unique<Loop>();
  int err = 0;
  auto [ours, peer] = Stream::socketpair(*own, err);
  std::array<std::byte, 1> byte{};
  auto late = ours.read(byte);
  late.set_timeout(1ms);
  unsigned calls = 0;
  std::vector<Request<Stream>> over(3000);  // a turn calls 1,024
  for (Request<Stream>& request : over) {
    request = Stream::connect(*own, Address());
    request.set_callback([&](auto&) {
      ++calls;
      for (const auto end = Clock::now() + 5ms; calls == 1 && Clock::now() < end;) continue;
      if (calls == 2000) own.reset();
    });
  }
  own->run();
  BOOST_TEST(calls == 2000U);
  BOOST_TEST(!late.is_in_progress());
  static_cast<void>(late.recv(err));
  // Which of the two is first depends on who runs the turns.
  BOOST_TEST((err == ECANCELED || err == ETIMEDOUT));
}

BOOST_FIXTURE_TEST_CASE(what_was_told_of_a_closed_descriptor_is_not_told_to_its_successor, TurnsFixture) {
  for (const bool are_libuvs : {false, true}) {
    if (are_libuvs) static_cast<void>(loop.native_handle());
    pairs.clear();
    answer(2);
    std::vector<NativeSocket> numbers;
    Stream next;
    Stream next_peer;
    std::array<std::byte, 1> byte{};
    Request<ssize_t> reading;
    std::uint64_t events = 0;
    unsigned calls = 0;
    // Whichever is first ends the other one, whose event the same call of the system has told.
    for (const std::size_t i : {0U, 1U}) {
      pairs[i].reading.set_callback([&, i](auto&) {
        ++calls;
        Pair& other = pairs[1 - i];
        const NativeSocket number = other.ours.native_handle();
        other = {};
        std::tie(next, next_peer) = unix_pair();
        numbers = {number, next.native_handle()};
        reading = next.read(byte);
        events = loop.metrics().events;
      });
    }
    loop.run_until_idle();
    BOOST_TEST(calls == 1U);
    BOOST_TEST_REQUIRE(numbers.size() == 2U);
    BOOST_TEST(numbers[0] == numbers[1]);
    BOOST_TEST(loop.metrics().events == events);
    BOOST_TEST(reading.is_in_progress());
    reading.cancel();
    next = {};
    next_peer = {};
  }
  pairs.clear();
}

BOOST_FIXTURE_TEST_CASE(child_of_a_fork_goes_on_with_a_loop_that_was_given_away, TurnsFixture) {
  uv_loop_t* const uv = loop.native_handle();
  auto [ours, peer] = unix_pair();
  std::array<std::byte, 5> heard{};
  auto reading = ours.read(heard);
  loop.run_until_idle();
  const pid_t child = fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0) {
    // The exit status tells how far it came; no destructor and no report of the parent's may run here.
    int status = 1;
    int err = 0;
    alarm(20);
    if (loop.after_fork_in_child() == 0) {
      status = 2;
      peer.write("child").detach();
      uv_run(uv, UV_RUN_DEFAULT);
      if (!reading.is_in_progress() && reading.recv(err) == 5) status = 0;
    }
    _exit(status);
  }
  int status = -1;
  BOOST_TEST(waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
  // What the child has done to its set has not changed the parent's.
  peer.write("mum").detach();
  loop.run_until_idle();
  BOOST_TEST(reading.is_in_progress());
  peer.write("my").detach();
  BOOST_TEST(error_of(reading) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
