// Child processes: their streams, how they end, and what is left of them.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"
#include "uv/os/child.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

/// Whether the process is there, alive or as a zombie.
bool is_process(int pid) { return ::kill(pid, 0) == 0; }

/// How many children this process has, alive or as zombies. waitid(2) does not tell those of the suite from
/// others of the program, such as a KDC.
int count_children() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;  // no process, or one that has just gone
    std::istringstream behind_name(line.substr(line.rfind(')') + 1));
    std::string state;
    pid_t parent = 0;
    if (behind_name >> state >> parent && parent == ::getpid()) ++count;
  }
  return count;
}

struct ChildFixture : LoopFixture {
  int err = 0;
  const int others = count_children();

  SpawnOptions shell(const std::string& script) {
    SpawnOptions options;
    options.program = "sh";
    options.arguments = {"-c", script};
    return options;
  }
  ChildProcess start(SpawnOptions options) {
    auto starting = tsock::spawn(loop, std::move(options));
    ChildProcess child = fetch(starting, err);
    BOOST_TEST_REQUIRE(err == 0, starting.reason());
    BOOST_TEST_REQUIRE(child.pid() > 0);
    return child;
  }
  ChildProcess start(std::string program, std::vector<std::string> arguments = {}) {
    SpawnOptions options;
    options.program = std::move(program);
    options.arguments = std::move(arguments);
    return start(std::move(options));
  }
  ExitStatus exit_of(ChildProcess& child) {
    auto waiting = child.wait_for_exit();
    const ExitStatus status = fetch(waiting, err);
    BOOST_TEST(err == 0);
    return status;
  }
  /// What comes until the end.
  std::string read_all(Stream& stream) {
    std::string text;
    for (;;) {
      std::array<std::byte, 4096> buffer{};
      auto reading = stream.read_some(buffer);
      const ssize_t got = fetch(reading, err);
      if (got <= 0) break;
      text += text_of(std::span(buffer).first(static_cast<std::size_t>(got)));
    }
    BOOST_TEST(err == EPIPE);
    return text;
  }
  std::string output_of(SpawnOptions options) {
    ChildProcess child = start(std::move(options));
    std::string text = read_all(child.stream());
    static_cast<void>(exit_of(child));
    return text;
  }
  // Nothing wakes the loop when a child is gone that nobody waits for.
  void wait_until_gone(int pid) {
    while (is_process(pid)) BOOST_TEST_REQUIRE(error_of(loop.sleep(1ms)) == 0);
  }
  void wait_until_no_children() {
    while (count_children() > others) BOOST_TEST_REQUIRE(error_of(loop.sleep(1ms)) == 0);
  }
};

constexpr ChildStream both_kinds[] = {ChildStream::socket, ChildStream::pipes};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(child_process, ChildFixture)

BOOST_AUTO_TEST_CASE(a_child_is_written_to_and_read_from_through_one_stream) {
  for (const ChildStream kind : both_kinds) {
    SpawnOptions options;
    options.program = "cat";
    options.stream = kind;
    ChildProcess child = start(options);
    std::array<std::byte, 5> buffer{};
    BOOST_TEST(error_of(child.stream().write("hello")) == 0);
    BOOST_TEST(error_of(child.stream().read(buffer)) == 0);
    BOOST_TEST(text_of(buffer) == "hello");
    BOOST_TEST(child.is_running());
    BOOST_TEST(error_of(child.stream().shutdown_write()) == 0);
    BOOST_TEST(read_all(child.stream()).empty());
    BOOST_TEST(exit_of(child).is_success());
    BOOST_TEST(!child.is_running());
  }
}

