#pragma once

#include <uv.h>

#include <cstdint>
#include <tsock/native_socket.hpp>
#include <tsock/stream_backend.hpp>

#include "uv/loop_impl.hpp"

namespace tsock::inline v0::detail {

/// What the kernel reports about a descriptor.
struct FdEvent {
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  ///< the peer ended its side
  bool failed = false;   ///< an error is pending on the descriptor
};

/// The part of an FdWatcher that is the same for every owner.
class FdWatch {
 public:
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

 protected:
  static constexpr unsigned readable = 1;
  static constexpr unsigned writable = 2;
  static constexpr unsigned hang_up = 4;

  explicit FdWatch(LoopImpl& loop) noexcept : loop_(&loop) {}
  ~FdWatch() { stop_watching(); }

  /// Begins to watch. \return 0, ECANCELED when the loop is closed, EEXIST when the loop watches the
  /// descriptor already, EPERM for a descriptor that cannot be polled, EBADF, ENOMEM
  int start_watching(NativeSocket descriptor) noexcept;
  /// The same for what is no socket.
  int start_watching_fd(int fd) noexcept { return start_watching(static_cast<NativeSocket>(fd)); }
  /// Takes over the poll handle of `other`. No interest is armed afterwards.
  void take_over(FdWatch& other) noexcept;
  /// Stops watching at once; to be called before the descriptor is closed.
  void stop_watching() noexcept;
  [[nodiscard]] bool is_watching() const noexcept { return poll_ != nullptr; }
  [[nodiscard]] LoopImpl& loop_impl() const noexcept { return *loop_; }

  Readiness await(unsigned interest, uv_poll_cb callback) noexcept {
    interests_ = static_cast<std::uint8_t>(interests_ | interest);
    if ((armed() & interest) == 0) return arm(armed() | interest, callback);
    return Readiness::later;
  }
  /// Takes an event that is readable, was asked for, and is nothing else, as most are. \return whether it is
  /// one
  bool take_readable(int status, int events) noexcept {
    if (status != 0 || events != UV_READABLE || (interests_ & readable) == 0) return false;
    interests_ = static_cast<std::uint8_t>(interests_ & ~readable);
    return true;
  }
  /// Stores the part of an event that was asked for. \return whether there is any
  bool take_event(int status, int events, uv_poll_cb callback, FdEvent& event) noexcept;

 private:
  static constexpr unsigned all = 7;
  static constexpr unsigned bytes_wait = 8;  // among what is armed: nothing is told of a reset behind them
  static constexpr unsigned armed_shift = 4;

  [[nodiscard]] unsigned armed() const noexcept { return unsigned{interests_} >> armed_shift; }
  Readiness arm(unsigned interests, uv_poll_cb callback) noexcept;
  [[nodiscard]] static int mask_of(unsigned interests) noexcept;
  /// Looks at what an event that is readable means to an owner that asked for a break alone. \return whether
  /// it is one
  [[nodiscard]] bool is_break() const noexcept;

  LoopImpl* loop_;
  uv_poll_t* poll_ = nullptr;   // in the loop's pool until libuv has closed it
  std::uint8_t interests_ = 0;  // what is asked for; above `armed_shift`, what the kernel is asked for
};

/// Watches one descriptor for readiness; a base class of the descriptor's owner. The owner's
/// `void on_fd_event(FdEvent event)` receives the events that were asked for, and may destroy the owner; its
/// `on_fd_readable()`, if there is one, is called instead for an event that is readable and nothing else.
/// `uv_poll_start` costs two system calls, so the kernel's interest set only grows while it is used, and
/// shrinks when an event arrives that was not asked for.
template <class Owner>
class FdWatcher : public FdWatch {
 protected:
  using FdWatch::FdWatch;
  ~FdWatcher() = default;

  // Each asks for one event. Returns that the event comes later, so that a caller can end with the call.
  Readiness await_readable() noexcept { return await(readable, &on_poll); }
  Readiness await_writable() noexcept { return await(writable, &on_poll); }
  void await_hang_up() noexcept { await(hang_up, &on_poll); }

 private:
  static void on_poll(uv_poll_t* poll, int status, int events) noexcept {
    auto& watcher = static_cast<FdWatcher&>(*static_cast<FdWatch*>(poll->data));
    LoopImpl& loop = watcher.loop_impl();
    loop.enter();
    auto& owner = static_cast<Owner&>(watcher);
    if (FdEvent event; watcher.take_readable(status, events)) {
      if constexpr (requires { owner.on_fd_readable(); }) {
        owner.on_fd_readable();
      } else {
        owner.on_fd_event({.readable = true});
      }
    } else if (watcher.take_event(status, events, &on_poll, event)) {
      owner.on_fd_event(event);
    }
    // From here on user code runs; the owner may be gone.
    loop.drain_event();
  }
};

}  // namespace tsock::inline v0::detail
