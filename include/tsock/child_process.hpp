#pragma once

#include <tsock/call_site.hpp>
#include <tsock/exit_status.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/spawn_options.hpp>
#include <tsock/stream.hpp>
#include <utility>

namespace tsock::inline v0 {

class Loop;

namespace detail {
class ChildWatch;
}  // namespace detail

/// A child process, made by `spawn()`. It may be moved, and destroyed at any time, also in callbacks: then
/// `SpawnOptions::fate` says what becomes of a process that still runs, and requests for its exit complete
/// with ECANCELED. No zombie stays: while the Loop runs it waits for the process, and after its end a thread
/// does. Nothing is done to SIGCHLD.
///
/// The process must not be waited for by others: no waitpid(-1), no SIGCHLD that is ignored. Its exit status
/// is lost then, and the requests for it give ECHILD.
class TSOCK_EXPORT ChildProcess {
 public:
  /// No process.
  ChildProcess() noexcept = default;
  ChildProcess(ChildProcess&& other) noexcept
      : watch_(std::exchange(other.watch_, nullptr)),
        pid_(std::exchange(other.pid_, -1)),
        stream_(std::move(other.stream_)),
        errors_(std::move(other.errors_)) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  explicit operator bool() const noexcept { return watch_ != nullptr; }
  /// The number of the process, which may be another one's once this one has ended; -1 without a process.
  [[nodiscard]] int pid() const noexcept { return pid_; }
  /// False once its end is known here.
  [[nodiscard]] bool is_running() const noexcept;

  /// Writes to standard input of the process and reads from its standard output; not open where SpawnOptions
  /// ask for none. May be moved out. EPIPE of a read does not mean that the process has ended, nor does its
  /// end mean that everything was read.
  [[nodiscard]] Stream& stream() noexcept { return stream_; }
  /// Reads from standard error, with ChildErrors::stream.
  [[nodiscard]] Stream& errors() noexcept { return errors_; }

  /// Completes when the process has ended, at once if it has already. Any number of them may wait, in any
  /// order with reads. Cancelling and deadlines end the request and do nothing to the process. An empty
  /// Request without a process. Errors:
  ///  - ECHILD: somebody else has taken the exit status, or this is a copy in a forked process
  ///  - ECANCELED: the ChildProcess or the Loop is gone
  [[nodiscard]] Request<ExitStatus> wait_for_exit(CallSite site = CallSite::current());

  /// Sends a signal to the process, or to its group if it leads one (SpawnOptions::own_process_group).
  /// \return 0 or an errno value:
  ///  - ESRCH: it has ended, or there is none
  ///  - EINVAL: no such signal
  ///  - EPERM: it has taken another user's identity
  int kill(int signum) noexcept;

  /// For implementers.
  ChildProcess(detail::ChildWatch& watch, int pid, Stream stream, Stream errors) noexcept
      : watch_(&watch), pid_(pid), stream_(std::move(stream)), errors_(std::move(errors)) {}

 private:
  detail::ChildWatch* watch_ = nullptr;
  int pid_ = -1;
  Stream stream_;
  Stream errors_;
};

/// Starts a program as a child process whose standard input and output are one Stream (Samba:
/// samba_runcmd_send).
///
/// The program gets descriptors 0, 1 and 2 and no other, whatever this process has open; every signal with
/// its default action and none blocked. It is started by posix_spawn(3) on a worker thread, as with
/// `run_on_worker()`, so that neither a large process nor a slow file system holds up the loop, and no
/// handler of pthread_atfork(3) runs.
///
/// \return a request for the ChildProcess; the program runs then. Errors, for which `Request::reason()` has
/// words:
///  - ENOENT, EACCES, ENOEXEC, E2BIG ...: what execve(2) gives for the program, or chdir(2) for the directory
///  - EINVAL: no program, a NUL in a text, a variable without '='
///  - what open(2) gives for the file of standard error
///  - EMFILE, EAGAIN, ENOMEM and the like: no descriptor, process, thread or memory is to be had
///
/// Cancelling, a deadline and destroying the request end a process that was started meanwhile, as
/// `SpawnOptions::fate` says.
[[nodiscard]] TSOCK_EXPORT Request<ChildProcess> spawn(Loop& loop, SpawnOptions options,
                                                       CallSite site = CallSite::current());

}  // namespace tsock::inline v0
