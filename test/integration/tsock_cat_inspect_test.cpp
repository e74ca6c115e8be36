// tsock-cat looks into a daemon. The daemon is a loop on a thread of the test.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/system.hpp"
#include "support/tmux.hpp"
#include "support/tsock_cat.hpp"
#include "tsock-cat/inspect_view.hpp"

using namespace tsock;
using namespace tsock::test::cat;
using namespace std::chrono_literals;
using tsock::test::has_program;
using tsock::test::Process;
using tsock::test::TempDirectory;
using tsock::test::Tmux;

namespace {

/// Listens on TCP, waits for a client that says nothing, and is inspected.
class InspectedDaemon {
 public:
  InspectedDaemon() {
    int err = -1;
    inspection_ = inspect(loop_, Address::unix_from_path(path(), err), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    auto [ours, theirs] = Stream::socketpair(loop_, err);
    BOOST_TEST_REQUIRE(err == 0);
    stream_ = std::move(ours);
    peer_ = std::move(theirs);
    reading_ = stream_.read_some({&byte_, 1}, CallSite::at("/somewhere/daemon.cpp", 17));
    thread_ = std::thread([this] { loop_.run(); });
  }
  InspectedDaemon(const InspectedDaemon&) = delete;
  InspectedDaemon& operator=(const InspectedDaemon&) = delete;
  ~InspectedDaemon() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    loop_.post([this] {
      inspection_ = {};
      loop_.stop();
    });
    thread_.join();
  }
  /// Holds the loop, as a callback that does not return, while the result exists.
  [[nodiscard]] std::shared_ptr<void> hold() {
    auto held = std::make_shared<std::promise<void>>();
    loop_.post([until = held->get_future().share()] { until.wait(); });
    return {held.get(), [held](void*) { held->set_value(); }};
  }
  [[nodiscard]] std::string path() const { return directory_ / "inspect"; }
  [[nodiscard]] std::string address() const { return "unix:" + path(); }

 private:
  TempDirectory directory_;
  Loop loop_;
  std::byte byte_{};
  Stream stream_;
  Stream peer_;
  Request<ssize_t> reading_;
  Inspection inspection_;
  std::thread thread_;
};

// tsock-cat on a pseudo-terminal; what comes on its standard input are keys.
std::vector<std::string> on_terminal(const std::string& address) {
  return {"script", "-qec", "'" + executable() + "' --stats=50ms --inspect '" + address + "'", "/dev/null"};
}

bool has_script() {
  if (has_program("script")) return true;
  BOOST_TEST_MESSAGE("skipped: no script(1) of util-linux here, which makes a pseudo-terminal");
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_inspect)

BOOST_AUTO_TEST_CASE(commands_print_their_answers) {
  const InspectedDaemon daemon;
  const CatOutcome dump = run({"--inspect", daemon.address()});
  BOOST_TEST(dump.status == 0);
  BOOST_TEST(dump.output.starts_with("loop: "), dump.output);
  BOOST_TEST(contains(dump.output, "/somewhere/daemon.cpp:17"), dump.output);
  BOOST_TEST(!dump.output.ends_with("\n\n"));
  BOOST_TEST(dump.error == "");
  BOOST_TEST(contains(run({"--inspect", daemon.address(), "metrics"}).output, "\ntsock_posted_total "));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"dump", "json"}, {"metrics", "json"}, {"--json"}, {"--json", "metrics"}}) {
    std::vector<std::string> all{"--inspect", daemon.path()};
    all.insert(all.end(), words.begin(), words.end());
    const CatOutcome outcome = run(all);
    BOOST_TEST(outcome.status == 0);
    BOOST_TEST(nlohmann::json::accept(outcome.output), outcome.output);
  }
  const CatOutcome trace = run({"--inspect", daemon.address(), "trace", "1"});
  BOOST_TEST(trace.status == 0);
  BOOST_TEST(nlohmann::json::parse(trace.output).is_array());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_asked_is_said) {
  InspectedDaemon daemon;
  const CatOutcome unknown = run({"--inspect", daemon.address(), "explode"});
  BOOST_TEST(unknown.status == 1);
  BOOST_TEST(contains(unknown.error, "not a command"), unknown.error);
  expect_wrong_command_line({"--inspect", "tcp://127.0.0.1:1"});
  expect_wrong_command_line({"--inspect", "unix-listen:///x"});
  daemon.stop();
  const CatOutcome gone = run({"--inspect", daemon.address()});
  BOOST_TEST(gone.status == 2);
  BOOST_TEST(contains(gone.error, "connect to unix:"), gone.error);
}

