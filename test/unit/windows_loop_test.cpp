// Signals: what the console says.
#include <winsock2.h>
// <windows.h> needs it.
#include <windows.h>

#include <cerrno>
#include <csignal>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::LoopFixture;

namespace {

/// A program of its own console, which none of its parents has.
struct ConsoleFixture : LoopFixture {
  ConsoleFixture() {
    ::FreeConsole();
    BOOST_TEST_REQUIRE(::AllocConsole() != 0);
  }
  ~ConsoleFixture() { ::FreeConsole(); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(windows_loop)

BOOST_FIXTURE_TEST_CASE(ctrl_c_is_sigint_for_every_request, ConsoleFixture) {
  auto first = loop.signal(SIGINT);
  auto second = loop.signal(SIGINT);
  auto other = loop.signal(SIGBREAK);
  loop.run_until_idle();
  BOOST_TEST(first.is_in_progress());
  BOOST_TEST_REQUIRE(::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) != 0);
  int err = -1;
  BOOST_TEST(fetch(first, err) == SIGINT);
  BOOST_TEST(err == 0);
  BOOST_TEST(fetch(second, err) == SIGINT);
  BOOST_TEST(other.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(ctrl_break_is_sigbreak, ConsoleFixture) {
  auto request = loop.signal(SIGBREAK);
  loop.run_until_idle();
  if (::GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, 0) == 0) {
    BOOST_TEST_MESSAGE("skipped: this console has no Ctrl-Break (Wine), error " << ::GetLastError());
    return;
  }
  int err = -1;
  BOOST_TEST(fetch(request, err) == SIGBREAK);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(numbers_that_are_no_signals_give_einval, LoopFixture) {
  for (const int signum : {0, -1, 100000}) {
    BOOST_TEST_CONTEXT("signal " << signum) {
      auto request = loop.signal(signum);
      int err = 0;
      BOOST_TEST(fetch(request, err) == -1);
      BOOST_TEST(err == EINVAL);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
