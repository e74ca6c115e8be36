#pragma once

#include <cstdint>

namespace tsock::inline v0::tls {

/// What a client asks of the server's certificate. The levels are those of Samba's `tls verify peer`.
enum class VerifyLevel : std::uint8_t {
  no_check,                  ///< nothing: no protection against a middleman
  ca_only,                   ///< a chain to a trusted CA, whatever its name
  ca_and_name_if_available,  ///< and the peer's name, if `ConnectOptions::peer_name` gives one
  ca_and_name,               ///< and the peer's name, without which `connect()` fails
  as_strict_as_possible  ///< and the strict form of RFC 5280, with a CRL for each certificate of the chain
};

}  // namespace tsock::inline v0::tls
