#pragma once

#include <chrono>

namespace tsock::layer {

/// What is the same for all layers.
struct LayerOptions {
  /// How long `Stream::disconnect()` waits for the peer's goodbye, where the protocol has one.
  std::chrono::milliseconds goodbye_time = std::chrono::seconds(2);
};

}  // namespace tsock::layer
