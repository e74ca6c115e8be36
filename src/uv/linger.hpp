#pragma once

#include <tsock/native_socket.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::detail {

/// One step of the disconnect of a socket; the caller closes it unless this gives EAGAIN, and then calls
/// again when it is readable.
int try_linger(NativeSocket socket, Linger& linger) noexcept;

}  // namespace tsock::detail
