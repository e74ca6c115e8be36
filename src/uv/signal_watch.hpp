#pragma once

#include <uv.h>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

class LoopImpl;
class SignalWatch;

/// Waits for one delivery of a signal.
class SignalState : public ResultState<int> {
 public:
  SignalState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "signal"; }
  void interrupt(int err) override;

 private:
  void on_delivery() noexcept override;
  void on_abandon() noexcept override;
  friend class SignalWatch;
  struct Place : ListNode {
    SignalState* state = nullptr;
  };
  SignalWatch* watch_ = nullptr;
  Place place_;  // in the list of requests that wait for the signal
};

/// Keeps one signal caught for the life of the loop, so that none is missed between two requests.
class SignalWatch {
 public:
  SignalWatch(LoopImpl& loop, int signum) noexcept : loop_(&loop), signum_(signum) {}
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch() = default;

  /// To be called once; `error()` then tells whether the signal is caught.
  void start() noexcept;
  [[nodiscard]] int error() const noexcept { return error_; }
  void close(uv_close_cb closed) noexcept;
  [[nodiscard]] int signum() const noexcept { return signum_; }
  void add(SignalState& state) noexcept;
  void remove(SignalState& state) noexcept;
  /// Called when the loop is being destroyed: no request waits any more.
  void forget_waiters() noexcept;

 private:
  void on_signal() noexcept;
  static SignalState& take_first(NodeList& waiting) noexcept;

  LoopImpl* loop_;
  int signum_;
  uv_signal_t handle_{};
  int error_ = 0;
  bool pending_ = false;
  NodeList waiting_;
};

}  // namespace tsock::inline v0::detail
