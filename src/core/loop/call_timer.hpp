#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <tsock/call_site.hpp>
#include <tsock/callback_times.hpp>

namespace tsock::inline v0::detail {

class LoopCore;

/// Measures how long callbacks hold the loop.
class CallTimer {
 public:
  using Clock = std::chrono::steady_clock;

  /// \throws std::bad_alloc, with the counts unchanged
  void start(std::size_t most_slow);
  void stop() noexcept { times_.is_on = false; }
  [[nodiscard]] bool is_on() const noexcept { return times_.is_on; }
  void record(std::string_view name, CallSite site, std::chrono::nanoseconds took) noexcept;
  [[nodiscard]] const CallbackTimes& times() const noexcept { return times_; }

 private:
  void keep(std::string_view name, CallSite site, std::chrono::nanoseconds took) noexcept;

  CallbackTimes times_;
  std::size_t most_slow_ = 0;
};

/// Measures while it lives, on a loop whose timer is on. The call may stop the timer, or destroy the Loop.
class TimedCall {
 public:
  /// Copies the name: the operation may be gone before its callback has returned.
  TimedCall(LoopCore& core, std::string_view name, CallSite site) noexcept;
  TimedCall(const TimedCall&) = delete;
  TimedCall& operator=(const TimedCall&) = delete;
  ~TimedCall();

 private:
  LoopCore& core_;
  std::array<char, 40> name_;
  std::size_t name_size_;
  CallSite site_;
  CallTimer::Clock::time_point began_;
};

}  // namespace tsock::inline v0::detail
