#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <tsock/pdu.hpp>

#include "core/loop_core.hpp"

namespace tsock {

/// How the readers fill a Pdu.
class PduAccess {
 public:
  static void allocate(Pdu& pdu, detail::LoopCore& core, std::size_t size) {
    pdu.free();
    const std::size_t block = detail::Pool::usable_size(sizeof(detail::PduBlock) + size);
    const std::size_t capacity = block - sizeof(detail::PduBlock);
    pdu.block_ =
        ::new (core.allocate(block)) detail::PduBlock{&core, static_cast<std::uint32_t>(capacity), 0, 0, 0};
  }
  /// Makes a message of `size` bytes, whose body begins at `body_begin` and ends with it; the Pdu is empty.
  /// \return where the bytes go.
  [[gnu::always_inline]] static std::byte* make(Pdu& pdu, detail::LoopCore& core, std::uint32_t size,
                                                std::uint32_t body_begin) {
    const std::size_t room = detail::Pool::usable_size(sizeof(detail::PduBlock) + size);
    const auto capacity = static_cast<std::uint32_t>(room - sizeof(detail::PduBlock));
    auto* const block = ::new (core.allocate(room)) detail::PduBlock{&core, capacity, size, body_begin, size};
    pdu.block_ = block;
    return reinterpret_cast<std::byte*>(block + 1);
  }
  /// The same of bytes that are there already, at `place`, and stay in their chunk.
  [[gnu::always_inline]] static void place(Pdu& pdu, detail::LoopCore& core, detail::ReceiveChunk& chunk,
                                           std::byte* place, std::uint32_t size, std::uint32_t body_begin) {
    pdu.block_ = ::new (core.allocate(sizeof(detail::PlacedPduBlock)))
        detail::PlacedPduBlock{{&core, 0, size, body_begin, size}, place, &chunk};
    detail::ReceiveBuffer::add_message(chunk);
  }
  /// Of the message, also while it is incomplete; 0 when there is none yet.
  [[nodiscard]] static std::uint32_t size(const Pdu& pdu) noexcept {
    return pdu.block_ != nullptr ? pdu.block_->size : 0;
  }
  static void set_size(Pdu& pdu, std::uint32_t size) noexcept { pdu.block_->size = size; }
  static void reset(Pdu& pdu) noexcept { pdu.free(); }
  [[nodiscard]] static std::byte* data(Pdu& pdu) noexcept {
    return pdu.block_ != nullptr ? pdu.block_->data() : nullptr;
  }
  [[nodiscard]] static std::size_t capacity(const Pdu& pdu) noexcept {
    return pdu.block_ != nullptr ? pdu.block_->capacity : 0;
  }
  /// Of a Pdu that was allocated.
  static void set_extent(Pdu& pdu, std::size_t size, std::size_t body_begin, std::size_t body_end) noexcept {
    pdu.block_->size = static_cast<std::uint32_t>(size);
    pdu.block_->body_begin = static_cast<std::uint32_t>(body_begin);
    pdu.block_->body_end = static_cast<std::uint32_t>(body_end);
  }
};

}  // namespace tsock
