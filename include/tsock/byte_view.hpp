#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace tsock {

/// The bytes that a call writes or sends, as a parameter: a span, container or array of std::byte, any
/// string, or a C string, where null means no bytes. Refers to the caller's bytes, as std::span does.
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
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace tsock
