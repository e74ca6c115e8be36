#pragma once

#include <cstddef>
#include <optional>
#include <tsock/export.hpp>
#include <vector>

namespace tsock::inline v0::sasl {

/// What a step of a session has come to.
struct TSOCK_EXPORT Reply {
  /// For the peer. Nothing to send differs from a message without bytes: an initial response that is absent
  /// lets the server begin. They may hold a password.
  std::optional<std::vector<std::byte>> bytes = {};
  /// This side is done. A server tells its client so, with the bytes if there are some.
  bool is_done = false;

  Reply() = default;
  Reply(const Reply&) = default;
  Reply(Reply&&) noexcept = default;
  Reply& operator=(const Reply& other);
  Reply& operator=(Reply&& other) noexcept;
  /// Wipes the bytes.
  ~Reply();
};

}  // namespace tsock::inline v0::sasl
