#pragma once

#include <cstddef>

namespace tsock::inline v0::layer {

/// What one call of an Engine has come to.
struct Step {
  /// Not 0: this direction is over. EPIPE: the peer ended it in order.
  int err = 0;
  /// Not 0: the engine goes on when so many bytes lie in its input, in one piece.
  std::size_t input = 0;
  /// Of a handshake that is done: the peer needs nothing of what is still to be sent, such as session
  /// tickets, so nobody has to wait until it has left.
  bool output_may_wait = false;
};

}  // namespace tsock::inline v0::layer
