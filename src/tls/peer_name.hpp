#pragma once

#include <string>

namespace tsock::inline v0::tls {

/// The name of a peer as it stands in certificates: a DNS name without the dot at its end, or an IP address
/// without zone.
struct PeerName {
  enum class Kind { none, dns, ip, invalid };
  Kind kind = Kind::none;
  std::string text = {};

  [[nodiscard]] static PeerName parse(const std::string& name);
};

}  // namespace tsock::inline v0::tls
