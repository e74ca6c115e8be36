#pragma once

#include <cstddef>
#include <tsock/export.hpp>

namespace tsock::detail {

class LoopCore;

/// What stands in front of a message's bytes in a block of the pool.
struct PduBlock {
  LoopCore* core;
  std::size_t capacity;  ///< bytes of the message that fit

  /// The block of bytes that do not lie in a chunk.
  [[nodiscard]] static PduBlock& of(std::byte* data) noexcept {
    return *(reinterpret_cast<PduBlock*>(data) - 1);
  }
};

/// Gives the memory of a message back, to the chunk that it was received in or to the pool of its loop.
TSOCK_EXPORT void free_pdu(std::byte* data, bool in_chunk) noexcept;

}  // namespace tsock::detail
