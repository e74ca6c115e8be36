#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <vector>

#include "core/base/memory_poison.hpp"

namespace tsock::inline v0::detail {

/// Blocks for request states and buffers, kept in free lists by size so that steady state never reaches the
/// heap. Free blocks are poisoned for AddressSanitizer.
class Pool {
 public:
  /// Small sizes are rounded up to a multiple of this.
  static constexpr std::size_t granule = 16;
  /// Whether every block comes from the heap and returns to it at once, where overruns between blocks are
  /// reported as well: under AddressSanitizer, with TSOCK_POOL=heap in the environment.
  [[nodiscard]] static bool passes_through() noexcept {
    if constexpr (memory_is_watched) return is_told_to_pass_through();
    return false;
  }

  /// Takes its memory from `source`, or from the heap when that is null.
  explicit Pool(std::pmr::memory_resource* source = nullptr) noexcept : source_{source} {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  [[gnu::always_inline]] void* allocate(std::size_t size) {
    ++live_;
    if (size <= largest_small && !passes_through()) {
      FreeBlock*& head = small_[small_class(size)];
      if (head != nullptr) [[likely]] {
        FreeBlock* const block = head;
        unpoison_memory(block, size > sizeof(FreeBlock) ? size : sizeof(FreeBlock));
        head = block->next;
        return block;
      }
    }
    return allocate_slowly(size);
  }

  /// \return number of blocks still in use
  [[gnu::always_inline]] std::size_t deallocate(void* memory, std::size_t size) noexcept {
    --live_;
    if (size <= largest_small && !passes_through()) [[likely]] {
      FreeBlock*& head = small_[small_class(size)];
      unpoison_memory(memory, sizeof(FreeBlock));
      head = ::new (memory) FreeBlock{head};
      poison_memory(memory, block_size(size));
      return live_;
    }
    deallocate_slowly(memory, size);
    return live_;
  }

  /// The largest size for which `allocate()` takes no more memory than for `size`. Just `size` under
  /// AddressSanitizer, so that it reports accesses beyond it.
  [[nodiscard]] static std::size_t usable_size(std::size_t size) noexcept {
    if constexpr (memory_is_watched) return size;
    if (size <= largest_small) [[likely]]
      return small_class(size) * granule;
    return usable_large_size(size);
  }
  /// Returns memory without blocks in use to the heap. Visits every free block. \return bytes freed
  std::size_t trim() noexcept;
  /// Number of blocks in use.
  [[nodiscard]] std::size_t live() const noexcept { return live_; }
  /// Whether `trim()` is worth its time: three quarters of the small blocks are free, of a MiB or more. Asked
  /// again behind a `trim()`, it takes a pool that has grown, or half of whose blocks have come back since.
  [[nodiscard]] bool is_mostly_free() const noexcept { return live_ < mostly_free_below_; }

 private:
  /// Where the pool's memory comes from.
  struct Source {
    std::pmr::memory_resource* resource;

    [[nodiscard]] void* take(std::size_t size, std::align_val_t alignment) const;
    void give_back(void* memory, std::size_t size, std::align_val_t alignment) const noexcept;
  };
  struct FreeBlock {
    FreeBlock* next;
  };
  static constexpr std::size_t largest_small = 1024;
  static constexpr std::size_t slab_size = std::size_t{16} * 1024;
  // Buffers: powers of two from 2 KiB to 256 KiB, each list keeps at most cached_bytes.
  static constexpr std::size_t smallest_large = 2048;
  static constexpr std::size_t large_classes = 8;
  static constexpr std::size_t cached_bytes = std::size_t{1024} * 1024;
  static constexpr std::size_t least_to_trim = std::size_t{1024} * 1024;

  static constexpr std::size_t small_class(std::size_t size) noexcept {
    return (size + granule - 1) / granule;
  }
  /// The size of the small block for `size` bytes.
  static constexpr std::size_t block_size(std::size_t size) noexcept {
    return small_class(size) != 0 ? small_class(size) * granule : granule;
  }
  static std::size_t large_class(std::size_t size) noexcept;
  static std::size_t usable_large_size(std::size_t size) noexcept;
  static bool is_told_to_pass_through() noexcept;

  /// A piece of memory that is divided into blocks of one size.
  struct Slab {
    struct Return {
      Source source;
      void operator()(std::byte* block) const noexcept;
    };
    std::unique_ptr<std::byte, Return> memory;
    std::size_t blocks;
    std::size_t free = 0;  // blocks of it; used in trim() alone

    [[nodiscard]] bool is_unused() const noexcept { return free == blocks; }
  };
  std::size_t trim_large() noexcept;
  void count_free_blocks() noexcept;
  void unlink_unused_slabs() noexcept;
  /// \pre the slabs are sorted
  Slab& slab_of(const FreeBlock* block) noexcept;

  void* allocate_slowly(std::size_t size);
  void* allocate_from_source(std::size_t size);
  void deallocate_slowly(void* memory, std::size_t size) noexcept;

  Source source_;
  std::array<FreeBlock*, largest_small / granule + 1> small_{};
  std::array<FreeBlock*, large_classes> large_{};
  std::array<std::size_t, large_classes> large_count_{};
  std::vector<Slab> slabs_;
  std::size_t blocks_ = 0;  // of all slabs
  std::size_t live_ = 0;
  std::size_t mostly_free_below_ = 0;  // this number of blocks in use
};

}  // namespace tsock::inline v0::detail