BOOST_AUTO_TEST_CASE(after_the_end_of_its_input_a_child_still_answers) {
  for (const ChildStream kind : both_kinds) {
    SpawnOptions options = shell("cat >/dev/null; echo answer");
    options.stream = kind;
    ChildProcess child = start(options);
    BOOST_TEST(error_of(child.stream().write("question")) == 0);
    BOOST_TEST(error_of(child.stream().shutdown_write()) == 0);
    BOOST_TEST(read_all(child.stream()) == "answer\n");
    BOOST_TEST(exit_of(child).code == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_child_with_pipes_can_end_its_output_and_read_on) {
  SpawnOptions options = shell("exec >&-; read word; test \"$word\" = on");
  options.stream = ChildStream::pipes;
  ChildProcess child = start(options);
  BOOST_TEST(read_all(child.stream()).empty());
  BOOST_TEST(child.is_running());
  BOOST_TEST(error_of(child.stream().write("on\n")) == 0);
  BOOST_TEST(exit_of(child).code == 0);
}

BOOST_AUTO_TEST_CASE(a_mebibyte_goes_both_ways) {
  const std::vector<std::byte> sent = pattern(std::size_t{1} << 20);
  for (const ChildStream kind : both_kinds) {
    SpawnOptions options;
    options.program = "cat";
    options.stream = kind;
    ChildProcess child = start(options);
    std::vector<std::byte> got(sent.size());
    auto writing = child.stream().write(sent);
    auto reading = child.stream().read(got);
    BOOST_TEST(error_of(reading) == 0);
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST((got == sent));
    BOOST_TEST(error_of(child.stream().disconnect()) == 0);
    BOOST_TEST(exit_of(child).code == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_write_to_a_child_that_is_gone_gives_an_error_and_no_signal) {
  for (const ChildStream kind : both_kinds) {
    SpawnOptions options;
    options.program = "true";
    options.stream = kind;
    ChildProcess child = start(options);
    BOOST_TEST(exit_of(child).code == 0);
    const int error = error_of(child.stream().write("anybody"));
    BOOST_TEST((error == EPIPE || error == ECONNRESET));
  }
}

BOOST_AUTO_TEST_CASE(exit_codes_are_told) {
  for (const int code : {0, 1, 7, 255}) {
    ChildProcess child = start(shell("exit " + std::to_string(code)));
    const ExitStatus status = exit_of(child);
    BOOST_TEST(status.code == code);
    BOOST_TEST(status.signal == 0);
    BOOST_TEST(status.is_success() == (code == 0));
    // As often as one asks.
    BOOST_TEST((exit_of(child) == status));
    BOOST_TEST(child.kill(SIGTERM) == ESRCH);
  }
}

BOOST_AUTO_TEST_CASE(signals_are_sent_and_told) {
  for (const int signum : {SIGTERM, SIGKILL, SIGINT}) {
    ChildProcess child = start("sleep", {"60"});
    BOOST_TEST(child.kill(0) == 0);
    BOOST_TEST(child.kill(signum) == 0);
    const ExitStatus status = exit_of(child);
    BOOST_TEST(status.signal == signum);
    BOOST_TEST(status.code == -1);
    BOOST_TEST(!status.is_success());
  }
  ChildProcess child = start("sleep", {"60"});
  BOOST_TEST(child.kill(10000) == EINVAL);
  wait_until_gone([&] {
    const int pid = child.pid();
    child = ChildProcess();
    return pid;
  }());
}

BOOST_AUTO_TEST_CASE(several_wait_for_one_exit_and_some_go) {
  ChildProcess child = start("cat");
  std::vector<Request<ExitStatus>> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(child.wait_for_exit());
  BOOST_TEST(dump().find("wait_for_exit") != std::string::npos);
  BOOST_TEST(dump().find("of process " + std::to_string(child.pid())) != std::string::npos);
  waiting[0].cancel();
  waiting[1] = {};
  waiting[2].set_timeout(1ms);
  BOOST_TEST(error_of(waiting[0]) == ECANCELED);
  BOOST_TEST(error_of(waiting[2]) == ETIMEDOUT);
  BOOST_TEST(child.is_running());
  BOOST_TEST(error_of(child.stream().shutdown_write()) == 0);
  BOOST_TEST(fetch(waiting[3], err).code == 0);
}

BOOST_AUTO_TEST_CASE(a_program_that_cannot_be_started_is_told_with_words) {
  const TempDirectory directory;
  const std::string plain = directory / "plain";
  std::ofstream(plain) << "no program";
  struct Case {
    SpawnOptions options;
    int err;
    std::string words;
  };
  std::vector<Case> cases;
  const auto add = [&](const std::string& program, int expected, const std::string& words) -> SpawnOptions& {
    SpawnOptions options;
    options.program = program;
    cases.push_back({options, expected, words});
    return cases.back().options;
  };
  add("no-such-program-anywhere", ENOENT, "start no-such-program-anywhere");
  add(directory / "nothing", ENOENT, "start " + directory / "nothing");
  add(plain, EACCES, "start " + plain);
  add(directory / "", EACCES, "start ");
  add("true", ENOENT, "change to " + directory / "none").directory = directory / "none";
  add("true", ENOTDIR, "change to " + plain).directory = plain;
  add("", EINVAL, "no program");
  add("true", EINVAL, "NUL").arguments = {std::string("a\0b", 3)};
  add("true", EINVAL, "NAME=value").environment = {"PATH"};
  SpawnOptions& to_file = add("true", ENOENT, "open " + directory / "none/file");
  to_file.errors = ChildErrors::file;
  to_file.error_file = directory / "none/file";
  const DescriptorCheck descriptors;
  for (const Case& one : cases) {
    auto starting = tsock::spawn(loop, one.options);
    BOOST_TEST_CONTEXT(one.words) {
      BOOST_TEST(!fetch(starting, err));
      BOOST_TEST(err == one.err);
      BOOST_TEST(std::string(starting.reason()).find(one.words) != std::string::npos, starting.reason());
    }
  }
  BOOST_TEST(descriptors.count() <= 1U);  // libuv's, of the worker threads
  BOOST_TEST(count_children() <= others);
}

BOOST_AUTO_TEST_CASE(a_child_gets_the_environment_and_the_directory_that_are_asked_for) {
  SpawnOptions options = shell("echo \"$ONE-$HOME-$(pwd)\"");
  options.environment = {"ONE=1", "PATH=/usr/bin:/bin"};
  options.directory = "/usr";
  BOOST_TEST(output_of(options) == "1--/usr\n");
  ::setenv("TSOCK_TEST_VARIABLE", "inherited", 1);
  BOOST_TEST(output_of(shell("echo $TSOCK_TEST_VARIABLE")) == "inherited\n");
  ::unsetenv("TSOCK_TEST_VARIABLE");
  // No shell reads the arguments.
  SpawnOptions echo;
  echo.program = "printf";
  echo.arguments = {"%s|", "a b", "", "$HOME", "*"};
  BOOST_TEST(output_of(echo) == "a b||$HOME|*|");
}

BOOST_AUTO_TEST_CASE(a_child_inherits_three_descriptors_and_no_other) {
  // Neither of them is close-on-exec.
  const UniqueFd low(::dup(0));
  const UniqueFd high(::fcntl(0, F_DUPFD, 100));
  BOOST_TEST_REQUIRE(high.get() >= 100);
  for (const ChildStream kind : both_kinds) {
    SpawnOptions options;
    options.program = "ls";
    options.arguments = {"/proc/self/fd"};
    options.stream = kind;
    BOOST_TEST(output_of(options) == "0\n1\n2\n3\n");  // the last one is the directory
  }
}

BOOST_AUTO_TEST_CASE(a_child_has_every_signal_as_at_the_beginning) {
  std::signal(SIGUSR1, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  SpawnOptions options;
  options.program = "grep";
  options.arguments = {"-E", "^Sig(Blk|Ign)", "/proc/self/status"};
  const std::string text = output_of(options);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::signal(SIGUSR1, SIG_DFL);
  // The C library has two signals of its own, 32 and 33.
  const std::string_view blocked_none = "SigBlk:\t0000000000000000\nSigIgn:\t0000000";
  BOOST_TEST(text.substr(0, blocked_none.size()) == blocked_none);
  BOOST_TEST((text.substr(blocked_none.size()) == "000000000\n" ||
              text.substr(blocked_none.size()) == "180000000\n"),
             text);
}

BOOST_AUTO_TEST_CASE(standard_error_goes_where_the_options_say) {
  const TempDirectory directory;
  SpawnOptions options = shell("echo out; echo problem >&2");
  options.errors = ChildErrors::stream;
  {
    ChildProcess child = start(options);
    BOOST_TEST(read_all(child.errors()) == "problem\n");
    BOOST_TEST(read_all(child.stream()) == "out\n");
    BOOST_TEST(exit_of(child).code == 0);
  }
  options.errors = ChildErrors::output;
  BOOST_TEST(output_of(options) == "out\nproblem\n");
  options.errors = ChildErrors::null_device;
  BOOST_TEST(output_of(options) == "out\n");
  options.errors = ChildErrors::file;
  options.error_file = directory / "errors";
  BOOST_TEST(output_of(options) == "out\n");
  BOOST_TEST(output_of(options) == "out\n");
  std::ifstream file(options.error_file);
  std::stringstream text;
  text << file.rdbuf();
  BOOST_TEST(text.str() == "problem\nproblem\n");
}

BOOST_AUTO_TEST_CASE(a_child_without_a_stream_has_the_null_device) {
  SpawnOptions options =
      shell("a=$(readlink /proc/$$/fd/0); b=$(readlink /proc/$$/fd/1); test $a$b = /dev/null/dev/null");
  options.stream = ChildStream::null_device;
  ChildProcess child = start(options);
  BOOST_TEST(!child.stream().is_open());
  BOOST_TEST(!child.errors().is_open());
  BOOST_TEST(exit_of(child).code == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_reaches_all_of_a_process_group) {
  SpawnOptions options = shell("sleep 60 & echo $!; wait");
  options.own_process_group = true;
  ChildProcess child = start(options);
  std::array<std::byte, 16> buffer{};
  auto reading = child.stream().read_some(buffer);
  const ssize_t got = fetch(reading, err);
  BOOST_TEST_REQUIRE(got > 1);
  const int grandchild = std::stoi(text_of(std::span(buffer).first(static_cast<std::size_t>(got))));
  BOOST_TEST(::getpgid(grandchild) == child.pid());
  BOOST_TEST(child.kill(SIGKILL) == 0);
  BOOST_TEST(exit_of(child).signal == SIGKILL);
  // It holds the output until it is gone.
  BOOST_TEST(read_all(child.stream()).empty());
}

BOOST_AUTO_TEST_CASE(two_hundred_children_run_at_once) {
  const DescriptorCheck descriptors;
  std::vector<Request<ChildProcess>> starting;
  for (int i = 0; i < 200; ++i) {
    SpawnOptions options = shell("read word; exit " + std::to_string(i % 100));
    starting.push_back(tsock::spawn(loop, options));
  }
  std::vector<ChildProcess> children;
  for (auto& request : starting) {
    children.push_back(fetch(request, err));
    BOOST_TEST_REQUIRE(err == 0);
  }
  std::vector<Request<ExitStatus>> waiting;
  for (auto& child : children) {
    waiting.push_back(child.wait_for_exit());
    BOOST_TEST(error_of(child.stream().write("go\n")) == 0);
  }
  for (int i = 0; i < 200; ++i) BOOST_TEST(fetch(waiting[static_cast<std::size_t>(i)], err).code == i % 100);
  children.clear();
  BOOST_TEST(descriptors.count() <= 1U);
  BOOST_TEST(count_children() <= others);
}

BOOST_AUTO_TEST_CASE(a_child_whose_handle_goes_is_killed_and_waited_for) {
  ChildProcess child = start("sleep", {"60"});
  const int pid = child.pid();
  auto waiting = child.wait_for_exit();
  child = ChildProcess();
  BOOST_TEST(error_of(waiting) == ECANCELED);
  wait_until_gone(pid);
}

BOOST_AUTO_TEST_CASE(a_child_that_is_left_goes_on_and_is_waited_for) {
  SpawnOptions options = shell("cat >/dev/null; sleep 0.05");
  options.fate = ChildFate::leave;
  ChildProcess child = start(options);
  const int pid = child.pid();
  Stream stream = std::move(child.stream());
  child = ChildProcess();
  loop.run_until_idle();
  BOOST_TEST(is_process(pid));
  stream = Stream();  // the end of its input
  wait_until_gone(pid);
}

BOOST_AUTO_TEST_CASE(a_child_may_be_destroyed_in_every_callback) {
  for (int place = 0; place < 4; ++place) {
    auto child = std::make_unique<ChildProcess>(start("cat"));
    const int pid = child->pid();
    std::array<std::byte, 1> buffer{};
    bool called = false;
    const auto destroy = [&](auto&) {
      called = true;
      child.reset();
    };
    Request<ssize_t> reading;
    Request<ssize_t> writing;
    Request<ExitStatus> waiting = child->wait_for_exit();
    Request<ExitStatus> second = child->wait_for_exit();
    if (place == 0) {
      writing = child->stream().write("x");
      writing.set_callback(destroy);
    } else if (place == 1) {
      writing = child->stream().write("x");
      reading = child->stream().read(buffer);
      reading.set_callback(destroy);
    } else {
      waiting.set_callback(destroy);
      if (place == 2) child->kill(SIGTERM);
      if (place == 3) child->stream() = Stream();
    }
    BOOST_TEST(run_until([&] { return called; }));
    wait_until_gone(pid);
    reading = {};
    writing = {};
    const int error = error_of(second);
    BOOST_TEST((error == 0 || error == ECANCELED));
  }
}

BOOST_AUTO_TEST_CASE(a_child_may_be_destroyed_in_the_callback_that_brings_it) {
  auto starting = tsock::spawn(loop, shell("exec sleep 60"));
  int pid = 0;
  starting.set_callback([&](Request<ChildProcess>& request) {
    const ChildProcess child = request.recv(err);
    pid = child.pid();
  });
  BOOST_TEST(run_until([&] { return pid != 0; }));
  wait_until_gone(pid);
}

BOOST_AUTO_TEST_CASE(a_child_that_nobody_asks_for_any_more_is_killed_and_waited_for) {
  const TempDirectory directory;
  const std::string path = directory / "pid";
  for (const bool cancels : {false, true}) {
    for (const int turns : {0, 1, 2, 100}) {
      auto starting = tsock::spawn(loop, shell("echo $$ > " + path + "; exec sleep 60"));
      for (int i = 0; i < turns && starting.is_in_progress(); ++i) loop.run_once();
      if (cancels) {
        starting.cancel();
        wait_for(starting);
      }
      starting = {};
      wait_until_no_children();
    }
  }
}

BOOST_AUTO_TEST_CASE(the_end_of_the_loop_kills_the_child_and_waits_for_it) {
  int pid = 0;
  std::optional<ChildProcess> left;
  {
    Loop other;
    auto starting = tsock::spawn(other, shell("exec sleep 60"));
    BOOST_TEST(starting.wait(err));
    left.emplace(starting.recv(err));
    BOOST_TEST_REQUIRE(err == 0);
    pid = left->pid();
    BOOST_TEST(is_process(pid));
  }
  while (is_process(pid)) ::usleep(1000);  // usually it is gone
  BOOST_TEST(!left->is_running());
  BOOST_TEST(left->kill(SIGTERM) == ESRCH);
  auto late = left->wait_for_exit();
  BOOST_TEST(!late.is_in_progress());
  BOOST_TEST((late.recv(err).code == -1 && err == ECANCELED));
  left.reset();
}

BOOST_AUTO_TEST_CASE(a_child_that_is_left_outlives_the_loop_without_becoming_a_zombie) {
  int pid = 0;
  Loop kept;
  Stream stream;
  {
    Loop other;
    SpawnOptions options = shell("read word");
    options.fate = ChildFate::leave;
    auto starting = tsock::spawn(other, options);
    BOOST_TEST(starting.wait(err));
    ChildProcess child = starting.recv(err);
    BOOST_TEST_REQUIRE(err == 0);
    pid = child.pid();
    std::vector<std::byte> unread;
    UniqueSocket socket = child.stream().release_socket(unread, err);
    stream = Stream::adopt(kept, socket, {}, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  BOOST_TEST(is_process(pid));
  stream = Stream();
  while (is_process(pid)) ::usleep(1000);
}

BOOST_AUTO_TEST_CASE(a_callback_may_destroy_the_loop_with_its_children) {
  auto other = std::make_unique<Loop>();
  auto starting = tsock::spawn(*other, shell("exit 3"));
  BOOST_TEST(starting.wait(err));
  ChildProcess child = starting.recv(err);
  const int pid = child.pid();
  auto waiting = child.wait_for_exit();
  waiting.set_callback([&](Request<ExitStatus>& request) {
    BOOST_TEST(request.recv(err).code == 3);
    other.reset();
  });
  other->run();
  BOOST_TEST(!other);
  BOOST_TEST(!is_process(pid));
}

BOOST_AUTO_TEST_CASE(a_forked_process_does_nothing_to_the_children_of_its_parent) {
  auto child = std::make_unique<ChildProcess>(start("cat"));
  const pid_t copy = ::fork();
  if (copy == 0) {
    ::alarm(20);
    const bool is_strange = !child->is_running() && child->kill(SIGKILL) == ESRCH;
    child.reset();
    ::_exit(is_strange ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(::waitpid(copy, &status, 0) == copy);
  BOOST_TEST(status == 0);
  BOOST_TEST(child->is_running());
  BOOST_TEST(error_of(child->stream().shutdown_write()) == 0);
  BOOST_TEST(exit_of(*child).code == 0);
}

BOOST_AUTO_TEST_CASE(a_status_that_somebody_else_has_taken_is_missing) {
  ChildProcess child = start("cat");
  auto waiting = child.wait_for_exit();
  BOOST_TEST(child.kill(SIGKILL) == 0);
  BOOST_TEST(::waitpid(child.pid(), nullptr, 0) == child.pid());
  BOOST_TEST(error_of(waiting) == ECHILD);
  BOOST_TEST(error_of(child.wait_for_exit()) == ECHILD);
}

BOOST_AUTO_TEST_CASE(the_disposition_of_sigchld_is_left_alone) {
  std::signal(SIGCHLD, [](int) {});
  ChildProcess child = start("true");
  BOOST_TEST(exit_of(child).code == 0);
  struct sigaction action {};
  ::sigaction(SIGCHLD, nullptr, &action);
  BOOST_TEST((action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN));
  std::signal(SIGCHLD, SIG_DFL);
}

BOOST_AUTO_TEST_CASE(no_process_has_nothing_to_give) {
  ChildProcess none;
  BOOST_TEST(!none);
  BOOST_TEST(none.pid() == -1);
  BOOST_TEST(!none.is_running());
  BOOST_TEST(none.kill(SIGTERM) == ESRCH);
  BOOST_TEST(!none.wait_for_exit().is_in_progress());
  BOOST_TEST(!none.stream().is_open());
}

BOOST_AUTO_TEST_CASE(without_descriptors_no_process_is_started) {
  BOOST_TEST(output_of(shell("echo there")) == "there\n");  // what is made once is there
  for (const std::size_t room : {0U, 1U, 2U, 3U, 4U}) {
    const DescriptorLimit limit(room);
    for (const ChildStream kind : both_kinds) {
      SpawnOptions options = shell("exit 0");
      options.stream = kind;
      options.errors = ChildErrors::stream;
      auto starting = tsock::spawn(loop, options);
      ChildProcess child = fetch(starting, err);
      BOOST_TEST((err == EMFILE || (err == 0 && child)));
    }
  }
  wait_until_no_children();
}

BOOST_AUTO_TEST_CASE(the_exit_is_seen_by_a_thread_where_the_system_has_no_descriptor_for_it,
                     *boost::unit_test::precondition(children_may_have_threads)) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  const UniqueFd exit = os::watch_exit_by_thread(pid, err);
  BOOST_TEST_REQUIRE(err == 0);
  pollfd watched{exit.get(), POLLIN, 0};
  BOOST_TEST(::poll(&watched, 1, 0) == 0);
  ::kill(pid, SIGKILL);
  os::wait_for_exit(exit, 20s);
  BOOST_TEST(::poll(&watched, 1, 0) == 1);
  BOOST_TEST(::waitpid(pid, nullptr, 0) == pid);
}

BOOST_AUTO_TEST_SUITE_END()
