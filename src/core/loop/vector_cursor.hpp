#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <tsock/buffer.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// Sums the sizes of all vectors. \return false if they are too many or the sum does not fit (EMSGSIZE)
inline bool sum_vectors(std::span<const iovec> vectors, std::size_t& total) noexcept {
  total = 0;
  if (vectors.size() > max_vectors) return false;
  for (const iovec& vector : vectors) {
    if (vector.iov_len > static_cast<std::size_t>(std::numeric_limits<ssize_t>::max()) - total) return false;
    total += vector.iov_len;
  }
  return true;
}

/// A copy of the caller's vectors with a position in them. Two vectors are kept inline, more in a block of
/// the pool.
class VectorCursor {
 public:
  VectorCursor() noexcept = default;
  VectorCursor(const VectorCursor&) = delete;
  VectorCursor& operator=(const VectorCursor&) = delete;
  ~VectorCursor() {
    if (has_block_) [[unlikely]]
      free_block();
  }

  /// Copies the vectors, more than two of them into a block of the pool; leaves out empty ones.
  void assign(LoopCore& core, std::span<const iovec> vectors) {
    if (vectors.size() == 1 && !has_block_) [[likely]] {
      inline_[0] = vectors[0];
      count_ = vectors[0].iov_len != 0 ? 1 : 0;
      index_ = 0;
      offset_ = 0;
    } else {
      assign_many(core, vectors);
    }
  }

  /// Number of vectors that are not empty.
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool done() const noexcept { return index_ == count_; }

  /// The vectors ahead of the position. \return number of vectors used
  std::size_t ahead(std::span<iovec> out) const noexcept {
    if (count_ == 1 && !out.empty()) [[likely]] {
      if (index_ == 1) return 0;
      out[0].iov_base = static_cast<std::byte*>(data()->iov_base) + offset_;
      out[0].iov_len = data()->iov_len - offset_;
      return 1;
    }
    const iovec* const list = data();
    std::size_t used = 0;
    for (std::size_t i = index_; i < count_ && used < out.size(); ++i) out[used++] = list[i];
    if (used != 0) {
      out[0].iov_base = static_cast<std::byte*>(out[0].iov_base) + offset_;
      out[0].iov_len -= offset_;
    }
    return used;
  }

  void advance(std::size_t bytes) noexcept {
    const iovec* const list = data();
    while (bytes != 0) {
      const std::size_t step = std::min(bytes, list[index_].iov_len - offset_);
      offset_ += step;
      bytes -= step;
      if (offset_ == list[index_].iov_len) {
        ++index_;
        offset_ = 0;
      }
    }
  }

  /// Copies `bytes` into the vectors and advances. \return bytes taken
  std::size_t fill(std::span<const std::byte> bytes) noexcept {
    const iovec* const list = data();
    std::size_t taken = 0;
    while (taken < bytes.size() && index_ < count_) {
      const std::size_t step = std::min(bytes.size() - taken, list[index_].iov_len - offset_);
      std::memcpy(static_cast<std::byte*>(list[index_].iov_base) + offset_, bytes.data() + taken, step);
      taken += step;
      offset_ += step;
      if (offset_ == list[index_].iov_len) {
        ++index_;
        offset_ = 0;
      }
    }
    return taken;
  }

  /// Visits what lies before the position, last part first.
  template <class F>
  void for_each_behind_backwards(F visit) const {
    const iovec* const list = data();
    if (index_ < count_ && offset_ != 0)
      visit(std::span<const std::byte>(static_cast<const std::byte*>(list[index_].iov_base), offset_));
    for (std::size_t i = index_; i-- > 0;)
      visit(std::span<const std::byte>(static_cast<const std::byte*>(list[i].iov_base), list[i].iov_len));
  }

 private:
  static constexpr std::size_t inline_capacity = 2;
  /// The header in front of the vectors of a block.
  struct Block {
    LoopCore* core;
    std::size_t size;
  };

  [[nodiscard]] const iovec* data() const noexcept { return has_block_ ? list_ : inline_; }
  [[nodiscard]] iovec* data() noexcept { return has_block_ ? list_ : inline_; }
  [[gnu::noinline]] void assign_many(LoopCore& core, std::span<const iovec> vectors) {
    if (has_block_) free_block();
    index_ = count_ = 0;
    offset_ = 0;
    if (vectors.size() > inline_capacity) allocate_block(core, vectors.size());
    iovec* const list = data();
    for (const iovec& vector : vectors) {
      if (vector.iov_len != 0) list[count_++] = vector;
    }
  }
  void allocate_block(LoopCore& core, std::size_t vectors) {
    const std::size_t size = sizeof(Block) + vectors * sizeof(iovec);
    auto* const block = ::new (core.allocate(size)) Block{&core, size};
    list_ = ::new (static_cast<void*>(block + 1)) iovec[vectors];
    has_block_ = true;
  }
  void free_block() noexcept {
    Block* const block = reinterpret_cast<Block*>(list_) - 1;
    block->core->deallocate(block, block->size);
    has_block_ = false;
  }

  union {
    iovec inline_[inline_capacity];
    iovec* list_;
  };
  std::size_t offset_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t index_ = 0;
  bool has_block_ = false;
};

}  // namespace tsock::inline v0::detail
