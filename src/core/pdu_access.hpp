#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/pdu.hpp>

#include "core/loop_core.hpp"

namespace tsock {

/// How the readers fill a Pdu.
class PduAccess {
 public:
  static void allocate(Pdu& pdu, detail::LoopCore& core, std::size_t size) {
    pdu.free();
    const std::size_t capacity = detail::Pool::usable_size(size == 0 ? 1 : size);
    pdu.data_ = static_cast<std::byte*>(core.allocate(capacity));
    pdu.core_ = &core;
    pdu.capacity_ = static_cast<std::uint32_t>(capacity);
  }
  static void reset(Pdu& pdu) noexcept { pdu.free(); }
  [[nodiscard]] static std::byte* data(Pdu& pdu) noexcept { return pdu.data_; }
  [[nodiscard]] static std::size_t capacity(const Pdu& pdu) noexcept { return pdu.capacity_; }
  static void set_extent(Pdu& pdu, std::size_t size, std::size_t body_begin, std::size_t body_end) noexcept {
    pdu.size_ = static_cast<std::uint32_t>(size);
    pdu.body_begin_ = static_cast<std::uint32_t>(body_begin);
    pdu.body_end_ = static_cast<std::uint32_t>(body_end);
  }
};

}  // namespace tsock
