#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <tsock/datagram_backend.hpp>

namespace tsock::inline v0::detail {

/// Room for the datagrams of one system call. Most datagrams are small: the first 2 KiB of each slot lie
/// close together, so that a batch stays in the cache; only large datagrams touch the rest of the room.
class ReceiveBatch {
 public:
  static constexpr std::size_t capacity = 32;

  ReceiveBatch()
      : heads_(std::make_unique_for_overwrite<std::byte[]>(capacity * head_size)),
        tails_(std::make_unique_for_overwrite<std::byte[]>(capacity * tail_size)) {
    for (std::size_t i = 0; i < capacity; ++i) {
      slots_[i].room[0] = iovec{heads_.get() + i * head_size, head_size};
      slots_[i].room[1] = iovec{tails_.get() + i * tail_size, tail_size};
    }
  }

  /// All slots, ready to receive; with `info`, each has a place for what the kernel reports about its
  /// datagram.
  std::span<DatagramSlot> prepare(bool info) {
    if (info != has_infos_) [[unlikely]]
      set_infos(info);
    return slots_;
  }
  /// Makes the first `used` slots ready again.
  void clear(std::size_t used) noexcept {
    for (DatagramSlot& slot : std::span(slots_).first(used)) {
      slot.segment = 0;
      slot.room[2] = iovec{nullptr, 0};
    }
  }
  [[nodiscard]] DatagramSlot& slot(std::size_t index) noexcept { return slots_[index]; }

 private:
  static constexpr std::size_t head_size = 2048;
  static constexpr std::size_t tail_size = std::size_t{65536} - head_size;

  [[gnu::noinline]] void set_infos(bool info) {
    if (info && infos_ == nullptr) infos_ = std::make_unique<std::array<DatagramInfo, capacity>>();
    for (std::size_t i = 0; i < capacity; ++i) slots_[i].info = info ? &(*infos_)[i] : nullptr;
    has_infos_ = info;
  }

  std::unique_ptr<std::byte[]> heads_;
  std::unique_ptr<std::byte[]> tails_;
  std::array<DatagramSlot, capacity> slots_;
  std::unique_ptr<std::array<DatagramInfo, capacity>> infos_;
  bool has_infos_ = false;
};

}  // namespace tsock::inline v0::detail
