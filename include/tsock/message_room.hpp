#pragma once

#include <cstddef>
#include <span>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// Where a message goes of which only the one who has it knows the size: the reader makes room once it is
/// told. See `StreamBackend::try_read_message()`.
class TSOCK_EXPORT MessageRoom {
 public:
  /// Room for a message of `size` bytes, more than 0; it replaces room that was taken before. The reader owns
  /// it; the caller may fill it until it returns. Empty when the reader cannot have the message, and ends
  /// for that (EMSGSIZE, ENOMEM); the message then stays where it is.
  [[nodiscard]] virtual std::span<std::byte> take(std::size_t size) noexcept = 0;

 protected:
  MessageRoom() = default;
  MessageRoom(const MessageRoom&) = default;
  MessageRoom& operator=(const MessageRoom&) = default;
  ~MessageRoom() = default;
};

}  // namespace tsock::inline v0
