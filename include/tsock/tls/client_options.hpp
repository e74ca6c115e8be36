#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/tls/identity.hpp>
#include <tsock/tls/pre_shared_key.hpp>
#include <tsock/tls/protocol_options.hpp>
#include <tsock/tls/trust.hpp>
#include <tsock/tls/verify_level.hpp>

namespace tsock::inline v0::tls {

/// What a client does about the stapled OCSP response of a server.
enum class OcspCheck : std::uint8_t {
  none,     ///< it is not asked for
  ask,      ///< one that comes has to be valid and to say that the certificate is good
  require,  ///< and it has to come
};

/// How a Context for clients is made.
struct ClientOptions {
  Trust trust = {.system_cas = true};
  VerifyLevel verify = VerifyLevel::ca_and_name;
  OcspCheck ocsp = OcspCheck::none;
  Identity identity = {};  ///< sent when the server asks for it
  /// With a key and without `ConnectOptions::peer_name` a server that has only a certificate is refused.
  PreSharedKey psk = {};
  /// Servers, by `ConnectOptions::peer_name`, whose sessions the context remembers to resume them; 0: none. A
  /// handshake that resumes one does not verify the certificate again.
  std::size_t remembered_servers = 1024;
  ProtocolOptions protocol = {};
};

}  // namespace tsock::inline v0::tls
