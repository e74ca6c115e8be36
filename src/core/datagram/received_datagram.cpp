#include <tsock/detail/datagram_block.hpp>
#include <type_traits>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

// It is enough to free the memory.
static_assert(std::is_trivially_destructible_v<DatagramBlock>);
static_assert(std::is_trivially_destructible_v<DatagramInfo>);

void free_datagram_block(DatagramBlock& block) noexcept {
  LoopCore& core = *block.core;
  core.deallocate(&block, block.block_size());
}

}  // namespace tsock::inline v0::detail
