#pragma once

#include "core/loop_core.hpp"

namespace tsock::detail {

class LoopImpl;

/// What the kernel says of a descriptor.
struct FdEvent {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  ///< the peer ended its side
  bool failed = false;   ///< an error waits on the descriptor
};

/// Receives the events of one descriptor.
class FdEvents {
 public:
  virtual void on_fd_event(FdEvent event) = 0;

 protected:
  ~FdEvents() = default;
};

/// Watches one descriptor for readiness. `uv_poll_start` costs two system calls, so the kernel's interest set
/// only grows while it is used, and shrinks when an event came that nobody had asked for.
class FdWatcher {
 public:
  explicit FdWatcher(LoopImpl& loop) noexcept : loop_(&loop) {}
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;
  ~FdWatcher() { close(); }

  /// Begins to watch. \return 0, EEXIST when the loop watches the descriptor already, EPERM for what cannot
  /// be polled, ENOMEM.
  int open(int fd, FdEvents& events);
  [[nodiscard]] bool is_open() const noexcept { return handle_ != nullptr; }
  void set_events(FdEvents& events) noexcept;
  void want_readable() { want(readable); }
  void want_writable() { want(writable); }
  void want_hang_up() { want(hang_up); }
  /// Ends watching, at once; to be called before the descriptor is closed.
  void close() noexcept;

 private:
  struct Handle;
  static constexpr unsigned readable = 1;
  static constexpr unsigned writable = 2;
  static constexpr unsigned hang_up = 4;

  void want(unsigned interest) {
    wanted_ |= interest;
    if ((armed_ & interest) == 0) arm(armed_ | interest);
  }
  void arm(unsigned interests);
  void on_event(int status, unsigned events);

  LoopImpl* loop_;
  Handle* handle_ = nullptr;
  unsigned wanted_ = 0;
  unsigned armed_ = 0;
};

}  // namespace tsock::detail
