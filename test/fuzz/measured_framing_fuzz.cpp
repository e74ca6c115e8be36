// A stream of bytes, cut anywhere, must give the messages that a framing which measures finds in it when all
// of it is there, the same error behind them, and every byte of what is no message. What a framing writes, it
// reads.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <tsock/measured_framings.hpp>
#include <tsock/tsock.hpp>
#include <vector>

namespace {

using Bytes = std::span<const std::byte>;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Expected {
  std::size_t size = 0;
  std::size_t header = 0;
  int err = 0;
};

/// Asks the framing as a reader does that has all bytes; none of its answers may lead outside of them.
template <class F>
Expected measure(F framing, Bytes bytes) {
  for (std::size_t seen = 0;;) {
    const tsock::MessageSize size = framing.size_of(bytes.first(seen));
    if (size.err() != 0) return {.err = size.err()};
    if (size.is_known()) {
      require(size.size() >= seen && size.header() <= size.size() && size.size() <= framing.max_message);
      if (size.size() == 0) return {.err = EMSGSIZE};
      return size.size() <= bytes.size() ? Expected{size.size(), size.header(), 0} : Expected{.err = EPIPE};
    }
    require(size.size() > seen && size.size() <= tsock::largest_measured_begin);
    seen = size.size();
    if (seen > bytes.size()) return {.err = EPIPE};
  }
}

template <class F>
void read_all(tsock::Loop& loop, const F& framing, Bytes bytes, std::size_t cut) {
  auto [from, to] = tsock::memory_stream_pair(loop, {.max_transfer = cut});
  auto sender = std::move(from);
  tsock::Request<tsock::ssize_t> writing;
  if (!bytes.empty()) writing = sender.write(bytes);
  if (writing) {
    writing.set_callback([&sender](auto&) { sender = {}; });
  } else {
    sender = {};
  }
  for (;;) {
    auto reading = to.readv_pdu(framing);
    int err = 0;
    require(reading.wait(err));
    const tsock::Pdu pdu = reading.recv(err);
    const Expected expected = measure(framing, bytes);
    require(err == expected.err);
    if (err != 0) break;
    require(std::ranges::equal(pdu.bytes(), bytes.first(expected.size)));
    require(pdu.header().size() == expected.header);
    bytes = bytes.subspan(expected.size);
  }
  while (!bytes.empty()) {
    std::array<std::byte, 64> rest;
    auto reading = to.read_some(rest);
    int err = 0;
    require(reading.wait(err));
    const auto got = static_cast<std::size_t>(reading.recv(err));
    require(err == 0 && got <= bytes.size() &&
            std::ranges::equal(std::span(rest).first(got), bytes.first(got)));
    bytes = bytes.subspan(got);
  }
}

template <class F>
void write_and_read(tsock::Loop& loop, const F& framing, Bytes body) {
  auto [from, to] = tsock::memory_stream_pair(loop);
  auto reading = to.readv_pdu(framing);  // these streams keep nothing: a write waits for its reader
  auto writing = from.write_pdu(framing, body);
  int err = 0;
  require(writing.wait(err));
  writing.recv(err);
  if (err != 0) {
    require(err == EMSGSIZE);
    return;
  }
  require(reading.wait(err));
  const tsock::Pdu pdu = reading.recv(err);
  require(err == 0 && std::ranges::equal(pdu.body(), body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t choices = 5;
  if (size < choices) return 0;
  tsock::Loop loop;
  const auto choice = std::span(data, choices);
  const Bytes bytes = std::as_bytes(std::span(data, size)).subspan(choices);
  const std::size_t cut = choice[1] == 0 ? bytes.size() + 1 : choice[1];
  const std::size_t max_message = choice[2] * std::size_t{64};
  const auto check = [&](const auto& framing) {
    read_all(loop, framing, bytes, cut);
    if constexpr (tsock::detail::HeaderWriter<std::remove_cvref_t<decltype(framing)>>)
      write_and_read(loop, framing, bytes);
  };
  using namespace tsock::framing;
  // A maximum of 0 is no framing.
  const std::size_t most = std::max<std::size_t>(max_message, 1);
  switch (choice[0] % 7) {
    case 0:
      check(u24be{.max_message = most});
      break;
    case 1:
      check(u24le{.max_message = most});
      break;
    case 2:
      check(varint{.max_message = most});
      break;
    case 3:
      check(netbios{.max_message = most});
      break;
    case 4:
      check(tls_record{.max_message = most});
      break;
    case 5:
      check(ber{.tag = choice[3], .max_message = most});
      break;
    default:
      check(length_at{.offset = choice[3] % 70U,
                      .width = choice[4] % 10U,
                      .big_endian = (choice[4] & 16U) != 0,
                      .header_size = (choice[4] & 32U) != 0 ? choice[3] : std::size_t{0},
                      .includes_header = (choice[4] & 64U) != 0,
                      .max_message = most});
  }
  return 0;
}
