#pragma once

#include <tsock/native_socket.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::detail {

/// Takes one step of the disconnect of a socket. The caller closes the socket unless this returns EAGAIN; in
/// that case it calls again when the socket is readable.
int try_linger(NativeSocket socket, Linger& linger) noexcept;

}  // namespace tsock::inline v0::detail
