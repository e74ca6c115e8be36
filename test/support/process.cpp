#include "support/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <tsock/error.hpp>

namespace tsock::test {
namespace {

std::pair<UniqueFd, UniqueFd> make_pipe() {
  std::array<int, 2> ends{};
  BOOST_TEST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

using Disposition = void (*)(int);

void set_nonblocking(const UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

}  // namespace

// All that live: one that nobody reads could keep another one from ending.
std::vector<Process*>& Process::running() {
  static std::vector<Process*> processes;
  return processes;
}

Process::Process(std::vector<std::string> words, const Inherited& inherited) : name_(words.front()) {
  // Writing to a child that is gone is an error to look at, not the end of the test program.
  std::signal(SIGPIPE, SIG_IGN);
  auto [child_input, input] = make_pipe();
  auto [output, child_output] = make_pipe();
  auto [error, child_error] = make_pipe();
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  ::posix_spawn_file_actions_adddup2(&actions, child_input.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, child_output.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, child_error.get(), 2);
  for (const int fd : inherited.closed) ::posix_spawn_file_actions_addclose(&actions, fd);
  for (const int fd : inherited.given) ::posix_spawn_file_actions_adddup2(&actions, fd, fd);
  std::vector<Disposition> before;
  for (const int signum : inherited.ignored) before.push_back(std::signal(signum, SIG_IGN));
  const int err = ::posix_spawnp(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
  for (std::size_t i = 0; i < before.size(); ++i) std::signal(inherited.ignored[i], before[i]);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  BOOST_TEST_REQUIRE(err == 0, name_ << ": " << error_text(err));

  set_nonblocking(input);
  set_nonblocking(output);
  set_nonblocking(error);
  input_ = std::move(input);
  output_ = std::move(output);
  error_ = std::move(error);
  running().push_back(this);
}

Process::~Process() {
  std::erase(running(), this);
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::write(std::string_view text) {
  input_text_ += text;
  write_some();
}

void Process::close_input() {
  close_input_ = true;
  write_some();
}

void Process::close_output() { output_.reset(); }
void Process::close_error() { error_.reset(); }

// A process whose output nobody hears any more may still wait for input.
bool Process::is_silent() const noexcept { return !output_ && !error_ && (!input_ || input_text_.empty()); }

void Process::kill(int signum) const { ::kill(pid_, signum); }

void Process::write_some() {
  if (!input_) return;
  while (!input_text_.empty()) {
    const auto size = ::write(input_.get(), input_text_.data(), input_text_.size());
    if (size < 0) {
      if (errno == EAGAIN) return;
      input_.reset();  // it reads no more: whether that is right is for the test to say
      return;
    }
    input_text_.erase(0, static_cast<std::size_t>(size));
  }
  if (close_input_) input_.reset();
}

void Process::read_some(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> buffer;
  const auto size = ::read(fd.get(), buffer.data(), buffer.size());
  if (size > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  } else if (size == 0 || errno != EAGAIN) {
    fd.reset();
  }
}

void Process::exchange_once(int milliseconds) {
  std::vector<pollfd> fds;
  for (const Process* process : running()) {
    fds.push_back({process->output_.get(), POLLIN, 0});
    fds.push_back({process->error_.get(), POLLIN, 0});
    fds.push_back({process->input_text_.empty() ? -1 : process->input_.get(), POLLOUT, 0});
  }
  ::poll(fds.data(), fds.size(), milliseconds);
  for (std::size_t i = 0; i < running().size(); ++i) {
    Process& process = *running()[i];
    if (fds[3 * i].revents != 0) read_some(process.output_, process.output_text_);
    if (fds[3 * i + 1].revents != 0) read_some(process.error_, process.error_text_);
    if (fds[3 * i + 2].revents != 0) process.write_some();
  }
}

void Process::exchange_until(const std::function<bool()>& done, std::string_view what) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(patience);
  while (!done()) {
    const bool over = is_silent();
    BOOST_TEST_REQUIRE(!over, name_ << " ended; awaited: " << what << "\n" << error_text_);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    BOOST_TEST_REQUIRE(left.count() > 0, name_ << " takes too long; awaited: " << what << "\n"
                                               << error_text_);
    exchange_once(static_cast<int>(left.count()));
  }
}

std::string Process::error_line(std::string_view beginning) {
  std::string rest;
  const auto find = [&] {
    for (std::size_t end = 0; (end = error_text_.find('\n', lines_seen_)) != std::string::npos;) {
      const std::string line = error_text_.substr(lines_seen_, end - lines_seen_);
      lines_seen_ = end + 1;
      if (!line.starts_with(beginning)) continue;
      rest = line.substr(beginning.size());
      return true;
    }
    return false;
  };
  exchange_until(find, beginning);
  return rest;
}

void Process::wait_for_output(std::string_view text) {
  exchange_until([&] { return output_text_.find(text) != std::string::npos; }, text);
}

void Process::wait_for_error(std::string_view text) {
  exchange_until([&] { return error_text_.find(text) != std::string::npos; }, text);
}

void Process::wait_for_end_of_output() {
  exchange_until([&] { return !output_; }, "the end of its output");
}

int Process::finish() {
  close_input();
  return wait();
}

int Process::wait() {
  exchange_until([&] { return is_silent(); }, "its end");
  int status = 0;
  BOOST_TEST_REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool has_program(const std::string& name) {
  const char* const value = std::getenv("PATH");
  std::string path = value != nullptr ? value : "";
  path += ':';
  for (std::size_t begin = 0, end = 0; (end = path.find(':', begin)) != std::string::npos; begin = end + 1) {
    const std::string file = path.substr(begin, end - begin) + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return true;
  }
  std::cout << "skipped: " << name << " is not installed\n";
  return false;
}

TemporaryFolder::TemporaryFolder() {
  path_ = (std::filesystem::temp_directory_path() / "tsock-test-XXXXXX").string();
  BOOST_TEST_REQUIRE(::mkdtemp(path_.data()) != nullptr);
}

std::string TemporaryFolder::write(std::string_view name, std::string_view content, mode_t mode) const {
  std::string path = file(name);
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << content;
  stream.close();
  BOOST_TEST_REQUIRE(!stream.fail(), path);
  BOOST_TEST_REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace tsock::test
