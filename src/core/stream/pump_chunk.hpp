#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// Returns the memory of a chunk to the pool of its loop.
class FreePumpBlock {
 public:
  FreePumpBlock() noexcept = default;
  FreePumpBlock(LoopCore& core, std::size_t size) noexcept : core_(&core), size_(size) {}
  void operator()(std::byte* block) const noexcept { core_->deallocate(block, size_); }

 private:
  LoopCore* core_ = nullptr;
  std::size_t size_ = 0;
};
using PumpBlock = std::unique_ptr<std::byte, FreePumpBlock>;

/// A buffer on its way through a pump. It has a block only while the pump has bytes.
class PumpChunk {
 public:
  PumpChunk() noexcept = default;
  PumpChunk(const PumpChunk&) = delete;
  PumpChunk& operator=(const PumpChunk&) = delete;
  ~PumpChunk() { clear(); }

  /// The whole block. Empty when out of memory.
  [[nodiscard]] std::span<std::byte> space(LoopCore& core, std::size_t size) noexcept {
    try {
      if (block_ == nullptr)
        block_ = PumpBlock(static_cast<std::byte*>(core.allocate(size)), FreePumpBlock(core, size));
    } catch (const std::bad_alloc&) {
      return {};
    }
    return {block_.get(), size};
  }
  void fill(std::size_t size) noexcept { end_ = size; }
  void drop_front(std::size_t size) noexcept { begin_ += size; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {block_.get() + begin_, end_ - begin_};
  }
  void clear() noexcept {
    if (heir_ != nullptr) *std::exchange(heir_, nullptr) = std::move(block_);
    block_.reset();
    begin_ = end_ = 0;
  }
  /// Takes the bytes away and keeps the block.
  void empty() noexcept { begin_ = end_ = 0; }
  /// Sets where the block goes when the chunk is cleared, for as long as the bytes have to stay; null frees
  /// it.
  void set_heir(PumpBlock* heir) noexcept { heir_ = heir; }

 private:
  PumpBlock block_;
  PumpBlock* heir_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace tsock::inline v0::detail
