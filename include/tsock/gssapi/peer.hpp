#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/gssapi/credentials.hpp>
#include <tsock/stream.hpp>
#include <vector>

namespace tsock::inline v0::gssapi {

/// What a handshake has agreed on.
struct Peer {
  std::string name;       ///< of the peer, as the mechanism displays it: "alice@EXAMPLE.COM"
  std::string own_name;   ///< of this side
  std::string mechanism;  ///< "kerberos", or the OID; of SPNEGO what it has chosen
  bool is_mutual = false;
  bool is_anonymous = false;
  bool is_sealed = false;  ///< what this side sends is sealed, not only signed
  bool is_bound = false;   ///< both sides have shown the same channel bindings (servers only)
  unsigned strength = 0;   ///< of the seal, in bits, as SASL counts it; 0 where the mechanism does not tell
  std::chrono::seconds lifetime{};  ///< that is left; `max()` for one without end
  Credentials delegated;            ///< of the client, to act for it (servers only); the system's if none
};

/// What a stream's topmost layer, if it is GSSAPI, knows of its peer. \return ENOTSUP in `err` for any other
/// stream, and for one that is closed. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT Peer peer(const Stream& stream, int& err);

/// Channel bindings as both sides write them, a kind and a value (RFC 5056, RFC 5929): `channel_bindings(
/// "tls-server-end-point", tls::channel_binding(stream, tls::ChannelBinding::server_end_point, err))`. Throws
/// std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT std::vector<std::byte> channel_bindings(std::string_view kind,
                                                                   std::span<const std::byte> value);

}  // namespace tsock::inline v0::gssapi
