#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <tsock/received_datagram.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0 {

/// Lets the receivers fill a ReceivedDatagram.
class DatagramAccess {
 public:
  /// Makes a datagram with room for `size` bytes from `source`, and a copy of `info`, if that is not null.
  [[nodiscard]] static ReceivedDatagram make(detail::LoopCore& core, std::size_t size, const Address& source,
                                             const DatagramInfo* info = nullptr) {
    using detail::DatagramBlock;
    ReceivedDatagram datagram;
    const std::size_t told = info != nullptr ? sizeof(DatagramInfo) : 0;
    datagram.block_ = ::new (core.allocate(sizeof(DatagramBlock) + told + size))
        DatagramBlock{&core, size, info != nullptr, source};
    if (info != nullptr) [[unlikely]]
      ::new (static_cast<void*>(datagram.block_->info())) DatagramInfo(*info);
    return datagram;
  }
  [[nodiscard]] static std::span<std::byte> room(ReceivedDatagram& datagram) noexcept {
    return datagram.all();
  }
  /// Whether there is no datagram; one without bytes counts as a datagram.
  [[nodiscard]] static bool is_none(const ReceivedDatagram& datagram) noexcept {
    return datagram.block_ == nullptr;
  }
};

}  // namespace tsock::inline v0
