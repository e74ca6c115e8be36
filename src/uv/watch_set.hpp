#pragma once

#include <uv.h>

#include "uv/os/fd_events.hpp"

namespace tsock::inline v0::detail {

class FdWatch;
class LoopImpl;

/// The descriptors that a loop watches, each for one FdWatch: an EpollWatchSet where the system has epoll(7)
/// and the loop is our own, else a PollWatchSet. A virtual call is cheap beside the system call that follows.
class WatchSet {
 public:
  WatchSet(const WatchSet&) = delete;
  WatchSet& operator=(const WatchSet&) = delete;
  virtual ~WatchSet() = default;

  /// Adds the descriptor of `watch`. `interests` are the events that it will ask for first; returns those
  /// that the system is asked for already. \return 0, EEXIST when the descriptor is here already, EPERM when
  /// it cannot be polled, EBADF, ENOMEM, ENOSPC (the limit of the user: max_user_watches)
  virtual int add(FdWatch& watch, os::FdEvents& interests) noexcept = 0;
  /// Asks for these events instead.
  virtual void change(FdWatch& watch, os::FdEvents interests) noexcept = 0;
  /// The descriptor of `from` becomes that of `to`, which has it already. `interests` as above.
  virtual void hand_over(FdWatch& from, FdWatch& to, os::FdEvents& interests) noexcept = 0;
  /// From now on nothing is told of the descriptor, not even what the system has told already. To be called
  /// before it is closed.
  virtual void remove(FdWatch& watch) noexcept = 0;

  /// Called in a child process, after libuv's own function: makes anew what is shared with the parent.
  /// \return 0 or an errno value
  virtual int after_fork_in_child() noexcept = 0;
  /// Closes handles of the set itself when it is empty; libuv calls `closed` for each later, with the
  /// LoopImpl for its data. \return their number
  virtual unsigned close(uv_close_cb closed) noexcept = 0;

 protected:
  WatchSet() = default;
};

}  // namespace tsock::inline v0::detail
