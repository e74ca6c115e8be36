#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "core/base/memory_poison.hpp"

namespace tsock::detail {

/// Blocks for request states and buffers, kept in free lists by size so that steady state never reaches the
/// heap. Free blocks are poisoned for AddressSanitizer. A build that defines TSOCK_POOL_PASSES_THROUGH
/// (preset asan-heap) takes every block from the heap instead, where overruns between blocks are seen as
/// well.
class Pool {
 public:
  /// Sizes are rounded up to a multiple of it.
  static constexpr std::size_t granule = 16;
  /// Whether every block is to come from the heap and go back to it at once.
#if defined(TSOCK_POOL_PASSES_THROUGH)
  static constexpr bool passes_through = true;
#else
  static constexpr bool passes_through = false;
#endif

  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  [[gnu::always_inline]] void* allocate(std::size_t size) {
    ++live_;
#if !defined(TSOCK_POOL_PASSES_THROUGH)
    if (size <= largest_small) {
      FreeBlock*& head = small_[small_class(size)];
      if (head != nullptr) [[likely]] {
        FreeBlock* const block = head;
        unpoison_memory(block, size > sizeof(FreeBlock) ? size : sizeof(FreeBlock));
        head = block->next;
        return block;
      }
    }
#endif
    return allocate_slowly(size);
  }

  /// \return how many blocks are out now.
  [[gnu::always_inline]] std::size_t deallocate(void* memory, std::size_t size) noexcept {
    --live_;
#if !defined(TSOCK_POOL_PASSES_THROUGH)
    if (size <= largest_small) [[likely]] {
      FreeBlock*& head = small_[small_class(size)];
      unpoison_memory(memory, sizeof(FreeBlock));
      head = ::new (memory) FreeBlock{head};
      poison_memory(memory, block_size(size));
      return live_;
    }
#endif
    deallocate_slowly(memory, size);
    return live_;
  }

  /// The largest size for which `allocate()` takes no more memory than for `size`. No larger than `size`
  /// where AddressSanitizer is to see what goes beyond it.
  [[nodiscard]] static std::size_t usable_size(std::size_t size) noexcept {
    if constexpr (memory_is_watched) return size;
#if !defined(TSOCK_POOL_PASSES_THROUGH)
    if (size <= largest_small) [[likely]]
      return small_class(size) * granule;
#endif
    return usable_large_size(size);
  }
  /// Gives memory of which no block is out back to the heap. Takes a step for each free block. \return bytes
  std::size_t trim() noexcept;
  /// Blocks that are out.
  [[nodiscard]] std::size_t live() const noexcept { return live_; }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };
  static constexpr std::size_t largest_small = 1024;
  static constexpr std::size_t slab_size = std::size_t{16} * 1024;
  // Buffers: powers of two from 2 KiB to 128 KiB, each list keeps at most cached_bytes.
  static constexpr std::size_t smallest_large = 2048;
  static constexpr std::size_t large_classes = 7;
  static constexpr std::size_t cached_bytes = std::size_t{1024} * 1024;

  static constexpr std::size_t small_class(std::size_t size) noexcept {
    return (size + granule - 1) / granule;
  }
  /// Of the small blocks.
  static constexpr std::size_t block_size(std::size_t size) noexcept {
    return small_class(size) != 0 ? small_class(size) * granule : granule;
  }
  static std::size_t large_class(std::size_t size) noexcept;
  static std::size_t usable_large_size(std::size_t size) noexcept;

#if !defined(TSOCK_POOL_PASSES_THROUGH)
  /// Blocks of one size.
  struct Slab {
    std::unique_ptr<std::byte[]> memory;
    std::size_t blocks;
    std::size_t free = 0;  // of them; of use in trim() alone

    [[nodiscard]] bool is_unused() const noexcept { return free == blocks; }
  };
  std::size_t trim_large() noexcept;
  void count_free_blocks() noexcept;
  void unlink_unused_slabs() noexcept;
  /// The slabs are sorted by then.
  Slab& slab_of(const FreeBlock* block) noexcept;
#endif

  void* allocate_slowly(std::size_t size);
  void deallocate_slowly(void* memory, std::size_t size) noexcept;

#if !defined(TSOCK_POOL_PASSES_THROUGH)
  std::array<FreeBlock*, largest_small / granule + 1> small_{};
  std::array<FreeBlock*, large_classes> large_{};
  std::array<std::size_t, large_classes> large_count_{};
  std::vector<Slab> slabs_;
#endif
  std::size_t live_ = 0;
};

}  // namespace tsock::detail
