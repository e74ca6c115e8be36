#pragma once

#include <cstddef>
#include <span>

namespace tsock::inline v0::detail {

/// Bytes that were received and not yet taken by a reader: in the loop's receive buffer or in an UnreadBlock.
struct UnreadBytes {
  std::byte* begin = nullptr;
  std::byte* end = nullptr;

  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end - begin); }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {begin, end}; }
};

/// A stream's own memory for unread bytes. They are aligned to the end of the block: bytes that are given
/// back in several parts come last part first, and find room in front.
struct UnreadBlock : UnreadBytes {
  std::size_t capacity = 0;  // bytes behind this header

  [[nodiscard]] std::byte* room() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

}  // namespace tsock::inline v0::detail
