// Loop::post(): functions from other threads.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

BOOST_AUTO_TEST_SUITE(post)

BOOST_FIXTURE_TEST_CASE(posted_functions_run_in_order_and_never_inside_post, LoopFixture) {
  std::string order;
  loop.post([&] {
    order += "a";
    loop.post([&] { order += "d"; });
    order += "b";
  });
  loop.post([&] { order += "c"; });
  BOOST_TEST(order.empty());
  loop.run();  // with nothing else to do
  BOOST_TEST(order == "abcd");
}

BOOST_FIXTURE_TEST_CASE(every_way_to_run_takes_posted_functions_also_when_nothing_else_is_there,
                        LoopFixture) {
  int calls = 0;
  loop.post([&] { ++calls; });
  loop.run_until_idle();
  BOOST_TEST(calls == 1);
  loop.post([&] { ++calls; });
  loop.run_once();
  BOOST_TEST(calls == 2);
  loop.post([&] { ++calls; });
  loop.run();
  BOOST_TEST(calls == 3);
  // The request that a posted function starts keeps the run going.
  loop.post([&] { loop.sleep(1ms).detach([&](auto&) { ++calls; }); });
  loop.run();
  BOOST_TEST(calls == 4);
}

BOOST_FIXTURE_TEST_CASE(what_is_started_behind_the_end_of_the_last_request_keeps_the_run_going, LoopFixture) {
  auto [out, in] = unix_pair();
  const std::vector<std::byte> more_than_fits(std::size_t{8} << 20);
  bool done = false;
  out.set_watermarks({.high = 1, .low = 0}, [&](Watermark mark) {
    if (mark == Watermark::low) loop.sleep(1ms).detach([&](auto&) { done = true; });
  });
  auto writing = out.write(more_than_fits);
  loop.run_until_idle();
  loop.post([&] { writing = {}; });
  loop.run();
  BOOST_TEST(done);
}

BOOST_FIXTURE_TEST_CASE(functions_may_be_move_only_and_large, LoopFixture) {
  int sum = 0;
  loop.post([value = std::make_unique<int>(5), large = std::array<char, 1000>(), &sum]() mutable {
    sum += *value + static_cast<int>(large.size());
  });
  loop.run();
  BOOST_TEST(sum == 1005);
}

BOOST_FIXTURE_TEST_CASE(what_a_posted_function_throws_comes_out_of_run_and_the_others_run, LoopFixture) {
  std::string calls;
  loop.post([&] { calls += "a"; });
  loop.post([] { throw std::runtime_error("posted"); });
  loop.post([&] { calls += "b"; });
  BOOST_CHECK_EXCEPTION(loop.run(), std::runtime_error,
                        [](const auto& error) { return error.what() == std::string("posted"); });
  loop.run();
  BOOST_TEST(calls == "ab");
}

BOOST_FIXTURE_TEST_CASE(a_post_from_another_thread_wakes_a_waiting_loop, LoopFixture) {
  auto waiting = loop.sleep(1h);
  waiting.set_callback([](auto&) {});
  std::thread poster([&] { loop.post([&] { waiting.cancel(); }); });
  loop.run();
  poster.join();
  BOOST_TEST(!waiting.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(from_four_threads_none_is_lost_and_each_threads_order_is_kept, LoopFixture) {
  constexpr unsigned threads = 4;
  constexpr unsigned each = 100000;
  std::array<unsigned, threads> next{};
  unsigned out_of_order = 0;
  unsigned finished = 0;
  auto alive = loop.sleep(1h);
  std::vector<std::thread> posters;
  for (unsigned t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (unsigned i = 0; i < each; ++i) {
        loop.post([&, t, i] {
          if (next[t]++ != i) ++out_of_order;
          if (i + 1 == each && ++finished == threads) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& poster : posters) poster.join();
  BOOST_TEST(out_of_order == 0U);
  for (const unsigned count : next) BOOST_TEST(count == each);
  BOOST_TEST(loop.metrics().posted == std::uint64_t{threads} * each);
}

// tevent's bug 13130: work handed over while the loop goes down.
BOOST_FIXTURE_TEST_CASE(posting_while_the_loop_stops_and_runs_again_loses_nothing, LoopFixture) {
  constexpr int count = 20000;
  std::atomic<int> posted{0};
  int ran = 0;
  auto alive = loop.sleep(1h);
  std::thread poster([&] {
    for (int i = 0; i < count; ++i) {
      loop.post([&] {
        ++ran;
        loop.stop();
      });
      ++posted;
    }
  });
  int runs = 0;
  while (ran < count) {
    loop.run();
    ++runs;
  }
  poster.join();
  BOOST_TEST(posted == count);
  BOOST_TEST(ran == count);
  BOOST_TEST(runs > 0);
}

BOOST_AUTO_TEST_CASE(functions_that_no_run_took_go_with_the_loop_uncalled) {
  const auto shared = std::make_shared<int>(0);
  {
    Loop loop;
    for (int i = 0; i < 10; ++i) loop.post([shared] { ++*shared; });
    BOOST_TEST(shared.use_count() == 11);
  }
  BOOST_TEST(shared.use_count() == 1);
  BOOST_TEST(*shared == 0);
}

BOOST_AUTO_TEST_CASE(a_posted_function_may_hold_things_of_its_loop) {
  const auto shared = std::make_shared<int>(0);
  {
    Loop loop;
    auto sleeping = loop.sleep(1h);
    sleeping.set_callback([shared](auto&) { ++*shared; });
    loop.post([request = std::move(sleeping), queue = Queue(loop), pair = memory_stream_pair(loop)] {});
  }
  BOOST_TEST(shared.use_count() == 1);
  BOOST_TEST(*shared == 0);
}

BOOST_AUTO_TEST_SUITE_END()
