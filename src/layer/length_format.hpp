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
  [[nodiscard, gnu::always_inline]] constexpr std::size_t read(
      std::span<const std::byte> header) const noexcept {
    const auto at = [digits = digits_of(header)](std::size_t place) {
      return std::to_integer<std::size_t>(digits[place]);
    };
    if (width == 1) return at(0);
    if (width == 2) return big_endian ? at(0) << 8U | at(1) : at(1) << 8U | at(0);
    return big_endian ? at(0) << 24U | at(1) << 16U | at(2) << 8U | at(3)
                      : at(3) << 24U | at(2) << 16U | at(1) << 8U | at(0);
  }
  [[gnu::always_inline]] constexpr void write(std::size_t length,
                                              std::span<std::byte> header) const noexcept {
    if (mark.has_value()) header[0] = *mark;
    const std::span<std::byte> digits = digits_of(header);
    const auto put = [length, digits, this](std::size_t place, unsigned shift) {
      digits[big_endian ? place : width - 1U - place] = static_cast<std::byte>(length >> shift & 0xffU);
    };
    if (width == 1) {
      put(0, 0);
    } else if (width == 2) {
      put(0, 8), put(1, 0);
    } else {
      put(0, 24), put(1, 16), put(2, 8), put(3, 0);
    }
  }

 private:
  template <class Byte>
  [[nodiscard]] constexpr std::span<Byte> digits_of(std::span<Byte> header) const noexcept {
    return mark.has_value() ? header.subspan(1) : header;
  }
};

/// Says in words that a length is not allowed.
std::string_view refuse_length(const LengthFormat& format, std::size_t length, std::span<char> text) noexcept;

}  // namespace tsock::inline v0::layer
