#pragma once

#include <cstddef>
#include <tsock/detail/request_state.hpp>

#include "core/loop/deadline_heap.hpp"

namespace tsock::inline v0::detail {

/// The deadlines of a loop's requests and the time for which its one timer is armed.
class Deadlines {
 public:
  // Inlined into its callers: most deadlines are set and cleared again.
  [[gnu::always_inline]] void set(RequestState& state, Clock::time_point when) { heap_.set(state, when); }
  void remove(RequestState& state) noexcept { heap_.remove(state); }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
  /// \pre not empty
  [[nodiscard]] Clock::time_point earliest() noexcept { return heap_.earliest(); }
  /// Removes the earliest deadline if it is due. \return its request; null if none is due
  [[nodiscard]] RequestState* take_due(Clock::time_point now) noexcept;

  [[nodiscard]] bool is_before_timer(Clock::time_point when) const noexcept { return when < armed_; }
  /// Notes for which time the timer is armed; `Clock::time_point::max()` if it is not armed.
  void set_armed(Clock::time_point when) noexcept { armed_ = when; }

 private:
  DeadlineHeap heap_;
  Clock::time_point armed_ = Clock::time_point::max();
};

}  // namespace tsock::inline v0::detail
