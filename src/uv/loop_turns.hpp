#pragma once

#include <uv.h>

#include <chrono>
#include <memory>

namespace tsock::inline v0::detail {

class EpollWatchSet;
class LoopImpl;
class WatchSet;

/// Who runs the turns of a loop, and what a turn consists of. Either libuv does it all; or, with an
/// EpollWatchSet, `run()` waits by itself and calls libuv when that has something to do: a timer is due, a
/// descriptor of its own is ready, a handle has to be closed. A turn of the latter kind costs one system call
/// and no walk through libuv's lists.
class LoopTurns {
 public:
  /// \param trim_after see LoopOptions
  LoopTurns(LoopImpl& loop, std::chrono::milliseconds trim_after) noexcept;

  /// Makes the set of descriptors that goes with the loop. \throw std::system_error, std::bad_alloc
  std::unique_ptr<WatchSet> make_watches(bool is_own_loop);
  /// Runs as uv_run(3) does. \return whether anything is left that keeps the loop running
  bool run(uv_run_mode mode) noexcept;
  /// From now on, or from the end of the turn under way, libuv runs the turns: the application has its loop.
  void leave_to_libuv() noexcept;

  /// Whether libuv runs them.
  [[nodiscard]] bool are_libuvs() const noexcept { return set_ == nullptr; }

  // For turns that are not libuv's.
  /// Ends `run()` after this turn.
  void interrupt() noexcept { is_interrupted_ = true; }
  /// Begins the next turn at once, with a call of `LoopImpl::begin_woken_turn()`.
  void wake() noexcept { is_woken_ = true; }
  /// Calls `LoopCore::end_turn()` when the events of this turn were told.
  void ask_for_end() noexcept { end_is_due_ = true; }
  /// Does at once what the next turn would do but for libuv: tells what has happened until now.
  void take_events() noexcept;

 private:
  bool run_turn(bool may_wait) noexcept;
  /// Waits for events. Where the loop has memory to give back, it does so if none come for a while.
  void wait(int timeout) noexcept;
  void end_turn() noexcept;
  void hand_over() noexcept;

  LoopImpl* loop_;
  EpollWatchSet* set_ = nullptr;  // the loop's
  int trim_after_;                // milliseconds; -1: never
  bool runs_ = false;
  bool is_interrupted_ = false;
  bool is_woken_ = false;
  bool end_is_due_ = false;
  bool is_to_be_left_ = false;
};

}  // namespace tsock::inline v0::detail
