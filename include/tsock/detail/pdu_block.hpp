#pragma once

#include <cstddef>
#include <cstdint>

namespace tsock::detail {

class LoopCore;

/// What stands in front of a message's bytes in their block of the pool, so that a Pdu is one pointer.
struct PduBlock {
  LoopCore* core;
  std::uint32_t capacity;  // bytes of the message that fit
  std::uint32_t size;
  std::uint32_t body_begin;
  std::uint32_t body_end;

  [[nodiscard]] std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

/// Gives the block back to the pool of its loop.
void free_pdu_block(PduBlock& block) noexcept;

}  // namespace tsock::detail
