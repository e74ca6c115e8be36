// The loop in a forked child, and signals.
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>

#include "support/loop_fixture.hpp"
#include "support/system.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::more_than_posix;

BOOST_AUTO_TEST_SUITE(posix_loop)

BOOST_FIXTURE_TEST_CASE(the_child_of_a_fork_can_go_on_with_the_loop, LoopFixture) {
  auto [a, b] = unix_pair();
  std::array<std::byte, 5> heard{};
  auto reading = b.read(heard);
  auto armed = loop.sleep(0ns);
  BOOST_TEST(error_of(armed) == 0);  // the kernel watches `b` now
  auto sleeping = loop.sleep(1ms);   // the parent does not run its loop before it has looked at it
  const pid_t child = fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0) {
    // The exit status tells how far it came; no destructor and no report of the parent's may run here.
    int status = 1;
    int err = 0;
    alarm(20);
    if (loop.after_fork_in_child() == 0) {
      status = 2;
      a.write("child").detach();
      if (sleeping.wait(err) && reading.wait(err) && reading.recv(err) == 5) status = 0;
    }
    _exit(status);
  }
  int status = -1;
  BOOST_TEST(waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
  BOOST_TEST(sleeping.is_in_progress());
  reading.cancel();
  loop.run();
}

// Signals. Each test has a signal of its own, so that an older loop's handler cannot take part.

BOOST_FIXTURE_TEST_CASE(a_signal_completes_every_request_for_it, LoopFixture) {
  auto first = loop.signal(SIGUSR1);
  auto second = loop.signal(SIGUSR1);
  auto other = loop.signal(SIGUSR2);
  loop.run_until_idle();
  BOOST_TEST(first.is_in_progress());
  raise(SIGUSR1);
  int err = -1;
  BOOST_TEST(fetch(first, err) == SIGUSR1);
  BOOST_TEST(err == 0);
  BOOST_TEST(fetch(second, err) == SIGUSR1);
  BOOST_TEST(other.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(a_signal_between_two_requests_is_not_lost_and_counts_once, LoopFixture) {
  {
    auto first = loop.signal(SIGUSR1);
    first.cancel();
    BOOST_TEST(error_of(first) == ECANCELED);
  }
  raise(SIGUSR1);
  raise(SIGUSR1);
  auto polls = loop.sleep(1h);  // with nothing in progress the loop does not look
  loop.run_until_idle();
  auto second = loop.signal(SIGUSR1);
  BOOST_TEST(second.is_in_progress());
  int err = -1;
  BOOST_TEST(fetch(second, err) == SIGUSR1);
  auto third = loop.signal(SIGUSR1);
  loop.run_until_idle();
  BOOST_TEST(third.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(a_signal_request_can_be_destroyed_and_timed_out, LoopFixture) {
  auto destroyed = loop.signal(SIGUSR2);
  auto timed_out = loop.signal(SIGUSR2);
  auto stays = loop.signal(SIGUSR2);
  destroyed = {};
  timed_out.set_timeout(0ns);
  BOOST_TEST(error_of(timed_out) == ETIMEDOUT);
  raise(SIGUSR2);
  BOOST_TEST(error_of(stays) == 0);
}

BOOST_FIXTURE_TEST_CASE(signals_that_cannot_be_caught_give_einval_each_time, LoopFixture) {
  for (const int signum : {SIGKILL, SIGSTOP, 0, -1, 100000, SIGKILL}) {
    BOOST_TEST_CONTEXT("signal " << signum) {
      auto request = loop.signal(signum);
      int err = 0;
      BOOST_TEST(request.is_in_progress());
      BOOST_TEST(fetch(request, err) == -1);
      BOOST_TEST(err == EINVAL);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_request_that_waits_for_a_signal_again_in_its_callback_gets_all, LoopFixture) {
  int count = 0;
  Request<int> request;
  std::function<void(Request<int>&)> again = [&](Request<int>&) {
    if (++count == 3) return;
    request = loop.signal(SIGUSR1);
    request.set_callback(again);
    raise(SIGUSR1);
  };
  request = loop.signal(SIGUSR1);
  request.set_callback(again);
  raise(SIGUSR1);
  BOOST_TEST(run_until([&] { return count == 3; }));
}

// Where libuv waits, it comes back after some.
BOOST_FIXTURE_TEST_CASE(signals_that_the_loop_was_not_asked_for_end_no_turn, LoopFixture,
                        *boost::unit_test::precondition(more_than_posix)) {
  static volatile std::sig_atomic_t signals;
  signals = 0;
  std::signal(SIGALRM, [](int) { signals = signals + 1; });
  itimerval each{.it_interval = {.tv_sec = 0, .tv_usec = 1000}, .it_value = {.tv_sec = 0, .tv_usec = 1000}};
  BOOST_TEST_REQUIRE(setitimer(ITIMER_REAL, &each, nullptr) == 0);
  const Request<void> sleeping = loop.sleep(50ms);
  unsigned turns = 0;
  while (sleeping.is_in_progress()) {
    loop.run_once();
    ++turns;
  }
  each = {};
  setitimer(ITIMER_REAL, &each, nullptr);
  std::signal(SIGALRM, SIG_DFL);
  BOOST_TEST(signals != 0);
  BOOST_TEST(turns <= 4U);
}

BOOST_AUTO_TEST_SUITE_END()
