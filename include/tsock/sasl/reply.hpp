#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace tsock::inline v0::sasl {

/// What a step of a session has come to.
struct Reply {
  /// For the peer. Nothing to send differs from a message without bytes: an initial response that is absent
  /// lets the server begin.
  std::optional<std::vector<std::byte>> bytes = {};
  /// This side is done. A server tells its client so, with the bytes if there are some.
  bool is_done = false;
};

}  // namespace tsock::inline v0::sasl
