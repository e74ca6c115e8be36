#pragma once

#include <cstddef>
#include <cstdint>

namespace tsock::inline v0::gssapi {

/// What is done to the bytes of a stream.
enum class Protection : std::uint8_t {
  integrity,       ///< they can be read by others, and not be changed
  confidentiality  ///< nor read
};

/// What stands in front of each token of the handshake and of each message.
enum class Frame : std::uint8_t {
  length,      ///< four bytes of length, big endian: SASL's security layer, Samba's LDAP
  postgresql,  ///< the same, with messages of at most 16 KiB; its GSSENCRequest is for the user to send
  mit_sample   ///< a byte of flags and four of length: gss-client and gss-server of MIT krb5
};

/// How messages look on the wire.
struct MessageOptions {
  Frame frame = Frame::length;
  std::size_t most_token = std::size_t{1} << 20;  ///< bytes of a token of the handshake; EMSGSIZE above it
  /// Bytes of a message that is sent, behind its length. How much of the user's it can hold is the
  /// mechanism's to say (gss_wrap_size_limit).
  std::size_t most_sent = std::size_t{64} * 1024;
  std::size_t most_received = 0xffffff;  ///< the same for one that comes; EMSGSIZE above it
  /// The stream goes on when the lifetime of the context, which is that of the ticket, is over. Otherwise
  /// reading and writing end with ETIME.
  bool may_outlive_ticket = false;
};

}  // namespace tsock::inline v0::gssapi
