#pragma once

#include <cstddef>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/sasl/client_options.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::sasl {

/// The longest frame of the handshake of `connect()` and `accept()`; a longer one is EMSGSIZE.
inline constexpr std::size_t longest_frame = std::size_t{256} * 1024;

/// Authenticates over a stream whose protocol has no way of its own for that, and puts the security layer on.
/// For one that has, such as LDAP, see ClientSession.
///
/// Every message is a frame: its length in 4 bytes, big-endian, then so many bytes.
///  1. The server sends the names of its mechanisms with a space between them.
///  2. The client sends the name of one; if the mechanism gives it an initial response, a zero byte and that.
///  3. The server sends a byte, 'C' with a challenge behind it, 'S' for success, 'B' for success with bytes
///     for the client's mechanism, or 'F' with words for failure. After 'C' the client sends its response,
///     which may be empty, and the server goes on.
/// The messages of `wrap()` follow, or bytes as they are when the mechanism has no layer. In this case, too,
/// `sasl::peer()` knows of the authentication, `shutdown_write()` gives ENOTSUP, and bytes are copied once.
///
/// Addresses that the options leave empty are those of the stream. What it has read ahead is input of the
/// handshake, and writes that were started on it leave first. Steps run on a worker thread of the loop, with
/// the functions of the options. \param below owned by the request from now on; closed when the handshake
/// fails, is cancelled or abandoned, at once also while a step is stuck \return a request for the stream
/// inside, without a deadline of its own. Errors, with `Request::reason()`:
///  - EACCES: the server refuses, or is refused
///  - ENOTSUP: none of its mechanisms is possible and allowed
///  - EPROTO: the peer does not speak this, or has ended in the middle
///  - EMSGSIZE: a frame is too long
///  - EINVAL: an option makes no sense
///  - EHOSTUNREACH: what the mechanism has to ask cannot be asked
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> connect(Stream below, const ClientOptions& options,
                                                   CallSite site = CallSite::current());

}  // namespace tsock::inline v0::sasl
