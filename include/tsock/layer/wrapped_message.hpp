#pragma once

#include <cstddef>

namespace tsock::inline v0::layer {

/// A message as an Engine has made it for the peer.
struct WrappedMessage {
  std::size_t size = 0;   ///< bytes of the protocol
  std::size_t plain = 0;  ///< bytes of the user in them
};

}  // namespace tsock::inline v0::layer
