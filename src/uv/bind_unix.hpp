#pragma once

#include <optional>
#include <tsock/address.hpp>
#include <tsock/stale_socket.hpp>

#include "uv/os/socket.hpp"
#include "uv/os/socket_file.hpp"

namespace tsock::detail {

/// How a unix socket gets its name.
struct UnixBinding {
  StaleSocket stale = StaleSocket::fail;  ///< what becomes of a path that exists already
  os::FileAccess access = {};
  std::optional<int> backlog = std::nullopt;  ///< listens, too
};

/// Binds to a unix address, and listens. For others who do the same this is one step: one of them wins, and
/// who loses gets EADDRINUSE. The file has its permissions before anybody can connect. On success `file` is
/// the socket's file, unless the name is abstract. \return 0 or an errno value.
int bind_unix(int fd, os::SocketType type, const Address& address, const UnixBinding& binding,
              std::optional<os::SocketFile>& file);

}  // namespace tsock::detail
