#include "core/loop/deadlines.hpp"

namespace tsock::inline v0::detail {

RequestState* Deadlines::take_due(Clock::time_point now) noexcept {
  if (heap_.empty() || heap_.earliest() > now) return nullptr;
  RequestState& state = heap_.first();
  heap_.remove(state);
  return &state;
}

}  // namespace tsock::inline v0::detail
