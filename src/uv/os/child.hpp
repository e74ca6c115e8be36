#pragma once

#include <cerrno>
#include <chrono>
#include <string>
#include <tsock/exit_status.hpp>
#include <tsock/spawn_options.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>

/// Child processes. Functions return 0 or an errno value unless they say otherwise.
namespace tsock::inline v0::os {

/// A process that this one has started and not waited for yet. What is not waited for by the end of this
/// object is waited for by a thread.
class Child {
 public:
  Child() noexcept = default;
  Child(int pid, const SpawnOptions& options) noexcept;
  Child(Child&& other) noexcept { *this = std::move(other); }
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(forks_, other.forks_);
    std::swap(leads_group_, other.leads_group_);
    std::swap(kills_, other.kills_);
    return *this;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] int pid() const noexcept { return pid_; }
  /// False also in a forked process, which has a copy of this object and not the child.
  [[nodiscard]] bool is_there() const noexcept;
  /// Sends a signal to it, or to the group that it leads. ESRCH when it was waited for.
  int kill(int signum) const noexcept;
  /// Does what its options want for one that nobody asks for any more.
  void meet_fate() const noexcept {
    if (kills_) kill(9);
  }
  [[nodiscard]] bool is_to_be_killed() const noexcept { return kills_; }
  /// Waits for it, without blocking. EAGAIN while it runs; ECHILD when somebody else has waited.
  int take_status(ExitStatus& status) noexcept;

 private:
  int pid_ = -1;
  unsigned forks_ = 0;  // fork_count() of the process that has the child
  bool leads_group_ = false;
  bool kills_ = false;
};

/// A child and this process' ends of what it was given.
struct StartedChild {
  Child child;
  UniqueFd exit;        ///< as of `watch_exit()`
  UniqueSocket socket;  ///< ChildStream::socket
  UniqueFd input;       ///< ChildStream::pipes: the child's standard input
  UniqueFd output;      ///< ChildStream::pipes: the child's standard output
  UniqueFd errors;      ///< ChildErrors::stream
  int err = 0;
  std::string reason;  ///< of `err`, in words
};

/// Starts a program. May be called on any thread; may block.
StartedChild start_child(const SpawnOptions& options);

/// A descriptor that becomes readable when the process has ended, which must not be waited for before.
UniqueFd watch_exit(int pid, int& err) noexcept;
/// The same by a thread, where the system has no such descriptor.
UniqueFd watch_exit_by_thread(int pid, int& err) noexcept;
/// Waits until the descriptor of `watch_exit()` is readable, but not longer than `longest`.
void wait_for_exit(const UniqueFd& exit, std::chrono::milliseconds longest) noexcept;

}  // namespace tsock::inline v0::os
