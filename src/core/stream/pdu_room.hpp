#pragma once

#include <algorithm>
#include <cstddef>
#include <tsock/detail/pdu_block.hpp>

namespace tsock::inline v0::detail {

/// How many bytes of a message to have room for when `here` bytes of it have come. A peer that announces much
/// gets memory only as it sends: up to 64 KiB at once, with the block's header; then eight times what came,
/// so that messages up to 1 MiB that come quickly are copied once at most; beyond 1 MiB twice what came.
[[nodiscard]] inline std::size_t room_for(std::size_t size, std::size_t here) noexcept {
  constexpr std::size_t at_once = std::size_t{64} * 1024 - sizeof(PduBlock);
  constexpr std::size_t quick_growth = std::size_t{1024} * 1024 + 64;
  if (size <= at_once) return size;
  const std::size_t ahead = here < quick_growth / 8 ? 8 * here : quick_growth;
  return std::min(size, std::max({at_once, ahead, 2 * here}));
}

}  // namespace tsock::inline v0::detail
