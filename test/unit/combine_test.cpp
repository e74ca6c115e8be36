// all_of(), any_of() and retry().
#include <cerrno>
#include <optional>
#include <string>
#include <tsock/all_of.hpp>
#include <tsock/any_of.hpp>
#include <tsock/retry.hpp>
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
  bool differs = false;
  const auto first = random.next();
  for (int i = 0; i < 100; ++i) {
    const auto delay = random.next();
    BOOST_TEST((delay >= 50ms && delay <= 100ms));
    differs = differs || delay != first;
  }
  BOOST_TEST(differs);
  BackOff odd({.delay = -1s, .max_delay = std::chrono::nanoseconds::max(), .factor = -1, .jitter = 7});
  BOOST_TEST(odd.next().count() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
