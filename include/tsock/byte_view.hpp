#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace tsock::inline v0 {

namespace detail {
/// Contiguous characters that are bytes and no text of their own: of `unsigned char` whatever they are, of
/// `char` a vector or span. (An array of `char` is a C string, which ends before its end.)
template <class T>
concept CharRange = std::ranges::contiguous_range<const T> &&
    (std::same_as<std::ranges::range_value_t<const T>, unsigned char> ||
     (std::same_as<std::ranges::range_value_t<const T>, char> && !std::is_array_v<T> &&
      !std::convertible_to<const T&, std::string_view> && !requires { std::tuple_size<T>::value; }));
/// Where characters can be read to.
template <class T>
concept CharBuffer = std::ranges::contiguous_range<T> && std::ranges::sized_range<T> &&
    (std::same_as<std::ranges::range_reference_t<T>, unsigned char&> ||
     std::same_as<std::ranges::range_reference_t<T>, char&>);
}  // namespace detail

/// The bytes that a call writes or sends, as a parameter: a span, container or array of std::byte or unsigned
/// char, a vector or span of char, any string, or a C string, where null means no bytes. Refers to the
/// caller's bytes, as std::span does.
class ByteView {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a parameter type, written as the bytes themselves
  ByteView(const char* text) noexcept
      : ByteView(text != nullptr ? std::string_view(text) : std::string_view()) {}
  ByteView(std::string_view text) noexcept : bytes_(std::as_bytes(std::span(text))) {}
  ByteView(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  template <class T>
  requires(std::convertible_to<const T&, std::span<const std::byte>>) ByteView(const T& bytes)
      : bytes_(static_cast<std::span<const std::byte>>(bytes)) {}
  template <class T>
  requires(std::convertible_to<const T&, std::string_view> && !std::convertible_to<const T&, const char*> &&
           !std::convertible_to<const T&, std::span<const std::byte>>) ByteView(const T& text)
      : ByteView(static_cast<std::string_view>(text)) {}
  template <detail::CharRange T>
  ByteView(const T& bytes) : bytes_(std::as_bytes(std::span(bytes))) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace tsock::inline v0
