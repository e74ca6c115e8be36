#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/layer/byte_block.hpp>

namespace tsock::inline v0::layer {

/// Moves up to `most` bytes from the front of a block into the vectors, of which the first `skip` bytes are
/// filled. \return the bytes moved
inline std::size_t give_bytes(ByteBlock& block, std::size_t most, std::span<const iovec> to,
                              std::size_t skip) noexcept {
  std::size_t given = 0;
  for (const iovec& vector : to) {
    if (skip >= vector.iov_len) {
      skip -= vector.iov_len;
      continue;
    }
    const std::size_t step = std::min(vector.iov_len - skip, most - given);
    if (step == 0) break;
    std::memcpy(static_cast<std::byte*>(vector.iov_base) + skip, block.bytes().data(), step);
    block.take(step);
    given += step;
    skip = 0;
  }
  return given;
}

}  // namespace tsock::inline v0::layer
