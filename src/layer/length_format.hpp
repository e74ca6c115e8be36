#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tsock::inline v0::layer {

/// The length in front of a message.
struct LengthFormat {
  std::uint8_t width = 4;  ///< bytes of the length: 1, 2 or 4
  bool big_endian = true;
  std::size_t least = 1;          ///< a shorter body gives `too_short`
  std::size_t most = 0x0fffffff;  ///< a longer body gives EMSGSIZE, before memory is taken for it
  /// What is written into a byte in front of the length, a kind say; nobody looks at what the peer has there.
  std::optional<std::byte> mark = {};
  /// A message without a body says nothing: it is skipped, whatever `least` is.
  bool skips_empty = false;
  int too_short = EMSGSIZE;

  static constexpr std::size_t longest_header = 5;
  [[nodiscard]] constexpr std::size_t header_size() const noexcept {
    return width + (mark.has_value() ? std::size_t{1} : std::size_t{0});
  }
  [[nodiscard]] constexpr bool skips(std::size_t length) const noexcept { return length == 0 && skips_empty; }
  [[nodiscard]] constexpr bool allows(std::size_t length) const noexcept {
    return (length >= least && length <= most) || skips(length);
  }
  /// The length of the body behind a whole header.
  [[nodiscard]] constexpr std::size_t read(std::span<const std::byte> header) const noexcept {
    std::size_t length = 0;
    for (std::size_t i = 0; i < width; ++i)
      length = length << 8U | std::to_integer<std::size_t>(at(header, i));
    return length;
  }
  constexpr void write(std::size_t length, std::span<std::byte> header) const noexcept {
    if (mark.has_value()) header[0] = *mark;
    for (std::size_t i = width; i-- > 0; length >>= 8U)
      at(header, i) = static_cast<std::byte>(length & 0xffU);
  }

 private:
  // The byte of the length that has the weight 256^(width - 1 - place).
  template <class Byte>
  [[nodiscard]] constexpr Byte& at(std::span<Byte> header, std::size_t place) const noexcept {
    return header[(mark.has_value() ? 1U : 0U) + (big_endian ? place : width - 1U - place)];
  }
};

/// Says in words that a length is not allowed.
std::string_view refuse_length(const LengthFormat& format, std::size_t length, std::span<char> text) noexcept;

}  // namespace tsock::inline v0::layer
