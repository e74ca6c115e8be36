#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tsock/detail/prefix_format.hpp>

namespace tsock::inline v0 {

/// How `Stream::readv_pdu()` cuts messages out of a stream of bytes. A value, made from one of the structs in
/// `tsock::framing`; one filled in by hand with values that do not fit gives EINVAL. Every framing has a hard
/// maximum: a longer message gives EMSGSIZE, and no byte is taken from the stream.
class Framing {
 public:
  enum class Kind : std::uint8_t { length_prefix, delimiter, dcerpc };
  static constexpr std::size_t longest_delimiter = 16;
  static constexpr std::size_t largest_delimited_body = 0x7fffffff;
  static constexpr std::uint32_t dcerpc_header_size = 16;
  static constexpr std::size_t largest_dcerpc_body = 0xffff - dcerpc_header_size;

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

namespace framing {

/// A length prefix of `Width` bytes, then the body. Sizes in bytes.
template <std::uint8_t Width, bool BigEndian>
struct LengthPrefix {
  static_assert(Width == 1 || Width == 2 || Width == 4);
  std::size_t max_body = std::size_t{1} << 20;  ///< the longest body accepted, below 2 GiB
  bool includes_header = false;                 ///< the length on the wire counts the prefix itself
  std::size_t min_body = 0;  ///< 1 refuses empty messages, as tsocket's tstream_u32_read does; below 256 MiB

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
    result.valid = !end.empty() && end.size() <= Framing::longest_delimiter &&
                   max_body <= Framing::largest_delimited_body;
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

/// PDUs of DCERPC over a connection (C706, chapter 12; MS-RPCE 2.2.2): a header of 16 bytes with the length
/// of the fragment, in the byte order that it names itself. The header is the Pdu's `header()`, all that
/// follows its `body()`, including authentication data. A length below 16 gives EMSGSIZE. The header's other
/// fields are not looked at.
struct dcerpc {
  std::size_t max_fragment = 0xffff;  ///< the longest fragment accepted, with its header: 16 to 65535 bytes

  // NOLINTNEXTLINE(google-explicit-constructor): as above
  constexpr operator Framing() const noexcept {
    Framing result;
    result.kind = Framing::Kind::dcerpc;
    result.valid = max_fragment >= Framing::dcerpc_header_size &&
                   max_fragment - Framing::dcerpc_header_size <= Framing::largest_dcerpc_body;
    if (result.valid) result.max_body = max_fragment - Framing::dcerpc_header_size;
    return result;
  }
};

}  // namespace framing
}  // namespace tsock::inline v0
