#pragma once

#include <cstdint>
#include <string>
#include <tsock/address.hpp>
#include <tsock/sasl/channel_binding.hpp>
#include <vector>

namespace tsock::inline v0::sasl {

/// What either side asks of a mechanism, and what it knows of the stream that the mechanism runs over.
struct SecurityOptions {
  /// Security strength factors (SSF), about the bits of a key: 0 is no security layer, 1 integrity without
  /// confidentiality, 56 DES, 128 and 256 AES. The strength of the stream below counts towards the lowest.
  unsigned lowest_strength = 0;
  /// 0: no security layer, whatever the mechanism can do. GSS-SPNEGO of libsasl2 seals also where only
  /// integrity is asked for.
  unsigned highest_strength = 256;
  /// The longest message of the security layer that this side takes, which the peer is told: at most
  /// 0xffffff. A longer one ends the stream. 0: no security layer.
  std::uint32_t longest_message = 65536;
  /// Mechanisms are left out that show the password to everybody on the way (PLAIN, LOGIN), unless the stream
  /// below is protected, and those without a name (ANONYMOUS). The ones named here are not.
  std::vector<std::string> allow_by_name = {};
  /// The peer has to authenticate, too.
  bool mutual_authentication = false;

  /// The SSF of the stream below, such as TLS; more than 1 says that passwords are safe there.
  unsigned external_strength = 0;
  /// Who the peer (for a server) or this side (for a client) is, as the stream below has found out: the name
  /// in a certificate. Needed for the mechanism EXTERNAL.
  std::string external_name = {};
  ChannelBinding channel_binding = {};

  /// The ends of the connection, for mechanisms that look at them. Empty ones are those of the stream where
  /// there is one.
  Address local_address = {};
  Address remote_address = {};

  /// A `gss_cred_id_t` for the GSSAPI mechanisms, which outlives the session; null: the default credentials
  /// of the process (KRB5CCNAME, KRB5_KTNAME).
  void* gss_credentials = nullptr;

  /// The protocol can carry bytes of the server along with its success (LDAP, XMPP, and `sasl::connect()`).
  /// IMAP, POP and SMTP cannot: the server asks once more there, and the client answers with no bytes.
  bool success_carries_bytes = true;
};

}  // namespace tsock::inline v0::sasl
