#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tsock::detail {

/// A piece of memory that streams receive into. Large messages may stay in it.
struct ReceiveChunk {
  std::unique_ptr<std::byte[]> bytes;
  std::uint32_t messages = 0;  ///< that lie in it
};

/// The memory that all streams of a loop receive into, one after the other. A large message that came as a
/// whole stays where it was received and holds its chunk; the next read then goes to another one. How many
/// chunks can be held is bounded: beyond that, messages are copied out, so that one who keeps messages for
/// long does not keep a multiple of their size.
class ReceiveBuffer {
 public:
  static constexpr std::size_t chunk_size = std::size_t{128} * 1024;
  /// A smaller message costs less as a copy.
  static constexpr std::size_t smallest_in_place = std::size_t{8} * 1024;

  /// Room for a read, with nobody's messages in it. Empty when there is no memory.
  [[nodiscard]] std::span<std::byte> room() noexcept;
  /// The chunk in which a message at `bytes` may stay; null when it has to be copied.
  [[nodiscard]] ReceiveChunk* chunk_of(const std::byte* bytes) const noexcept;
  static void add_message(ReceiveChunk& chunk) noexcept { ++chunk.messages; }
  void remove_message(ReceiveChunk& chunk) noexcept;

 private:
  static constexpr std::size_t most_chunks = 8;
  static constexpr std::size_t most_idle_chunks = 2;

  ReceiveChunk* current_ = nullptr;
  std::vector<std::unique_ptr<ReceiveChunk>> chunks_;
};

}  // namespace tsock::detail
