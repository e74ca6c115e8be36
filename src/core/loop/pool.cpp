#include "core/loop/pool.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace tsock::detail {

Pool::~Pool() {
#if !defined(TSOCK_POOL_PASSES_THROUGH)
  for (FreeBlock* head : large_) {
    while (head != nullptr) {
      unpoison_memory(head, sizeof(FreeBlock));
      FreeBlock* const next = head->next;
      ::operator delete(static_cast<void*>(head));
      head = next;
    }
  }
#endif
}

std::size_t Pool::large_class(std::size_t size) noexcept {
  const std::size_t rounded = std::bit_ceil(std::max(size, smallest_large));
  return static_cast<std::size_t>(std::countr_zero(rounded) - std::countr_zero(smallest_large));
}

std::size_t Pool::usable_large_size(std::size_t size) noexcept {
#if defined(TSOCK_POOL_PASSES_THROUGH)
  return size;
#else
  return large_class(size) < large_classes ? smallest_large << large_class(size) : size;
#endif
}

void* Pool::allocate_slowly(std::size_t size) {
  try {
#if !defined(TSOCK_POOL_PASSES_THROUGH)
    if (size <= largest_small) {
      const std::size_t block = block_size(size);
      slabs_.push_back(std::make_unique_for_overwrite<std::byte[]>(slab_size));
      std::byte* const slab = slabs_.back().get();
      FreeBlock*& head = small_[small_class(size)];
      for (std::size_t offset = slab_size / block * block; offset > block;) {
        offset -= block;
        head = ::new (static_cast<void*>(slab + offset)) FreeBlock{head};
      }
      poison_memory(slab + size, slab_size - size);
      return slab;
    }
    const std::size_t index = large_class(size);
    if (index < large_classes) {
      if (FreeBlock*& head = large_[index]; head != nullptr) {
        FreeBlock* const block = head;
        unpoison_memory(block, size);
        head = block->next;
        --large_count_[index];
        return block;
      }
      void* const block = ::operator new(smallest_large << index);
      poison_memory(static_cast<std::byte*>(block) + size, (smallest_large << index) - size);
      return block;
    }
#endif
    return ::operator new(size);
  } catch (...) {
    --live_;
    throw;
  }
}

void Pool::deallocate_slowly(void* memory, std::size_t size) noexcept {
#if !defined(TSOCK_POOL_PASSES_THROUGH)
  const std::size_t index = large_class(size);
  if (index < large_classes && (large_count_[index] + 1) * (smallest_large << index) <= cached_bytes) {
    large_[index] = ::new (memory) FreeBlock{large_[index]};
    ++large_count_[index];
    poison_memory(memory, smallest_large << index);
    return;
  }
#else
  static_cast<void>(size);
#endif
  ::operator delete(memory);
}

}  // namespace tsock::detail
