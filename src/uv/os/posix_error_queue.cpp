#include "uv/os/datagram_socket.hpp"

namespace tsock::inline v0::os {

int drain_error_queue(NativeSocket /*socket*/) noexcept { return 0; }

}  // namespace tsock::inline v0::os
