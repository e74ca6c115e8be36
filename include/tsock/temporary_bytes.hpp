#pragma once

#include <cstddef>
#include <span>

namespace tsock::inline v0 {

/// Bytes of a temporary message or datagram. Valid until the full expression ends, for looking, comparing or
/// copying; a write, a sendto and `make_vector()` refuse them, as they refuse every other temporary that owns
/// its bytes.
struct TemporaryBytes : std::span<std::byte> {
  explicit TemporaryBytes(std::span<std::byte> bytes) noexcept : std::span<std::byte>(bytes) {}
};

}  // namespace tsock::inline v0
