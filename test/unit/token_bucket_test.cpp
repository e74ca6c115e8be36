#include "core/stream/token_bucket.hpp"

#include <chrono>
#include <cstddef>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::detail::Clock;
using tsock::detail::TokenBucket;
using tsock::test::LoopFixture;

namespace {

constexpr std::uint64_t bucket_rate = 1'000'000;
constexpr std::size_t bucket_burst = 20'000;
constexpr std::size_t bucket_step = 10'000;  // what comes in 10 ms, or half of a burst
constexpr std::size_t more_than_there_is = 1U << 20U;

/// Takes again and again, as one does whose calls of the system are slow. \return what it got each time
std::vector<std::size_t> take_for(TokenBucket& bucket, std::chrono::milliseconds time) {
  std::vector<std::size_t> got;
  const auto end = Clock::now() + time;
  do {
    if (const std::size_t bytes = bucket.take(more_than_there_is, false); bytes != 0) got.push_back(bytes);
  } while (Clock::now() < end);
  return got;
}

/// Takes all the time that it has, and wants more.
struct Greedy final : TokenBucket::Waiter {
  explicit Greedy(TokenBucket& from) noexcept : bucket(from) {}
  void on_turn() noexcept override {
    times.push_back(take_for(bucket, 2ms));
    BOOST_TEST(bucket.wait(*this));
  }
  TokenBucket& bucket;
  std::vector<std::vector<std::size_t>> times;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(token_bucket, LoopFixture)

BOOST_AUTO_TEST_CASE(one_who_asks_all_the_time_gets_no_crumbs) {
  TokenBucket bucket(loop, bucket_rate, bucket_burst);
  for (unsigned times = 0; times < 4;) {
    const std::size_t bytes = bucket.take(more_than_there_is, false);
    if (bytes == 0) continue;
    BOOST_TEST(bytes >= bucket_step);
    ++times;
  }
}

BOOST_AUTO_TEST_CASE(a_turn_has_what_was_there_when_it_began_and_the_next_one_is_another_s) {
  TokenBucket bucket(loop, bucket_rate, bucket_burst);
  BOOST_TEST(bucket.take(more_than_there_is, false) == bucket_burst);
  Greedy first(bucket);
  Greedy second(bucket);
  BOOST_TEST(bucket.wait(first));
  BOOST_TEST(bucket.wait(second));
  BOOST_TEST(run_until([&] { return first.times.size() + second.times.size() >= 6; }));
  BOOST_TEST(first.times.size() <= second.times.size() + 1);
  BOOST_TEST(second.times.size() <= first.times.size() + 1);
  for (Greedy* waiter : {&first, &second}) {
    for (const auto& times : waiter->times) BOOST_TEST(times.size() == 1U);
    bucket.forget(*waiter);
  }
}

BOOST_AUTO_TEST_SUITE_END()
