#pragma once

#include <tsock/native_socket.hpp>

namespace tsock::inline v0::os {

/// Unacknowledged bytes end the connection after that time. \return 0 or an errno value; ENOTSUP where TCP
/// has no such option
int set_user_timeout(NativeSocket socket, int milliseconds) noexcept;

/// Lets so many connections wait that have sent data with their first packet. \return 0 or an errno value;
/// ENOTSUP where TCP has no such option
int accept_with_first_write(NativeSocket socket, int backlog) noexcept;

}  // namespace tsock::inline v0::os
