#pragma once

namespace tsock::inline v0 {

/// What a `want_` function of a backend returns.
enum class Readiness : unsigned char {
  later,     ///< the event will come
  now,       ///< another call is already worth it; no event comes
  next_turn  ///< as `now`, for a source that never waits, such as a device: others run first
};

}  // namespace tsock::inline v0
