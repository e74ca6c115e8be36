#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <tsock/buffer.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

/// The vectors of one call of a backend. Small ones are copied together into the loop's send buffer, which
/// costs less than a vector each; the others go out in place. What lies side by side becomes one vector.
class WriteGather {
 public:
  /// A vector up to this size is small.
  static constexpr std::size_t small = 1024;

  explicit WriteGather(LoopCore& core) noexcept : core_(&core) {}

  [[nodiscard]] std::span<const iovec> vectors() const noexcept { return std::span(vectors_).first(count_); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

  /// Puts the vector behind the others, as it is. \return false when there is no room.
  bool add(const iovec& vector) noexcept {
    if (vector.iov_base == end_) {
      vectors_[count_ - 1].iov_len += vector.iov_len;
    } else {
      if (count_ == vectors_.size()) return false;
      vectors_[count_++] = vector;
    }
    end_ = static_cast<std::byte*>(vector.iov_base) + vector.iov_len;
    bytes_ += vector.iov_len;
    return true;
  }

  /// The same with a copy of its bytes, while the send buffer has room.
  bool add_copy(const iovec& vector) noexcept {
    if (room_ < vector.iov_len) [[unlikely]] {
      if (!may_borrow_) return add(vector);
      may_borrow_ = false;
      const std::span<std::byte> buffer = core_->send_buffer();
      place_ = buffer.data();
      room_ = buffer.size();
      return add_copy(vector);
    }
    if (!add(iovec{place_, vector.iov_len})) return false;
    std::memcpy(place_, vector.iov_base, vector.iov_len);
    place_ += vector.iov_len;
    room_ -= vector.iov_len;
    return true;
  }

 private:
  LoopCore* core_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  void* end_ = nullptr;         // of the last vector
  std::byte* place_ = nullptr;  // of the next copy
  std::size_t room_ = 0;        // bytes there
  bool may_borrow_ = true;
  std::array<iovec, 256> vectors_;
};

}  // namespace tsock::detail
