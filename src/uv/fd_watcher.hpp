#pragma once

#include <cstdint>

#include "core/loop_core.hpp"

struct uv_poll_s;

namespace tsock::detail {

class LoopImpl;

/// What the kernel says of a descriptor.
struct FdEvent {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  ///< the peer ended its side
  bool failed = false;   ///< an error waits on the descriptor
};

/// Watches one descriptor for readiness; a base of whoever owns the descriptor. `uv_poll_start` costs two
/// system calls, so the kernel's interest set only grows while it is used, and shrinks when an event came
/// that nobody had asked for.
class FdWatcher {
 public:
  FdWatcher(const FdWatcher&) = delete;
  FdWatcher& operator=(const FdWatcher&) = delete;

 protected:
  explicit FdWatcher(LoopImpl& loop) noexcept : loop_(&loop) {}
  ~FdWatcher() { stop_watching(); }

  /// Begins to watch. \return 0, EEXIST when the loop watches the descriptor already, EPERM for what cannot
  /// be polled, ENOMEM.
  int start_watching(int fd) noexcept;
  /// Goes on where another one ends that has watched the descriptor so far.
  void take_over(FdWatcher& other) noexcept;
  /// Ends watching, at once; to be called before the descriptor is closed.
  void stop_watching() noexcept;
  [[nodiscard]] bool is_watching() const noexcept { return poll_ != nullptr; }
  // Each asks for one event.
  void await_readable() { await(readable); }
  void await_writable() { await(writable); }
  void await_hang_up() { await(hang_up); }

  [[nodiscard]] LoopImpl& loop_impl() const noexcept { return *loop_; }

 private:
  static constexpr unsigned readable = 1;
  static constexpr unsigned writable = 2;
  static constexpr unsigned hang_up = 4;
  static constexpr unsigned all = 7;
  static constexpr unsigned armed_shift = 4;

  /// An event that was asked for has come; may destroy this object.
  virtual void on_fd_event(FdEvent event) = 0;

  static void on_poll(uv_poll_s* poll, int status, int events) noexcept;
  void on_event(int status, unsigned events);
  [[nodiscard]] unsigned armed() const noexcept { return unsigned{interests_} >> armed_shift; }
  void await(unsigned interest) {
    interests_ = static_cast<std::uint8_t>(interests_ | interest);
    if ((armed() & interest) == 0) arm(armed() | interest);
  }
  void arm(unsigned interests) noexcept;

  LoopImpl* loop_;
  uv_poll_s* poll_ = nullptr;   // in the loop's pool; it stays there until libuv has closed it
  std::uint8_t interests_ = 0;  // what is asked for, and above `armed_shift` what the kernel is asked for
};

}  // namespace tsock::detail
