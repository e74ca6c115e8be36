#include "tsock/rate_limit.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/toy_engine.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

constexpr std::uint64_t rate = 200'000;
constexpr std::size_t burst = 10'000;
constexpr std::size_t limited_bytes = 50'000;
// No less than this for `limited_bytes` bytes.
constexpr std::chrono::milliseconds least_time{(limited_bytes - burst) * 1000 / rate};

struct RateFixture : LoopFixture {
  Stream left;
  Stream right;
  int err = 0;
  const std::vector<std::byte> sent = pattern(limited_bytes);

  void open(std::pair<Stream, Stream> pair) {
    left = std::move(pair.first);
    right = std::move(pair.second);
  }
  /// Sends `sent` to the right. \return how long it took
  std::chrono::nanoseconds transfer() {
    const auto begin = Clock::now();
    BOOST_TEST((send_through(left, right, sent) == sent));
    return Clock::now() - begin;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(rate_limit, RateFixture)

BOOST_AUTO_TEST_CASE(a_writer_is_as_slow_as_its_limit) {
  open(unix_pair());
  BOOST_TEST(limit_rate(left, {.writing = RateLimit(loop, rate, burst)}) == 0);
  BOOST_TEST((transfer() >= least_time));
}

BOOST_AUTO_TEST_CASE(a_reader_is_as_slow_as_its_limit_and_what_comes_waits_in_the_system) {
  open(unix_pair());
  BOOST_TEST(limit_rate(right, {.reading = RateLimit(loop, rate, burst)}) == 0);
  BOOST_TEST((transfer() >= least_time));
}

BOOST_AUTO_TEST_CASE(streams_in_memory_have_limits_too) {
  open(memory_pair());
  BOOST_TEST(limit_rate(left, {.writing = RateLimit(loop, rate, burst)}) == 0);
  BOOST_TEST(limit_rate(right, {.reading = RateLimit(loop, rate, burst)}) == 0);
  BOOST_TEST((transfer() >= least_time));
}

BOOST_AUTO_TEST_CASE(what_is_within_the_burst_passes_at_once) {
  open(unix_pair());
  const RateLimit slow(loop, 1, limited_bytes);
  BOOST_TEST(limit_rate(left, {.writing = slow}) == 0);
  BOOST_TEST((send_through(left, right, sent) == sent));
  Request<ssize_t> writing = left.write("x");
  loop.run_until_idle();
  BOOST_TEST(writing.is_in_progress());
  // The other direction has no limit, and none is none.
  BOOST_TEST((send_through(right, left, sent) == sent));
  BOOST_TEST(limit_rate(left, {}) == 0);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((send_through(left, right, pattern(1)).size()) == 1U);
}

BOOST_AUTO_TEST_CASE(a_group_shares_one_limit_in_turns) {
  const auto begin = Clock::now();
  const RateLimit shared(loop, rate, burst);
  std::vector<std::pair<Stream, Stream>> pairs;
  std::vector<std::vector<std::byte>> got(4, std::vector<std::byte>(limited_bytes));
  std::vector<Request<ssize_t>> reading;
  std::vector<Request<ssize_t>> writing;
  for (auto& bytes : got) {
    pairs.push_back(unix_pair());
    BOOST_TEST(limit_rate(pairs.back().first, {.writing = shared}) == 0);
    reading.push_back(pairs.back().second.read(bytes));
    writing.push_back(pairs.back().first.write(sent));
  }
  const auto read = [&] {
    std::size_t all = 0;
    for (const auto& request : reading) all += request.transferred();
    return all;
  };
  BOOST_TEST(run_until([&] { return read() >= 2 * limited_bytes; }));
  BOOST_TEST((Clock::now() - begin >= (2 * limited_bytes - burst) * 1'000'000us / rate - 1ms));
  // None has been left out, and none has had all.
  for (const auto& request : reading) {
    BOOST_TEST(request.transferred() > limited_bytes / 8);
    BOOST_TEST(request.transferred() < limited_bytes);
  }
  for (auto& request : writing) request.cancel();
}

BOOST_AUTO_TEST_CASE(one_limit_may_be_of_both_directions) {
  open(unix_pair());
  const RateLimit both(loop, rate, burst);
  BOOST_TEST(limit_rate(left, {.reading = both, .writing = both}) == 0);
  const auto begin = Clock::now();
  std::vector<std::byte> here(limited_bytes);
  Request<ssize_t> reading = left.read(here);
  Request<ssize_t> writing = right.write(sent);
  BOOST_TEST((send_through(left, right, sent) == sent));
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((here == sent));
  BOOST_TEST((Clock::now() - begin >= 2 * least_time));
}

BOOST_AUTO_TEST_CASE(a_limit_that_lets_nothing_pass_is_changed_while_they_wait) {
  open(unix_pair());
  RateLimit limit(loop, 0, burst);
  BOOST_TEST(limit_rate(left, {.reading = limit, .writing = limit}) == 0);
  std::vector<std::byte> bytes(3);
  Request<ssize_t> reading = left.read(bytes);
  Request<ssize_t> writing = left.write("abc");
  BOOST_TEST(error_of(right.write("def")) == 0);
  const Request<void> pause = loop.sleep(20ms);
  BOOST_TEST(run_until([&] { return !pause.is_in_progress(); }));
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(writing.is_in_progress());
  limit.set(1'000'000);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(bytes) == "def");
}

BOOST_AUTO_TEST_CASE(a_limit_begins_while_requests_are_in_progress) {
  open(unix_pair());
  std::vector<std::byte> bytes(3);
  Request<ssize_t> reading = right.read(bytes);
  loop.run_until_idle();
  BOOST_TEST(limit_rate(right, {.reading = RateLimit(loop, rate, 1)}) == 0);
  BOOST_TEST(error_of(left.write("abc")) == 0);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(bytes) == "abc");
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_turn_can_be_cancelled_closed_and_destroyed) {
  const RateLimit never(loop, 0, 1);
  for (int how = 0; how < 4; ++how) {
    open(unix_pair());
    BOOST_TEST(limit_rate(left, {.reading = never, .writing = never}) == 0);
    std::vector<std::byte> bytes(3);
    Request<ssize_t> reading = left.read(bytes);
    Request<ssize_t> writing = left.write("abc");
    BOOST_TEST(error_of(right.write("def")) == 0);
    loop.run_until_idle();
    if (how == 0) {
      reading.cancel();
      writing.cancel();
    } else if (how == 1) {
      left = Stream();
    } else if (how == 2) {
      left.abort();
    } else {
      reading = {};
      writing.set_timeout(1ms);
    }
    if (reading) BOOST_TEST((error_of(reading) == (how == 2 ? ECONNABORTED : ECANCELED)));
    BOOST_TEST((error_of(writing) == (how == 2 ? ECONNABORTED : how == 3 ? ETIMEDOUT : ECANCELED)));
  }
}

