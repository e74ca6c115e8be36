#pragma once

#include <cstddef>
#include <span>

namespace tsock::detail {

/// Bytes that were received and that nobody has taken yet: in the loop's receive buffer, or in an
/// UnreadBlock.
struct UnreadBytes {
  std::byte* begin = nullptr;
  std::byte* end = nullptr;

  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end - begin); }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {begin, end}; }
};

/// Memory of a stream's own for them. What lies in it ends where it ends: bytes that come back in several
/// parts come last part first, and find room in front.
struct UnreadBlock : UnreadBytes {
  std::size_t capacity = 0;  // behind this header

  [[nodiscard]] std::byte* room() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

}  // namespace tsock::detail
