#include "core/loop/loop_memory.hpp"

#include <cassert>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

void* LoopMemory::do_allocate(std::size_t size, [[maybe_unused]] std::size_t alignment) {
  assert(alignment <= alignof(std::max_align_t));
  return core_->allocate(size);
}

void LoopMemory::do_deallocate(void* block, std::size_t size, std::size_t /*alignment*/) {
  core_->deallocate(block, size);
}

}  // namespace tsock::inline v0::detail
