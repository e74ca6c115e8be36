#pragma once

#include <cstdint>
#include <string>
#include <tsock/address.hpp>
#include <tsock/export.hpp>

namespace tsock::inline v0::proxy {

/// Whom a proxy is to connect to.
struct TSOCK_EXPORT Target {
  /// A name, which the proxy looks up, or a numeric address without brackets and scope.
  std::string host = {};
  std::uint16_t port = 0;

  /// Of an IP address; the host is empty for any other.
  [[nodiscard]] static Target of(const Address& address);
};

}  // namespace tsock::inline v0::proxy
