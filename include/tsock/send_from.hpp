#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tsock/address.hpp>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// The sender of a datagram, on a socket that is bound to the wildcard: a local address, an interface, or
/// both (IP_PKTINFO, IPV6_PKTINFO). Small, so that each datagram can carry one.
class TSOCK_EXPORT SendFrom {
 public:
  /// No choice: the route decides.
  SendFrom() noexcept = default;
  /// A local address, whose port does not matter, and the interface to leave by (0: the route decides; for an
  /// address with a scope that scope).
  ///
  /// An address that cannot send counts as none: an empty one, the wildcard, a multicast group,
  /// 255.255.255.255. So DatagramInfo::destination can be passed back unchanged; for a broadcast
  /// DatagramInfo::reply_from is more precise.
  // NOLINTNEXTLINE(google-explicit-constructor): an address is the usual way to write it
  SendFrom(const Address& address, unsigned interface_index = 0) noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return kind_ == Kind::none && interface_index_ == 0; }
  /// The local address, with port 0; empty if none was chosen.
  [[nodiscard]] Address address() const;
  [[nodiscard]] unsigned interface_index() const noexcept { return interface_index_; }
  /// False for a unix address, which no datagram can be sent from.
  [[nodiscard]] bool is_valid() const noexcept { return kind_ != Kind::other; }

  friend bool operator==(const SendFrom&, const SendFrom&) noexcept = default;
  [[nodiscard]] std::size_t hash() const noexcept;

 private:
  enum class Kind : std::uint8_t { none, ipv4, ipv6, other };
  std::array<std::byte, 16> ip_{};
  std::uint32_t interface_index_ = 0;
  Kind kind_ = Kind::none;
};

}  // namespace tsock::inline v0
