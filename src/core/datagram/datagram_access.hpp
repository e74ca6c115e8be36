#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <tsock/received_datagram.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock {

/// How the receivers fill a ReceivedDatagram.
class DatagramAccess {
 public:
  /// Room for `size` bytes from `source`, and a copy of what the kernel told if that is not null.
  static std::span<std::byte> allocate(ReceivedDatagram& datagram, detail::LoopCore& core, std::size_t size,
                                       const Address& source, const DatagramInfo* info = nullptr) {
    using detail::DatagramBlock;
    datagram.free();
    const std::size_t header = sizeof(DatagramBlock) + (info != nullptr ? sizeof(DatagramInfo) : 0);
    const std::size_t block = detail::Pool::usable_size(header + size);
    datagram.block_ = ::new (core.allocate(block))
        DatagramBlock{&core, block - sizeof(DatagramBlock), size, info != nullptr, source};
    if (info != nullptr) ::new (static_cast<void*>(datagram.block_->info())) DatagramInfo(*info);
    return {datagram.block_->data(), size};
  }
};

}  // namespace tsock
