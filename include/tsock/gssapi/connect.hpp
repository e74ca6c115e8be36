#pragma once

#include <cstddef>
#include <string>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/gssapi/credentials.hpp>
#include <tsock/gssapi/message_options.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <vector>

namespace tsock::inline v0::gssapi {

struct ConnectOptions {
  /// Whom to talk to: "service@host.name", or a principal, which has a slash: "service/host.name@REALM".
  std::string target = {};
  std::string mechanism = "kerberos";  ///< or "spnego", "ntlm", or an OID: "1.3.6.1.5.5.2"
  Credentials credentials = {};
  bool mutual = true;     ///< the server proves who it is, too
  bool delegate = false;  ///< gives it tickets to act for the user, where the KDC allows it
  Protection protection = Protection::confidentiality;
  /// Ties the authentication to a stream below, see `channel_bindings()`; empty: to none.
  std::vector<std::byte> channel_bindings = {};
  MessageOptions messages = {};
};

/// The client's side of GSSAPI over a stream of any kind. Tokens go to and fro until both sides know each
/// other, then each write becomes messages that are signed or sealed. Small writes of one turn share a
/// message. Messages that were changed, repeated, left out or moved end the stream (EBADMSG).
///
/// What asks a KDC or reads files runs on a worker thread of the loop; the request ends at once when it is
/// cancelled, destroyed or its time is over, whatever the KDC does.
///
/// GSSAPI has no goodbye: an end of the stream below between two messages is an end in order (EPIPE), and one
/// that somebody else has made looks the same. A protocol inside has to say when it is done. There is no
/// half-close (ENOTSUP). \param below owned by the request from now on; closed when the handshake fails, is
/// cancelled or abandoned \return a request for the stream inside, without a deadline of its own. Errors,
/// with `Request::reason()`:
///  - EACCES: refused: no credentials, an unknown service, a wrong key, a clock that is wrong, another
///    channel binding, a server that does not protect as asked; what the KDC or the peer says
///  - ETIME: the ticket or the credentials have expired
///  - EHOSTUNREACH: no KDC answers
///  - EINVAL: no target, or a name, mechanism or OID that is none
///  - ENOTSUP: a cache or keytab, on Windows
///  - EPROTO: the peer does not speak this, or has ended in the middle
///  - EMSGSIZE: a token above `MessageOptions::most_token`, or an empty one
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it
///  - EAGAIN: no worker thread can be made
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> connect(Stream below, const ConnectOptions& options,
                                                   CallSite site = CallSite::current());

}  // namespace tsock::inline v0::gssapi
