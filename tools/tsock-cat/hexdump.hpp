#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace tsock_cat {

/// "68656c6c6f".
[[nodiscard]] std::string hex_digits(std::span<const std::byte> bytes);

/// The bytes with everything but printable ASCII as "\n", "\r", "\t", "\\" or "\xNN".
[[nodiscard]] std::string escaped_text(std::span<const std::byte> bytes);

/// A dump of 16 bytes a line, each line after `prefix`: offset, hexadecimal, printable ASCII. `offset` is
/// that of the first byte.
[[nodiscard]] std::string hex_lines(const std::string& prefix, std::uint64_t offset,
                                    std::span<const std::byte> bytes);

/// `escaped_text()`, a line each up to and with LF, each after `prefix`.
[[nodiscard]] std::string text_lines(const std::string& prefix, std::span<const std::byte> bytes);

}  // namespace tsock_cat
