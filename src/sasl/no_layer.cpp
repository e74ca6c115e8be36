#include "sasl/no_layer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tsock::inline v0::sasl {

using layer::ByteBlock;
using layer::Step;

Step NoLayer::unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                     ByteBlock& /*out*/) noexcept {
  std::size_t skip = given;
  for (const iovec& vector : to) {
    if (skip >= vector.iov_len) {
      skip -= vector.iov_len;
      continue;
    }
    const std::size_t size = std::min(vector.iov_len - skip, in.size());
    if (size == 0) break;
    std::memcpy(static_cast<std::byte*>(vector.iov_base) + skip, in.bytes().data(), size);
    in.take(size);
    given += size;
    skip = 0;
  }
  if (!in.empty()) return {};
  if (at_end) return {.err = given == 0 ? EPIPE : 0};
  return {.input = 1};
}

Step NoLayer::wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept {
  std::size_t skip = taken;
  for (const iovec& vector : from) {
    if (skip >= vector.iov_len) {
      skip -= vector.iov_len;
      continue;
    }
    if (out.size() >= most_output) break;
    const std::size_t size = std::min(vector.iov_len - skip, most_output - out.size());
    if (!out.append({static_cast<const std::byte*>(vector.iov_base) + skip, size})) return {.err = ENOMEM};
    taken += size;
    if (size != vector.iov_len - skip) break;
    skip = 0;
  }
  return {};
}

}  // namespace tsock::inline v0::sasl
