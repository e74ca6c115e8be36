#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/export.hpp>
#include <vector>

namespace tsock::inline v0 {

/// The buffers for the next bytes of a message, filled in by the function given to `Stream::readv_pdu()`. Up
/// to four vectors need no heap allocation.
class TSOCK_EXPORT VectorList {
 public:
  /// Adds a buffer to fill completely. It stays the caller's and must live until the next call of the
  /// function, the completion, or the destruction of the Request.
  void add(std::span<std::byte> buffer) { add(make_vector(buffer)); }
  void add(iovec vector) {
    if (count_ < inline_.size()) {
      inline_[count_++] = vector;
      return;
    }
    if (count_ == inline_.size()) more_.assign(inline_.begin(), inline_.end());
    more_.push_back(vector);
    ++count_;
  }
  void clear() noexcept {
    count_ = 0;
    more_.clear();
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::span<const iovec> vectors() const noexcept {
    return count_ <= inline_.size() ? std::span<const iovec>(inline_.data(), count_)
                                    : std::span<const iovec>(more_);
  }

 private:
  std::array<iovec, 4> inline_{};
  std::size_t count_ = 0;
  std::vector<iovec> more_;
};

}  // namespace tsock::inline v0
