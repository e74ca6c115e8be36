#include "tsock/loop.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/loop/pool.hpp"
#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(loop)

BOOST_FIXTURE_TEST_CASE(with_nothing_to_do_every_way_to_run_returns_at_once, LoopFixture) {
  loop.run();
  BOOST_TEST(!loop.run_once());
  loop.run_until_idle();
  loop.rethrow();
}

BOOST_FIXTURE_TEST_CASE(run_goes_on_until_no_request_is_in_progress, LoopFixture) {
  int calls = 0;
  loop.sleep(1ms).detach([&](auto&) {
    ++calls;
    loop.sleep(1ms).detach([&](auto&) { ++calls; });
  });
  loop.run();
  BOOST_TEST(calls == 2);
}

BOOST_FIXTURE_TEST_CASE(an_open_stream_or_listener_without_a_request_does_not_keep_run_going, LoopFixture) {
  auto pair = unix_pair();
  int err = 0;
  const Listener listener = Listener::tcp(loop, tsock::test::loopback_v4(), {}, err);
  BOOST_TEST(err == 0);
  loop.run();
}

BOOST_FIXTURE_TEST_CASE(run_once_waits_for_one_event_and_tells_when_nothing_is_left, LoopFixture) {
  auto request = loop.sleep(2ms);
  const auto started = Clock::now();
  int rounds = 0;
  while (loop.run_once()) ++rounds;
  BOOST_TEST(!request.is_in_progress());
  BOOST_TEST((Clock::now() - started >= 2ms));
  BOOST_TEST(rounds < 10);  // it waited instead of turning
}

