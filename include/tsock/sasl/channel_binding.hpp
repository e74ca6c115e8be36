#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tsock::inline v0::sasl {

/// What ties an authentication to the TLS stream that it runs in: `tls::channel_binding()` gives the bytes.
/// Only mechanisms that can do it (SCRAM-*-PLUS, GS2-*) look at it.
struct ChannelBinding {
  std::string type = {};  ///< "tls-server-end-point", "tls-exporter", "tls-unique"; empty: no binding
  std::vector<std::byte> bytes = {};
  /// Refuses a peer that cannot do it. Otherwise it is used where both sides can.
  bool is_required = false;
};

}  // namespace tsock::inline v0::sasl
