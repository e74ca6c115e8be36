#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "core/base/memory_poison.hpp"

namespace tsock::inline v0::detail {

class LoopCore;

/// The header of a piece of memory that streams receive into and in which messages may stay. The chunk is
/// aligned to its size, so that a message finds the chunk that it lies in.
struct ReceiveChunk {
  static constexpr std::size_t size = std::size_t{128} * 1024;
  static constexpr std::size_t room_size = size - 64;

  LoopCore* core;
  std::uint32_t messages = 0;  ///< number of messages in the chunk

  [[nodiscard]] std::byte* room() noexcept { return reinterpret_cast<std::byte*>(this) + (size - room_size); }
  /// The chunk that contains the byte at `place`.
  [[nodiscard]] static ReceiveChunk& of(std::byte* place) noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return *reinterpret_cast<ReceiveChunk*>(reinterpret_cast<std::uintptr_t>(place) & ~(size - 1));
  }
};

/// The memory that all streams of a loop receive into, one after the other. A message that came as a whole
/// may stay where it was received and holds its chunk; the next read then goes behind it or to another chunk.
/// The number of held chunks is bounded, more tightly for small messages: beyond the bound, messages are
/// copied out, so that a user who keeps messages for long does not keep a multiple of their size.
class ReceiveBuffer {
 public:
  /// Size from which a message counts as large: copying it costs more than anything else.
  static constexpr std::size_t large_message = std::size_t{8} * 1024;

  explicit ReceiveBuffer(LoopCore* core) noexcept : core_(core) {}

  /// Room for a read, free of messages: a whole chunk or most of one. Empty when out of memory.
  [[nodiscard]] std::span<std::byte> room() noexcept {
    if (current_ == nullptr || current_->messages != 0) [[unlikely]]
      return room_beside_messages();
    unpoison_memory(current_->room(), ReceiveChunk::room_size);
    return {current_->room(), ReceiveChunk::room_size};
  }
  /// Notes that the room was used up to `end`.
  void use_until(const std::byte* end) noexcept { used_ = static_cast<std::size_t>(end - current_->room()); }
  /// Whether a message of that size in the chunk that was read into last may stay there.
  [[nodiscard]] bool may_stay(std::size_t size) const noexcept {
    return current_->messages != 0 || may_hold_another(size);
  }
  /// As above, for a message at any address.
  [[nodiscard]] bool may_stay(const std::byte* bytes, std::size_t size) const noexcept {
    if (current_ == nullptr || !may_stay(size)) return false;
    const std::byte* const begin = current_->room();
    return std::less_equal<>()(begin, bytes) && std::less<>()(bytes, begin + ReceiveChunk::room_size);
  }
  /// Counts a message that stays. \return true if it is the chunk's first one
  [[gnu::always_inline]] bool add_message() noexcept { return current_->messages++ == 0; }
  /// Called when the last message of a chunk is gone.
  void chunk_is_free(ReceiveChunk& chunk) noexcept {
    if (&chunk == current_) return;
    poison_memory(chunk.room(), ReceiveChunk::room_size);
    free_idle(chunk);
  }
  /// Called when no bytes in the chunk that was read into last wait for a reader any more.
  void lease_ended() noexcept {
    if constexpr (memory_is_watched) {
      if (current_ != nullptr && current_->messages == 0)
        poison_memory(current_->room(), ReceiveChunk::room_size);
    }
  }

 private:
  static constexpr std::size_t most_chunks = 8;
  static constexpr std::size_t most_chunks_of_small = 4;
  static constexpr std::size_t most_idle_chunks = 2;
  // How much of a chunk may be in use before the next read goes to another one.
  static constexpr std::size_t most_used = std::size_t{32} * 1024;

  struct Free {
    void operator()(ReceiveChunk* chunk) const noexcept;
  };

  [[nodiscard]] bool may_hold_another(std::size_t size) const noexcept {
    return chunks_.size() <= (size < large_message ? most_chunks_of_small : most_chunks);
  }
  std::span<std::byte> room_beside_messages() noexcept;
  void free_idle(const ReceiveChunk& chunk) noexcept;

  LoopCore* core_;
  ReceiveChunk* current_ = nullptr;
  std::size_t used_ = 0;  // bytes of the current chunk
  std::vector<std::unique_ptr<ReceiveChunk, Free>> chunks_;
};

}  // namespace tsock::inline v0::detail
