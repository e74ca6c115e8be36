#pragma once

#include <cstddef>
#include <tsock/export.hpp>

namespace tsock::inline v0::detail {

class LoopCore;

/// Header of a pool block that holds a message.
struct PduBlock {
  LoopCore* core;
  std::size_t capacity;  ///< bytes of the message that fit

  /// The block of bytes that are not in a chunk.
  [[nodiscard]] static PduBlock& of(std::byte* data) noexcept {
    return *(reinterpret_cast<PduBlock*>(data) - 1);
  }
};

/// Returns the memory of a message, to its receive chunk or to the pool of its loop.
TSOCK_EXPORT void free_pdu(std::byte* data, bool in_chunk) noexcept;

}  // namespace tsock::inline v0::detail
