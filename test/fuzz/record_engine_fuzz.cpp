// The record engine against a reference of a few lines: the same plain bytes and the same end, whatever
// pieces the input comes in and however much is asked for at once. The first byte is the width and order of
// the lengths, the second the size of pieces, the third that of reads; the rest is what the peer sends.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <span>
#include <tsock/buffer.hpp>
#include <vector>

#include "layer/record_engine.hpp"

namespace {

using tsock::layer::ByteBlock;
using tsock::layer::Codec;
using tsock::layer::LengthFormat;
using tsock::layer::RecordEngine;
using tsock::layer::Step;

constexpr std::size_t longest = 1000;

/// Inverts each byte, and refuses a body that begins with 0.
class InvertingCodec final : public Codec {
 public:
  int handshake(std::span<std::byte> /*message*/, ByteBlock& /*out*/, bool& /*answers*/) noexcept override {
    return 0;
  }
  [[nodiscard]] bool begins() const noexcept override { return false; }
  int unwrap(std::span<std::byte> body, ByteBlock& plain) noexcept override {
    if (!body.empty() && body[0] == std::byte{0}) return EBADMSG;
    for (std::byte& byte : body) byte = ~byte;
    return plain.append(body) ? 0 : ENOMEM;
  }
  int wrap(std::span<const std::byte> plain, ByteBlock& out) noexcept override {
    return out.append(plain) ? 0 : ENOMEM;
  }
  [[nodiscard]] std::size_t most_plain() const noexcept override { return longest; }
};

struct Outcome {
  std::vector<std::byte> plain;
  int err = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome reference(const LengthFormat& format, std::span<const std::byte> input) {
  Outcome outcome;
  for (;;) {
    if (input.empty()) return outcome.err = EPIPE, outcome;
    if (input.size() < format.width) return outcome.err = EPROTO, outcome;
    std::size_t length = 0;
    for (std::size_t i = 0; i < format.width; ++i) {
      const std::size_t place = format.big_endian ? i : format.width - 1U - i;
      length = length << 8U | std::to_integer<std::size_t>(input[place]);
    }
    if (length < format.least || length > format.most) return outcome.err = EMSGSIZE, outcome;
    input = input.subspan(format.width);
    if (input.size() < length) return outcome.err = EPROTO, outcome;
    if (length != 0 && input[0] == std::byte{0}) return outcome.err = EBADMSG, outcome;
    for (std::size_t i = 0; i < length; ++i) outcome.plain.push_back(~input[i]);
    input = input.subspan(length);
  }
}

Outcome through_engine(const LengthFormat& format, std::span<const std::byte> input, std::size_t piece,
                       std::size_t read) {
  auto& memory = *std::pmr::new_delete_resource();
  RecordEngine engine(std::make_unique<InvertingCodec>(), {.data = format}, memory);
  ByteBlock in(memory);
  ByteBlock out(memory);
  std::vector<std::byte> buffer(read);
  Outcome outcome;
  for (;;) {
    const iovec vector = tsock::make_vector(std::span<std::byte>(buffer));
    std::size_t given = 0;
    const bool at_end = input.empty();
    const Step step = engine.unwrap(in, at_end, {&vector, 1}, given, out);
    outcome.plain.insert(outcome.plain.end(), buffer.begin(),
                         buffer.begin() + static_cast<std::ptrdiff_t>(given));
    if (step.err != 0) return outcome.err = step.err, outcome;
    if (given != 0 || input.empty()) continue;
    if (step.input <= in.size()) std::abort();  // it asks for what it has
    const std::size_t size = std::min(piece, input.size());
    if (!in.append(input.first(size))) std::abort();
    input = input.subspan(size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 3) return 0;
  constexpr std::uint8_t widths[]{1, 2, 4};
  const LengthFormat format{.width = widths[bytes[0] % 3],
                            .big_endian = (bytes[0] & 0x80U) != 0,
                            .least = (bytes[0] & 0x40U) != 0 ? 1U : 0U,
                            .most = longest};
  const auto input = std::as_bytes(std::span(bytes, size)).subspan(3);
  const Outcome expected = reference(format, input);
  const Outcome found = through_engine(format, input, bytes[1] + 1U, bytes[2] + 1U);
  if (!(found == expected)) {
    std::fprintf(stderr, "%zu bytes and error %d, where %zu and %d were expected\n", found.plain.size(),
                 found.err, expected.plain.size(), expected.err);
    std::abort();
  }
  return 0;
}
