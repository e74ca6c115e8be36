#pragma once

#include <cstddef>
#include <tsock/address.hpp>
#include <tsock/datagram_info.hpp>
#include <tsock/export.hpp>

namespace tsock::inline v0::detail {

class LoopCore;

/// Header of the block that holds a datagram, so that a ReceivedDatagram is one pointer. DatagramInfo, if
/// asked for, is between header and bytes.
struct DatagramBlock {
  LoopCore* core;
  std::size_t size;
  bool has_info;
  Address source;

  [[nodiscard]] std::size_t block_size() const noexcept {
    return sizeof(DatagramBlock) + (has_info ? sizeof(DatagramInfo) : 0) + size;
  }
  [[nodiscard]] DatagramInfo* info() noexcept {
    return has_info ? reinterpret_cast<DatagramInfo*>(this + 1) : nullptr;
  }
  [[nodiscard]] std::byte* data() noexcept {
    return reinterpret_cast<std::byte*>(this + 1) + (has_info ? sizeof(DatagramInfo) : 0);
  }
};
static_assert(alignof(DatagramInfo) <= alignof(DatagramBlock));

/// Gives the block back to the pool of its loop.
TSOCK_EXPORT void free_datagram_block(DatagramBlock& block) noexcept;

inline const Address no_address;

}  // namespace tsock::inline v0::detail
