#include "tsock/worker.hpp"

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/thread_shortage.hpp"

using namespace tsock;
using namespace std::chrono_literals;
using tsock::test::LoopFixture;
using tsock::test::ThreadShortage;

namespace {

/// A function stands in front of it until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  void wait_for_arrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, count] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  int arrived_ = 0;
};

struct WorkerFixture : LoopFixture {
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();

  ~WorkerFixture() { gate->open(); }

  auto stuck() {
    return [shared = gate] {
      shared->pass();
      return 1;
    };
  }
};

/// Calls a function when it goes.
class OnDestruction {
 public:
  explicit OnDestruction(std::function<void()> function) : function_(std::move(function)) {}
  OnDestruction(OnDestruction&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  OnDestruction& operator=(OnDestruction&&) = delete;
  ~OnDestruction() {
    if (function_) function_();
  }

 private:
  std::function<void()> function_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(worker, WorkerFixture)

BOOST_AUTO_TEST_CASE(function_runs_on_another_thread_and_its_value_comes_to_the_loop) {
  auto request = run_on_worker(loop, [text = std::make_unique<std::string>("value")] {
    return std::pair{*text, std::this_thread::get_id()};
  });
  BOOST_TEST(request.is_in_progress());
  int err = -1;
  const auto [text, thread] = fetch(request, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(text == "value");
  BOOST_TEST((thread != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(function_without_a_value_is_waited_for) {
  std::atomic<bool> has_run = false;
  auto request = run_on_worker(loop, [&has_run] { has_run = true; });
  BOOST_TEST(error_of(request) == 0);
  BOOST_TEST(has_run.load());
}

BOOST_AUTO_TEST_CASE(error_of_the_function_is_the_error_of_the_request) {
  auto valued = run_on_worker(loop, [](int& err) {
    err = ENOENT;
    return 5;
  });
  BOOST_TEST(error_of(valued) == ENOENT);
  BOOST_TEST(error_of(run_on_worker(loop, [](int& failure) { failure = EPERM; })) == EPERM);
}

BOOST_AUTO_TEST_CASE(exception_of_the_function_becomes_an_error_with_its_words) {
  auto request = run_on_worker(loop, [] { throw std::runtime_error("the disk is on fire"); });
  wait_for(request);
  BOOST_TEST(request.reason() == "the disk is on fire");
  BOOST_TEST(error_of(request) == EIO);
  BOOST_TEST(error_of(run_on_worker(loop, []() -> int { throw std::bad_alloc(); })) == ENOMEM);
  BOOST_TEST(error_of(run_on_worker(loop, []() -> int { throw 5; })) == EIO);
}

BOOST_AUTO_TEST_CASE(loop_serves_others_while_a_function_is_stuck) {
  auto request = run_on_worker(loop, stuck());
  gate->wait_for_arrivals(1);
  BOOST_TEST(error_of(loop.sleep(1ms)) == 0);
  BOOST_TEST(request.is_in_progress());
  gate->open();
  BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_CASE(cancel_and_deadline_end_the_request_while_the_function_is_stuck) {
  auto cancelled = run_on_worker(loop, stuck());
  auto late = run_on_worker(loop, stuck());
  late.set_timeout(1ms);
  gate->wait_for_arrivals(2);
  BOOST_TEST(cancelled.cancel());
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  BOOST_TEST(error_of(late) == ETIMEDOUT);
}

BOOST_AUTO_TEST_CASE(request_destroyed_while_the_function_is_stuck_is_silent) {
  bool called = false;
  {
    auto request = run_on_worker(loop, stuck());
    request.set_callback([&called](auto&) { called = true; });
    gate->wait_for_arrivals(1);
  }
  gate->open();
  loop.run();
  BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(run_returns_while_an_abandoned_function_is_stuck) {
  { const auto abandoned = run_on_worker(loop, stuck()); }
  loop.run();
}

BOOST_AUTO_TEST_CASE(function_that_nobody_waits_for_is_not_begun) {
  std::vector<Request<int>> requests;
  requests.reserve(16);
  for (int i = 0; i < 16; ++i) requests.push_back(run_on_worker(loop, stuck()));
  gate->wait_for_arrivals(16);
  const auto owned = std::make_shared<int>(0);
  {
    auto behind = run_on_worker(loop, [owned] { ++*owned; });
    BOOST_TEST(behind.cancel());
    BOOST_TEST(owned.use_count() == 1);
    BOOST_TEST(error_of(behind) == ECANCELED);
    const auto abandoned = run_on_worker(loop, [owned] { ++*owned; });
  }
  BOOST_TEST(owned.use_count() == 1);
  gate->open();
  for (auto& request : requests) BOOST_TEST(error_of(request) == 0);
  BOOST_TEST(*owned == 0);
}

BOOST_AUTO_TEST_CASE(loop_ends_while_a_function_is_stuck_and_what_it_owns_goes_when_it_is_done) {
  std::atomic<bool> is_gone = false;
  std::optional<Loop> own(std::in_place);
  auto request = run_on_worker(*own, [shared = gate, last = OnDestruction([&is_gone] {
                                                       is_gone = true;
                                                       is_gone.notify_one();
                                                     })] { shared->pass(); });
  gate->wait_for_arrivals(1);
  own.reset();
  BOOST_TEST(!is_gone.load());
  gate->open();
  is_gone.wait(false);  // or this test hangs
}

BOOST_AUTO_TEST_CASE(what_a_function_owns_may_destroy_the_loop_when_it_goes) {
  for (const bool is_abandoned : {false, true}) {
    auto own = std::make_unique<Loop>();
    auto second = std::make_unique<Request<int>>();
    std::optional<Request<void>> request;
    Loop& there = *own;
    // A loop with nothing else to do does not look for what an abandoned function has come to.
    const Request<void> alive = there.sleep(test::guard_time);
    request = run_on_worker(
        there, [shared = gate, last = OnDestruction([&own] { own.reset(); })] { shared->pass(); });
    *second = run_on_worker(there, stuck());
    gate->wait_for_arrivals(2);
    if (is_abandoned) request.reset();
    gate->open();
    while (own != nullptr) own->run_once();
    gate = std::make_shared<Gate>();
  }
}

BOOST_AUTO_TEST_CASE(what_a_function_owns_may_destroy_its_request_when_that_is_cancelled) {
  std::vector<Request<int>> requests;
  for (int i = 0; i < 16; ++i) requests.push_back(run_on_worker(loop, stuck()));
  gate->wait_for_arrivals(16);
  auto request = std::make_unique<Request<void>>();
  *request = run_on_worker(loop, [last = OnDestruction([&request] { request.reset(); })] {});
  request->cancel();
  BOOST_TEST(request == nullptr);
}

BOOST_AUTO_TEST_CASE(shortage_of_threads_is_an_error_of_the_request) {
  const ThreadShortage shortage;
  BOOST_TEST(error_of(run_on_worker(loop, [] {})) == EAGAIN);
}

BOOST_AUTO_TEST_CASE(function_that_waits_for_a_thread_is_not_called_once_its_loop_is_destroyed) {
  std::optional<Loop> own(std::in_place);
  std::vector<Request<int>> busy;
  for (int i = 0; i < 16; ++i) busy.push_back(run_on_worker(*own, stuck()));
  gate->wait_for_arrivals(16);
  const auto called = std::make_shared<std::atomic<bool>>(false);
  auto request = run_on_worker(*own, [called] { *called = true; });
  own.reset();
  int err = 0;
  request.recv(err);
  BOOST_TEST(err == ECANCELED);
  // The function is gone, so that no thread can call it.
  BOOST_TEST(called.use_count() == 1);
  BOOST_TEST(!called->load());
}

BOOST_AUTO_TEST_CASE(dump_names_the_request_and_its_place) {
  auto request = run_on_worker(loop, stuck());
  BOOST_TEST(dump().find("run_on_worker") != std::string::npos);
  BOOST_TEST(dump().find("worker_test.cpp") != std::string::npos);
  gate->open();
  BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
