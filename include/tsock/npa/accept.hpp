#pragma once

#include <functional>
#include <optional>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/reply.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::npa {

/// Whether the process at the other end of a unix stream runs as root or as our own (effective) user. False
/// for streams of other kinds.
[[nodiscard]] TSOCK_EXPORT bool is_root_or_self(const Stream& stream) noexcept;

struct AcceptOptions {
  /// What clients are told; `reply.file_type` decides how bytes travel.
  Reply reply = {};
  /// In place of `reply`, for each client by who he is; a status other than ok refuses him. Called from the
  /// loop. What it throws refuses him, too.
  std::function<Reply(const Identity& client)> answer = {};
  /// Whether a peer is believed: called before a byte of it is read, with the stream below. Empty:
  /// `is_root_or_self()`. Whoever is believed can be any client.
  std::function<bool(const Stream& below)> trusts = {};
  /// The one level to accept; without it both.
  std::optional<Level> level = std::nullopt;
};

/// The server's side of NPA over a stream: who the client is comes with `npa::identity()` of the result; what
/// is said of `connect()` applies here, too. Give it a deadline, as a client may stop in the middle
/// (`npa::listen()` does).
///
/// A client that is not believed, or that sends something else than a request, sees the end of the stream
/// without an answer, as from Samba. Errors, with `Request::reason()`:
///  - EACCES: the peer is not trusted, or was refused by `answer`
///  - EPROTONOSUPPORT: another magic or level
///  - EMSGSIZE: a request of less than 8 or more than 16777215 bytes; no memory is taken for these
///  - EPROTO: a request that cannot be read, or the peer has ended in the middle
///  - ENOTSUP: a request with claims of an unknown type, or in another order than Samba writes them
///  - EINVAL: a reply without a mode
///  - ENOTCONN, ECONNABORTED, EBUSY, ENOMEM as `layer::layer_over()`, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> accept(Stream below, const AcceptOptions& options = {},
                                                  CallSite site = CallSite::current());

}  // namespace tsock::inline v0::npa
