#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <system_error>
#include <thread>
#include <tsock/error.hpp>
#include <vector>

#include "core/base/leak_check.hpp"
#include "uv/os/child.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/process.hpp"
#include "uv/os/socket.hpp"
#include "uv/os/thread_signals.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): not every system declares it

namespace tsock::inline v0::os {

namespace {

/// What posix_spawn(3) is told. Its functions return errno values, of which the first is kept.
class SpawnPlan {
 public:
  SpawnPlan() noexcept {
    note(::posix_spawn_file_actions_init(&actions_));
    note(::posix_spawnattr_init(&attributes_));
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  void note(int err) noexcept {
    if (err_ == 0) err_ = err;
  }
  [[nodiscard]] int error() const noexcept { return err_; }
  void place(int fd, int number) noexcept { note(::posix_spawn_file_actions_adddup2(&actions_, fd, number)); }
  void place_null_device(int number, int flags) noexcept {
    note(::posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", flags, 0));
  }
  void set_directory(const std::string& path) noexcept {
    if (!path.empty()) note(::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str()));
  }
  void close_all_above_standard() noexcept {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34) && !defined(TSOCK_CLOSE_ONE_BY_ONE)
    note(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
#else
    // One that another thread opens meanwhile, without close-on-exec, is not among them.
    const long most = ::sysconf(_SC_OPEN_MAX);
    for (int fd = 3; fd < most; ++fd) {
      const int flags = ::fcntl(fd, F_GETFD);
      if (flags >= 0 && (flags & FD_CLOEXEC) == 0) note(::posix_spawn_file_actions_addclose(&actions_, fd));
    }
#endif
  }
  void reset_signals(bool own_process_group) noexcept {
    sigset_t signals;
    sigfillset(&signals);
    note(::posix_spawnattr_setsigdefault(&attributes_, &signals));
    sigemptyset(&signals);
    note(::posix_spawnattr_setsigmask(&attributes_, &signals));
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (own_process_group) {
      flags |= POSIX_SPAWN_SETPGROUP;
      note(::posix_spawnattr_setpgroup(&attributes_, 0));
    }
    note(::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)));
  }
  int start(const SpawnOptions& options, pid_t& pid) const {
    std::vector<char*> words;
    words.push_back(const_cast<char*>(options.program.c_str()));
    for (const std::string& word : options.arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    std::vector<char*> variables;
    if (options.environment) {
      for (const std::string& one : *options.environment) variables.push_back(const_cast<char*>(one.c_str()));
      variables.push_back(nullptr);
    }
    if (err_ != 0) return err_;
    return ::posix_spawnp(&pid, options.program.c_str(), &actions_, &attributes_, words.data(),
                          options.environment ? variables.data() : environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int err_ = 0;
};

int open_pipe(UniqueFd& reading, UniqueFd& writing) noexcept {
  int err = make_pipe(reading, writing);
  for (UniqueFd* const fd : {&reading, &writing}) {
    if (fd->get() <= 2 && err == 0) *fd = duplicate(fd->get(), err);
  }
  return err;
}

/// The child's ends, which this process closes again.
struct ChildEnds {
  UniqueSocket socket;
  UniqueFd input;
  UniqueFd output;
  UniqueFd errors;
};

int open_stream(ChildStream kind, StartedChild& ours, ChildEnds& theirs) noexcept {
  if (kind == ChildStream::socket) {
    if (const int err = open_pair(SocketType::stream, ours.socket, theirs.socket); err != 0) return err;
    make_blocking(theirs.socket.get());  // as programs expect it
  }
  if (kind == ChildStream::pipes) {
    if (const int err = open_pipe(theirs.input, ours.input); err != 0) return err;
    return open_pipe(ours.output, theirs.output);
  }
  return 0;
}

void place_stream(ChildStream kind, const ChildEnds& theirs, SpawnPlan& plan) noexcept {
  switch (kind) {
    case ChildStream::socket:
      plan.place(theirs.socket.get(), 0);
      plan.place(theirs.socket.get(), 1);
      break;
    case ChildStream::pipes:
      plan.place(theirs.input.get(), 0);
      plan.place(theirs.output.get(), 1);
      break;
    case ChildStream::null_device:
      plan.place_null_device(0, O_RDONLY);
      plan.place_null_device(1, O_WRONLY);
      break;
    case ChildStream::inherit:
      break;
  }
}

// Standard error of this process may be closed; the first file that the program opens must not become it.
void place_errors(ChildErrors kind, const ChildEnds& theirs, SpawnPlan& plan) noexcept {
  const bool is_closed = ::fcntl(2, F_GETFD) == -1;
  if (kind == ChildErrors::null_device || (kind == ChildErrors::inherit && is_closed)) {
    plan.place_null_device(2, O_WRONLY);
  } else if (kind == ChildErrors::output) {
    plan.place(1, 2);
  } else if (kind != ChildErrors::inherit) {
    plan.place(theirs.errors.get(), 2);
  }
}

// The program and the directory fail with the same errno values.
std::string words_for(const SpawnOptions& options, int err) {
  std::string what = "start " + options.program;
  if (!options.directory.empty()) {
    const UniqueFd directory(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory && errno == err) what = "change to " + options.directory;
  }
  return what + ": " + error_text(err);
}

int wait_without_blocking(pid_t pid, siginfo_t& info) noexcept {
  info = {};
  const int result =
      retry([&]() noexcept { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG); });
  if (result != 0) return errno;
  return info.si_pid == 0 ? EAGAIN : 0;
}

// Without a thread the zombie stays until this process ends.
void wait_in_thread(pid_t pid) noexcept {
  const SignalsHeldBack held_back;
  try {
    const detail::ReachableAllocations detached;
    std::thread([pid] { retry([pid]() noexcept { return ::waitpid(pid, nullptr, 0); }); }).detach();
  } catch (const std::system_error&) {
    return;
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace

Child::Child(int pid, const SpawnOptions& options) noexcept
    : pid_(pid),
      forks_(fork_count()),
      leads_group_(options.own_process_group),
      kills_(options.fate == ChildFate::kill) {}

bool Child::is_there() const noexcept { return pid_ > 0 && forks_ == fork_count(); }

Child::~Child() {
  if (!is_there()) return;
  meet_fate();
  siginfo_t info;
  if (wait_without_blocking(pid_, info) == EAGAIN) wait_in_thread(pid_);
}

// A process that was not waited for keeps its number, and that of its group.
int Child::kill(int signum) const noexcept {
  if (!is_there()) return ESRCH;
  return ::kill(leads_group_ ? -pid_ : pid_, signum) == 0 ? 0 : errno;
}

int Child::take_status(ExitStatus& status) noexcept {
  if (!is_there()) return ECHILD;
  siginfo_t info;
  const int err = wait_without_blocking(pid_, info);
  if (err == EAGAIN) return err;
  pid_ = -1;
  if (err != 0) return err;
  status = {};
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.dumped_core = info.si_code == CLD_DUMPED;
  }
  return 0;
}

StartedChild start_child(const SpawnOptions& options) {
  StartedChild started;
  ChildEnds theirs;
  started.err = open_stream(options.stream, started, theirs);
  if (started.err == 0 && options.errors == ChildErrors::stream)
    started.err = open_pipe(started.errors, theirs.errors);
  if (started.err != 0) {
    started.reason = "connect to " + options.program + ": " + error_text(started.err);
    return started;
  }
  if (options.errors == ChildErrors::file) {
    theirs.errors = open_file(options.error_file.c_str(), FileMode::append, started.err);
    if (started.err != 0) {
      started.reason = "open " + options.error_file + ": " + error_text(started.err);
      return started;
    }
    clear_nonblocking(theirs.errors.get());
  }
  SpawnPlan plan;
  place_stream(options.stream, theirs, plan);
  place_errors(options.errors, theirs, plan);
  plan.close_all_above_standard();
  plan.set_directory(options.directory);
  plan.reset_signals(options.own_process_group);
  pid_t pid = -1;
  started.err = plan.start(options, pid);
  if (started.err != 0) {
    started.reason = words_for(options, started.err);
    return started;
  }
  started.child = Child(pid, options);
  started.exit = watch_exit(pid, started.err);
  if (started.err != 0) started.reason = "watch " + options.program + ": " + error_text(started.err);
  return started;
}

// The end of the pipe is the event.
UniqueFd watch_exit_by_thread(int pid, int& err) noexcept {
  UniqueFd reading;
  UniqueFd writing;
  err = open_pipe(reading, writing);
  if (err != 0) return {};
  const SignalsHeldBack held_back;
  try {
    const detail::ReachableAllocations detached;
    std::thread([pid, end = std::move(writing)] {
      siginfo_t info;
      retry([&]() noexcept { return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT); });
    }).detach();
  } catch (const std::system_error& error) {
    err = error.code().value();
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
  }
  if (err != 0) return {};
  return reading;
}

void wait_for_exit(const UniqueFd& exit, std::chrono::milliseconds longest) noexcept {
  pollfd watched{exit.get(), POLLIN, 0};
  retry([&]() noexcept { return ::poll(&watched, 1, static_cast<int>(longest.count())); });
}

}  // namespace tsock::inline v0::os
