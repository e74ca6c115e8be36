#include "hexdump.hpp"

#include <algorithm>
#include <string_view>

namespace tsock_cat {
namespace {

constexpr std::size_t bytes_a_line = 16;
constexpr std::string_view digits = "0123456789abcdef";

void append_hex(std::string& out, std::byte byte) {
  const auto value = std::to_integer<unsigned>(byte);
  out += digits[value >> 4U];
  out += digits[value & 15U];
}

bool is_printable(std::byte byte) { return byte >= std::byte{0x20} && byte <= std::byte{0x7e}; }

void append_offset(std::string& out, std::uint64_t offset) {
  const int highest = offset > 0xffffffffU ? 60 : 28;  // eight digits, more only when they are needed
  for (int shift = highest; shift >= 0; shift -= 4)
    out += digits[(offset >> static_cast<unsigned>(shift)) & 15U];
}

}  // namespace

std::string hex_digits(std::span<const std::byte> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) append_hex(out, byte);
  return out;
}

std::string escaped_text(std::span<const std::byte> bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (is_printable(byte)) {
      out += c;
    } else {
      out += "\\x";
      append_hex(out, byte);
    }
  }
  return out;
}

std::string hex_lines(const std::string& prefix, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto line = bytes.first(std::min(bytes.size(), bytes_a_line));
    out += prefix;
    append_offset(out, offset);
    out += ' ';
    for (std::size_t i = 0; i < bytes_a_line; ++i) {
      out += i == bytes_a_line / 2 ? "  " : " ";
      if (i < line.size()) {
        append_hex(out, line[i]);
      } else {
        out += "  ";
      }
    }
    out += "  |";
    for (const std::byte byte : line) out += is_printable(byte) ? static_cast<char>(byte) : '.';
    out += "|\n";
    offset += line.size();
    bytes = bytes.subspan(line.size());
  }
  return out;
}

std::string text_lines(const std::string& prefix, std::span<const std::byte> bytes) {
  std::string out;
  while (!bytes.empty()) {
    const auto end = std::find(bytes.begin(), bytes.end(), std::byte{'\n'});
    const auto size = static_cast<std::size_t>(end - bytes.begin()) + (end == bytes.end() ? 0 : 1);
    out += prefix;
    out += escaped_text(bytes.first(size));
    out += '\n';
    bytes = bytes.subspan(size);
  }
  return out;
}

}  // namespace tsock_cat
