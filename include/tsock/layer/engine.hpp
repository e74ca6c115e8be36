#pragma once

#include <cerrno>
#include <cstddef>
#include <span>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/export.hpp>
#include <tsock/layer/byte_block.hpp>
#include <tsock/layer/step.hpp>
#include <tsock/layer/wrapped_message.hpp>
#include <tsock/message_room.hpp>

namespace tsock::inline v0::layer {

/// A transformation of a stream without I/O, such as TLS: bytes in, bytes out. It knows no stream and no
/// loop, calls nobody back, and keeps no pointer into what it is given. `LayerStream` drives it; a test needs
/// two ByteBlocks.
///
/// Input is consumed from the front of `in`, of which the engine takes what it can use; everything that is
/// meant for the peer is appended to `out`, also by calls that are about the other direction (answers,
/// alerts). With `at_end` no more input comes: the engine then asks for none, but says how the stream ended
/// (EPIPE, or EPROTO for a stream that was cut). No function throws; ENOMEM ends the direction that met it.
class TSOCK_EXPORT Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// Takes the handshake further. It is done when `err` and `input` are 0; input that is left belongs to the
  /// stream behind it. While its last output waits, a finished handshake is asked again, and has to say the
  /// same without appending anything.
  virtual Step handshake(ByteBlock& in, bool at_end, ByteBlock& out) noexcept = 0;

  /// Turns bytes of the peer into bytes for the user and puts them into `to`, of which the first `given`
  /// bytes are filled already; `given` grows. Goes on until `to` is full, input is missing, or the direction
  /// is over. With an empty `to` it only gets the next bytes ready. An error is told in a call that gives
  /// nothing, and in each one behind that.
  virtual Step unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                      ByteBlock& out) noexcept = 0;
  /// Bytes that `unwrap()` can give without further input; where messages have borders, those of one message,
  /// all of which is there. An engine that has none, and no input left, is not asked for bytes before more
  /// input has come.
  [[nodiscard]] virtual std::size_t ready() const noexcept { return 0; }

  /// As `unwrap()`, for an engine with a `message_size()`: gives what is left of one message, all of which is
  /// there, in one piece; `given` is its size. What finds no room stays. The default asks `unwrap()` twice.
  virtual Step unwrap_message(ByteBlock& in, bool at_end, MessageRoom& room, std::size_t& given,
                              ByteBlock& out) noexcept;

  /// Turns bytes of the user into bytes for the peer. The first `taken` bytes of `from` have been taken
  /// already; `taken` grows. Takes all, or as much as brings `out` to `most_output`. Small vectors that
  /// follow one another share a record.
  virtual Step wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept = 0;
  static constexpr std::size_t most_output = std::size_t{96} * 1024;

  /// Ends the user's side; reading goes on. \return 0, or ENOTSUP where the protocol has no half-close.
  virtual int end_writing(ByteBlock& /*out*/) noexcept { return ENOTSUP; }
  /// Appends the goodbye, if the protocol has one. \return whether the peer's is to be waited for, which
  /// `unwrap()` tells by EPIPE.
  virtual bool say_goodbye(ByteBlock& /*out*/) noexcept { return false; }

  /// Why the last step failed, in words; empty where errno says it all.
  [[nodiscard]] virtual std::string_view reason() const noexcept { return {}; }
  /// Whether bytes pass unchanged once the handshake is done: the stream below is then the user's.
  [[nodiscard]] virtual bool is_transparent() const noexcept { return false; }
  /// Not 0: each write of the user is one message of the protocol, of at most that many bytes; see
  /// `StreamTraits::message_size`.
  [[nodiscard]] virtual std::size_t message_size() const noexcept { return 0; }
  /// The message at the front of what `wrap()` has appended to `out`, for an engine with a `message_size()`:
  /// so a write is done once its message has left, and not with the last one that waits. The default knows
  /// no messages in there, and they are done together.
  [[nodiscard]] virtual WrappedMessage first_message(std::span<const std::byte> out) const noexcept {
    return {.size = out.size(), .plain = 0};
  }
};

}  // namespace tsock::inline v0::layer
