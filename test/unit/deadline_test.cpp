// Deadlines: Request::set_deadline(), Loop::sleep(), and the heap behind them.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(deadline)

BOOST_FIXTURE_TEST_CASE(a_sleep_and_a_deadline_are_never_early, LoopFixture) {
  for (const auto duration : {1us, 300us, 999us, 1000us, 1001us, 2500us, 5000us}) {
    const auto started = Clock::now();
    auto sleeping = loop.sleep(duration);
    BOOST_TEST(error_of(sleeping) == 0);
    BOOST_TEST((Clock::now() - started >= duration));

    Remote<void> remote;
    auto request = make_manual(loop, remote);
    const auto when = Clock::now() + duration;
    request.set_deadline(when);
    BOOST_TEST(error_of(request) == ETIMEDOUT);
    BOOST_TEST((Clock::now() >= when));
  }
}

BOOST_FIXTURE_TEST_CASE(deadlines_less_than_a_millisecond_apart_are_never_early_either, LoopFixture) {
  int early = 0;
  std::vector<Remote<void>> remotes(100);
  for (int i = 1; i <= 100; ++i) {
    const auto when = Clock::now() + i * 100us;
    auto request = make_manual(loop, remotes[static_cast<std::size_t>(i - 1)]);
    request.set_deadline(when);
    std::move(request).detach([&early, when](auto&) { early += Clock::now() < when ? 1 : 0; });
  }
  loop.run();
  BOOST_TEST(early == 0);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_in_the_past_ends_the_request_on_the_next_turn, LoopFixture) {
  std::vector<Remote<void>> remotes(3);
  auto past = make_manual(loop, remotes[0]);
  past.set_deadline(Clock::now() - 1h);
  auto beginning = make_manual(loop, remotes[1]);
  beginning.set_deadline(Clock::time_point::min());
  auto negative = make_manual(loop, remotes[2]);
  negative.set_timeout(-5s);
  BOOST_TEST(past.is_in_progress());
  BOOST_TEST(beginning.is_in_progress());
  BOOST_TEST(error_of(past) == ETIMEDOUT);
  BOOST_TEST(error_of(beginning) == ETIMEDOUT);
  BOOST_TEST(error_of(negative) == ETIMEDOUT);
  auto sleeping = loop.sleep(-1s);
  BOOST_TEST(sleeping.is_in_progress());
  BOOST_TEST(error_of(sleeping) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_far_away_never_comes, LoopFixture) {
  Remote<void> remote;
  auto request = make_manual(loop, remote);
  request.set_timeout(std::chrono::nanoseconds::max());
  loop.run_until_idle();
  BOOST_TEST(request.is_in_progress());
  request.set_deadline(Clock::time_point::max());
  auto sleeping = loop.sleep(std::chrono::nanoseconds::max());
  loop.run_until_idle();
  BOOST_TEST(request.is_in_progress());
  BOOST_TEST(sleeping.is_in_progress());
  // It does not stand in the way of others.
  auto shorter = loop.sleep(1ms);
  BOOST_TEST(error_of(shorter) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_new_deadline_replaces_the_old_one, LoopFixture) {
  Remote<void> remote;
  auto sooner = make_manual(loop, remote);
  sooner.set_timeout(1h);
  sooner.set_timeout(1ms);
  BOOST_TEST(loop.metrics().deadlines == 1U);
  BOOST_TEST(error_of(sooner) == ETIMEDOUT);

  Remote<void> other;
  auto later = make_manual(loop, other);
  later.set_timeout(0ns);
  later.set_timeout(1h);
  loop.run_until_idle();
  BOOST_TEST(later.is_in_progress());
  BOOST_TEST(loop.metrics().deadlines == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_cleared_deadline_does_not_come_and_clearing_twice_is_harmless, LoopFixture) {
  Remote<void> remote;
  auto request = make_manual(loop, remote);
  request.set_timeout(0ns);
  request.clear_deadline();
  request.clear_deadline();
  BOOST_TEST(loop.metrics().deadlines == 0U);
  loop.run_until_idle();
  BOOST_TEST(request.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(an_ended_request_has_no_deadline_and_keeps_its_result, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  request.set_timeout(1h);
  remote.operation->done(8);
  BOOST_TEST(loop.metrics().deadlines == 0U);
  request.set_deadline(Clock::now());  // finished, not delivered
  BOOST_TEST(loop.metrics().deadlines == 0U);
  wait_for(request);
  request.set_deadline(Clock::now());  // delivered, not fetched: tevent would time the result out
  BOOST_TEST(loop.metrics().deadlines == 0U);
  loop.run_until_idle();
  int err = -1;
  BOOST_TEST(request.recv(err) == 8);
  BOOST_TEST(err == 0);
  request.set_timeout(0ns);
  loop.run_until_idle();
  BOOST_TEST(loop.metrics().deadlines == 0U);
}

BOOST_FIXTURE_TEST_CASE(destroying_a_request_takes_its_deadline_along, LoopFixture) {
  Remote<void> remote;
  auto request = make_manual(loop, remote);
  request.set_timeout(1h);
  auto moved = std::move(request);
  BOOST_TEST(loop.metrics().deadlines == 1U);
  moved = {};
  BOOST_TEST(loop.metrics().deadlines == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_set_in_a_callback_counts_from_there, LoopFixture) {
  Remote<void> remote;
  auto request = make_manual(loop, remote);
  request.set_timeout(1h);
  Clock::time_point from;
  loop.sleep(1ms).detach([&](auto&) {
    from = Clock::now();
    request.set_timeout(2ms);
  });
  BOOST_TEST(error_of(request) == ETIMEDOUT);
  BOOST_TEST((Clock::now() - from >= 2ms));
}

BOOST_FIXTURE_TEST_CASE(when_many_are_due_at_once_they_come_in_the_order_of_their_times, LoopFixture) {
  constexpr int count = 500;
  std::vector<int> times(count);
  for (int i = 0; i < count; ++i) times[static_cast<std::size_t>(i)] = i;
  std::shuffle(times.begin(), times.end(), std::mt19937(1));
  const auto base = Clock::now() - 1s;
  std::vector<Remote<void>> remotes(count);
  std::vector<Request<void>> requests;
  std::vector<int> order;
  for (const int time : times) {
    requests.push_back(make_manual(loop, remotes[requests.size()]));
    requests.back().set_deadline(base + time * 1us);
    requests.back().set_callback([&order, time](auto&) { order.push_back(time); });
  }
  loop.run();
  BOOST_TEST(order.size() == std::size_t{count});
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_FIXTURE_TEST_CASE(order_survives_setting_anew_clearing_and_destroying, LoopFixture) {
  constexpr std::size_t count = 400;
  std::mt19937 random(7);
  const auto base = Clock::now() - 10s;
  std::vector<Remote<void>> remotes(count);
  std::vector<Request<void>> requests(count);
  std::vector<std::int64_t> wanted(count, -1);
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < count; ++i) requests[i] = make_manual(loop, remotes[i]);
  for (int step = 0; step < 5000; ++step) {
    const std::size_t i = random() % count;
    const std::int64_t time = static_cast<std::int64_t>(random() % 1000000U);
    if (random() % 4 == 0) {
      requests[i].clear_deadline();
      wanted[i] = -1;
    } else {
      requests[i].set_deadline(base + std::chrono::microseconds(time));
      requests[i].set_callback([&order, time](auto&) { order.push_back(time); });
      wanted[i] = time;
    }
  }
  for (std::size_t i = 0; i < count; i += 3) {
    requests[i] = {};
    wanted[i] = -1;
  }
  std::erase(wanted, -1);
  std::sort(wanted.begin(), wanted.end());
  BOOST_TEST(loop.metrics().deadlines == wanted.size());
  loop.run_until_idle();
  BOOST_TEST((order == wanted));
  BOOST_TEST(loop.metrics().deadlines == 0U);
}

// Deadlines are sorted when the loop looks for the next one; here it looks in between, at a time of the
// test's own, an hour from now and later.
BOOST_FIXTURE_TEST_CASE(whenever_the_loop_looks_those_that_are_due_end_in_order_and_no_others, LoopFixture) {
  constexpr std::size_t count = 300;
  std::mt19937 random(11);
  const auto base = Clock::now() + 1h;
  std::vector<Remote<void>> remotes(count);
  std::vector<Request<void>> requests(count);
  std::vector<std::int64_t> wanted(count, -1);
  std::size_t ended = 0;
  std::int64_t now = 0;
  while (ended < 5 * count) {
    for (int step = 0; step < 60; ++step) {
      const std::size_t i = random() % count;
      if (!requests[i].is_in_progress()) requests[i] = make_manual(loop, remotes[i]);
      if (random() % 3 == 0) {
        requests[i].clear_deadline();
        wanted[i] = -1;
      } else {
        wanted[i] = now + static_cast<std::int64_t>(random() % 1000U);
        requests[i].set_deadline(base + std::chrono::microseconds(wanted[i]));
      }
    }
    now += static_cast<std::int64_t>(random() % 100U);
    std::vector<std::int64_t> due;
    std::vector<std::int64_t> order;
    for (std::size_t i = 0; i < count; ++i) {
      if (wanted[i] < 0) continue;
      requests[i].set_callback([&order, time = wanted[i]](auto&) { order.push_back(time); });
      if (wanted[i] <= now) due.push_back(std::exchange(wanted[i], -1));
    }
    std::sort(due.begin(), due.end());
    loop.core().expire(base + std::chrono::microseconds(now));
    loop.run_until_idle();
    BOOST_TEST_REQUIRE((order == due));
    ended += due.size();
    const auto waiting = std::count_if(wanted.begin(), wanted.end(), [](std::int64_t t) { return t >= 0; });
    BOOST_TEST_REQUIRE(loop.metrics().deadlines == static_cast<std::size_t>(waiting));
  }
}

BOOST_FIXTURE_TEST_CASE(sleeps_end_in_the_order_of_their_times, LoopFixture) {
  std::vector<int> order;
  std::vector<Request<void>> requests;
  for (const int time : {5, 1, 4, 2, 3}) {
    requests.push_back(loop.sleep(std::chrono::milliseconds(time)));
    requests.back().set_callback([&order, time](auto&) { order.push_back(time); });
  }
  loop.run();
  BOOST_TEST((order == std::vector<int>{1, 2, 3, 4, 5}));
}

BOOST_FIXTURE_TEST_CASE(a_sleep_can_be_cancelled_and_destroyed, LoopFixture) {
  auto cancelled = loop.sleep(1h);
  auto destroyed = loop.sleep(1ms);
  destroyed.set_callback([](auto&) { BOOST_ERROR("called"); });
  cancelled.cancel();
  destroyed = {};
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  BOOST_TEST(loop.metrics().deadlines == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_sleep_has_an_end_of_its_own_beside_its_deadline, LoopFixture) {
  auto timed_out = loop.sleep(1h);
  timed_out.set_timeout(1ms);
  BOOST_TEST(error_of(timed_out) == ETIMEDOUT);

  auto unchanged = loop.sleep(2ms);
  unchanged.set_timeout(1h);
  BOOST_TEST(error_of(unchanged) == 0);

  auto slept = loop.sleep(2ms);
  slept.set_timeout(1h);
  const auto cleared_at = Clock::now();
  slept.clear_deadline();
  BOOST_TEST(error_of(slept) == 0);
  BOOST_TEST((Clock::now() - cleared_at >= 1ms));
}

BOOST_FIXTURE_TEST_CASE(a_read_that_timed_out_gives_its_bytes_to_the_next, LoopFixture) {
  auto [a, b] = unix_pair();
  std::array<std::byte, 8> buffer{};
  auto reading = b.read(buffer);
  auto writing = a.write("half");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(run_until([&] { return reading.transferred() == 4; }));
  reading.set_timeout(0ns);
  BOOST_TEST(error_of(reading) == ETIMEDOUT);
  BOOST_TEST(reading.transferred() == 4U);
  std::array<std::byte, 4> rest{};
  auto again = b.read(rest);
  BOOST_TEST(error_of(again) == 0);
  BOOST_TEST(tsock::test::text_of(rest) == "half");
}

BOOST_AUTO_TEST_SUITE_END()
