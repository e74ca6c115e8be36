// A Loop on a libuv loop that the application owns.
#include <uv.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;

BOOST_AUTO_TEST_SUITE(borrowed_loop)

namespace {

/// The application: owns the libuv loop and runs it; fails the test when it cannot be closed at the end.
struct Application {
  Application() {
    BOOST_TEST_REQUIRE(uv_loop_init(&uv) == 0);
    tsock.emplace(&uv);
    tsock->set_logger(nullptr);
  }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  ~Application() {
    tsock.reset();
    run();
    BOOST_CHECK_EQUAL(uv_loop_close(&uv), 0);
  }
  int run() { return uv_run(&uv, UV_RUN_DEFAULT); }

  uv_loop_t uv{};
  std::optional<Loop> tsock;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_applications_run_serves_requests_and_ends_with_them, Application) {
  BOOST_TEST(tsock->native_handle() == &uv);
  int err = 0;
  auto [a, b] = Stream::socketpair(*tsock, err);
  std::array<std::byte, 5> buffer{};
  auto reading = b.read(buffer);
  auto writing = a.write("hello");
  auto sleeping = tsock->sleep(1ms);
  std::string calls;
  reading.set_callback([&](auto&) { calls += "read "; });
  sleeping.set_callback([&](auto&) { calls += "slept"; });
  BOOST_TEST(run() == 0);
  BOOST_TEST(calls == "read slept");
  BOOST_TEST(tsock::test::text_of(buffer) == "hello");
  run();  // nothing keeps it
}

BOOST_FIXTURE_TEST_CASE(handles_of_the_application_work_beside_it, Application) {
  uv_timer_t timer;
  uv_timer_init(&uv, &timer);
  Request<void> request;
  struct State {
    Loop& loop;
    Request<void>& request;
    int completions = 0;
  } state{*tsock, request};
  timer.data = &state;
  uv_timer_start(
      &timer,
      [](uv_timer_t* handle) {
        auto& made = *static_cast<State*>(handle->data);
        // Starting something in the application's own callback is fine.
        made.request = made.loop.sleep(0ns);
        made.request.set_callback([&made](auto&) { ++made.completions; });
        uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
      },
      1, 0);
  run();
  BOOST_TEST(state.completions == 1);
}

BOOST_FIXTURE_TEST_CASE(wait_and_run_work_as_on_a_loop_of_its_own, Application) {
  int err = -1;
  auto first = tsock->sleep(1ms);
  BOOST_TEST(first.wait(err));
  auto second = tsock->sleep(1ms);
  tsock->run();
  BOOST_TEST(!second.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(inside_the_applications_run_a_nested_run_is_refused, Application) {
  int checked = 0;
  auto longer = tsock->sleep(1h);
  const auto check = [&] {
    int err = 0;
    BOOST_TEST(!longer.wait(err));
    BOOST_TEST(err == EDEADLK);
    BOOST_CHECK_THROW(tsock->run_once(), std::logic_error);
    ++checked;
  };
  tsock->sleep(0ns).detach([&](auto&) { check(); });
  tsock->post([&] {
    check();
    longer = {};
  });
  run();
  BOOST_TEST(checked == 2);
}

BOOST_FIXTURE_TEST_CASE(an_exception_stops_the_applications_run_and_is_kept_for_rethrow, Application) {
  auto longer = tsock->sleep(1h);
  tsock->sleep(0ns).detach([](auto&) { throw std::runtime_error("thrown"); });
  run();
  BOOST_TEST(longer.is_in_progress());
  BOOST_CHECK_THROW(tsock->rethrow(), std::runtime_error);
  tsock->rethrow();  // once
  longer = {};
  run();
}

BOOST_FIXTURE_TEST_CASE(stop_ends_the_applications_run, Application) {
  auto longer = tsock->sleep(1h);
  tsock->sleep(0ns).detach([&](auto&) { tsock->stop(); });
  run();
  BOOST_TEST(longer.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(a_post_from_a_thread_wakes_the_applications_run, Application) {
  auto longer = tsock->sleep(1h);
  std::thread poster([&] { tsock->post([&] { longer = {}; }); });
  run();
  poster.join();
  BOOST_TEST(!longer);
}

BOOST_FIXTURE_TEST_CASE(the_loop_may_go_before_what_was_made_on_it, Application) {
  int err = 0;
  auto [a, b] = Stream::socketpair(*tsock, err);
  std::array<std::byte, 5> buffer{};
  auto reading = b.read(buffer);
  auto detached = std::make_shared<int>(0);
  tsock->sleep(1h).detach([detached](auto&) { ++*detached; });
  tsock->signal(SIGUSR1).detach();
  tsock.reset();
  BOOST_TEST(reading.recv(err) == -1);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(detached.use_count() == 1);
  run();
  BOOST_TEST(!a.is_open());
}

BOOST_FIXTURE_TEST_CASE(two_loops_may_share_one_libuv_loop, Application) {
  Loop second(&uv);
  second.set_logger(nullptr);
  std::string calls;
  tsock->sleep(1ms).detach([&](auto&) {
    calls += "a";
    second.sleep(1ms).detach([&](auto&) { calls += "b"; });
  });
  run();
  BOOST_TEST(calls == "ab");
}

BOOST_AUTO_TEST_SUITE_END()
