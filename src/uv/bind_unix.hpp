#pragma once

#include <optional>
#include <string>
#include <tsock/address.hpp>
#include <tsock/stale_socket.hpp>

#include "uv/os/socket.hpp"
#include "uv/os/socket_file.hpp"

namespace tsock::inline v0::detail {

/// How a unix socket gets its name.
struct UnixBinding {
  StaleSocket stale = StaleSocket::fail;  ///< what to do with a path that exists already
  os::FileAccess access = {};
  std::optional<int> backlog = std::nullopt;  ///< listens, too, if given
};

/// Translates `mode` and `group`, a name or a number. \return 0, EINVAL for a group that does not exist, or
/// an error of the group database
int find_access(const std::optional<unsigned>& mode, const std::optional<std::string>& group,
                os::FileAccess& access);

/// Binds to a unix address, and listens if asked to. This is one step for other callers of it: one of them
/// wins, and the others get EADDRINUSE. The file has its permissions before any process can connect. On
/// success `file` is the socket's file, unless the name is abstract. \return 0 or an errno value
int bind_unix(NativeSocket socket, os::SocketType type, const Address& address, const UnixBinding& binding,
              std::optional<os::SocketFile>& file);

}  // namespace tsock::inline v0::detail
