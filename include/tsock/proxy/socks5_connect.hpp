#pragma once

#include <string>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/proxy/target.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::proxy {

/// The password is wiped when it goes.
struct TSOCK_EXPORT Socks5Options {
  /// Offered beside no authentication when the user is not empty (RFC 1929); up to 255 bytes each. They cross
  /// the stream as they are. The copy of the request is wiped.
  std::string user = {};
  std::string password = {};

  ~Socks5Options();
};

/// Connects through a SOCKS proxy of version 5 (RFC 1928, CONNECT) that `below` is connected to. Names go to
/// the proxy as they are. What the target sends behind the proxy's reply is unread in the result; a handshake
/// such as `tls::connect()` may stand on it. \param below owned by the request from now on; closed when it
/// fails, is cancelled or abandoned \return a request for the stream to the target, without a deadline of its
/// own; its `remote_address()` is the proxy's. Errors, with `Request::reason()`:
///  - EINVAL: a host that is empty, longer than 255 bytes or has a byte that no name has; port 0; a user or
///    password that is too long
///  - EACCES: the proxy's rules do not allow it (2), it refuses user and password, or all methods
///  - ENETUNREACH, EHOSTUNREACH, ECONNREFUSED: what the proxy says of the target (3, 4, 5); EHOSTUNREACH also
///    for a TTL that has expired (6)
///  - EOPNOTSUPP, EAFNOSUPPORT: it does not know CONNECT (7), or the kind of address (8)
///  - EIO: it says no more than that it has failed (1)
///  - EPROTO: no SOCKS proxy of version 5, or one that has closed in the middle
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> socks5_connect(Stream below, const Target& target,
                                                          const Socks5Options& options = {},
                                                          CallSite site = CallSite::current());

}  // namespace tsock::inline v0::proxy