BOOST_AUTO_TEST_CASE(a_disconnect_does_not_wait_for_turns) {
  open(unix_pair());
  BOOST_TEST(limit_rate(left, {.reading = RateLimit(loop, 0), .writing = RateLimit(loop, 0)}) == 0);
  BOOST_TEST(error_of(right.write("unread")) == 0);
  Request<void> closing = left.disconnect();
  loop.run_until_idle();
  right = Stream();
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_AUTO_TEST_CASE(a_message_with_borders_passes_whole_and_its_excess_is_made_up_for) {
  open(Stream::message_socketpair(loop, err));
  BOOST_TEST(limit_rate(left, {.writing = RateLimit(loop, rate, burst)}) == 0);
  Queue queue(loop);
  const auto begin = Clock::now();
  std::vector<Request<ssize_t>> writing;
  for (int i = 0; i < 3; ++i) writing.push_back(left.write(queue, std::span(sent).first(20'000)));
  for (int i = 0; i < 3; ++i) {
    Request<Pdu> reading = right.read_message();
    BOOST_TEST(fetch(reading, err).size() == 20'000U);
  }
  BOOST_TEST((Clock::now() - begin >= (40'000 - burst) * 1'000'000us / rate));
  for (auto& request : writing) BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_CASE(the_stream_is_what_it_was) {
  open(unix_pair());
  BOOST_TEST(error_of(right.write("abcdef")) == 0);
  std::vector<std::byte> bytes(3);
  BOOST_TEST(error_of(left.read(bytes)) == 0);
  const NativeSocket socket = left.native_handle();
  BOOST_TEST(limit_rate(left, {.reading = RateLimit(loop, rate)}) == 0);
  BOOST_TEST(left.native_handle() == socket);
  BOOST_TEST(error_of(left.read(bytes)) == 0);
  BOOST_TEST(text_of(bytes) == "def");
  std::vector<std::byte> unread;
  const UniqueSocket released = left.release_socket(unread, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(released.get() == socket);
}

BOOST_AUTO_TEST_CASE(a_layer_is_found_behind_its_limits_and_may_stand_on_them) {
  auto pair = unix_pair();
  BOOST_TEST(limit_rate(pair.first, {.writing = RateLimit(loop, rate, burst)}) == 0);
  Request<Stream> there = layer::layer_over(
      std::move(pair.first), std::make_unique<ToyEngine>(ToyEngine::Side::client), "toy_connect");
  Request<Stream> here = layer::layer_over(
      std::move(pair.second), std::make_unique<ToyEngine>(ToyEngine::Side::server), "toy_accept");
  left = fetch(there, err);
  BOOST_TEST_REQUIRE(err == 0);
  right = fetch(here, err);
  BOOST_TEST_REQUIRE(err == 0);
  const auto* const engine = layer::engine_of(left);
  BOOST_TEST_REQUIRE(engine != nullptr);
  BOOST_TEST(limit_rate(left, {.reading = RateLimit(loop, rate, burst)}) == 0);
  BOOST_TEST(layer::engine_of(left) == engine);
  BOOST_TEST((transfer() >= least_time));
}

BOOST_AUTO_TEST_CASE(a_pump_goes_at_the_limits_that_its_streams_had) {
  auto source = unix_pair();
  auto target = unix_pair();
  const RateLimit limit(loop, rate, burst);
  BOOST_TEST(limit_rate(source.second, {.reading = limit}) == 0);
  Request<PumpResult> pumping = pump(source.second, target.first);
  BOOST_TEST(limit_rate(source.second, {.reading = limit}) == 0);
  BOOST_TEST(limit_rate(target.first, {.writing = limit}) == EBUSY);
  left = std::move(source.first);
  right = std::move(target.second);
  BOOST_TEST((transfer() >= least_time));
  pumping.cancel();
}

BOOST_AUTO_TEST_CASE(what_cannot_be_limited_says_why) {
  Stream none;
  BOOST_TEST(limit_rate(none, {}) == ENOTCONN);
  open(unix_pair());
  Loop other;
  BOOST_TEST(limit_rate(left, {.reading = RateLimit(other, rate)}) == EINVAL);
  BOOST_TEST(limit_rate(left, {.writing = RateLimit(other, rate)}) == EINVAL);
  Request<void> closing = left.disconnect();
  BOOST_TEST(limit_rate(left, {}) == ECONNABORTED);
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(limit_rate(left, {}) == ENOTCONN);
  RateLimit no_limit;
  BOOST_TEST(!no_limit);
  no_limit.set(1);
  BOOST_TEST(!no_limit);
}

BOOST_AUTO_TEST_SUITE_END()
