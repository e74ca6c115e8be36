#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tsock::inline v0::proxy {

/// What a sender adds to a header of version 2: a type, and a value of up to 65535 bytes.
struct Tlv {
  // The types that proxy-protocol.txt names; 0xe0 to 0xef are for applications.
  static constexpr std::uint8_t alpn = 0x01;               ///< what ALPN has chosen
  static constexpr std::uint8_t authority = 0x02;          ///< the name that the client asked for (SNI)
  static constexpr std::uint8_t crc32c = 0x03;             ///< checked by `parse_header()`
  static constexpr std::uint8_t noop = 0x04;               ///< padding
  static constexpr std::uint8_t unique_id = 0x05;          ///< of the connection, up to 128 bytes
  static constexpr std::uint8_t ssl = 0x20;                ///< see `Header::ssl()`
  static constexpr std::uint8_t network_namespace = 0x30;  ///< where the proxy took the connection

  std::uint8_t type = 0;
  std::vector<std::byte> value = {};
  friend bool operator==(const Tlv&, const Tlv&) = default;
};

}  // namespace tsock::inline v0::proxy
