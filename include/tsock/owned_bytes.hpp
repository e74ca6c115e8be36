#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <tsock/byte_view.hpp>
#include <tsock/pdu.hpp>
#include <type_traits>
#include <vector>

namespace tsock::inline v0 {

/// A temporary that a write or a sendto takes over: moved into the request and destroyed with it.
template <class T>
concept OwnedBytes =
    std::same_as<T, std::string> || std::same_as<T, std::vector<std::byte>> || std::same_as<T, Pdu>;

/// A temporary whose bytes would be destroyed before they are written: it is neither taken over nor a view.
template <class T>
concept DanglingBytes =
    std::is_class_v<T> && !OwnedBytes<T> && !std::ranges::borrowed_range<T> && !std::ranges::view<T> &&
    (std::convertible_to<T, std::span<const std::byte>> || std::convertible_to<T, std::string_view> ||
     detail::CharRange<T>);

namespace detail {

inline std::span<const std::byte> bytes_of(const std::string& text) noexcept {
  return std::as_bytes(std::span(text));
}
inline std::span<const std::byte> bytes_of(const std::vector<std::byte>& bytes) noexcept { return bytes; }
inline std::span<const std::byte> bytes_of(const Pdu& pdu) noexcept { return pdu.bytes(); }

/// What a framing is put around.
inline std::span<const std::byte> body_of(const std::string& text) noexcept { return bytes_of(text); }
inline std::span<const std::byte> body_of(const std::vector<std::byte>& bytes) noexcept { return bytes; }
inline std::span<const std::byte> body_of(const Pdu& pdu) noexcept { return pdu.body(); }

}  // namespace detail

}  // namespace tsock::inline v0
