#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tsock/byte_view.hpp>
#include <tsock/export.hpp>
#include <tsock/stream.hpp>
#include <vector>

namespace tsock::inline v0::tls {

/// What became of `ConnectOptions::early_data`, or, for a server, of the client's.
enum class EarlyData : std::uint8_t {
  none,      ///< nothing was sent before the handshake was done
  accepted,  ///< it was sent early, and taken
  refused    ///< it was sent early, refused, and sent again
};

/// What a handshake has agreed on.
struct Peer {
  std::string version;       ///< "TLSv1.3"
  std::string cipher;        ///< "TLS_AES_128_GCM_SHA256"
  std::string group;         ///< of the key exchange: "x25519"; empty where OpenSSL does not tell
  std::string alpn;          ///< the protocol chosen; empty if none
  std::string server_name;   ///< SNI, as the client has sent it
  std::string psk_identity;  ///< of the key that a client has shown; empty without one (servers only)
  std::string verification;  ///< how the peer's certificate was judged, in words: "ok"; empty without one
  bool is_verified = false;  ///< it has a certificate, and this was verified
  bool is_resumed = false;
  bool kernel_sends = false;  ///< the kernel encrypts what is sent; see `ProtocolOptions::kernel_tls`
  EarlyData early_data = EarlyData::none;
  std::vector<std::string> chain;  ///< the peer's certificates as PEM, its own first, as it has sent them
  std::string ocsp_response;       ///< that the server has stapled, as DER (clients only)
};

/// What a stream's topmost layer, if it is TLS, knows of its peer. \return ENOTSUP in `err` for any other
/// stream, and for one that is closed. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT Peer peer(const Stream& stream, int& err);

/// Kinds of channel bindings, by which a protocol inside ties its authentication to the TLS stream.
enum class ChannelBinding : std::uint8_t {
  server_end_point,  ///< tls-server-end-point: a hash of the server's certificate (RFC 5929)
  exporter,          ///< tls-exporter (RFC 9266)
  unique             ///< tls-unique: TLS 1.2 only (RFC 5929)
};

/// \return the binding, without its name and colon; empty with `err`:
///  - ENOTSUP: not a TLS stream, or one that has no such binding
///  - ENOMEM
[[nodiscard]] TSOCK_EXPORT std::vector<std::byte> channel_binding(const Stream& stream, ChannelBinding kind,
                                                                  int& err);

/// Keying material for a protocol inside (RFC 5705; RFC 8446 section 7.5). \param size 1 to 16384 bytes
/// \return the bytes, which are a secret; empty with `err`: ENOTSUP, EINVAL, ENOMEM
[[nodiscard]] TSOCK_EXPORT std::vector<std::byte> export_keying_material(const Stream& stream,
                                                                         std::string_view label,
                                                                         ByteView context, std::size_t size,
                                                                         int& err);

}  // namespace tsock::inline v0::tls
