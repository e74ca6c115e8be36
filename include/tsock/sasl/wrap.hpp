#pragma once

#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/sasl/session.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::sasl {

/// Puts the security layer of a finished session on a stream: each message is a 4-byte length and what the
/// mechanism has made of the bytes (RFC 4422 section 3.7). A mechanism without a layer leaves the stream as
/// it is.
///
/// The peer may have sent such messages already; what the stream has read ahead is the layer's first input.
/// Writes that were started leave before it. The layer has no goodbye: the end of the stream below, between
/// two messages, is the end, and a peer that was cut off there cannot be told from one that has finished.
/// `shutdown_write()` gives ENOTSUP. Reads of the stream fail, with `Request::reason()`, and go on failing:
///  - EMSGSIZE: the peer announces an empty message, or one longer than `SecurityOptions::longest_message`;
///    nothing was allocated for it
///  - EBADMSG: a message was changed, repeated, left out or made by somebody else
///  - EPROTO: the stream ends inside of a message
/// \param below owned by the request from now on; closed when it fails, is cancelled or abandoned \param
/// session taken over \return a request for the stream
/// inside. Errors:
///  - EINVAL: the session is not done
///  - those of `layer::layer_over()`
[[nodiscard]] TSOCK_EXPORT Request<Stream> wrap(Stream below, Session session,
                                                CallSite site = CallSite::current());

}  // namespace tsock::inline v0::sasl
