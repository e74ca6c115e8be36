#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/layer/engine.hpp>
#include <utility>

#include "layer/codec.hpp"
#include "layer/length_format.hpp"
#include "layer/replacing_engine.hpp"

namespace tsock::inline v0::layer {

/// Messages behind a length, for protocols that are nothing more than that around a Codec.
class RecordEngine final : public ReplacingEngine {
 public:
  struct Format {
    LengthFormat handshake = {};
    LengthFormat data = {};
    /// One write of the user is one message.
    bool keeps_borders = false;
    /// A stream that ends between two messages has ended in order. Otherwise it was cut (EPROTO).
    bool may_end = true;
    /// The codec reads and writes the lengths of data itself: `Codec::unwrap()` gets each message with its
    /// length, and `Codec::wrap()` appends one or several with theirs. The limits of `data` are those of what
    /// comes from the peer.
    bool codec_has_lengths = false;
    /// Bodies of data are the user's bytes as they are, and a write is a message: the engine leaves a
    /// FramedStream in its place, and asks the codec for nothing behind the handshake.
    bool is_plain = false;
    /// What the side that begins says in front of its first token, which belongs to it; for `authenticate()`.
    std::string_view greeting = {};
  };

  RecordEngine(std::unique_ptr<Codec> codec, const Format& format, std::pmr::memory_resource& memory) noexcept
      : codec_(std::move(codec)), format_(format), memory_(memory), plain_(memory), scratch_(memory) {}

  [[nodiscard]] const Codec& codec() const noexcept { return *codec_; }

  Step handshake(ByteBlock& in, bool at_end, ByteBlock& out) noexcept override;
  Step unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
              ByteBlock& out) noexcept override;
  [[nodiscard]] std::size_t ready() const noexcept override { return plain_.size(); }
  Step wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override {
    return reason_.empty() ? codec_->reason() : reason_;
  }
  [[nodiscard]] bool is_transparent() const noexcept override {
    return format_.is_plain || codec_->is_transparent();
  }
  std::unique_ptr<StreamBackend> replace(std::unique_ptr<StreamBackend> below,
                                         std::span<const std::byte>& unread) override;
  [[nodiscard]] std::size_t message_size() const noexcept override {
    return format_.keeps_borders ? codec_->most_plain() : 0;
  }

 private:
  /// The message at the front of the input.
  struct Message {
    std::size_t header = 0;
    std::size_t body = 0;
    std::size_t missing = 0;  ///< not 0: it is complete once so many bytes of input are there
    bool refused = false;
    bool skipped = false;
    [[nodiscard]] std::size_t size() const noexcept { return header + body; }
  };

  static Message find(const LengthFormat& format, std::span<const std::byte> in) noexcept;
  Step refuse(const LengthFormat& format, std::size_t length) noexcept;
  Step cut(std::string_view reason) noexcept;
  Step end_of_input(bool is_between_messages) noexcept;
  int put_message(const LengthFormat& format, std::size_t begin, ByteBlock& out) noexcept;
  int answer(std::span<std::byte> message, ByteBlock& out, bool& answered) noexcept;
  int next_plain(std::span<const iovec> from, std::size_t skip, std::span<const std::byte>& plain) noexcept;
  void open(ByteBlock& in, const Message& message) noexcept;

  std::unique_ptr<Codec> codec_;
  Format format_;
  std::pmr::memory_resource& memory_;
  ByteBlock plain_;    // opened and not given yet
  ByteBlock scratch_;  // small vectors on their way into one message
  std::array<char, 96> text_{};
  std::string_view reason_;
  int unwrap_error_ = 0;
  int wrap_error_ = 0;
  bool begun_ = false;
  bool is_done_ = false;  // the handshake
};

/// A RecordEngine for a library of its own, as the class is not exported. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT std::unique_ptr<Engine> make_record_engine(std::unique_ptr<Codec> codec,
                                                                      const RecordEngine::Format& format,
                                                                      std::pmr::memory_resource& memory);

}  // namespace tsock::inline v0::layer
