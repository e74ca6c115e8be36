#pragma once

#include <cstddef>
#include <string>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/proxy/target.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::proxy {

/// The password is wiped when it goes.
struct TSOCK_EXPORT HttpOptions {
  /// Sent when the user is not empty ("Basic", RFC 7617); a user has no colon. They cross the stream as they
  /// are, so they belong on a TLS stream to the proxy. The copy of the request is wiped.
  std::string user = {};
  std::string password = {};
  std::size_t most_reply = std::size_t{16} * 1024;  ///< bytes of the reply's head

  ~HttpOptions();
};

/// Connects through an HTTP proxy (RFC 9110, CONNECT, over HTTP/1.1) that `below` is connected to: a plain
/// stream, or one of `tls::connect()` for a proxy that is reached by https. Names go to the proxy as they
/// are. Any status of 2xx is success. What follows the head of the reply comes from the target and is unread
/// in the result; a handshake such as `tls::connect()` may stand on it. \param below owned by the request
/// from now on; closed when it fails, is cancelled or abandoned \return a request for the stream to the
/// target, without a deadline of its own; its `remote_address()` is the proxy's. Errors, with
/// `Request::reason()`, which has the status line:
///  - EINVAL: a host that is empty, longer than 255 bytes or has a byte that no name has; port 0; a colon in
///    the user, or a control character in it or the password
///  - EACCES: 401, 403, 407
///  - EHOSTUNREACH: 404, 502, 503, 504: the proxy does not reach the target
///  - ECONNREFUSED: any other status
///  - EMSGSIZE: a head that is longer than the limit
///  - EPROTO: no HTTP proxy, or one that has closed in the middle
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> http_connect(Stream below, const Target& target,
                                                        const HttpOptions& options = {},
                                                        CallSite site = CallSite::current());

}  // namespace tsock::inline v0::proxy
