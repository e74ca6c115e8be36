#pragma once

#include <string>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/listener.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/npa/accept.hpp>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::npa {

struct ListenOptions {
  AcceptOptions each = {};
  layer::ListenOptions handshakes = {};
  ListenerOptions socket = {};
};

/// Serves a named pipe: listens at `pipe_address(directory, pipe)`, where smbd (external_rpc_pipe:socket_dir)
/// and `npa::connect()` look for it, and gives streams whose handshake is done. Many handshakes run at a
/// time, each with a deadline; one that fails never ends accepting, and is logged, at most once a second
/// (`layer::ListenOptions`).
///
/// Makes the directory `np` with mode 0700 where it is missing. Whoever may write to it can take the place of
/// the server, so it has to be a directory, no symbolic link, of our own user or root, and nobody else may
/// write to it or, unless it is sticky, to `directory`. Blocks for these checks. On failure the Listener is
/// empty, `err` is one of these, and `reason` may have more to say:
///  - EINVAL: a name as in `pipe_address()`
///  - EPERM: somebody else may write to a directory
///  - ENOTDIR: `np` is a symbolic link, or no directory
///  - what `Listener::unix_stream()`, open(2) and mkdir(2) give
[[nodiscard]] TSOCK_EXPORT Listener listen(Loop& loop, std::string_view directory, std::string_view pipe,
                                           const ListenOptions& options, int& err, std::string& reason);

/// The same over any listener, whose socket is the caller's affair.
[[nodiscard]] TSOCK_EXPORT Listener listen(Listener below, const AcceptOptions& each = {},
                                           layer::ListenOptions handshakes = {});

}  // namespace tsock::inline v0::npa
