#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/export.hpp>
#include <tsock/proxy/ssl_info.hpp>
#include <tsock/proxy/tlv.hpp>
#include <vector>

namespace tsock::inline v0 {
class Stream;
}

namespace tsock::inline v0::proxy {

/// The header of the PROXY protocol: what a proxy tells a server about the connection that it passes on
/// (HAProxy's proxy-protocol.txt).
struct TSOCK_EXPORT Header {
  enum class Version : std::uint8_t {
    v1 = 1,  ///< a line of text: TCP over IPv4 or IPv6, nothing more
    v2 = 2   ///< binary
  };
  enum class Command : std::uint8_t {
    local,  ///< the proxy speaks for itself, a health check say: the addresses are those of the connection
    proxy   ///< it speaks for a client
  };
  enum class Transport : std::uint8_t { unspecified, stream, datagram };

  Version version = Version::v2;
  Command command = Command::proxy;
  /// Of the client's connection. `unspecified` where the proxy does not say, and then there are no addresses.
  Transport transport = Transport::stream;
  Address source = {};       ///< the client
  Address destination = {};  ///< where it connected to
  std::vector<Tlv> tlvs = {};

  /// The first value of a type, or null. Valid as long as the header is not changed, like the views below.
  [[nodiscard]] const Tlv* find(std::uint8_t type) const noexcept;
  [[nodiscard]] std::optional<std::string_view> alpn() const noexcept;
  [[nodiscard]] std::optional<std::string_view> authority() const noexcept;
  [[nodiscard]] std::optional<std::string_view> network_namespace() const noexcept;
  [[nodiscard]] std::optional<std::span<const std::byte>> unique_id() const noexcept;
  /// What the proxy says about TLS; none where it says nothing, or what cannot be read. Throws
  /// std::bad_alloc.
  [[nodiscard]] std::optional<SslInfo> ssl() const;

  /// For a relay: the header with which the connection of `accepted` is passed on. Its addresses, and the
  /// TLVs of the header that it came with, if it is one of `proxy::accept()`.
  [[nodiscard]] static Header of(const Stream& accepted);

  friend bool operator==(const Header&, const Header&) = default;
};

}  // namespace tsock::inline v0::proxy
