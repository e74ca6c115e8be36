#pragma once

#include <uv.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <tsock/unique_fd.hpp>
#include <utility>
#include <vector>

#include "uv/os/epoll_set.hpp"
#include "uv/watch_set.hpp"

namespace tsock::inline v0::detail {

/// An epoll set of the loop's own. `Loop::run()` waits for it, and libuv's descriptors are in it by the one
/// that stands for them all (`uv_backend_fd`): see LoopTurns. An application that has libuv's loop may run
/// it, or watch it, in ways of its own; from then on it is the other way round, and libuv watches the set by
/// a `uv_poll_t`, at the price of a second `epoll_wait` for each turn that has events.
///
/// A `uv_poll_t` for each descriptor would take 160 bytes and three system calls more for a connection, and
/// libuv aborts when the kernel refuses to watch; here the caller gets an error.
class EpollWatchSet final : public WatchSet {
 public:
  EpollWatchSet(LoopImpl& loop, UniqueFd set) noexcept : loop_(&loop), set_(std::move(set)) {}
  ~EpollWatchSet() override;
  /// Adds libuv's descriptors. \return 0 or an errno value
  int add_libuv() noexcept;
  /// Lets libuv watch the set. \return 0 or an errno value; then nothing has changed
  int put_under_libuv() noexcept;
  /// Waits for so many milliseconds, or with -1 for ever. \return the number of events
  std::size_t wait(int timeout) noexcept;
  /// Tells the watches what `wait()` has brought. \return whether something has happened to a descriptor of
  /// libuv
  bool tell_events() noexcept;
  bool take_events(int timeout) noexcept {
    wait(timeout);
    return tell_events();
  }

  int add(FdWatch& watch, os::FdEvents& interests) noexcept override;
  void change(FdWatch& watch, os::FdEvents interests) noexcept override;
  void hand_over(FdWatch& from, FdWatch& to, os::FdEvents& interests) noexcept override;
  void remove(FdWatch& watch) noexcept override;
  int after_fork_in_child() noexcept override;
  unsigned close(uv_close_cb closed) noexcept override;

 private:
  // Other handles of the libuv loop have their turn after so many events.
  static constexpr std::size_t events_per_call = 64;
  static constexpr unsigned calls_per_event = 4;  // of libuv

  void forget_events(const FdWatch& watch) noexcept;
  int wait_after_signal(int timeout) noexcept;

  LoopImpl* loop_;
  UniqueFd set_;
  std::unique_ptr<uv_poll_t> poll_;  // of `set_`, under libuv
  std::vector<FdWatch*> watches_;    // by descriptor
  std::array<os::EpollEvent, events_per_call> events_;
  std::span<os::EpollEvent> waiting_;  // those of `events_` that were not told yet
  bool is_full_ = false;               // there may be more than the last call brought
};

}  // namespace tsock::inline v0::detail
