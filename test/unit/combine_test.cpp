// all_of(), any_of() and retry().
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <tsock/all_of.hpp>
#include <tsock/any_of.hpp>
#include <tsock/retry.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(combine)

namespace {

struct CombineFixture : LoopFixture {
  std::vector<Remote<int>> remotes = std::vector<Remote<int>>(3);
  std::vector<Request<int>> children() {
    std::vector<Request<int>> made;
    for (Remote<int>& remote : remotes) made.push_back(make_manual(loop, remote));
    return made;
  }
  template <class T>
  int error_of_late(Request<T> request) {
    request.set_timeout(20ms);
    return error_of(request);
  }
};

constexpr RetryOptions quick{.attempts = 3, .delay = 1ms, .max_delay = 2ms};

}  // namespace

BOOST_FIXTURE_TEST_CASE(all_of_a_list_gives_the_values_in_its_order, CombineFixture) {
  auto all = all_of(loop, children());
  for (const std::size_t i : {2U, 0U, 1U}) {
    BOOST_TEST(all.is_in_progress());
    remotes[i].operation->done(static_cast<int>(i) * 10);
    loop.run_until_idle();
  }
  int err = 0;
  BOOST_TEST((fetch(all, err) == std::vector<int>{0, 10, 20}));
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(one_failure_ends_all_of_a_list_and_abandons_the_others, CombineFixture) {
  auto all = all_of(loop, children());
  remotes[1].operation->error(EACCES, "no");
  wait_for(all);
  BOOST_TEST(all.reason() == "no");
  BOOST_TEST(error_of(all) == EACCES);
  BOOST_TEST(remotes[0].destroyed == 1);
  BOOST_TEST(remotes[2].destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(all_of_nothing_succeeds, CombineFixture) {
  BOOST_TEST(error_of(all_of(loop, std::vector<Request<int>>())) == 0);
  auto nothing = all_of(loop, std::vector<Request<void>>());
  BOOST_TEST(error_of(nothing) == 0);
}

BOOST_FIXTURE_TEST_CASE(all_of_several_types_gives_a_tuple, CombineFixture) {
  Remote<std::string> text;
  auto all = all_of(loop, make_manual(loop, remotes[0]), loop.sleep(1ms), make_manual(loop, text));
  remotes[0].operation->done(5);
  text.operation->done(std::string("five"));
  int err = 0;
  const auto [number, slept, word] = fetch(all, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(number == 5);
  BOOST_TEST(word == "five");
}

BOOST_FIXTURE_TEST_CASE(cancelling_and_destroying_abandon_all, CombineFixture) {
  auto all = all_of(loop, children());
  all.cancel();
  BOOST_TEST(error_of(all) == ECANCELED);
  auto any = any_of(loop, children());
  any = {};
  for (const Remote<int>& remote : remotes) BOOST_TEST(remote.destroyed == 2);
}

BOOST_FIXTURE_TEST_CASE(requests_without_a_value_are_waited_for_too, CombineFixture) {
  const auto pauses = [this] {
    std::vector<Request<void>> made;
    for (const auto time : {0ms, 1ms}) made.push_back(loop.sleep(time));
    return made;
  };
  auto all = all_of(loop, pauses());
  static_assert(std::is_same_v<decltype(all), Request<void>>);
  BOOST_TEST(error_of(all) == 0);
  BOOST_TEST(error_of(any_of(loop, pauses())) == 0);
  BOOST_TEST(error_of(retry(loop, quick, [&] { return loop.sleep(0ms); })) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_covers_all_and_abandons_what_is_in_progress, CombineFixture) {
  int made = 0;
  const auto combined = [&](int kind) {
    if (kind == 0) return error_of_late(all_of(loop, children()));
    if (kind == 1) return error_of_late(any_of(loop, children()));
    auto request = retry(loop, {.attempts = 0, .delay = 0ms, .max_delay = 0ms}, [&] {
      auto attempt = make_manual(loop, remotes[0]);
      if (++made < 3) remotes[0].operation->error(EIO);
      return attempt;
    });
    BOOST_TEST(run_until([&] { return made == 3; }));
    return error_of_late(std::move(request));
  };
  for (const int kind : {0, 1, 2}) {
    const int before = remotes[0].destroyed;
    BOOST_TEST(combined(kind) == ETIMEDOUT);
    BOOST_TEST(remotes[0].destroyed > before);
    BOOST_TEST(loop.metrics().in_progress == 0U);
  }
  BOOST_TEST(made == 3);
}

BOOST_FIXTURE_TEST_CASE(all_and_any_may_be_destroyed_in_their_callback_and_in_one_of_a_child,
                        CombineFixture) {
  std::optional<Request<std::vector<int>>> all(all_of(loop, children()));
  all->set_callback([&](auto&) { all.reset(); });
  remotes[1].operation->error(EIO);
  BOOST_TEST(run_until([&] { return !all.has_value(); }));
  std::optional<Request<int>> any(any_of(loop, children()));
  any->set_callback([&](auto&) { any.reset(); });
  remotes[1].operation->done(1);
  BOOST_TEST(run_until([&] { return !any.has_value(); }));
  for (const Remote<int>& remote : remotes) BOOST_TEST(remote.destroyed == 2);
  // A child whose code destroys the combination that owns it.
  std::vector<Request<int>> nested;
  nested.push_back(retry(loop, quick, [&] {
    auto attempt = make_manual(loop, remotes[0]);
    remotes[0].operation->error(EIO);
    any.reset();
    return attempt;
  }));
  any.emplace(any_of(loop, std::move(nested)));
  BOOST_TEST(run_until([&] { return !any.has_value(); }));
  loop.run_until_idle();
  BOOST_TEST(loop.metrics().in_progress == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_cannot_complete_ends_all_of_them, CombineFixture) {
  std::vector<Request<int>> some = children();
  some.emplace_back();
  BOOST_TEST(error_of(all_of(loop, std::move(some))) == EIO);
  BOOST_TEST(remotes[0].destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(the_first_success_is_any_of_a_list, CombineFixture) {
  auto any = any_of(loop, children());
  remotes[0].operation->error(EACCES);
  loop.run_until_idle();
  BOOST_TEST(any.is_in_progress());
  remotes[2].operation->done(7);
  int err = 0;
  BOOST_TEST(fetch(any, err) == 7);
  BOOST_TEST(err == 0);
  BOOST_TEST(remotes[1].destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(any_of_a_list_fails_with_the_last_of_its_failures, CombineFixture) {
  auto any = any_of(loop, children());
  for (const std::size_t i : {1U, 0U, 2U}) {
    remotes[i].operation->error(static_cast<int>(i) + 100, std::to_string(i));
    loop.run_until_idle();
  }
  wait_for(any);
  BOOST_TEST(any.reason() == "2");
  BOOST_TEST(error_of(any) == 102);
  BOOST_TEST(error_of(any_of(loop, std::vector<Request<int>>())) == EINVAL);
  std::vector<Request<int>> dead(2);
  BOOST_TEST(error_of(any_of(loop, std::move(dead))) == EIO);
}

BOOST_FIXTURE_TEST_CASE(retry_tries_until_it_succeeds, CombineFixture) {
  int attempts = 0;
  auto request = retry(loop, quick, [&] {
    auto attempt = make_manual(loop, remotes[0]);
    if (++attempts < 3) {
      remotes[0].operation->error(ECONNREFUSED);
    } else {
      remotes[0].operation->done(attempts);
    }
    return attempt;
  });
  int err = 0;
  BOOST_TEST(fetch(request, err) == 3);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(retry_gives_up_with_the_last_error_and_reason, CombineFixture) {
  int attempts = 0;
  auto request = retry(loop, quick, [&] {
    auto attempt = make_manual(loop, remotes[0]);
    remotes[0].operation->error(ECONNREFUSED, std::to_string(++attempts));
    return attempt;
  });
  wait_for(request);
  BOOST_TEST(request.reason() == "3");
  BOOST_TEST(error_of(request) == ECONNREFUSED);
}

BOOST_FIXTURE_TEST_CASE(an_error_that_is_not_worth_it_ends_retry, CombineFixture) {
  int attempts = 0;
  auto request = retry(
      loop, quick,
      [&] {
        auto attempt = make_manual(loop, remotes[0]);
        remotes[0].operation->error(++attempts == 1 ? EAGAIN : EACCES);
        return attempt;
      },
      [](int err) { return err != EACCES; });
  BOOST_TEST(error_of(request) == EACCES);
  BOOST_TEST(attempts == 2);
}

BOOST_FIXTURE_TEST_CASE(retry_can_be_cancelled_and_destroyed_at_any_time, CombineFixture) {
  auto request = retry(loop, {.delay = 1h}, [&] { return make_manual(loop, remotes[0]); });
  request.cancel();
  BOOST_TEST(error_of(request) == ECANCELED);
  request = retry(loop, {.delay = 1h, .max_delay = 1h}, [&] { return make_manual(loop, remotes[0]); });
  remotes[0].operation->error(EIO);
  loop.run_until_idle();
  BOOST_TEST(request.is_in_progress());  // pauses
  request = {};
  BOOST_TEST(loop.metrics().in_progress == 0U);
}

BOOST_FIXTURE_TEST_CASE(retry_makes_as_many_attempts_as_it_is_told_and_with_none_no_limit, CombineFixture) {
  for (const unsigned limit : {1U, 4U, 0U}) {
    int attempts = 0;
    auto request = retry(loop, {.attempts = limit, .delay = 0ms, .max_delay = 0ms}, [&] {
      auto attempt = make_manual(loop, remotes[0]);
      if (++attempts == 50) {
        remotes[0].operation->done(1);
      } else {
        remotes[0].operation->error(EIO);
      }
      return attempt;
    });
    BOOST_TEST(error_of(request) == (limit == 0 ? 0 : EIO));
    BOOST_TEST(attempts == (limit == 0 ? 50 : static_cast<int>(limit)));
  }
}

BOOST_FIXTURE_TEST_CASE(retry_pauses_between_attempts_and_not_before_the_first, CombineFixture) {
  std::vector<Clock::time_point> times;
  const auto begin = Clock::now();
  const RetryOptions options{.attempts = 3, .delay = 4ms, .max_delay = 1s, .factor = 2, .jitter = 0};
  BOOST_TEST(error_of(retry(loop, options, [&] {
               times.push_back(Clock::now());
               auto attempt = make_manual(loop, remotes[0]);
               remotes[0].operation->error(EIO);
               return attempt;
             })) == EIO);
  BOOST_TEST_REQUIRE(times.size() == 3U);
  BOOST_TEST((times[1] - times[0] >= 4ms));
  BOOST_TEST((times[2] - times[1] >= 8ms));
  BOOST_TEST((times[0] - begin < times[2] - begin));
}

BOOST_FIXTURE_TEST_CASE(an_exception_of_make_ends_retry_with_eio_and_leaves_the_loop, CombineFixture) {
  int attempts = 0;
  auto request = retry(loop, quick, [&] {
    if (++attempts == 2) throw std::runtime_error("make");
    auto attempt = make_manual(loop, remotes[0]);
    remotes[0].operation->error(EAGAIN);
    return attempt;
  });
  BOOST_CHECK_THROW(loop.run(), std::runtime_error);
  BOOST_TEST(error_of(request) == EIO);
  BOOST_TEST(attempts == 2);
}

BOOST_FIXTURE_TEST_CASE(an_attempt_may_destroy_its_retry, CombineFixture) {
  std::optional<Request<int>> request;
  int attempts = 0;
  request.emplace(retry(loop, quick, [&] {
    auto attempt = make_manual(loop, remotes[0]);
    remotes[0].operation->error(EIO);
    if (++attempts == 2) request.reset();
    return attempt;
  }));
  BOOST_TEST(run_until([&] { return !request.has_value(); }));
  loop.run_until_idle();
  BOOST_TEST(attempts == 2);
}

BOOST_AUTO_TEST_CASE(delays_grow_up_to_their_limit_and_jitter_shortens_them) {
  BackOff plain({.delay = 100ms, .max_delay = 350ms, .factor = 2, .jitter = 0});
  BOOST_TEST(plain.next().count() == std::chrono::nanoseconds(100ms).count());
  BOOST_TEST(plain.next().count() == std::chrono::nanoseconds(200ms).count());
  BOOST_TEST(plain.next().count() == std::chrono::nanoseconds(350ms).count());
  BOOST_TEST(plain.next().count() == std::chrono::nanoseconds(350ms).count());
  plain.reset();
  BOOST_TEST(plain.next().count() == std::chrono::nanoseconds(100ms).count());
  BackOff random({.delay = 100ms, .max_delay = 100ms, .jitter = 0.5});
  // Of 1000 delays some are near each end of the range.
  std::chrono::nanoseconds least = 1h;
  std::chrono::nanoseconds most = 0h;
  for (int i = 0; i < 1000; ++i) {
    const auto delay = random.next();
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  BOOST_TEST((least >= 50ms && least < 55ms));
  BOOST_TEST((most <= 100ms && most > 95ms));
  // Clients that begin together do not stay together.
  const RetryOptions same{.delay = 100ms, .max_delay = 100ms, .jitter = 0.5};
  BackOff one(same);
  BackOff other(same);
  BOOST_TEST((one.next() != other.next()));
  BackOff odd({.delay = -1s, .max_delay = std::chrono::nanoseconds::max(), .factor = -1, .jitter = 7});
  BOOST_TEST(odd.next().count() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
