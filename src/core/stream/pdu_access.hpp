#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <tsock/pdu.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0 {

/// Lets the readers fill a Pdu.
class PduAccess {
 public:
  /// Makes a message of `size` bytes, whose body reaches from `body_begin` to its end. \pre the Pdu is empty
  /// \return where the bytes go
  [[gnu::always_inline]] static std::byte* make(Pdu& pdu, detail::LoopCore& core, std::uint32_t size,
                                                std::uint32_t body_begin) {
    return make_begin(pdu, core, size, body_begin, size);
  }
  /// As `make()`, with room for the first `room` bytes only, or some more; see `capacity()`.
  [[gnu::always_inline]] static std::byte* make_begin(Pdu& pdu, detail::LoopCore& core, std::uint32_t size,
                                                      std::uint32_t body_begin, std::size_t room) {
    const std::size_t block_size = detail::Pool::usable_size(sizeof(detail::PduBlock) + room);
    auto* const block =
        ::new (core.allocate(block_size)) detail::PduBlock{&core, block_size - sizeof(detail::PduBlock)};
    pdu.data_ = reinterpret_cast<std::byte*>(block + 1);
    pdu.extent_ = Pdu::extent(size, body_begin, 0, false);
    return pdu.data_;
  }
  /// As `make()`, for bytes that are already there, at `place`, and stay in their chunk.
  [[gnu::always_inline]] static void place(Pdu& pdu, std::byte* place, std::uint32_t size,
                                           std::uint32_t body_begin) noexcept {
    pdu.data_ = place;
    pdu.extent_ = Pdu::extent(size, body_begin, 0, true);
  }
  /// The size of the message, also while it is incomplete; 0 when there is none yet.
  [[nodiscard]] static std::uint32_t size(const Pdu& pdu) noexcept { return pdu.size_or_0(); }
  [[nodiscard]] static bool is_bare(const Pdu& pdu) noexcept { return pdu.data_ == nullptr; }
  static void reset(Pdu& pdu) noexcept { pdu.free(); }
  [[nodiscard]] static std::byte* data(Pdu& pdu) noexcept { return pdu.data_; }
  /// The room of a Pdu that was made; 0 for an empty one.
  [[nodiscard]] static std::size_t capacity(const Pdu& pdu) noexcept {
    return pdu.data_ != nullptr ? detail::PduBlock::of(pdu.data_).capacity : 0;
  }
  /// Where the body begins. \pre the message was made
  [[nodiscard]] static std::uint32_t body_begin(const Pdu& pdu) noexcept {
    return static_cast<std::uint32_t>(pdu.body_begin());
  }
  /// \pre the message was made
  static void set_extent(Pdu& pdu, std::uint32_t size, std::uint32_t tail) noexcept {
    pdu.extent_ = Pdu::extent(size, 0, tail, false);
  }
  /// Keeps a word for the reader in an empty Pdu.
  static void set_note(Pdu& pdu, std::uint64_t note) noexcept { pdu.extent_ = note; }
  [[nodiscard]] static std::uint64_t note(const Pdu& pdu) noexcept { return pdu.extent_; }
};

}  // namespace tsock::inline v0
