#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/layer/byte_block.hpp>

namespace tsock::inline v0::layer {

/// What protocols of length-prefixed messages differ in (GSSAPI, SASL, NPA): whole messages in, whole
/// messages out. A RecordEngine puts the lengths in front, checks them, and keeps what is not complete.
class TSOCK_EXPORT Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  /// Takes the handshake further. `message` is the peer's next one, empty in the first call of the side that
  /// begins. When there is an answer, which may be empty, its bytes are appended to `out` and `answers`
  /// becomes true. \return 0 when the handshake is done, EAGAIN when it needs another message, or an errno
  /// value; an answer is sent in each case.
  /// The default is done at once: the handshake was somebody else's.
  virtual int handshake(std::span<std::byte> /*message*/, ByteBlock& /*out*/, bool& /*answers*/) noexcept {
    return 0;
  }
  /// Whether this side sends the first message, or needs none.
  [[nodiscard]] virtual bool begins() const noexcept { return true; }

  /// Opens the body of a message, which it may change; what the body holds is appended to `plain`.
  /// \return 0 or an errno value.
  virtual int unwrap(std::span<std::byte> body, ByteBlock& plain) noexcept = 0;
  /// Makes the body of a message that holds `plain`, at most `most_plain()` bytes, and appends it to `out`.
  /// \return 0 or an errno value.
  virtual int wrap(std::span<const std::byte> plain, ByteBlock& out) noexcept = 0;
  /// The most that one message can hold; asked for once the handshake is done.
  [[nodiscard]] virtual std::size_t most_plain() const noexcept = 0;

  [[nodiscard]] virtual std::string_view reason() const noexcept { return {}; }
  /// What it means when the peer has ended the stream instead of sending its next message of the handshake;
  /// empty for the usual words.
  [[nodiscard]] virtual std::string_view reason_of_silence() const noexcept { return {}; }
  [[nodiscard]] virtual bool is_transparent() const noexcept { return false; }
};

}  // namespace tsock::inline v0::layer
