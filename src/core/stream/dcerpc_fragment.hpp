#pragma once

#include <cstddef>
#include <span>
#include <tsock/framing.hpp>
#include <tsock/message_size.hpp>

namespace tsock::inline v0::detail {

/// Measures a fragment of DCERPC: its length is in its header, in the byte order that the header names.
struct DcerpcFragment {
  std::size_t max_message;

  [[nodiscard]] static MessageSize size_of(std::span<const std::byte> bytes) noexcept {
    constexpr std::size_t data_representation = 4;
    constexpr std::size_t length = 8;
    constexpr std::byte little_endian{0x10};
    constexpr std::size_t header = Framing::dcerpc_header_size;
    if (bytes.size() < header) return MessageSize::need(header);
    const bool is_little = (bytes[data_representation] & little_endian) != std::byte{0};
    const std::size_t size = std::to_integer<std::size_t>(bytes[is_little ? length + 1 : length]) << 8U |
                             std::to_integer<std::size_t>(bytes[is_little ? length : length + 1]);
    return size < header ? MessageSize::invalid() : MessageSize::whole(size, header);
  }
};

}  // namespace tsock::inline v0::detail
