#include "support/toy_engine.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "support/inverted.hpp"

namespace tsock::test {

namespace {

using layer::ByteBlock;
using layer::Step;

constexpr std::size_t header_size = 2;
// The client sends the first and the third one.
constexpr std::array<std::string_view, 3> greetings{"toy", "well?", "go on"};

std::size_t length_of(std::span<const std::byte> header) {
  return std::to_integer<std::size_t>(header[0]) << 8U | std::to_integer<std::size_t>(header[1]);
}

bool put_header(std::size_t length, ByteBlock& out) {
  const std::array header{static_cast<std::byte>(length >> 8U), static_cast<std::byte>(length & 0xffU)};
  return out.append(header);
}

}  // namespace

Step ToyEngine::fail(int err, std::string_view reason) noexcept {
  reason_ = reason;
  end_ = err;
  return {.err = err};
}

Step ToyEngine::handshake(ByteBlock& in, bool at_end, ByteBlock& out) noexcept {
  while (messages_ < greetings.size()) {
    const std::string_view text = greetings[messages_];
    const bool is_ours = (messages_ % 2 == 0) == (side_ == Side::client);
    if (is_ours) {
      if (!put_header(text.size(), out) || !out.append(std::as_bytes(std::span(text))))
        return fail(ENOMEM, {});
    } else {
      const std::size_t whole = header_size + text.size();
      if (in.size() < whole) {
        if (at_end) return fail(EPROTO, "toy: the peer ended the stream during the handshake");
        return {.input = in.size() < header_size ? header_size : whole};
      }
      if (length_of(in.bytes()) != text.size() ||
          !std::ranges::equal(in.bytes().subspan(header_size, text.size()), std::as_bytes(std::span(text))))
        return fail(EPROTO, "toy: the peer does not know the greeting");
      in.take(whole);
    }
    ++messages_;
  }
  return {};
}

Step ToyEngine::unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                       ByteBlock& /*out*/) noexcept {
  std::size_t room = 0;
  for (const iovec& vector : to) room += vector.iov_len;
  for (;;) {
    if (ready_ == 0) {
      if (end_ != 0) return {.err = given == 0 ? end_ : 0};
      if (in.size() < header_size) {
        if (!at_end) return {.input = header_size};
        if (given != 0) return {};
        return kind_.may_be_cut && in.empty() ? fail(EPIPE, {}) : fail(EPROTO, "toy: the stream was cut");
      }
      const std::size_t length = length_of(in.bytes());
      if (length > longest_record) return given != 0 ? Step{} : fail(EMSGSIZE, "toy: the record is too long");
      if (in.size() < header_size + length) {
        if (!at_end) return {.input = header_size + length};
        return given != 0 ? Step{} : fail(EPROTO, "toy: the stream was cut inside of a record");
      }
      in.take(header_size);
      ready_ = length;
      if (length == 0) end_ = EPIPE;
      continue;
    }
    if (given == room) return {};
    std::size_t skip = given;
    for (const iovec& vector : to) {
      const std::size_t begin = std::min(skip, vector.iov_len);
      skip -= begin;
      const std::size_t step = std::min(vector.iov_len - begin, ready_);
      write_inverted(in.bytes().first(step), static_cast<std::byte*>(vector.iov_base) + begin);
      in.take(step);
      ready_ -= step;
      given += step;
    }
  }
}

Step ToyEngine::wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept {
  std::size_t total = 0;
  for (const iovec& vector : from) total += vector.iov_len;
  while (taken < total && out.size() < most_output) {
    const std::size_t length = std::min(total - taken, longest_record);
    if (!put_header(length, out)) return {.err = ENOMEM};
    const std::span<std::byte> room = out.room(length);
    if (room.empty()) {
      out.drop(header_size);
      return {.err = ENOMEM};
    }
    std::size_t skip = taken;
    std::size_t filled = 0;
    for (const iovec& vector : from) {
      const std::size_t begin = std::min(skip, vector.iov_len);
      skip -= begin;
      const std::size_t step = std::min(vector.iov_len - begin, length - filled);
      write_inverted({static_cast<const std::byte*>(vector.iov_base) + begin, step}, room.data() + filled);
      filled += step;
    }
    out.put(length);
    taken += length;
  }
  return {};
}

int ToyEngine::put_goodbye(ByteBlock& out) noexcept {
  if (!side_ended_ && !put_header(0, out)) return ENOMEM;
  side_ended_ = true;
  return 0;
}

bool ToyEngine::say_goodbye(ByteBlock& out) noexcept { return put_goodbye(out) == 0 && end_ == 0; }

}  // namespace tsock::test
