#include "core/loop/pool.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <new>
#include <string_view>
#include <utility>

namespace tsock::inline v0::detail {

namespace {

constexpr std::align_val_t usual_alignment{__STDCPP_DEFAULT_NEW_ALIGNMENT__};
// A large block of malloc() begins 16 bytes behind a page, which makes copies from the pages of packets slow
// on some processors (docs/performance.md, "Where a buffer begins").
constexpr std::align_val_t large_alignment{64};

}  // namespace

void* Pool::Source::take(std::size_t size, std::align_val_t alignment) const {
  if (resource == nullptr)
    return alignment == usual_alignment ? ::operator new(size) : ::operator new(size, alignment);
  try {
    return resource->allocate(size, static_cast<std::size_t>(alignment));
  } catch (...) {
    throw std::bad_alloc();
  }
}

void Pool::Source::give_back(void* memory, std::size_t size, std::align_val_t alignment) const noexcept {
  if (resource != nullptr) {
    resource->deallocate(memory, size, static_cast<std::size_t>(alignment));
  } else if (alignment == usual_alignment) {
    ::operator delete(memory);
  } else {
    ::operator delete(memory, alignment);
  }
}

void Pool::Slab::Return::operator()(std::byte* block) const noexcept {
  source.give_back(block, slab_size, usual_alignment);
}

bool Pool::is_told_to_pass_through() noexcept {
  static const bool is_told = [] {
    const char* const told = std::getenv("TSOCK_POOL");
    return told != nullptr && std::string_view(told) == "heap";
  }();
  return is_told;
}

Pool::~Pool() { trim_large(); }

std::size_t Pool::trim() noexcept {
  const std::size_t large = trim_large();
  std::sort(slabs_.begin(), slabs_.end(),
            [](const Slab& left, const Slab& right) { return left.memory < right.memory; });
  count_free_blocks();
  unlink_unused_slabs();
  const std::size_t slabs = std::erase_if(slabs_, [this](const Slab& slab) {
    if (slab.is_unused()) blocks_ -= slab.blocks;
    return slab.is_unused();
  });
  mostly_free_below_ = slabs_.size() * slab_size < least_to_trim ? 0 : std::min(blocks_ / 4, live_ / 2);
  return large + slabs * slab_size;
}

std::size_t Pool::trim_large() noexcept {
  std::size_t freed = 0;
  for (std::size_t i = 0; i < large_classes; ++i) {
    freed += large_count_[i] * (smallest_large << i);
    large_count_[i] = 0;
    while (large_[i] != nullptr) {
      FreeBlock* const block = large_[i];
      unpoison_memory(block, sizeof(FreeBlock));
      large_[i] = block->next;
      source_.give_back(block, smallest_large << i, large_alignment);
    }
  }
  return freed;
}

Pool::Slab& Pool::slab_of(const FreeBlock* block) noexcept {
  const auto* const bytes = reinterpret_cast<const std::byte*>(block);
  const auto behind = std::upper_bound(
      slabs_.begin(), slabs_.end(), bytes,
      [](const std::byte* address, const Slab& slab) { return std::less<>()(address, slab.memory.get()); });
  return *std::prev(behind);
}

void Pool::count_free_blocks() noexcept {
  for (Slab& slab : slabs_) slab.free = 0;
  for (const FreeBlock* block : small_) {
    while (block != nullptr) {
      ++slab_of(block).free;
      unpoison_memory(block, sizeof(FreeBlock));
      const FreeBlock* const next = block->next;
      poison_memory(block, sizeof(FreeBlock));
      block = next;
    }
  }
}

// The blocks that stay in a list keep their order.
void Pool::unlink_unused_slabs() noexcept {
  for (FreeBlock*& head : small_) {
    FreeBlock* last = nullptr;
    FreeBlock* block = std::exchange(head, nullptr);
    while (block != nullptr) {
      unpoison_memory(block, sizeof(FreeBlock));
      FreeBlock* const next = block->next;
      if (!slab_of(block).is_unused()) {
        if (last == nullptr) {
          head = block;
        } else {
          unpoison_memory(last, sizeof(FreeBlock));
          last->next = block;
          poison_memory(last, sizeof(FreeBlock));
        }
        block->next = nullptr;
        last = block;
      }
      poison_memory(block, sizeof(FreeBlock));
      block = next;
    }
  }
}

std::size_t Pool::large_class(std::size_t size) noexcept {
  const std::size_t rounded = std::bit_ceil(std::max(size, smallest_large));
  return static_cast<std::size_t>(std::countr_zero(rounded) - std::countr_zero(smallest_large));
}

std::size_t Pool::usable_large_size(std::size_t size) noexcept {
  return large_class(size) < large_classes ? smallest_large << large_class(size) : size;
}

void* Pool::allocate_slowly(std::size_t size) {
  if (size <= largest_small || passes_through()) return allocate_from_source(size);
  const std::size_t index = large_class(size);
  if (index >= large_classes || large_[index] == nullptr) return allocate_from_source(size);
  FreeBlock* const block = large_[index];
  unpoison_memory(block, size);
  large_[index] = block->next;
  --large_count_[index];
  return block;
}

// A function of its own, so that one that finds a block saves no registers for it.
[[gnu::noinline]] void* Pool::allocate_from_source(std::size_t size) {
  try {
    if (passes_through()) return source_.take(size, usual_alignment);
    if (size <= largest_small) {
      const std::size_t block = block_size(size);
      slabs_.push_back(
          {.memory = {static_cast<std::byte*>(source_.take(slab_size, usual_alignment)), {source_}},
           .blocks = slab_size / block});
      blocks_ += slabs_.back().blocks;
      if (slabs_.size() * slab_size >= least_to_trim) mostly_free_below_ = blocks_ / 4;
      std::byte* const slab = slabs_.back().memory.get();
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
      void* const block = source_.take(smallest_large << index, large_alignment);
      poison_memory(static_cast<std::byte*>(block) + size, (smallest_large << index) - size);
      return block;
    }
    return source_.take(size, usual_alignment);
  } catch (...) {
    --live_;
    throw;
  }
}

void Pool::deallocate_slowly(void* memory, std::size_t size) noexcept {
  const std::size_t index = large_class(size);
  if (index < large_classes && !passes_through()) {
    if ((large_count_[index] + 1) * (smallest_large << index) > cached_bytes) {
      source_.give_back(memory, smallest_large << index, large_alignment);
      return;
    }
    large_[index] = ::new (memory) FreeBlock{large_[index]};
    ++large_count_[index];
    poison_memory(memory, smallest_large << index);
    return;
  }
  source_.give_back(memory, size, usual_alignment);
}

}  // namespace tsock::inline v0::detail
