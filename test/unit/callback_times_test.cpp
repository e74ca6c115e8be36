#include "tsock/callback_times.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tsock/tsock.hpp>

#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;

// Holds the loop for at least this long; how much longer does not matter.
void hold(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

std::uint64_t counted(const CallbackTimes& times) {
  return std::accumulate(times.histogram.begin(), times.histogram.end(), std::uint64_t{0});
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(callback_timing, LoopFixture)

BOOST_AUTO_TEST_CASE(nothing_is_measured_until_it_is_asked_for) {
  auto request = loop.sleep(0ns);
  request.set_callback([](auto&) {});
  loop.run();
  BOOST_TEST(!loop.callback_times().is_on);
  BOOST_TEST(loop.callback_times().count == 0U);
  BOOST_TEST(dump().find("callbacks:") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(callback_that_holds_the_loop_is_named_with_its_place) {
  loop.start_callback_timing();
  auto quick = loop.sleep(0ns);
  quick.set_callback([](auto&) {});
  auto slow = loop.sleep(0ns);
  const auto line = static_cast<std::uint32_t>(__LINE__) - 1;
  slow.set_callback([](auto&) { hold(3ms); });
  loop.run();
  const CallbackTimes times = loop.callback_times();
  BOOST_TEST(times.is_on);
  BOOST_TEST(times.count == 2U);
  BOOST_TEST(counted(times) == 2U);
  BOOST_TEST((times.longest >= 3ms));
  BOOST_TEST((times.total >= times.longest));
  BOOST_TEST_REQUIRE(times.slowest.size() == 2U);
  BOOST_TEST((times.slowest[0].longest == times.longest));
  BOOST_TEST(times.slowest[0].name == "sleep");
  BOOST_TEST(times.slowest[0].site.line() == line);
  BOOST_TEST(std::string(times.slowest[0].site.file()).ends_with("callback_times_test.cpp"));
  BOOST_TEST(dump().find("callback_times_test.cpp:" + std::to_string(line)) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(place_stands_among_the_slowest_once_with_its_longest_call) {
  loop.start_callback_timing(2);
  for (const auto time : {1ms, 3ms, 2ms}) {
    auto request = loop.sleep(0ns);
    request.set_callback([time](auto&) { hold(time); });
    loop.run();
  }
  BOOST_TEST_REQUIRE(loop.callback_times().slowest.size() == 1U);
  BOOST_TEST((loop.callback_times().slowest[0].longest >= 3ms));
  auto other = loop.sleep(0ns);
  other.set_callback([](auto&) {});
  loop.run();
  auto third = loop.sleep(0ns);
  third.set_callback([](auto&) { hold(5ms); });
  loop.run();
  const CallbackTimes times = loop.callback_times();
  BOOST_TEST_REQUIRE(times.slowest.size() == 2U);
  BOOST_TEST((times.slowest[0].longest >= 5ms));
  BOOST_TEST((times.slowest[1].longest >= 3ms));
}

BOOST_AUTO_TEST_CASE(posted_functions_and_exceptions_are_measured) {
  loop.start_callback_timing();
  loop.post([] { hold(1ms); });
  loop.run();
  BOOST_TEST_REQUIRE(loop.callback_times().count == 1U);
  BOOST_TEST(loop.callback_times().slowest[0].name == "post");
  auto request = loop.sleep(0ns);
  request.set_callback([](auto&) { throw std::runtime_error("out of here"); });
  BOOST_CHECK_THROW(loop.run(), std::runtime_error);
  BOOST_TEST(loop.callback_times().count == 2U);
}

BOOST_AUTO_TEST_CASE(timing_can_be_stopped_and_begun_again_in_a_callback) {
  loop.start_callback_timing();
  auto request = loop.sleep(0ns);
  request.set_callback([this](auto&) { loop.stop_callback_timing(); });
  loop.run();
  BOOST_TEST(!loop.callback_times().is_on);
  BOOST_TEST(loop.callback_times().count == 0U);
  loop.post([this] { loop.start_callback_timing(0); });
  loop.run();
  auto last = loop.sleep(0ns);
  last.set_callback([](auto&) {});
  loop.run();
  BOOST_TEST(loop.callback_times().count == 1U);
  BOOST_TEST(loop.callback_times().slowest.empty());
}

BOOST_AUTO_TEST_CASE(callback_may_destroy_the_request_and_the_loop) {
  auto other = std::make_unique<Loop>();
  other->start_callback_timing();
  auto request = other->sleep(0ns);
  request.set_callback([&](auto& self) {
    self = {};
    other.reset();
  });
  Loop& running = *other;
  running.run();
  BOOST_TEST((other == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
