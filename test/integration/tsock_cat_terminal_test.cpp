#if defined(TSOCK_WITH_TSOCK_CAT)

#include <sys/socket.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "support/tmux.hpp"
#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::UniqueSocket;
using tsock::test::has_program;
using tsock::test::Process;
using tsock::test::TemporaryFolder;
using tsock::test::Tmux;

BOOST_AUTO_TEST_SUITE(tsock_cat_terminal)

// All three of its standard streams are a terminal; script(1) shows what is written there.
Process at_a_terminal(const std::string& options) {
  return Process({"script", "-qefc", executable() + " " + options, "/dev/null"});
}

BOOST_AUTO_TEST_CASE(stats_are_one_line_that_each_next_one_replaces) {
  if (!has_program("script")) return;
  const RawListener listener;
  Process cat = at_a_terminal("--stats=20ms " + listener.address());
  UniqueSocket peer = listener.accept();
  cat.wait_for_output("\rout 0 B/s, in 0 B/s; total 0 out, 0 in; queued 0; connections 1");
  cat.wait_for_output("\x1b[K\rout 0 B/s");
  peer.reset();
  cat.wait_for_output("the peer has ended its side");
  cat.write("\x04");
  cat.wait_for_output("out 0 bytes, 0 B/s; in 0 bytes");  // the last one is a line of its own
  cat.wait();
}

// What a person sees: one line, also after the window has become smaller.
BOOST_AUTO_TEST_CASE(live_line_of_a_session_is_one_line_of_the_screen) {
  if (!has_program("tmux")) return;
  const RawListener listener;
  Tmux terminal(executable() + " --stats=20ms " + listener.address() + " > /dev/null; echo \"status $?\"");
  const UniqueSocket peer = listener.accept();
  terminal.wait_for("total 0 out, 0 in; queued 0; connections 1");
  const std::string thousand(1000, 'x');
  BOOST_TEST(::send(peer.get(), thousand.data(), thousand.size(), MSG_NOSIGNAL) == 1000);
  const std::string shown = terminal.wait_for("total 0 out, 1000 in");
  BOOST_TEST(shown.find("queued") == shown.rfind("queued"), shown);
  BOOST_TEST(shown.starts_with("out "), shown);
  terminal.resize(40, 10);
  const std::string small = terminal.wait_until(
      [](const std::string& text) {
        return text.starts_with("out ") && text.find("queued") == std::string::npos;
      },
      "a line that fits");
  terminal.type("Enter");  // one byte for the peer
  char byte = 0;
  BOOST_TEST(::recv(peer.get(), &byte, 1, 0) == 1);
  ::shutdown(peer.get(), SHUT_WR);
  terminal.wait_for("the peer has ended");
  terminal.type("C-d");
  terminal.wait_for("out 1 byte");  // the last one is a line of its own
  terminal.wait_for("status 0");
}

BOOST_AUTO_TEST_CASE(elsewhere_stats_are_lines) {
  const RawListener listener;
  Cat cat({"--stats=20ms", listener.address()});
  const UniqueSocket peer = listener.accept();
  cat.wait_until(
      [&cat] {
        const std::size_t first = cat.error().find("connections 1");
        return first != std::string::npos && contains(cat.error().substr(first), "\nout 0 bytes");
      },
      "two lines of statistics");
  BOOST_TEST(!contains(cat.error(), "\r"));
  cat.kill(SIGTERM);
  cat.finish();
}

BOOST_AUTO_TEST_CASE(who_is_not_at_a_terminal_is_not_told_of_the_peers_end) {
  const RawListener listener;
  Cat cat({"-v", listener.address()});
  const UniqueSocket peer = listener.accept();
  ::shutdown(peer.get(), SHUT_WR);
  cat.wait_for_error("remote side ended");
  BOOST_TEST(cat.finish() == 0);
  BOOST_TEST(!contains(cat.error(), "Ctrl-D"));
}

// As nc -l and ncat -l do: whoever has the input need not end it.
BOOST_AUTO_TEST_CASE(it_ends_when_a_peer_is_gone_and_nothing_can_be_sent_any_more) {
  const TemporaryFolder folder;
  Cat server({"--announce", "-lU", folder.file("socket")});
  BOOST_TEST(run({server.listening(), "--send-only"}, "hello").status == 0);
  BOOST_TEST(server.wait() == 5);  // it is not known whether the input had more
  BOOST_TEST(server.output() == "hello");
  if (!has_program("script")) return;
  Process typed = at_a_terminal("--announce -lU " + folder.file("other"));
  typed.wait_for_output("listening");
  BOOST_TEST(run({"-U", folder.file("other"), "--send-only"}, "hello").status == 0);
  BOOST_TEST(typed.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_peer_that_resets_after_its_end_is_noticed_without_input) {
  const RawListener listener;
  Cat cat({listener.address()});
  UniqueSocket peer = listener.accept();
  ::shutdown(peer.get(), SHUT_WR);
  cat.wait_for_end_of_output();
  reset_connection(peer);
  BOOST_TEST(cat.wait() == 5);
}

BOOST_AUTO_TEST_CASE(a_hangup_ends_it_in_order_with_statistics) {
  const RawListener listener;
  Cat cat({"--stats", "-v", listener.address()});
  const UniqueSocket peer = listener.accept();
  cat.wait_for_error("connected to");
  cat.kill(SIGHUP);
  BOOST_TEST(cat.wait() == 130);
  BOOST_TEST(contains(cat.error(), "hung up"), cat.error());
  BOOST_TEST(contains(cat.error(), "out 0 bytes"), cat.error());
}

// Waiting for a name, for a connection, for a client, and moving bytes.
BOOST_DATA_TEST_CASE(a_signal_ends_every_phase, boost::unit_test::data::make({SIGINT, SIGTERM, SIGHUP}),
                     signum) {
  const RawListener full(RawListener::loopback(0), 0);
  std::vector<UniqueSocket> waiting;
  int err = 0;
  const auto address = tsock::Address::parse(full.address(), err);
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(waiting.back().get(), address.sockaddr_pointer(),
                                static_cast<socklen_t>(address.sockaddr_length())));
  }
  Cat connecting({"-vv", full.address()});
  connecting.wait_for_error("connecting to");
  Cat listening({"--announce", "-l", "127.0.0.1:0"});
  static_cast<void>(listening.listening());
  Cat hub({"--announce", "-k", "-l", "127.0.0.1:0"});
  static_cast<void>(hub.listening());
  Cat retrying({"-v", "--retry", "5", "--retry-delay", "1h", "unix:/no/such/socket"});
  retrying.wait_for_error("try 1 of 5");
  Cat scanning({"-z", "-vv", "-w", "1h", "127.0.0.1:" + port_of(full.address()), "127.0.0.1:1"});
  scanning.wait_for_error("127.0.0.1:1 refused");
  for (Cat* cat : {&connecting, &listening, &hub, &retrying, &scanning}) {
    cat->kill(signum);
    BOOST_TEST(cat->wait() == 130, cat->error());
  }
}

BOOST_AUTO_TEST_CASE(a_failure_says_what_to_try) {
  const CatOutcome outcome = run({"unix:/no/such/socket"});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(contains(outcome.error, "ENOENT"), outcome.error);
  BOOST_TEST(contains(outcome.error, "(the name of a socket or pipe is made by who listens)"), outcome.error);
  BOOST_TEST(event_named(run({"--json", "unix:/no/such/socket"}).error, "error").contains("hint"));
}

BOOST_AUTO_TEST_SUITE_END()

#endif
