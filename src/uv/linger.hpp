#pragma once

#include <tsock/stream_backend.hpp>

namespace tsock::detail {

/// One step of the disconnect of a socket; the caller closes it unless this gives EAGAIN, and then calls
/// again when it is readable.
int try_linger(int fd, Linger& linger) noexcept;

}  // namespace tsock::detail
