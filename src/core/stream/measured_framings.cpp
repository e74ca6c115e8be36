#include <tsock/measured_framings.hpp>

namespace tsock::inline v0::framing {

namespace {

std::uint64_t number_in(std::span<const std::byte> bytes, bool big_endian) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    number = number << 8U | std::to_integer<std::uint64_t>(bytes[big_endian ? i : bytes.size() - 1 - i]);
  }
  return number;
}

// A header, and a body of `length` bytes, which may be any number.
MessageSize with_body(std::size_t header, std::uint64_t length, std::size_t max_message) noexcept {
  if (max_message < header || length > max_message - header) return MessageSize::invalid();
  return MessageSize::whole(header + static_cast<std::size_t>(length), header);
}

MessageSize size_of_u24(std::span<const std::byte> bytes, bool big_endian, std::size_t max) noexcept {
  constexpr std::size_t width = 3;
  if (bytes.size() < width) return MessageSize::need(width);
  return with_body(width, number_in(bytes.first(width), big_endian), max);
}

constexpr std::size_t largest_u24 = 0xffffff;

std::byte byte_of(std::size_t number, unsigned shift) noexcept {
  return static_cast<std::byte>(number >> shift & 0xffU);
}

constexpr std::size_t low_bits = 0x7f;
constexpr std::size_t more_bit = 0x80;
constexpr unsigned bits_of_group = 7;
constexpr std::byte long_tag{0x1f};

}  // namespace

MessageSize length_at::size_of(std::span<const std::byte> bytes) const noexcept {
  const bool fits = width >= 1 && width <= 8 && offset <= largest_measured_begin - width;
  const std::size_t end = offset + width;
  const std::size_t header = header_size != 0 ? header_size : end;
  if (!fits || header < end || header > 0xff) return MessageSize::invalid(EINVAL);
  if (bytes.size() < end) return MessageSize::need(end);
  const std::uint64_t length = number_in(bytes.subspan(offset, width), big_endian);
  if (!includes_header) return with_body(header, length, max_message);
  return length < header ? MessageSize::invalid() : with_body(header, length - header, max_message);
}

MessageSize u24be::size_of(std::span<const std::byte> bytes) const noexcept {
  return size_of_u24(bytes, true, max_message);
}

std::size_t u24be::write_header(std::size_t body_size, std::span<std::byte, 16> header) const noexcept {
  if (body_size > largest_u24) return 0;
  header[0] = byte_of(body_size, 16);
  header[1] = byte_of(body_size, 8);
  header[2] = byte_of(body_size, 0);
  return 3;
}

MessageSize u24le::size_of(std::span<const std::byte> bytes) const noexcept {
  return size_of_u24(bytes, false, max_message);
}

std::size_t u24le::write_header(std::size_t body_size, std::span<std::byte, 16> header) const noexcept {
  if (body_size > largest_u24) return 0;
  header[0] = byte_of(body_size, 0);
  header[1] = byte_of(body_size, 8);
  header[2] = byte_of(body_size, 16);
  return 3;
}

MessageSize varint::size_of(std::span<const std::byte> bytes) const noexcept {
  constexpr std::size_t longest = 5;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < bytes.size() && i < longest; ++i) {
    const auto group = std::to_integer<std::uint64_t>(bytes[i]);
    length |= (group & low_bits) << (bits_of_group * i);
    if ((group & more_bit) != 0) continue;
    if (group == 0 && i != 0) return MessageSize::invalid();
    return with_body(i + 1, length, max_message);
  }
  return bytes.size() < longest ? MessageSize::need(bytes.size() + 1) : MessageSize::invalid();
}

std::size_t varint::write_header(std::size_t body_size, std::span<std::byte, 16> header) const noexcept {
  if (body_size > 0xffffffffU) return 0;
  std::size_t size = 0;
  for (; body_size > low_bits; body_size >>= bits_of_group)
    header[size++] = static_cast<std::byte>((body_size & low_bits) | more_bit);
  header[size++] = static_cast<std::byte>(body_size);
  return size;
}

MessageSize netbios::size_of(std::span<const std::byte> bytes) const noexcept {
  constexpr std::size_t header = 4;
  if (bytes.size() < header) return MessageSize::need(header);
  return with_body(header, number_in(bytes.subspan(1, 3), true), max_message);
}

std::size_t netbios::write_header(std::size_t body_size, std::span<std::byte, 16> header) const noexcept {
  if (body_size > largest_u24) return 0;
  header[0] = std::byte{0};
  header[1] = byte_of(body_size, 16);
  header[2] = byte_of(body_size, 8);
  header[3] = byte_of(body_size, 0);
  return 4;
}

MessageSize tls_record::size_of(std::span<const std::byte> bytes) const noexcept {
  constexpr std::size_t header = 5;
  constexpr std::byte first_type{20};
  constexpr std::byte last_type{24};
  if (bytes.size() < header) return MessageSize::need(header);
  if (bytes[0] < first_type || bytes[0] > last_type || bytes[1] != std::byte{3})
    return MessageSize::invalid(EPROTO);
  return with_body(header, number_in(bytes.subspan(3, 2), true), max_message);
}

MessageSize ber::size_of(std::span<const std::byte> bytes) const noexcept {
  constexpr std::size_t short_header = 2;
  if (bytes.size() < short_header) return MessageSize::need(short_header);
  if ((bytes[0] & long_tag) == long_tag || (tag != 0 && bytes[0] != std::byte{tag}))
    return MessageSize::invalid(EPROTO);
  const auto first = std::to_integer<std::size_t>(bytes[1]);
  if (first < more_bit) return with_body(short_header, first, max_message);
  const std::size_t width = first & low_bits;
  if (width == 0) return MessageSize::invalid(EPROTO);
  if (width > 4) return MessageSize::invalid();
  if (bytes.size() < short_header + width) return MessageSize::need(short_header + width);
  return with_body(short_header + width, number_in(bytes.subspan(short_header, width), true), max_message);
}

std::size_t ber::write_header(std::size_t body_size, std::span<std::byte, 16> header) const noexcept {
  if (body_size > 0xffffffffU || (std::byte{tag} & long_tag) == long_tag) return 0;
  header[0] = std::byte{tag};
  if (body_size <= low_bits) {
    header[1] = static_cast<std::byte>(body_size);
    return 2;
  }
  unsigned width = 1;
  while (width < 4 && body_size >> (8 * width) != 0) ++width;
  header[1] = static_cast<std::byte>(more_bit | width);
  for (unsigned i = 0; i < width; ++i) header[2 + i] = byte_of(body_size, 8 * (width - 1 - i));
  return 2 + std::size_t{width};
}

}  // namespace tsock::inline v0::framing
