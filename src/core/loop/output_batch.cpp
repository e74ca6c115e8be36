#include "core/loop/output_batch.hpp"

namespace tsock::inline v0::detail {

bool OutputBatch::may_wait() noexcept {
  if (untried_ != 0) {
    --untried_;
    return false;
  }
  if (bytes_ >= most_bytes) return false;
  if (events_ == 0) begin_ = Clock::now();
  return ++events_ < most_events;
}

// Batching is off for a while when events are slow (a reply would wait for work that is done for others) or
// when the turn had a single event (there was nothing to batch).
void OutputBatch::end(bool turn_ends) noexcept {
  if (events_ != 0) {
    const bool is_alone = turn_ends && !turn_had_one_ && events_ == 1;
    if (is_alone || Clock::now() - begin_ > events_ * short_event) untried_ = events_without;
    turn_had_one_ = true;
  }
  if (turn_ends) turn_had_one_ = false;
  events_ = 0;
  bytes_ = 0;
}

}  // namespace tsock::inline v0::detail
