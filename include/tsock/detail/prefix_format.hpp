#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tsock::inline v0::detail {

/// A valid length-prefix framing, in the shape in which it is passed and stored: two words. From small
/// members a compiler makes narrow stores that are then loaded as one word, which stalls the processor for
/// longer than the rest of a short read takes.
class PrefixFormat {
 public:
  /// Whether these values make a valid one.
  [[nodiscard]] static constexpr bool fits(std::uint8_t header_size, std::size_t min_body,
                                           std::size_t max_body) noexcept {
    return (header_size == 1 || header_size == 2 || header_size == 4) && min_body <= max_body &&
           min_body <= largest_min_body && max_body <= largest_max_body;
  }
  constexpr PrefixFormat(std::uint8_t header_size, bool big_endian, bool includes_header,
                         std::size_t min_body, std::size_t max_body) noexcept
      : kind_(static_cast<std::uint32_t>(min_body) << min_shift |
              (includes_header ? includes_header_bit : 0U) | (big_endian ? big_endian_bit : 0U) |
              (header_size == 4 ? 2U : header_size - 1U)),
        max_body_(static_cast<std::uint32_t>(max_body)) {}

  /// Bytes: 1, 2 or 4.
  [[nodiscard]] constexpr std::uint32_t header_size() const noexcept { return 1U << (kind_ & width_bits); }
  [[nodiscard]] constexpr bool big_endian() const noexcept { return (kind_ & big_endian_bit) != 0; }
  [[nodiscard]] constexpr bool includes_header() const noexcept { return (kind_ & includes_header_bit) != 0; }
  [[nodiscard]] constexpr std::uint32_t min_body() const noexcept { return kind_ >> min_shift; }
  [[nodiscard]] constexpr std::uint32_t max_body() const noexcept { return max_body_; }
  /// The size of the whole message that begins with these bytes; `no_message`, which is larger than each, if
  /// they are shorter than a header or the framing does not allow the length.
  [[nodiscard, gnu::always_inline]] std::uint32_t message_size(
      std::span<const std::byte> bytes) const noexcept {
    if (is_u32be()) [[likely]]
      return message_size_u32be(bytes);
    if (bytes.size() < header_size()) return no_message;
    std::uint32_t length = prefix(bytes.data());
    if (includes_header()) {
      if (length < header_size()) return no_message;
      length -= header_size();
    }
    return allows(length) ? header_size() + length : no_message;
  }
  static constexpr std::uint32_t no_message = ~std::uint32_t{0};
  /// Four bytes in network order, the usual case.
  [[nodiscard]] constexpr bool is_u32be() const noexcept { return (kind_ & kind_bits) == u32be; }
  static constexpr std::uint32_t u32be_size = 4;
  /// `message_size()` for that case.
  [[nodiscard, gnu::always_inline]] std::uint32_t message_size_u32be(
      std::span<const std::byte> bytes) const noexcept {
    if (bytes.size() < u32be_size) return no_message;
    const std::uint32_t length = prefix_u32be(bytes.data());
    return allows(length) ? u32be_size + length : no_message;
  }

 private:
  [[nodiscard]] constexpr bool allows(std::uint32_t length) const noexcept {
    return length >= min_body() && length <= max_body_;
  }
  [[nodiscard]] static std::uint32_t byte(const std::byte* bytes, unsigned index) noexcept {
    return std::to_integer<std::uint32_t>(bytes[index]);
  }
  [[nodiscard]] static std::uint32_t prefix_u32be(const std::byte* bytes) noexcept {
    return byte(bytes, 0) << 24U | byte(bytes, 1) << 16U | byte(bytes, 2) << 8U | byte(bytes, 3);
  }
  /// The length prefix as a number.
  [[nodiscard]] std::uint32_t prefix(const std::byte* bytes) const noexcept {
    const std::uint32_t first = byte(bytes, 0);
    if (header_size() == 1) return first;
    const std::uint32_t second = byte(bytes, 1);
    if (header_size() == 2) return big_endian() ? first << 8U | second : second << 8U | first;
    return big_endian() ? prefix_u32be(bytes)
                        : byte(bytes, 3) << 24U | byte(bytes, 2) << 16U | second << 8U | first;
  }

  static constexpr std::size_t largest_max_body = 0x7fffffff;
  static constexpr std::size_t largest_min_body = 0x0fffffff;
  static constexpr std::uint32_t width_bits = 3;
  static constexpr std::uint32_t big_endian_bit = 4;
  static constexpr std::uint32_t includes_header_bit = 8;
  static constexpr std::uint32_t min_shift = 4;
  static constexpr std::uint32_t kind_bits = 15;
  static constexpr std::uint32_t u32be = 6;
  std::uint32_t kind_;
  std::uint32_t max_body_;
};

}  // namespace tsock::inline v0::detail
