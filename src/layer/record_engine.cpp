#include "layer/record_engine.hpp"

#include <algorithm>
#include <cstring>

#include "layer/framed_stream.hpp"
#include "layer/give_bytes.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::layer {

namespace {

/// Room for the length in front of a message whose body follows.
bool begin_message(const LengthFormat& format, ByteBlock& out) noexcept {
  constexpr std::array<std::byte, LengthFormat::longest_header> unknown{};
  return out.append(std::span(unknown).first(format.header_size()));
}

}  // namespace

[[gnu::always_inline]] inline RecordEngine::Message RecordEngine::find(
    const LengthFormat& format, std::span<const std::byte> in) noexcept {
  Message message{.header = format.header_size()};
  if (in.size() < message.header) {
    message.missing = message.header;
    return message;
  }
  message.body = format.read(in);
  message.refused = !format.allows(message.body);
  message.skipped = format.skips(message.body);
  if (!message.refused && in.size() - message.header < message.body) message.missing = message.size();
  return message;
}

Step RecordEngine::refuse(const LengthFormat& format, std::size_t length) noexcept {
  reason_ = refuse_length(format, length, text_);
  return {.err = length < format.least ? format.too_short : EMSGSIZE};
}

Step RecordEngine::cut(std::string_view reason) noexcept {
  reason_ = reason;
  return {.err = EPROTO};
}

// The body lies behind the room for its length, which begins at `begin`.
int RecordEngine::put_message(const LengthFormat& format, std::size_t begin, ByteBlock& out) noexcept {
  const std::span<std::byte> message = out.bytes().subspan(begin);
  const std::size_t body = message.size() - format.header_size();
  if (!format.allows(body)) return refuse(format, body).err;
  format.write(body, message);
  return 0;
}

int RecordEngine::answer(std::span<std::byte> message, ByteBlock& out, bool& answered) noexcept {
  const std::size_t begin = out.size();
  if (!begin_message(format_.handshake, out)) return ENOMEM;
  const int err = codec_->handshake(message, out, answered);
  if (!answered) {
    out.drop(out.size() - begin);
    return err;
  }
  const int framing = put_message(format_.handshake, begin, out);
  if (framing != 0) out.drop(out.size() - begin);
  return framing != 0 ? framing : err;
}

Step RecordEngine::handshake(ByteBlock& in, bool at_end, ByteBlock& out) noexcept {
  int err = is_done_ ? 0 : EAGAIN;  // asked again when the last answer has left late
  if (!std::exchange(begun_, true) && codec_->begins()) {
    bool answered = false;
    err = answer({}, out, answered);
  }
  while (err == EAGAIN) {
    const Message message = find(format_.handshake, in.bytes());
    if (message.refused) return refuse(format_.handshake, message.body);
    if (message.missing != 0) {
      if (at_end) {
        const std::string_view words = in.empty() ? codec_->reason_of_silence() : std::string_view();
        return cut(words.empty() ? "the peer ended the stream during the handshake" : words);
      }
      return {.input = message.missing};
    }
    if (!message.skipped) {
      const std::span<std::byte> body = in.bytes().subspan(message.header, message.body);
      bool answered = false;
      err = answer(body, out, answered);
      wipe(body);
    }
    in.take(message.size());
  }
  is_done_ = err == 0;
  return {.err = err};
}

Step RecordEngine::end_of_input(bool is_between_messages) noexcept {
  if (!is_between_messages) return cut("the stream was cut inside of a message");
  if (!format_.may_end) return cut("the stream was cut without a goodbye");
  return {.err = EPIPE};
}

// Makes the body of a message ready to be given.
void RecordEngine::open(ByteBlock& in, const Message& message) noexcept {
  if (!message.skipped) {
    const std::size_t skip = format_.codec_has_lengths ? 0 : message.header;
    unwrap_error_ = codec_->unwrap(in.bytes().subspan(skip, message.size() - skip), plain_);
  }
  in.take(message.size());
}

Step RecordEngine::unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                          ByteBlock& /*out*/) noexcept {
  std::size_t room = 0;
  for (const iovec& vector : to) room += vector.iov_len;
  for (;;) {
    if (!plain_.empty()) {
      given += give_bytes(plain_, plain_.size(), to, given);
      if (!plain_.empty()) return {};
    }
    // The next message is opened when somebody has room for it.
    if (given != 0 && given == room) return {.input = find(format_.data, in.bytes()).missing};
    const Message message = find(format_.data, in.bytes());
    if (message.missing != 0 && !at_end && unwrap_error_ == 0) return {.input = message.missing};
    // What came before an error is given first.
    if (given != 0 && (unwrap_error_ != 0 || message.refused || message.missing != 0)) return {};
    if (unwrap_error_ != 0) return {.err = unwrap_error_};
    if (message.refused) return refuse(format_.data, message.body);
    if (message.missing != 0) return end_of_input(in.empty());
    open(in, message);
  }
}

// The bytes of the next message, behind `skip` bytes of the vectors: in place where they lie in one vector.
int RecordEngine::next_plain(std::span<const iovec> from, std::size_t skip,
                             std::span<const std::byte>& plain) noexcept {
  const std::size_t most = codec_->most_plain();
  scratch_.clear();
  for (const iovec& vector : from) {
    if (skip >= vector.iov_len) {
      skip -= vector.iov_len;
      continue;
    }
    const std::span<const std::byte> part{static_cast<const std::byte*>(vector.iov_base) + skip,
                                          vector.iov_len - skip};
    skip = 0;
    const bool is_last = &vector == &from.back();
    if (scratch_.empty() && (is_last || part.size() >= most)) {
      plain = part.first(std::min(part.size(), most));
      return 0;
    }
    if (!scratch_.append(part.first(std::min(part.size(), most - scratch_.size())))) return ENOMEM;
    if (scratch_.size() == most) break;
  }
  plain = scratch_.bytes();
  return 0;
}

Step RecordEngine::wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept {
  std::size_t total = 0;
  for (const iovec& vector : from) total += vector.iov_len;
  const std::size_t before = taken;
  while (wrap_error_ == 0 && taken < total && out.size() < most_output) {
    std::span<const std::byte> plain;
    const std::size_t begin = out.size();
    wrap_error_ = next_plain(from, taken, plain);
    const bool is_framed = !format_.codec_has_lengths;
    if (wrap_error_ == 0 && is_framed && !begin_message(format_.data, out)) wrap_error_ = ENOMEM;
    if (wrap_error_ == 0) wrap_error_ = codec_->wrap(plain, out);
    if (wrap_error_ == 0 && is_framed) wrap_error_ = put_message(format_.data, begin, out);
    if (wrap_error_ != 0) {
      out.drop(out.size() - begin);
    } else {
      taken += plain.size();
    }
  }
  scratch_.clear();
  return {.err = taken == before ? wrap_error_ : 0};
}

std::unique_ptr<StreamBackend> RecordEngine::replace(std::unique_ptr<StreamBackend> below,
                                                     std::span<const std::byte>& unread) {
  if (codec_->is_transparent()) return below;
  return std::make_unique<FramedStream>(std::move(below), format_.data, std::exchange(unread, {}), memory_);
}

std::unique_ptr<Engine> make_record_engine(std::unique_ptr<Codec> codec, const RecordEngine::Format& format,
                                           std::pmr::memory_resource& memory) {
  return std::make_unique<RecordEngine>(std::move(codec), format, memory);
}

}  // namespace tsock::inline v0::layer
