#pragma once

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <span>

namespace tsock::inline v0 {

/// What a measuring framing says about the first bytes of a message: how long the message is, how many bytes
/// it has to see first, or that this is no message.
class MessageSize {
 public:
  /// The whole message has `message` bytes, of which the first `header` are not its body.
  [[nodiscard]] static constexpr MessageSize whole(std::size_t message, std::size_t header) noexcept {
    return MessageSize(message, header, 0);
  }
  /// It takes the first `bytes` bytes of the message to say.
  [[nodiscard]] static constexpr MessageSize need(std::size_t bytes) noexcept {
    return MessageSize(bytes, 0, needs_more);
  }
  /// No message begins like this: the read fails with `err`, a positive errno value.
  [[nodiscard]] static constexpr MessageSize invalid(int err = EMSGSIZE) noexcept {
    return MessageSize(0, 0, err);
  }

  [[nodiscard]] constexpr bool is_known() const noexcept { return err_ == 0; }
  /// Bytes of the message, or the bytes that are needed; 0 for no message.
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  [[nodiscard]] constexpr std::size_t header() const noexcept { return header_; }
  /// 0, also while more bytes are needed, or why this is no message.
  [[nodiscard]] constexpr int err() const noexcept { return err_ == needs_more ? 0 : err_; }

 private:
  static constexpr int needs_more = -1;
  constexpr MessageSize(std::size_t size, std::size_t header, int err) noexcept
      : size_(size), header_(header), err_(err) {}

  std::size_t size_;
  std::size_t header_;
  int err_;
};

/// The most first bytes that a measuring framing may need; the longest header of its messages is 255 bytes.
inline constexpr std::size_t largest_measured_begin = 64;

/// A framing that measures: `size_of(bytes)` is given the first bytes of a message, none at first, and says
/// how long the message is or how many bytes it needs, which have to be more. `max_message` is the longest
/// message accepted, header included; it is checked before memory is taken. The function is called from the
/// loop, and looks at the bytes only.
template <class F>
concept MeasuringFraming = requires(F& framing, std::span<const std::byte> bytes) {
  { framing.size_of(bytes) } -> std::same_as<MessageSize>;
  { framing.max_message } -> std::convertible_to<std::size_t>;
};

}  // namespace tsock::inline v0
