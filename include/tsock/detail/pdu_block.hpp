#pragma once

#include <cstddef>
#include <cstdint>

namespace tsock::detail {

class LoopCore;
struct ReceiveChunk;

/// What stands in front of a message's bytes in their block of the pool, so that a Pdu is one pointer.
struct PduBlock {
  LoopCore* core;
  std::uint32_t capacity;  // bytes of the message that fit; 0: they lie in a PlacedPduBlock's chunk
  std::uint32_t size;
  std::uint32_t body_begin;
  std::uint32_t body_end;

  [[nodiscard]] inline std::byte* data() noexcept;
};

/// A message that stayed where it was received.
struct PlacedPduBlock : PduBlock {
  std::byte* place;
  ReceiveChunk* chunk;
};

inline std::byte* PduBlock::data() noexcept {
  return capacity != 0 ? reinterpret_cast<std::byte*>(this + 1) : static_cast<PlacedPduBlock*>(this)->place;
}

/// Gives the block back to the pool of its loop.
void free_pdu_block(PduBlock& block) noexcept;

}  // namespace tsock::detail
