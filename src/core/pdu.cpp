#include <tsock/detail/pdu_block.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

void free_pdu_block(PduBlock& block) noexcept {
  LoopCore& core = *block.core;
  if (block.capacity != 0) [[likely]] {
    core.deallocate(&block, sizeof(PduBlock) + block.capacity);
    return;
  }
  auto& placed = static_cast<PlacedPduBlock&>(block);
  core.receive_buffer().remove_message(*placed.chunk);
  core.deallocate(&placed, sizeof(PlacedPduBlock));
}

}  // namespace tsock::detail
