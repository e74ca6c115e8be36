#pragma once

#include <optional>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <tsock/stream_options.hpp>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::npa {

struct ConnectOptions {
  /// The one level to speak. Without it level 8 is tried first and, where the connection can be made again,
  /// level 7: Samba closes without an answer when it does not speak a level.
  std::optional<Level> level = std::nullopt;
  /// What the stream does, where it is made here.
  StreamOptions stream = {};
};

/// Where the socket of a pipe is: `<directory>/np/<name of the pipe in lower case>`. \param directory
/// samba-dcerpcd's `ncalrpc dir`, or the `socket_dir` of smbd's external_rpc_pipe \return the empty address
/// with EINVAL in `err` for a name that is empty, "." or "..", or has a '/' or NUL; with what
/// `Address::unix_from_path()` gives for a path that is too long. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT Address pipe_address(std::string_view directory, std::string_view pipe, int& err);

/// Connects to a named pipe of a Samba server, or of one of our own (`npa::listen()`), with the identity of
/// the one on whose behalf it is used. Cancelling and destroying close the socket.
///
/// The stream inside has the mode that the server has chosen, see `npa::reply()`: in message mode each write
/// is a message of at most 65535 bytes, and `Stream::read_message()` gives one whole, while other reads cross
/// their borders; in byte mode it is the unix stream below. What was said in the handshake is found by
/// `npa::reply()` and `npa::level()`. \param identity copied \return a request for the stream inside, without
/// a deadline of its own. Errors, with `Request::reason()`:
///  - EINVAL: no name for a pipe, or an identity that cannot be sent
///  - EACCES: the server refuses, with its NTSTATUS in the reason
///  - EPROTO, ECONNRESET: the server closed without a reply, as Samba does when it does not speak the level
///    or does not understand the request
///  - EIO: a reply that is none
///  - EMSGSIZE: a reply that is too long
///  - those of `Stream::connect()`: ENOENT and ECONNREFUSED where nobody serves the pipe
[[nodiscard]] TSOCK_EXPORT Request<Stream> connect(Loop& loop, std::string_view directory,
                                                   std::string_view pipe, const Identity& identity,
                                                   const ConnectOptions& options = {},
                                                   CallSite site = CallSite::current());

/// The same over a stream of any kind. Only one level can be tried: `options.level`, or else level 8. What
/// `below` has read ahead is input of the handshake, and writes that were started on it leave first. \param
/// below owned by the request from now on; closed when the handshake fails, is cancelled or abandoned. Errors
/// besides: ENOTCONN, ECONNABORTED, EBUSY as `layer::layer_over()`
[[nodiscard]] TSOCK_EXPORT Request<Stream> connect(Stream below, const Identity& identity,
                                                   const ConnectOptions& options = {},
                                                   CallSite site = CallSite::current());

}  // namespace tsock::inline v0::npa