BOOST_AUTO_TEST_CASE(daemon_whose_loop_is_held_is_told_of) {
  InspectedDaemon daemon;
  const auto held = daemon.hold();
  const CatOutcome outcome = run({"--inspect", daemon.address(), "-i", "50ms", "dump"});
  BOOST_TEST(outcome.status == 4);
  BOOST_TEST(contains(outcome.error, "does not answer: a callback holds the daemon's loop"), outcome.error);
}

BOOST_AUTO_TEST_CASE(screen_tells_of_a_held_loop_until_it_answers) {
  if (!has_script()) return;
  InspectedDaemon daemon;
  auto held = daemon.hold();
  Process cat(on_terminal(daemon.address()));
  cat.wait_for_output("no answer for 1 s");
  held.reset();
  cat.wait_for_output("read_some  daemon.cpp:17");
  cat.write("q");
  BOOST_TEST(cat.finish() == 0);
}

BOOST_AUTO_TEST_CASE(output_that_cannot_be_written_is_7_with_the_reason) {
  const InspectedDaemon daemon;
  Process bash(
      {"bash", "-c", "'" + executable() + "' --inspect '" + daemon.address() + "' dump > /dev/full"});
  BOOST_TEST(bash.finish() == 7);
  BOOST_TEST(contains(bash.error(), "ENOSPC"), bash.error());
}

BOOST_AUTO_TEST_CASE(socket_that_nobody_inspects_by_is_told_of) {
  const TempDirectory directory;
  Cat server({"--announce", "unix-listen:" + (directory / "s"), "discard:", "--exit-on-peer-eof"});
  server.listening();
  const CatOutcome outcome = run({"--inspect", directory / "s", "dump"});
  BOOST_TEST(outcome.status == 5);
  BOOST_TEST(contains(outcome.error, "tsock::inspect()"), outcome.error);
}

BOOST_AUTO_TEST_CASE(trace_that_is_interrupted_ends_at_once) {
  const InspectedDaemon daemon;
  Cat cat({"--inspect", daemon.address(), "trace", "1000"});
  cat.wait_for_output("process_name");
  cat.kill(SIGINT);
  BOOST_TEST(cat.wait() == 130);
}

BOOST_AUTO_TEST_CASE(terminal_shows_a_screen_that_is_refreshed_until_q) {
  if (!has_script()) return;
  const InspectedDaemon daemon;
  Process cat(on_terminal(daemon.address()));
  cat.wait_for_output("\x1b[?1049h");
  cat.wait_for_output("read_some  daemon.cpp:17");
  cat.wait_for_output("completions -");
  cat.wait_for_output("/s   events ");  // the second one has rates
  cat.write("c");
  cat.wait_for_output("   median < ");
  cat.write("q");
  BOOST_TEST(cat.finish() == 0);
  BOOST_TEST(contains(cat.output(), "\x1b[?1049l"));
}

// What a person sees.
BOOST_AUTO_TEST_CASE(screen_of_a_session_is_refreshed_in_place_and_gone_after_q) {
  if (!has_program("tmux")) return;
  const InspectedDaemon daemon;
  Tmux terminal("echo; echo before; " + executable() + " --stats=50ms --inspect " + daemon.address() +
                "; echo \"status $?\"");
  const std::string shown = terminal.wait_for("read_some  daemon.cpp:17");
  BOOST_TEST(contains(shown, daemon.path()), shown);
  BOOST_TEST(!contains(shown, "before"), shown);
  terminal.wait_for("/s   events ");  // the second one has rates
  terminal.type("c");
  const std::string measured = terminal.wait_for("   median < ");
  BOOST_TEST(measured.find("daemon.cpp:17") == measured.rfind("daemon.cpp:17"), measured);
  terminal.resize(50, 6);
  terminal.wait_for(" more");  // than there is room for
  terminal.resize(Tmux::columns, Tmux::rows);
  terminal.wait_for("read_some  daemon.cpp:17");
  terminal.type("q");
  const std::string after = terminal.wait_for("before");
  BOOST_TEST(!contains(after, "daemon.cpp:17"), after);
  terminal.wait_for("status 0");
}

