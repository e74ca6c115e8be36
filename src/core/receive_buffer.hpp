#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tsock::detail {

/// A piece of memory that streams receive into. Messages may stay in it.
struct ReceiveChunk {
  std::unique_ptr<std::byte[]> bytes;
  std::uint32_t messages = 0;  ///< that lie in it
};

/// The memory that all streams of a loop receive into, one after the other. A message that came as a whole
/// may stay where it was received and holds its chunk; the next read then goes behind it or to another chunk.
/// How many chunks can be held is bounded, the more so by small messages: beyond that, messages are copied
/// out, so that one who keeps messages for long does not keep a multiple of their size.
class ReceiveBuffer {
 public:
  static constexpr std::size_t chunk_size = std::size_t{128} * 1024;
  /// A smaller message costs less as a copy.
  static constexpr std::size_t smallest_in_place = 32;
  /// A message of that size is large: copying it costs more than anything else.
  static constexpr std::size_t large_message = std::size_t{8} * 1024;

  /// Room for a read, with nobody's messages in it: a chunk, or nearly all of one. Empty when there is no
  /// memory.
  [[nodiscard]] std::span<std::byte> room() noexcept {
    if (current_ == nullptr || current_->messages != 0) [[unlikely]]
      return room_beside_messages();
    return {current_->bytes.get(), chunk_size};
  }
  /// The room was used up to that place.
  void use_until(const std::byte* end) noexcept {
    used_ = static_cast<std::size_t>(end - current_->bytes.get());
  }
  /// The chunk in which a message of that size at `bytes` may stay; null when it has to be copied.
  [[nodiscard]] ReceiveChunk* chunk_of(const std::byte* bytes, std::size_t size) const noexcept {
    if (current_ == nullptr || size < smallest_in_place) return nullptr;
    if (current_->messages == 0 && !may_hold_another(size)) return nullptr;
    const std::byte* const begin = current_->bytes.get();
    const bool inside = std::less_equal<>()(begin, bytes) && std::less<>()(bytes, begin + chunk_size);
    return inside ? current_ : nullptr;
  }
  static void add_message(ReceiveChunk& chunk) noexcept { ++chunk.messages; }
  void remove_message(ReceiveChunk& chunk) noexcept {
    if (--chunk.messages == 0 && &chunk != current_) free_idle(chunk);
  }

 private:
  static constexpr std::size_t most_chunks = 8;
  static constexpr std::size_t most_chunks_of_small = 4;
  static constexpr std::size_t most_idle_chunks = 2;
  // So much of a chunk may be in use before the next read goes to another one.
  static constexpr std::size_t most_used = std::size_t{32} * 1024;

  [[nodiscard]] bool may_hold_another(std::size_t size) const noexcept {
    return chunks_.size() <= (size < large_message ? most_chunks_of_small : most_chunks);
  }
  std::span<std::byte> room_beside_messages() noexcept;
  void free_idle(const ReceiveChunk& chunk) noexcept;

  ReceiveChunk* current_ = nullptr;
  std::size_t used_ = 0;  // of the current one
  std::vector<std::unique_ptr<ReceiveChunk>> chunks_;
};

}  // namespace tsock::detail
