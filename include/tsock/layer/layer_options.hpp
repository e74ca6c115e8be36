#pragma once

#include <chrono>

namespace tsock::inline v0::layer {

/// What is the same for all layers.
struct LayerOptions {
  /// How long `Stream::disconnect()` waits for the peer's goodbye, where the protocol has one, and a
  /// handshake that has failed for the peer to take what it has to say.
  std::chrono::milliseconds goodbye_time = std::chrono::seconds(2);
};

}  // namespace tsock::inline v0::layer