BOOST_AUTO_TEST_CASE(daemon_that_ends_ends_the_screen) {
  if (!has_script()) return;
  InspectedDaemon daemon;
  Process cat(on_terminal(daemon.address()));
  cat.wait_for_output("requests ");
  daemon.stop();
  cat.wait_for_output("read from unix:");
  BOOST_TEST(cat.wait() == 5);
  const std::string& output = cat.output();
  BOOST_TEST(output.rfind("\x1b[?1049l") < output.rfind("read from"));
}

BOOST_AUTO_TEST_CASE(lines_fit_the_screen_and_steer_no_terminal) {
  tsock_cat::InspectView view("unix:/x");
  const auto dump = [](int completions, const std::string& name) {
    return nlohmann::json{{"in_progress", 2},
                          {"deadlines", 0},
                          {"metrics", {{"events", 10}, {"completions", completions}, {"posted", 0}}},
                          {"requests",
                           {{{"id", 1},
                             {"parent", 0},
                             {"depth", 0},
                             {"name", name},
                             {"file", "a/b.cpp"},
                             {"line", 3},
                             {"age_ms", 2500},
                             {"transferred", 7},
                             {"finished", false},
                             {"reason", ""},
                             {"detail", "here"},
                             {"on", 0}},
                            {{"id", 2},
                             {"parent", 0},
                             {"depth", 0},
                             {"name", "readv"},
                             {"file", ""},
                             {"line", 0},
                             {"age_ms", 1},
                             {"transferred", 0},
                             {"finished", true},
                             {"reason", "why"},
                             {"detail", ""},
                             {"on", 4},
                             {"on_what", "stream to \x1b[2J\xc2\x9b"}}}}}
        .dump();
  };
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST_REQUIRE(view.take(dump(100, "sleep"), begin));
  BOOST_TEST(view.lines(50, 80)[1].find("completions -") != std::string::npos);
  BOOST_TEST_REQUIRE(view.take(dump(300, "sl\teep"), begin + 2s));
  const std::vector<std::string> lines = view.lines(50, 80);
  BOOST_TEST(lines[1].find("completions 100/s") != std::string::npos);
  BOOST_TEST_REQUIRE(lines.size() == 8U);
  BOOST_TEST(lines[4] == "stream to ?[2J?");
  BOOST_TEST(lines[5] == "  readv    1.0 ms  finished  (why)");
  BOOST_TEST(lines[7] == "  sl?eep  b.cpp:3  2.5 s  7 bytes  here");
  const std::vector<std::string> small = view.lines(3, 10);
  BOOST_TEST_REQUIRE(small.size() == 3U);
  BOOST_TEST(small[2] == "... 6 more");
  for (const std::string& line : small) BOOST_TEST(line.size() <= 10U);
  for (const char* bad : {"", "[]", "{}", "x", R"({"metrics":1})"}) BOOST_TEST(!view.take(bad, begin + 3s));
  BOOST_TEST(view.lines(50, 80) == lines);
}

BOOST_AUTO_TEST_CASE(parts_of_connecting_are_told_with_their_times) {
  Cat server({"-l", "127.0.0.1", "0", "--announce", "--recv-only"});
  const std::string address = server.listening();
  const CatOutcome client =
      run({"-v", "-4", "--json", "--stats", "tcp://localhost:" + port_of(address)}, "12345");
  BOOST_TEST(client.status == 0, client.error);
  const nlohmann::json lookup = event_named(client.error, "lookup");
  BOOST_TEST(lookup.at("host") == "localhost");
  BOOST_TEST(lookup.at("addresses") == 1);
  const nlohmann::json attempt = event_named(client.error, "attempt");
  BOOST_TEST(attempt.at("address") == address);
  BOOST_TEST(attempt.at("seconds").get<double>() > 0);
  BOOST_TEST(!attempt.contains("errno"));
  if (!tsock::test::uses_posix_alone()) {
    const nlohmann::json tcp = event_named(client.error, "stats").at("tcp");
    BOOST_TEST(tcp.contains("state"));
    BOOST_TEST(tcp.contains("retransmits"));
  }
  BOOST_TEST(server.finish() == 0);
}

BOOST_AUTO_TEST_CASE(attempts_that_fail_are_told_too) {
  Cat unused({"-l", "127.0.0.1", "0", "--announce"});
  const std::string address = unused.listening();
  unused.kill(SIGTERM);
  static_cast<void>(unused.wait());
  const CatOutcome client = run({"-v", address});
  BOOST_TEST(client.status == 2);
  BOOST_TEST(contains(client.error, address + ": ECONNREFUSED"), client.error);
  BOOST_TEST(!contains(client.error, "has 1 address"), client.error);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
