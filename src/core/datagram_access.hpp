#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <tsock/received_datagram.hpp>
#include <type_traits>

#include "core/loop_core.hpp"

namespace tsock {

/// How the receivers fill a ReceivedDatagram.
class DatagramAccess {
 public:
  /// Room for `size` bytes.
  static std::byte* allocate(ReceivedDatagram& datagram, detail::LoopCore& core, std::size_t size) {
    datagram.free();
    const std::size_t capacity = detail::Pool::usable_size(size == 0 ? 1 : size);
    datagram.data_ = static_cast<std::byte*>(core.allocate(capacity));
    datagram.core_ = &core;
    datagram.capacity_ = static_cast<std::uint32_t>(capacity);
    datagram.size_ = static_cast<std::uint32_t>(size);
    return datagram.data_;
  }
  static void set_source(ReceivedDatagram& datagram, const Address& source) noexcept {
    datagram.source_ = source;
  }
  /// Copies what the kernel told; after `allocate()`.
  static void set_info(ReceivedDatagram& datagram, const DatagramInfo& info) {
    static_assert(std::is_trivially_destructible_v<DatagramInfo>);
    void* const block = datagram.core_->allocate(sizeof(DatagramInfo));
    datagram.info_ = ::new (block) DatagramInfo(info);
  }
};

}  // namespace tsock
