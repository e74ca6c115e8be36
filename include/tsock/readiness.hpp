#pragma once

namespace tsock {

/// What a `want_` function of a backend answers.
enum class Readiness : unsigned char {
  later,     ///< the event will come
  now,       ///< another call is worth it already; no event comes
  next_turn  ///< the same of what never waits, such as a device: others have their turn before the next call
};

}  // namespace tsock
