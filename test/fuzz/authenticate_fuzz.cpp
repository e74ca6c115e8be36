// The tokens of an authentication against a reference of a few lines: the same number of steps, the same end,
// and the bytes behind the last token untouched, whatever pieces the input comes in. The first byte is the
// format of the lengths, the second the size of pieces; the rest is what the peer sends.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <tsock/loop.hpp>
#include <tsock/memory_stream.hpp>
#include <vector>

#include "layer/authenticate.hpp"

namespace {

using tsock::layer::LengthFormat;

constexpr unsigned most_steps = 3;
constexpr std::size_t longest = 100;

/// Takes three tokens and answers each; one that begins with 0 is refused.
class CountingMechanism final : public tsock::layer::Mechanism {
 public:
  explicit CountingMechanism(unsigned& steps) noexcept : steps_(steps) {}
  [[nodiscard]] bool begins() const noexcept override { return false; }
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer,
           bool& answers) noexcept override {
    answer.assign(1, std::byte{1});
    answers = true;
    if (!token.empty() && token[0] == std::byte{0}) return EACCES;
    return ++steps_ == most_steps ? 0 : EAGAIN;
  }
  std::unique_ptr<tsock::layer::Codec> codec(tsock::layer::RecordEngine::Format& /*format*/) override {
    return nullptr;
  }

 private:
  unsigned& steps_;
};

struct Outcome {
  int err = 0;
  unsigned steps = 0;
  std::vector<std::byte> rest;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome reference(const LengthFormat& format, std::span<const std::byte> input) {
  Outcome outcome;
  const std::size_t mark = format.mark.has_value() ? 1 : 0;
  while (outcome.steps < most_steps) {
    if (input.size() < mark + format.width) return outcome.err = EPROTO, outcome;
    std::size_t length = 0;
    for (std::size_t i = 0; i < format.width; ++i) {
      const std::size_t place = format.big_endian ? i : format.width - 1U - i;
      length = length << 8U | std::to_integer<std::size_t>(input[mark + place]);
    }
    input = input.subspan(mark + format.width);
    if (length == 0 && format.skips_empty) continue;
    if (length < format.least || length > format.most) return outcome.err = EMSGSIZE, outcome;
    if (input.size() < length) return outcome.err = EPROTO, outcome;
    if (length != 0 && input[0] == std::byte{0}) return outcome.err = EACCES, outcome;
    ++outcome.steps;
    input = input.subspan(length);
  }
  outcome.rest.assign(input.begin(), input.end());
  return outcome;
}

Outcome through_stream(const LengthFormat& format, std::span<const std::byte> input, std::size_t piece) {
  Outcome outcome;
  tsock::Loop loop;
  auto pair = tsock::memory_stream_pair(loop, {.max_transfer = piece});
  tsock::Stream& peer = pair.second;
  auto accepting =
      tsock::layer::authenticate(std::move(pair.first), std::make_shared<CountingMechanism>(outcome.steps),
                                 {.handshake = format}, "fuzz");
  // What the peer does beside: it reads all answers, and ends behind its input.
  std::vector<std::byte> answers(4096);
  tsock::Request<tsock::ssize_t> reading;
  const auto read = [&](const auto& self) -> void {
    reading = peer.read_some(answers);
    reading.set_callback([&, self](auto& request) {
      int err = 0;
      request.recv(err);
      if (err == 0) self(self);
    });
  };
  read(read);
  tsock::Request<tsock::ssize_t> writing;
  if (!input.empty()) writing = peer.write(input);
  tsock::Request<void> ending = peer.shutdown_write();
  int err = 0;
  if (!accepting.wait(err)) std::abort();  // it waits for more than the end
  tsock::Stream stream = accepting.recv(outcome.err);
  if (outcome.err != 0) return outcome;
  std::vector<std::byte> buffer(64);
  for (;;) {
    auto more = stream.read_some(buffer);
    if (!more.wait(err)) std::abort();
    const tsock::ssize_t got = more.recv(err);
    if (err != 0) return outcome;
    outcome.rest.insert(outcome.rest.end(), buffer.begin(), buffer.begin() + got);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  constexpr std::uint8_t widths[]{1, 2, 4};
  LengthFormat format{.width = widths[bytes[0] % 3],
                      .big_endian = (bytes[0] & 0x80U) != 0,
                      .least = (bytes[0] & 0x40U) != 0 ? 1U : 0U,
                      .most = longest,
                      .skips_empty = (bytes[0] & 0x20U) != 0};
  if ((bytes[0] & 0x10U) != 0) format.mark = std::byte{2};
  const auto input = std::as_bytes(std::span(bytes, size)).subspan(2);
  const Outcome expected = reference(format, input);
  const Outcome found = through_stream(format, input, bytes[1] + 1U);
  if (!(found == expected)) {
    std::fprintf(stderr, "error %d, %u steps, %zu bytes behind them; %d, %u and %zu were expected\n",
                 found.err, found.steps, found.rest.size(), expected.err, expected.steps,
                 expected.rest.size());
    std::abort();
  }
  return 0;
}
