#pragma once

#include <cstdint>
#include <tsock/native_socket.hpp>
#include <tsock/stream_backend.hpp>

#include "uv/loop_impl.hpp"
#include "uv/os/fd_events.hpp"

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

  // For the WatchSet of the loop.
  [[nodiscard]] NativeSocket descriptor() const noexcept { return descriptor_; }
  /// What the system is asked for.
  [[nodiscard]] os::FdEvents system_interests() const noexcept { return system_interests(armed()); }
  void tell(os::FdEvents events) noexcept {
    // An event before this one, of the same call of the system, may have ended the loop and its requests.
    if (loop_->is_closed()) [[unlikely]] {
      stop_watching();
    } else {
      on_events_(*this, events);
    }
  }

 protected:
  using OnEvents = void (*)(FdWatch& watch, os::FdEvents events) noexcept;

  FdWatch(LoopImpl& loop, OnEvents on_events) noexcept : loop_(&loop), on_events_(on_events) {}
  ~FdWatch() { stop_watching(); }

  /// Begins to watch. Events that will be asked for first can be told, which saves a system call.
  /// \return 0, ECANCELED when the loop is closed, EEXIST when the loop watches the descriptor already, EPERM
  /// for a descriptor that cannot be polled, EBADF, ENOMEM, ENOSPC
  int start_watching(NativeSocket descriptor, os::FdEvents first = 0) noexcept;
  /// The same for what is no socket.
  int start_watching_fd(int fd, os::FdEvents first = 0) noexcept {
    return start_watching(static_cast<NativeSocket>(fd), first);
  }
  /// Takes over the descriptor of `other`, with no interest but those in `first`.
  void take_over(FdWatch& other, os::FdEvents first) noexcept;
  /// Stops watching at once; to be called before the descriptor is closed.
  void stop_watching() noexcept;
  [[nodiscard]] bool is_watching() const noexcept { return descriptor_ != invalid_socket; }
  [[nodiscard]] LoopImpl& loop_impl() const noexcept { return *loop_; }

  Readiness await(os::FdEvents interest) noexcept {
    interests_ = static_cast<std::uint8_t>(interests_ | interest);
    if ((armed() & interest) == 0) return arm(armed() | interest);
    return Readiness::later;
  }
  /// Takes an event that is readable, was asked for, and is nothing else, as most are. \return whether it is
  /// one
  bool take_readable(os::FdEvents events) noexcept {
    if (events != os::readable || (interests_ & os::readable) == 0) return false;
    interests_ = static_cast<std::uint8_t>(interests_ & ~os::readable);
    return true;
  }
  /// Stores the part of an event that was asked for. \return whether there is any
  bool take_events(os::FdEvents events, FdEvent& event) noexcept;

 private:
  static constexpr unsigned all = os::readable | os::writable | os::hang_up;
  static constexpr unsigned bytes_wait = 8;  // among what is armed: nothing is told of a reset behind them
  static constexpr unsigned armed_shift = 4;

  [[nodiscard]] unsigned armed() const noexcept { return unsigned{interests_} >> armed_shift; }
  void set_armed(unsigned interests) noexcept;
  Readiness arm(unsigned interests) noexcept;
  [[nodiscard]] static os::FdEvents system_interests(unsigned armed) noexcept;
  /// Looks at what an event that is readable means to an owner that asked for a break alone. \return whether
  /// it is one
  [[nodiscard]] bool is_break() const noexcept;

  LoopImpl* loop_;
  OnEvents on_events_;
  NativeSocket descriptor_ = invalid_socket;  // of the owner
  std::uint8_t interests_ = 0;  // what is asked for; above `armed_shift`, what the system is asked for
};

/// Watches one descriptor for readiness; a base class of the descriptor's owner. The owner's
/// `void on_fd_event(FdEvent event)` receives the events that were asked for, and may destroy the owner; its
/// `on_fd_readable()`, if there is one, is called instead for an event that is readable and nothing else.
/// A change of the interests is a system call, so what the system is asked for only grows while it is used,
/// and shrinks when an event arrives that was not asked for.
template <class Owner>
class FdWatcher : public FdWatch {
 protected:
  explicit FdWatcher(LoopImpl& loop) noexcept : FdWatch(loop, &on_events) {}
  ~FdWatcher() = default;

  // Each asks for one event. Returns that the event comes later, so that a caller can end with the call.
  Readiness await_readable() noexcept { return await(os::readable); }
  Readiness await_writable() noexcept { return await(os::writable); }
  void await_hang_up() noexcept { await(os::hang_up); }

 private:
  static void on_events(FdWatch& watch, os::FdEvents events) noexcept {
    auto& watcher = static_cast<FdWatcher&>(watch);
    LoopImpl& loop = watcher.loop_impl();
    loop.enter();
    auto& owner = static_cast<Owner&>(watcher);
    if (FdEvent event; watcher.take_readable(events)) {
      if constexpr (requires { owner.on_fd_readable(); }) {
        owner.on_fd_readable();
      } else {
        owner.on_fd_event({.readable = true});
      }
    } else if (watcher.take_events(events, event)) {
      owner.on_fd_event(event);
    }
    // From here on user code runs; the owner may be gone.
    loop.drain_event();
  }
};

}  // namespace tsock::inline v0::detail
