#pragma once

#include <chrono>
#include <string>
#include <tsock/byte_view.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <tsock/tls/context.hpp>

namespace tsock::inline v0::tls {

struct ConnectOptions {
  /// Whom to expect: a DNS name, which is sent as SNI, too, or an IP address. The certificate has to have it
  /// among its alternative names; a common name does not count.
  std::string peer_name = {};
  /// Sent as SNI in place of `peer_name`: a DNS name, for a server that keeps its certificates under others.
  std::string server_name = {};
  /// Resumes a session with this name when the context has one.
  bool resume = true;
  /// The first bytes that the server is to get. They go with the first flight of a resumed session whose
  /// server allows it (see `ServerOptions::replayable_early_data` for what that costs), else, and when the
  /// server refuses them, right behind the handshake. `Peer::early_data` tells. Copied.
  ByteView early_data = "";
  /// How long `Stream::disconnect()` waits for the peer's close_notify.
  std::chrono::milliseconds goodbye_time = std::chrono::seconds(2);
};

/// The client's side of TLS over a stream of any kind: TCP, unix, a pair in memory, another TLS stream.
/// Completes when the last message of the handshake has left. What `below` has read ahead is input of the
/// handshake, and writes that were started on it leave first (STARTTLS).
///
/// Every promise of streams applies to the result. `shutdown_write()` sends close_notify, and reading goes
/// on; `disconnect()` sends it and waits for the peer's. A read gives the end only after the peer's
/// close_notify; a connection that is cut before gives EPROTO, as bytes may be missing. \param below owned by
/// the request from now on; closed when the handshake fails, is cancelled or abandoned \return a request for
/// the stream inside, without a deadline of its own. Errors, with `Request::reason()`:
///  - EACCES: the certificate of the peer is refused, or missing where one is required
///  - EPROTO: the peer refuses, does not speak TLS, or has ended in the middle
///  - EINVAL: no context, one for servers, no name where the verify level needs one, or one that cannot be
///    a name
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> connect(Stream below, const Context& context,
                                                   const ConnectOptions& options = {},
                                                   CallSite site = CallSite::current());

}  // namespace tsock::inline v0::tls
