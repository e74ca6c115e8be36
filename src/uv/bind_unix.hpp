#pragma once

#include <tsock/address.hpp>
#include <tsock/stale_socket.hpp>

#include "uv/os/socket.hpp"

namespace tsock::detail {

/// Binds to a unix address. A path that exists already is dealt with as told. \return 0 or an errno value.
int bind_unix(int fd, os::SocketType type, const Address& address, StaleSocket stale);

}  // namespace tsock::detail
