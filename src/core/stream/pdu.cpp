#include <tsock/detail/pdu_block.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

void free_pdu(std::byte* data, bool in_chunk) noexcept {
  if (in_chunk) [[likely]] {
    ReceiveChunk& chunk = ReceiveChunk::of(data);
    if (--chunk.messages == 0) [[unlikely]]
      chunk.core->chunk_is_free(chunk);
    return;
  }
  PduBlock& block = PduBlock::of(data);
  block.core->deallocate(&block, sizeof(PduBlock) + block.capacity);
}

}  // namespace tsock::inline v0::detail
