#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tsock::test {

/// Writes the bytes with every bit inverted; `to` may be where they are. By words, as tests without
/// optimization send megabytes through it.
inline void write_inverted(std::span<const std::byte> from, std::byte* to) noexcept {
  const std::byte* const bytes = from.data();
  const std::size_t size = from.size();
  std::size_t at = 0;
  for (std::uint64_t word = 0; size - at >= sizeof(word); at += sizeof(word)) {
    std::memcpy(&word, bytes + at, sizeof(word));
    word = ~word;
    std::memcpy(to + at, &word, sizeof(word));
  }
  for (; at < size; ++at) to[at] = ~bytes[at];
}

}  // namespace tsock::test
