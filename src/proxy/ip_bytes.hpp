#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tsock/address.hpp>

namespace tsock::inline v0::proxy {

using Ipv6Bytes = std::array<std::uint8_t, 16>;

/// The bytes of an IP address in network order, an IPv4 one as v4-mapped; none for other addresses.
[[nodiscard]] std::optional<Ipv6Bytes> ip_bytes(const Address& address) noexcept;
[[nodiscard]] bool is_mapped(const Ipv6Bytes& ip) noexcept;

/// From 4 or 16 bytes in network order.
[[nodiscard]] Address address_from_bytes(std::span<const std::byte> ip, std::uint16_t port) noexcept;

/// From a name with zeros behind it: a path, an abstract name, which begins with zero, or none. Empty where
/// the system has no such address.
[[nodiscard]] Address unix_address_from_bytes(std::span<const std::byte> name) noexcept;

}  // namespace tsock::inline v0::proxy
