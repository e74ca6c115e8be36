#pragma once

#include <cerrno>
#include <chrono>
#include <tsock/detail/request_state.hpp>

namespace tsock::inline v0::detail {

/// A request that completes at a given time. An earlier deadline set by the caller ends it with ETIMEDOUT.
class SleepState : public ResultState<void> {
 public:
  SleepState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "sleep"; }

  void sleep_until(Clock::time_point due) {
    due_ = due;
    set_deadline(due);
  }
  [[nodiscard]] Clock::time_point own_deadline() const noexcept override { return due_; }
  void on_deadline() override { interrupt(Clock::now() >= due_ ? 0 : ETIMEDOUT); }

 private:
  Clock::time_point due_ = Clock::time_point::max();
};

}  // namespace tsock::inline v0::detail
