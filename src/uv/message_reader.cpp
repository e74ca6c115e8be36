#include "uv/message_reader.hpp"

#include <algorithm>
#include <cstring>

namespace tsock::inline v0::detail {

bool MessageReader::has_room(std::span<const iovec> vectors, std::size_t size) noexcept {
  std::size_t room = 0;
  for (const iovec& vector : vectors) room += vector.iov_len;
  return room >= size;
}

ssize_t MessageReader::take_kept(std::span<const iovec> vectors) noexcept {
  std::size_t taken = 0;
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, end_ - begin_);
    if (step != 0) std::memcpy(vector.iov_base, kept_.get() + begin_, step);
    begin_ += step;
    taken += step;
  }
  if (begin_ == end_) kept_.reset();
  return static_cast<ssize_t>(taken);
}

}  // namespace tsock::inline v0::detail
