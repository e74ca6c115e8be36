#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tsock/address.hpp>
#include <tsock/export.hpp>
#include <tsock/optional_text.hpp>

namespace tsock::inline v0::proxy {

/// IP addresses that begin with the same bits (RFC 4632, RFC 4291): 10.0.0.0/8, 2001:db8::/32.
class TSOCK_EXPORT Network {
 public:
  /// No address is in it.
  Network() noexcept = default;

  /// Reads "address/length", or "address" for that address alone. Errors:
  ///  - EINVAL: no numeric address, a length that it cannot have, a scope, or bits behind the length that are
  ///    not 0, which is a slip as a rule: 10.0.0.1/8
  [[nodiscard]] static Network parse(OptionalText text, int& err);

  /// Whether the address is in it, whatever its port. A v4-mapped address is its IPv4 address; false for what
  /// is no IP address.
  [[nodiscard]] bool contains(const Address& address) const noexcept;

  /// "10.0.0.0/8"; "" for a network without addresses.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Network&, const Network&) = default;

 private:
  std::array<std::uint8_t, 16> ip_{};  // IPv4 as v4-mapped
  std::uint8_t bits_ = 0;
  bool has_addresses_ = false;
};

}  // namespace tsock::inline v0::proxy
