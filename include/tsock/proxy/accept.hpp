#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/proxy/header_format.hpp>
#include <tsock/proxy/network.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <vector>

namespace tsock::inline v0::proxy {

/// From whom a PROXY header is accepted, and whether there has to be one.
struct AcceptOptions {
  enum class Presence : std::uint8_t {
    required,  ///< a connection without a header is closed
    /// A connection that begins with something else goes on as it is, and no byte is lost. It goes on when it
    /// has sent its first bytes, so a protocol in which the server speaks first needs `required`.
    optional
  };
  /// What becomes of connections from elsewhere.
  enum class Untrusted : std::uint8_t {
    refuse,  ///< EACCES, before a byte is read
    plain    ///< they go on as they are; a header that they send is their first bytes
  };

  Presence presence = Presence::required;
  /// Where proxies are; empty: everywhere. Whoever may send a header chooses the address that the server
  /// sees, so a port that clients reach, too, needs it. Streams without an IP address (unix sockets, whose
  /// permissions decide, and pairs in memory) are trusted.
  std::vector<Network> trusted = {};
  Untrusted untrusted = Untrusted::refuse;
  std::size_t most_v2 = usual_v2_limit;  ///< bytes of a header of version 2
};

/// Reads the PROXY header in front of a connection. Addresses of the stream are those of the header from then
/// on: `remote_address()` is the client, `local_address()` where it connected to, also through layers that
/// stand on it, such as TLS. With the command LOCAL, and where the proxy does not name the client, they
/// remain what they are. Everything else is as before: bytes pass unchanged, and a socket remains one, with
/// its `native_handle()`. \param below owned by the request from now on; closed when the header is refused,
/// or the request is cancelled or abandoned \return a request for the stream, without a deadline of its own.
/// Errors, with `Request::reason()`:
///  - EACCES: `below` comes from elsewhere
///  - ENOMSG: it does not begin with a header
///  - EPROTO: a header that is malformed, of unknown version, with a wrong checksum, or cut by the end
///  - EMSGSIZE: one that is longer than the limit
///  - EPIPE: the peer has closed without a byte
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> accept(Stream below, const AcceptOptions& options = {},
                                                  CallSite site = CallSite::current());

/// The header that a stream of `accept()` came with; also of one with layers on it. Null for a stream that
/// came without one, and once it is closed. Valid until then.
[[nodiscard]] TSOCK_EXPORT const Header* header(const Stream& stream) noexcept;

/// The proxy that a stream of `accept()` came from: what `remote_address()` would be without the header.
/// Empty where `header()` is null.
[[nodiscard]] TSOCK_EXPORT Address proxy_address(const Stream& stream) noexcept;

}  // namespace tsock::inline v0::proxy
