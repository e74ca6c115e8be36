#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tsock {

/// How messages are cut out of a stream of bytes, for `Stream::readv_pdu()`. A value; made from one of the
/// structs in `tsock::framing`. Every framing has a hard maximum: a longer message gives EMSGSIZE, and
/// nothing is taken from the stream.
class Framing {
 public:
  enum class Kind : std::uint8_t { length_prefix, delimiter };
  static constexpr std::size_t longest_delimiter = 16;

  Kind kind = Kind::length_prefix;
  std::uint8_t length_bytes = 4;       ///< width of the length prefix: 1, 2, 4
  bool big_endian = true;              ///< byte order of the length prefix
  bool includes_header = false;        ///< the length counts its own bytes
  bool strip_carriage_return = false;  ///< for lines: a CR before the LF is not part of the body
  std::uint8_t delimiter_size = 0;
  std::array<char, longest_delimiter> delimiter{};
  std::size_t min_body = 0;  ///< a shorter body gives EMSGSIZE
  std::size_t max_body = 0;  ///< a longer body gives EMSGSIZE
  bool valid = true;         ///< false: the framing cannot be used, readv_pdu gives EINVAL
};

namespace detail {

/// A framing by length prefix that is valid, in the shape in which it is handed on and kept: two words. Out
/// of small members a compiler makes narrow stores that are loaded as one, which stalls a processor for
/// longer than the rest of a short read takes.
class PrefixFormat {
 public:
  /// Whether it can be made of these.
  [[nodiscard]] static constexpr bool fits(std::uint8_t header_size, std::size_t min_body,
                                           std::size_t max_body) noexcept {
    return (header_size == 1 || header_size == 2 || header_size == 4) && min_body <= max_body &&
           min_body <= largest_min_body && max_body <= largest_max_body;
  }
  constexpr PrefixFormat(std::uint8_t header_size, bool big_endian, bool includes_header,
                         std::size_t min_body, std::size_t max_body) noexcept
      : min_(static_cast<std::uint32_t>(min_body) << min_shift | (big_endian ? big_endian_bit : 0U) |
             (header_size == 4 ? 2U : header_size - 1U)),
        max_(static_cast<std::uint32_t>(max_body) << 1U | (includes_header ? 1U : 0U)) {}

  /// Bytes: 1, 2 or 4.
  [[nodiscard]] constexpr std::uint32_t header_size() const noexcept { return 1U << (min_ & width_bits); }
  [[nodiscard]] constexpr bool big_endian() const noexcept { return (min_ & big_endian_bit) != 0; }
  [[nodiscard]] constexpr bool includes_header() const noexcept { return (max_ & 1U) != 0; }
  [[nodiscard]] constexpr std::uint32_t min_body() const noexcept { return min_ >> min_shift; }
  [[nodiscard]] constexpr std::uint32_t max_body() const noexcept { return max_ >> 1U; }
  /// The size of the whole message that begins with this header; 0 when the framing does not allow it.
  [[nodiscard, gnu::always_inline]] std::uint32_t message_size(const std::byte* header) const noexcept {
    std::uint32_t length = prefix(header);
    bool fits = true;
    if (includes_header()) {
      fits = length >= header_size();
      length -= header_size();
    }
    return fits && length >= min_body() && length <= max_body() ? header_size() + length : 0;
  }

 private:
  /// The length prefix as a number.
  [[nodiscard, gnu::always_inline]] std::uint32_t prefix(const std::byte* bytes) const noexcept {
    const auto byte = [bytes](unsigned index) { return std::to_integer<std::uint32_t>(bytes[index]); };
    switch (header_size()) {
      case 1:
        return byte(0);
      case 2:
        return big_endian() ? byte(0) << 8U | byte(1) : byte(1) << 8U | byte(0);
      default:
        return big_endian() ? byte(0) << 24U | byte(1) << 16U | byte(2) << 8U | byte(3)
                            : byte(3) << 24U | byte(2) << 16U | byte(1) << 8U | byte(0);
    }
  }

  static constexpr std::size_t largest_max_body = 0x7fffffff;
  static constexpr std::size_t largest_min_body = 0x1fffffff;
  static constexpr std::uint32_t width_bits = 3;
  static constexpr std::uint32_t big_endian_bit = 4;
  static constexpr std::uint32_t min_shift = 3;
  std::uint32_t min_;
  std::uint32_t max_;
};

}  // namespace detail

namespace framing {

/// A length prefix of `Width` bytes, then the body. Sizes in bytes.
template <std::uint8_t Width, bool BigEndian>
struct LengthPrefix {
  static_assert(Width == 1 || Width == 2 || Width == 4);
  std::size_t max_body = std::size_t{1} << 20;  ///< the longest body accepted, below 2 GiB
  bool includes_header = false;                 ///< the length on the wire counts the prefix itself
  std::size_t min_body = 0;  ///< 1 refuses empty messages, as tsocket's tstream_u32_read does; below 512 MiB

  [[nodiscard]] constexpr bool is_valid() const noexcept {
    return detail::PrefixFormat::fits(Width, min_body, max_body);
  }
  // NOLINTNEXTLINE(google-explicit-constructor): the structs are ways to write a Framing
  constexpr operator Framing() const noexcept {
    Framing result;
    result.length_bytes = Width;
    result.big_endian = BigEndian;
    result.includes_header = includes_header;
    result.min_body = min_body;
    result.max_body = max_body;
    result.valid = is_valid();
    return result;
  }
};

using u8 = LengthPrefix<1, true>;
using u16be = LengthPrefix<2, true>;
using u16le = LengthPrefix<2, false>;
using u32be = LengthPrefix<4, true>;
using u32le = LengthPrefix<4, false>;

/// Messages that end with a fixed string of 1 to 16 bytes. The body is what comes before it.
struct delimiter {
  std::string_view end;                           ///< copied
  std::size_t max_body = std::size_t{64} * 1024;  ///< the longest body accepted

  // NOLINTNEXTLINE(google-explicit-constructor): as above
  constexpr operator Framing() const noexcept {
    Framing result;
    result.kind = Framing::Kind::delimiter;
    result.max_body = max_body;
    result.valid = !end.empty() && end.size() <= Framing::longest_delimiter && max_body <= 0x7fffffffU;
    if (result.valid) {
      result.delimiter_size = static_cast<std::uint8_t>(end.size());
      for (std::size_t i = 0; i < end.size(); ++i) result.delimiter[i] = end[i];
    }
    return result;
  }
};

/// Text lines that end with LF; a CR before it belongs to the line's end, not to the body.
struct line {
  std::size_t max_body = std::size_t{64} * 1024;  ///< the longest line accepted

  // NOLINTNEXTLINE(google-explicit-constructor): as above
  constexpr operator Framing() const noexcept {
    Framing result = delimiter{.end = "\n", .max_body = max_body};
    result.strip_carriage_return = true;
    return result;
  }
};

}  // namespace framing
}  // namespace tsock
