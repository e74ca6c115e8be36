#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <tsock/buffer.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

/// The size of all vectors. \return false when they are too many or the sum does not fit (EMSGSIZE).
inline bool sum_vectors(std::span<const iovec> vectors, std::size_t& total) noexcept {
  total = 0;
  if (vectors.size() > max_vectors) return false;
  for (const iovec& vector : vectors) {
    if (vector.iov_len > static_cast<std::size_t>(std::numeric_limits<ssize_t>::max()) - total) return false;
    total += vector.iov_len;
  }
  return true;
}

/// A copy of the caller's vectors with a place in them. Two vectors are kept inline, more in a block of the
/// pool.
class VectorCursor {
 public:
  explicit VectorCursor(LoopCore& core) noexcept : core_(&core) {}
  VectorCursor(const VectorCursor&) = delete;
  VectorCursor& operator=(const VectorCursor&) = delete;
  ~VectorCursor() { free_block(); }

  /// Copies the vectors; empty ones are left out.
  void assign(std::span<const iovec> vectors) {
    if (block_ != nullptr) free_block();
    if (vectors.size() == 1) [[likely]] {
      inline_[0] = vectors[0];
      count_ = vectors[0].iov_len != 0 ? 1 : 0;
      index_ = 0;
      offset_ = 0;
      return;
    }
    if (vectors.size() > inline_capacity) {
      block_size_ = static_cast<std::uint32_t>(vectors.size() * sizeof(iovec));
      block_ = static_cast<iovec*>(core_->allocate(block_size_));
    }
    iovec* const list = data();
    count_ = index_ = 0;
    offset_ = 0;
    for (const iovec& vector : vectors) {
      if (vector.iov_len != 0) list[count_++] = vector;
    }
  }

  /// Vectors that are not empty.
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool done() const noexcept { return index_ == count_; }

  /// The part that lies ahead. \return vectors used.
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

  /// Copies into the vectors. \return bytes taken.
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

  /// Visits what lies behind the place, last part first.
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

  [[nodiscard]] const iovec* data() const noexcept { return block_ != nullptr ? block_ : inline_; }
  [[nodiscard]] iovec* data() noexcept { return block_ != nullptr ? block_ : inline_; }
  void free_block() noexcept {
    if (block_ == nullptr) return;
    core_->deallocate(block_, block_size_);
    block_ = nullptr;
  }

  LoopCore* core_;
  iovec* block_ = nullptr;
  std::uint32_t block_size_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t index_ = 0;
  std::size_t offset_ = 0;
  iovec inline_[inline_capacity];
};

}  // namespace tsock::detail
