#include "support/toy_mechanism.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "support/inverted.hpp"

namespace tsock::test {

namespace {

constexpr std::size_t toy_header = 1;

std::byte sum_of(std::uint8_t number, std::span<const std::byte> plain) noexcept {
  // A change of one bit and an exchange of two bytes change it.
  unsigned sum = number;
  const std::byte* const bytes = plain.data();
  for (std::size_t i = 0; i < plain.size(); ++i) sum = sum * 3 + static_cast<unsigned>(bytes[i]) + 1;
  return static_cast<std::byte>(sum & 0xffU);
}

}  // namespace

int ToyCodec::unwrap(std::span<std::byte> body, layer::ByteBlock& plain) noexcept {
  const std::span<std::byte> rest = body.subspan(std::min(toy_header, body.size()));
  write_inverted(rest, rest.data());
  if (body.empty() || body[0] != sum_of(received_, rest)) {
    reason_ = "toy: the message was changed, repeated or is not the next one";
    return EBADMSG;
  }
  ++received_;
  return plain.append(rest) ? 0 : ENOMEM;
}

int ToyCodec::wrap(std::span<const std::byte> plain, layer::ByteBlock& out) noexcept {
  const std::span<std::byte> room = out.room(toy_header + plain.size());
  if (room.empty()) return ENOMEM;
  room[0] = sum_of(sent_++, plain);
  write_inverted(plain, room.data() + toy_header);
  out.put(toy_header + plain.size());
  return 0;
}

std::string ToyMechanism::text_of_token(unsigned number) const {
  return "token " + std::to_string(number) + kind_.padding;
}

int ToyMechanism::step(std::span<const std::byte> token, std::vector<std::byte>& answer,
                       bool& answers) noexcept {
  const auto say = [&](std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    answer.assign(bytes.begin(), bytes.end());
    answers = true;
  };
  const auto fail = [&](int err, std::string_view reason) {
    reason_ = reason;
    if (kind_.explains) say("no");
    return err;
  };
  if (tokens_ != 0 || !begins_) {
    const std::string expected = text_of_token(tokens_);
    const std::string_view found(reinterpret_cast<const char*>(token.data()), token.size());
    if (found == "no") {
      reason_ = "toy: the peer refuses";
      return EACCES;
    }
    if (found != expected) return fail(EPROTO, "toy: the token is not the next one");
    ++tokens_;
  }
  if (kind_.on_step) {
    if (const int err = kind_.on_step(tokens_); err != 0) return fail(err, "toy: the step was told to fail");
  }
  if (tokens_ < kind_.tokens) say(text_of_token(tokens_++));
  return tokens_ < kind_.tokens ? EAGAIN : 0;
}

std::unique_ptr<layer::Codec> ToyMechanism::codec(layer::RecordEngine::Format& /*format*/) {
  return kind_.protects ? std::make_unique<ToyCodec>() : nullptr;
}

}  // namespace tsock::test
