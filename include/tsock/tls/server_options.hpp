#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <tsock/tls/identity.hpp>
#include <tsock/tls/pre_shared_key.hpp>
#include <tsock/tls/protocol_options.hpp>
#include <tsock/tls/ticket_keys.hpp>
#include <tsock/tls/trust.hpp>
#include <vector>

namespace tsock::inline v0::tls {

/// What a server asks of a client.
enum class ClientAuth : std::uint8_t {
  none,     ///< no certificate
  request,  ///< one may be sent, and is verified then
  require   ///< one has to be sent
};

/// How a Context for servers is made.
struct ServerOptions {
  /// A client gets the certificate that has the name that it asks for (SNI), the first one if none has.
  /// Several for one name may differ in the kind of their key.
  std::vector<Identity> identities = {};
  ClientAuth client_auth = ClientAuth::none;
  Trust trust = {};  ///< for certificates of clients
  /// Gives the key of a client's PSK identity, or one without bytes for an unknown identity. Called from the
  /// threads that run handshakes. A server with it needs no certificate.
  std::function<PreSharedKey(std::string_view identity)> find_psk = {};
  TicketKeys ticket_keys = {};
  std::size_t tickets = 1;  ///< of TLS 1.3, sent after each full handshake; 0 forbids resumption
  std::chrono::seconds ticket_lifetime = std::chrono::hours(2);  ///< at most 7 days
  /// Bytes that a client may send before the handshake is done (0-RTT, RFC 8446 section 8), 0 for none. It
  /// saves a round trip and costs safety: who records them can send them again, to this server after a
  /// restart or to another one with the same name, and they are not protected by forward secrecy. Allow it
  /// only when the first request of a client may be carried out twice. Sessions are then kept in memory, each
  /// for one use, instead of in tickets, so `ticket_keys` does not apply.
  std::uint32_t replayable_early_data = 0;
  ProtocolOptions protocol = {};
};

}  // namespace tsock::inline v0::tls
