#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tsock::inline v0::proxy {

/// The checksum of RFC 4960, appendix B, over bytes in parts: begin with 0, go on with the last result.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace tsock::inline v0::proxy
