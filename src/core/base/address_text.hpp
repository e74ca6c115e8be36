#pragma once

#include <algorithm>
#include <string>
#include <string_view>

/// Helpers shared by the parsers of addresses and host names.
namespace tsock::inline v0::detail {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
// The functions of <cctype> depend on the locale.
[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] constexpr bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }
[[nodiscard]] constexpr bool is_hex_digit(char c) noexcept {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}
/// A space, or a control character, which may move a terminal's cursor: neither occurs in an address, host or
/// service.
[[nodiscard]] constexpr bool is_blank(char c) noexcept {
  return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
}
[[nodiscard]] inline bool has_blank(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), is_blank);
}

/// Whether all labels of a host are numbers, decimal or hexadecimal: "127.1", "0x7f000001", "010.0.0.1",
/// "1.2.3.4". No host has such a name, but getaddrinfo(3) turns many of them into an IPv4 address, as
/// inet_aton(3) did.
[[nodiscard]] inline bool is_all_numbers(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  for (;;) {
    const std::size_t dot = host.find('.');
    std::string_view label = host.substr(0, dot);
    const bool hex = label.size() >= 2 && label[0] == '0' && lower(label[1]) == 'x';
    if (hex) label.remove_prefix(2);
    if (label.empty() && !hex) return false;
    if (!std::all_of(label.begin(), label.end(), hex ? is_hex_digit : is_digit)) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

/// Appends `bytes`, with "%" and everything that is not printable ASCII written as "%XX".
inline void append_escaped(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 0x0fU];
    }
  }
}

}  // namespace tsock::inline v0::detail