BOOST_FIXTURE_TEST_CASE(run_until_idle_never_blocks_and_does_all_that_is_due, LoopFixture) {
  auto [a, b] = unix_pair();
  auto second_pair = unix_pair();
  Stream& c = second_pair.first;
  Stream& d = second_pair.second;
  std::array<std::byte, 3> first{};
  std::array<std::byte, 3> second{};
  auto never = loop.sleep(1h);
  std::string calls;
  auto relay = b.read(first);
  auto reading = d.read(second);
  relay.set_callback([&](auto&) {
    calls += "relayed ";
    c.write("abc").detach([&](auto&) { calls += "sent "; });
  });
  reading.set_callback([&](auto&) { calls += "received"; });
  a.write("abc").detach();
  const auto started = Clock::now();
  loop.run_until_idle();
  BOOST_TEST(calls == "relayed sent received");
  BOOST_TEST((Clock::now() - started < 30s));
  BOOST_TEST(never.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(more_completions_than_a_turn_takes_all_come, LoopFixture) {
  constexpr int count = 5000;
  int calls = 0;
  for (int i = 0; i < count; ++i) loop.sleep(0ns).detach([&](auto&) { ++calls; });
  loop.run_once();
  BOOST_TEST(calls > 0);
  BOOST_TEST(calls < count);  // libuv gets the processor back in between
  loop.run();
  BOOST_TEST(calls == count);
}

BOOST_FIXTURE_TEST_CASE(completions_that_follow_each_other_for_ever_do_not_starve_the_sockets, LoopFixture) {
  auto [a, b] = unix_pair();
  std::array<std::byte, 1> byte{};
  auto reading = b.read(byte);
  auto writing = a.write("x");
  struct Spinner {
    Loop& loop;
    bool& stop;
    void operator()(Request<void>& /*request*/) const {
      if (!stop) loop.sleep(0ns).detach(*this);
    }
  };
  bool stop = false;
  reading.set_callback([&](auto&) { stop = true; });
  loop.sleep(0ns).detach(Spinner{loop, stop});
  BOOST_TEST(error_of(reading) == 0);
  loop.run();
  BOOST_TEST(!writing.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(stop_before_a_run_makes_it_return_once, LoopFixture) {
  auto request = loop.sleep(1ms);
  loop.stop();
  loop.run();
  BOOST_TEST(request.is_in_progress());
  loop.stop();
  loop.run_once();
  BOOST_TEST(request.is_in_progress());
  loop.run();
  BOOST_TEST(!request.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(stop_in_a_callback_ends_the_run_after_the_turn, LoopFixture) {
  auto longer = loop.sleep(1h);
  int same_turn = 0;
  loop.sleep(0ns).detach([&](auto&) { loop.stop(); });
  loop.sleep(0ns).detach([&](auto&) { ++same_turn; });
  loop.run();
  BOOST_TEST(same_turn == 1);
  BOOST_TEST(longer.is_in_progress());
  loop.post([&] { loop.stop(); });
  loop.run();
  BOOST_TEST(longer.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(running_a_loop_inside_its_callbacks_is_a_logic_error, LoopFixture) {
  int checked = 0;
  const auto try_all = [&] {
    BOOST_CHECK_THROW(loop.run(), std::logic_error);
    BOOST_CHECK_THROW(loop.run_once(), std::logic_error);
    BOOST_CHECK_THROW(loop.run_until_idle(), std::logic_error);
    ++checked;
  };
  loop.sleep(0ns).detach([&](auto&) { try_all(); });
  loop.run();
  loop.post(try_all);
  loop.run();
  BOOST_TEST(checked == 2);
  // Another loop is none of its business.
  loop.sleep(0ns).detach([&](auto&) {
    Loop other;
    int err = 0;
    BOOST_TEST(other.sleep(0ns).wait(err));
  });
  loop.run();
}

BOOST_FIXTURE_TEST_CASE(sleep_zero_completes_on_the_next_turn, LoopFixture) {
  std::string order;
  loop.sleep(0ns).detach([&](auto&) {
    order += "a";
    loop.sleep(0ns).detach([&](auto&) { order += "c"; });
    order += "b";
  });
  BOOST_TEST(order.empty());
  loop.run_until_idle();
  BOOST_TEST(order == "abc");
}

BOOST_FIXTURE_TEST_CASE(metrics_count_what_happens, LoopFixture) {
  const LoopMetrics before = loop.metrics();
  auto first = loop.sleep(1h);
  auto second = loop.sleep(0ns);
  loop.post([] {});
  BOOST_TEST(loop.metrics().in_progress == 2U);
  BOOST_TEST(loop.metrics().deadlines == 1U);
  loop.run_until_idle();
  const LoopMetrics after = loop.metrics();
  BOOST_TEST(after.completions == before.completions + 1);
  BOOST_TEST(after.posted == before.posted + 1);
  BOOST_TEST(after.events > before.events);
  BOOST_TEST(after.in_progress == 1U);
}

BOOST_AUTO_TEST_CASE(two_loops_work_side_by_side) {
  Loop one;
  Loop two;
  auto on_one = one.sleep(0ns);
  auto on_two = two.sleep(0ns);
  one.run();
  BOOST_TEST(!on_one.is_in_progress());
  BOOST_TEST(on_two.is_in_progress());
  two.run();
  BOOST_TEST(!on_two.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(trim_gives_back_what_a_peak_has_left_and_harms_nothing, LoopFixture) {
  if (tsock::detail::Pool::passes_through()) return;
  const auto use = [this](std::size_t connections) {
    std::vector<std::pair<Stream, Stream>> pairs;
    std::vector<Request<Pdu>> readings;
    for (std::size_t i = 0; i < connections; ++i) {
      pairs.push_back(memory_pair());
      readings.push_back(pairs.back().first.readv_pdu(framing::line{}));
      pairs.back().second.write(std::string("a line\n")).detach();
    }
    loop.run_until_idle();
    int err = 0;
    for (Request<Pdu>& reading : readings)
      BOOST_REQUIRE(tsock::test::text_of(reading.recv(err).body()) == "a line");
  };
  use(10);
  BOOST_TEST(loop.trim() < 1024U * 1024U);
  use(3000);
  BOOST_TEST(loop.trim() > 1024U * 1024U);
  BOOST_TEST(loop.trim() == 0U);
  use(100);
}

BOOST_AUTO_TEST_SUITE_END()
