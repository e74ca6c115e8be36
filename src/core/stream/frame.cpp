#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tsock/detail/frame.hpp>
#include <tsock/detail/prefix_format.hpp>

namespace tsock::inline v0::detail {

namespace {

void put_prefix(const Framing& framing, std::size_t body_size, Frame& frame) noexcept {
  const std::size_t width = framing.length_bytes;
  if (!framing.valid || !PrefixFormat::fits(framing.length_bytes, framing.min_body, framing.max_body)) {
    frame.err = EINVAL;
    return;
  }
  std::size_t length = body_size;
  if (framing.includes_header) length += width;
  const std::size_t largest = width == 4 ? 0xffffffffU : (std::size_t{1} << (8 * width)) - 1;
  if (body_size < framing.min_body || body_size > framing.max_body || length > largest) {
    frame.err = EMSGSIZE;
    return;
  }
  frame.before = framing.length_bytes;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t place = framing.big_endian ? width - 1 - i : i;
    frame.bytes[place] = static_cast<std::byte>(length >> (8 * i) & 0xffU);
  }
}

// Whether a reader finds the delimiter before the one that is written behind the body.
bool ends_early(std::span<const std::byte> body, std::span<const std::byte> end) noexcept {
  if (end.size() == 1) {
    return !body.empty() && std::memchr(body.data(), std::to_integer<int>(end[0]), body.size()) != nullptr;
  }
  if (std::search(body.begin(), body.end(), end.begin(), end.end()) != body.end()) return true;
  // One that begins in the body and ends in the delimiter.
  std::array<std::byte, 2 * Framing::longest_delimiter> border;
  const auto tail = body.last(std::min(body.size(), end.size() - 1));
  const auto place = std::copy(tail.begin(), tail.end(), border.begin());
  const auto border_end = std::copy(end.begin(), end.end(), place);
  return std::search(border.begin(), border_end, end.begin(), end.end()) != place;
}

void put_delimiter(const Framing& framing, std::span<const std::byte> body, Frame& frame) noexcept {
  const std::size_t size = framing.delimiter_size;
  if (!framing.valid || size == 0 || size > Framing::longest_delimiter ||
      framing.max_body > Framing::largest_delimited_body) {
    frame.err = EINVAL;
    return;
  }
  const auto end = std::as_bytes(std::span(framing.delimiter)).first(size);
  const bool loses_end = framing.strip_carriage_return && !body.empty() && body.back() == std::byte{'\r'};
  if (body.size() > framing.max_body) {
    frame.err = EMSGSIZE;
  } else if (loses_end || ends_early(body, end)) {
    frame.err = EINVAL;
  } else {
    std::copy(end.begin(), end.end(), frame.bytes.begin());
    frame.behind = framing.delimiter_size;
  }
}

}  // namespace

Frame frame_of(const Framing& framing, std::span<const std::byte> body) noexcept {
  Frame frame;
  switch (framing.kind) {
    case Framing::Kind::length_prefix:
      put_prefix(framing, body.size(), frame);
      break;
    case Framing::Kind::delimiter:
      put_delimiter(framing, body, frame);
      break;
    case Framing::Kind::dcerpc:
      frame.err = ENOTSUP;
      break;
    default:
      frame.err = EINVAL;
  }
  return frame;
}

}  // namespace tsock::inline v0::detail
