// A stream of bytes, cut anywhere and read with interruptions, must give the messages that the reference
// below finds in it, the right error behind them, and every byte of what is no message.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

using Bytes = std::vector<std::byte>;

void require(bool condition) {
  if (!condition) std::abort();
}

/// The first bytes of an input say how the rest, which is sent, is cut and read.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  unsigned next() {
    if (bytes_.empty()) return 0;
    const unsigned value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  [[nodiscard]] Bytes rest() const {
    const auto bytes = std::as_bytes(bytes_);
    return {bytes.begin(), bytes.end()};
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

enum class Reader : std::uint8_t { framing, prefix_u32be, next_vector };

struct Scheme {
  Reader reader = Reader::framing;
  tsock::Framing framing;
};

template <class Prefix>
tsock::Framing prefixed(std::size_t max_body, bool includes_header, std::size_t min_body) {
  return Prefix{.max_body = max_body, .includes_header = includes_header, .min_body = min_body};
}

Scheme scheme_of(Input& input) {
  const unsigned kind = input.next() % 11;
  const unsigned flags = input.next();
  const bool whole = (flags & 1U) != 0;
  const std::size_t min_body = flags >> 1U & 3U;
  const std::size_t max_body = std::max<std::size_t>(min_body, input.next() << ((flags >> 3U & 3U) * 4));
  switch (kind) {
    case 0:
      return {Reader::framing,
              prefixed<tsock::framing::u8>(std::min<std::size_t>(max_body, 200), whole, min_body)};
    case 1:
      return {Reader::framing, prefixed<tsock::framing::u16be>(max_body, whole, min_body)};
    case 2:
      return {Reader::framing, prefixed<tsock::framing::u16le>(max_body, whole, min_body)};
    case 3:
      return {Reader::framing, prefixed<tsock::framing::u32be>(max_body, whole, min_body)};
    case 4:
      return {Reader::framing, prefixed<tsock::framing::u32le>(max_body, whole, min_body)};
    case 5:
      return {Reader::framing, tsock::framing::line{.max_body = max_body}};
    case 6:
      return {Reader::framing, tsock::framing::delimiter{.end = "\r\n", .max_body = max_body}};
    case 7:
      return {Reader::framing, tsock::framing::delimiter{.end = "aab", .max_body = max_body}};
    case 8:
      return {Reader::prefix_u32be, prefixed<tsock::framing::u32be>(max_body, false, 0)};
    case 10:
      return {Reader::framing,
              tsock::framing::dcerpc{.max_fragment = std::min<std::size_t>(16 + max_body, 0xffff)}};
    default:
      return {Reader::next_vector, prefixed<tsock::framing::u16be>(0xffff, false, 0)};
  }
}

struct Message {
  std::size_t size = 0;  // 0: there is none, and `err` is what the reader says
  std::size_t body_begin = 0;
  std::size_t body_size = 0;
  int err = EPIPE;
};

Message reference_prefixed(const tsock::Framing& framing, std::span<const std::byte> bytes) {
  const std::size_t head = framing.length_bytes;
  if (bytes.size() < head) return {};
  std::size_t length = 0;
  for (std::size_t i = 0; i < head; ++i)
    length = length << 8U | std::to_integer<std::size_t>(bytes[framing.big_endian ? i : head - 1 - i]);
  if (framing.includes_header && length < head) return {.err = EMSGSIZE};
  const std::size_t body = framing.includes_header ? length - head : length;
  if (body < framing.min_body || body > framing.max_body) return {.err = EMSGSIZE};
  return bytes.size() < head + body ? Message{} : Message{head + body, head, body, 0};
}

Message reference_delimited(const tsock::Framing& framing, std::span<const std::byte> bytes) {
  const auto end = std::as_bytes(std::span(framing.delimiter)).first(framing.delimiter_size);
  const auto found = std::search(bytes.begin(), bytes.end(), end.begin(), end.end());
  const auto before = static_cast<std::size_t>(found - bytes.begin());
  const bool carries = framing.strip_carriage_return && before != 0 && bytes[before - 1] == std::byte{'\r'};
  if (found != bytes.end()) {
    const std::size_t body = carries ? before - 1 : before;
    return body > framing.max_body ? Message{.err = EMSGSIZE} : Message{before + end.size(), 0, body, 0};
  }
  const std::size_t longest = framing.max_body + end.size() + (framing.strip_carriage_return ? 1 : 0);
  const bool no_end = framing.strip_carriage_return && bytes.size() > framing.max_body &&
                      bytes[framing.max_body] != std::byte{'\r'};
  return {.err = bytes.size() >= longest || no_end ? EMSGSIZE : EPIPE};
}

Message reference_dcerpc(const tsock::Framing& framing, std::span<const std::byte> bytes) {
  constexpr std::size_t head = 16;
  if (bytes.size() < head) return {};
  const auto first = std::to_integer<std::size_t>(bytes[8]);
  const auto second = std::to_integer<std::size_t>(bytes[9]);
  const bool is_little = (bytes[4] & std::byte{0x10}) != std::byte{0};
  const std::size_t size = is_little ? second << 8U | first : first << 8U | second;
  if (size < head || size - head > framing.max_body) return {.err = EMSGSIZE};
  return bytes.size() < size ? Message{} : Message{size, head, size - head, 0};
}

Message reference(const tsock::Framing& framing, std::span<const std::byte> bytes) {
  if (framing.kind == tsock::Framing::Kind::dcerpc) return reference_dcerpc(framing, bytes);
  return framing.kind == tsock::Framing::Kind::length_prefix ? reference_prefixed(framing, bytes)
                                                             : reference_delimited(framing, bytes);
}

std::pair<tsock::Stream, tsock::Stream> streams_of(tsock::Loop& loop, Input& input) {
  const unsigned kind = input.next();
  if (kind % 3 == 0) {
    int err = 0;
    auto pair = tsock::Stream::socketpair(loop, err);
    require(err == 0);
    return pair;
  }
  tsock::MemoryStreamOptions options;
  options.read_ahead = kind % 3 == 1;
  if ((kind & 64U) != 0) options.max_transfer = 1 + kind % 7;
  return tsock::memory_stream_pair(loop, options);
}

/// Reads message after message and compares.
class Check {
 public:
  Check(tsock::Loop& loop, tsock::Stream& stream, const Scheme& scheme, Bytes sent)
      : loop_(loop), stream_(stream), scheme_(scheme), sent_(std::move(sent)) {}

  [[nodiscard]] bool is_over() const noexcept { return over_; }

  void step() {
    if (!is_reading() && !over_) start();
    loop_.run_until_idle();
    look();
  }
  void interrupt(bool by_destroying) {
    if (over_) return;
    if (!is_reading()) start();
    if (by_destroying) {
      // A message that is there already is lost with its request, as documented; so only one that waits.
      loop_.run_until_idle();
      look();
      if (is_reading()) drop();
      return;
    }
    pdu_.cancel();
    by_vectors_.cancel();
    loop_.run_until_idle();
    look();
  }
  // Nobody reads messages any more: what is no message is still there, to the last byte.
  void check_rest() {
    if (scheme_.reader == Reader::next_vector) return;
    Bytes rest;
    std::array<std::byte, 300> buffer{};
    for (int err = 0; err == 0;) {
      tsock::Request<tsock::ssize_t> reading = stream_.read_some(buffer);
      require(reading.wait(err));
      const tsock::ssize_t got = reading.recv(err);
      require(err == 0 || err == EPIPE);
      if (err == 0) rest.insert(rest.end(), buffer.begin(), buffer.begin() + got);
    }
    const auto expected = std::span(sent_).subspan(position_);
    require(std::equal(rest.begin(), rest.end(), expected.begin(), expected.end()));
  }

 private:
  [[nodiscard]] bool is_reading() const noexcept { return pdu_ || by_vectors_; }
  void drop() {
    pdu_ = {};
    by_vectors_ = {};
  }

  void start() {
    if (scheme_.reader == Reader::framing) {
      pdu_ = stream_.readv_pdu(scheme_.framing);
    } else if (scheme_.reader == Reader::prefix_u32be) {
      pdu_ = stream_.readv_pdu(tsock::framing::u32be{.max_body = scheme_.framing.max_body});
    } else {
      own_.assign(2, std::byte{});
      by_vectors_ = stream_.readv_pdu([this, calls = 0](tsock::VectorList& vectors) mutable {
        if (calls++ == 0) {
          vectors.add(std::span(own_));
        } else if (calls == 2) {
          const std::size_t body =
              std::to_integer<std::size_t>(own_[0]) << 8U | std::to_integer<std::size_t>(own_[1]);
          own_.resize(2 + body);
          if (body != 0) vectors.add(std::span(own_).subspan(2));
        }
        return 0;
      });
    }
  }

  void look() {
    if (!is_reading() || pdu_.is_in_progress() || by_vectors_.is_in_progress()) return;
    int err = 0;
    const Message expected = reference(scheme_.framing, std::span(sent_).subspan(position_));
    Bytes got;
    if (scheme_.reader == Reader::next_vector) {
      const tsock::ssize_t size = by_vectors_.recv(err);
      if (err == 0) require(static_cast<std::size_t>(size) == own_.size());
      got = own_;
    } else {
      const tsock::Pdu pdu = pdu_.recv(err);
      got.assign(pdu.bytes().begin(), pdu.bytes().end());
      if (err == 0) {
        require(pdu.body().size() == expected.body_size);
        require(pdu.body().empty() || pdu.body().data() == pdu.bytes().data() + expected.body_begin);
      }
    }
    drop();
    if (err == ECANCELED) return;
    require(err == expected.err);
    over_ = err != 0;
    if (over_) return;
    require(got.size() == expected.size);
    require(std::equal(got.begin(), got.end(), sent_.begin() + static_cast<std::ptrdiff_t>(position_)));
    position_ += got.size();
  }

  tsock::Loop& loop_;
  tsock::Stream& stream_;
  Scheme scheme_;
  Bytes sent_;
  Bytes own_;
  std::size_t position_ = 0;
  bool over_ = false;
  tsock::Request<tsock::Pdu> pdu_;
  tsock::Request<tsock::ssize_t> by_vectors_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static tsock::Loop loop;
  Input input({data, size});
  const Scheme scheme = scheme_of(input);
  auto pair = streams_of(loop, input);
  std::array<unsigned, 16> cuts{};
  const std::size_t cut_count = input.next() % (cuts.size() + 1);
  for (std::size_t i = 0; i < cut_count; ++i) cuts[i] = input.next();
  const Bytes sent = input.rest();

  std::optional<Check> check(std::in_place, loop, pair.second, scheme, sent);
  tsock::Queue order(loop, "pieces");
  std::vector<tsock::Request<tsock::ssize_t>> writes;
  auto rest = std::span(sent);
  for (std::size_t piece = 0; !rest.empty(); ++piece) {
    const unsigned cut = piece < cut_count ? cuts[piece] : 0;
    const std::size_t step = cut == 0 ? rest.size() : std::min<std::size_t>(rest.size(), 1 + (cut >> 2U));
    writes.push_back(pair.first.write(order, rest.first(step)));
    rest = rest.subspan(step);
    if ((cut & 3U) == 1) check->interrupt(false);
    // One step takes at least a byte or a message.
    for (std::size_t steps = 0; writes.back().is_in_progress() && !check->is_over(); ++steps) {
      require(steps < 2 * sent.size() + 100);
      check->step();
    }
    if ((cut & 3U) >= 2) check->interrupt((cut & 3U) == 2);
  }
  pair.first.shutdown_write(order).detach();
  for (std::size_t steps = 0; !check->is_over(); ++steps) {
    require(steps < 2 * sent.size() + 100);
    check->step();
  }
  check->check_rest();
  check.reset();
  writes.clear();
  pair = {};
  loop.run_until_idle();
  return 0;
}
