#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <tsock/buffer.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// The vectors of one call of a backend. Adjacent vectors go as one. Small pieces are copied together into
/// the loop's send buffer, which costs less than a vector each; larger ones, and a single one, go out in
/// place.
template <std::size_t most_vectors>
class BasicWriteGather {
 public:
  explicit BasicWriteGather(LoopCore& core) noexcept : core_(&core) {}

  /// Puts the vector behind the others. \return false when there is no room for the vectors before it
  bool add(const iovec& vector) noexcept {
    if (vector.iov_base == run_end_) {
      run_.iov_len += vector.iov_len;
    } else {
      if (run_.iov_len != 0 && !(run_.iov_len <= small ? put_copy() : put(run_))) return false;
      run_ = vector;
    }
    run_end_ = static_cast<std::byte*>(vector.iov_base) + vector.iov_len;
    return true;
  }
  /// To be called after the last vector.
  void finish() noexcept {
    if (run_.iov_len == 0) return;
    if (count_ == 0 || run_.iov_len > small) {
      put(run_);
    } else {
      put_copy();
    }
  }

  // After `finish()`:
  [[nodiscard]] std::span<const iovec> vectors() const noexcept { return std::span(vectors_).first(count_); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0 && run_.iov_len == 0; }

 private:
  static constexpr std::size_t small = 1024;

  bool put(const iovec& vector) noexcept {
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
  // Copies the run while the send buffer has room, and puts it in place otherwise.
  bool put_copy() noexcept {
    if (room_ < run_.iov_len) [[unlikely]] {
      if (!may_borrow_) return put(run_);
      may_borrow_ = false;
      const std::span<std::byte> buffer = core_->leases().send_buffer();
      place_ = buffer.data();
      room_ = buffer.size();
      return put_copy();
    }
    if (!put(iovec{place_, run_.iov_len})) return false;
    std::memcpy(place_, run_.iov_base, run_.iov_len);
    place_ += run_.iov_len;
    room_ -= run_.iov_len;
    return true;
  }

  LoopCore* core_;
  iovec run_{};  // adjacent vectors, still to be put
  void* run_end_ = nullptr;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  void* end_ = nullptr;         // end of the last vector
  std::byte* place_ = nullptr;  // where the next copy goes
  std::size_t room_ = 0;        // bytes of room there
  bool may_borrow_ = true;
  std::array<iovec, most_vectors> vectors_;
};

using WriteGather = BasicWriteGather<256>;
/// Has room for every message, which must not be cut.
using MessageGather = BasicWriteGather<max_vectors + 1>;

}  // namespace tsock::inline v0::detail
