#pragma once

#include <tsock/native_socket.hpp>

namespace tsock::os {

/// Unacknowledged bytes end the connection after that time. \return 0 or an errno value; ENOTSUP where TCP
/// has no such option
int set_user_timeout(NativeSocket socket, int milliseconds) noexcept;

}  // namespace tsock::os
