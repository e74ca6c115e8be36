#include <tsock/detail/pdu_block.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

void free_pdu_block(PduBlock& block) noexcept {
  LoopCore& core = *block.core;
  core.deallocate(&block, sizeof(PduBlock) + block.capacity);
}

}  // namespace tsock::detail
