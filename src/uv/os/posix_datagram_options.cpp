#include <sys/socket.h>

#include "uv/os/datagram_socket.hpp"

namespace tsock::inline v0::os {

DatagramCalls datagram_calls(NativeSocket /*socket*/, int family, const DatagramOptions& options,
                             bool /*adopted*/) noexcept {
  // Descriptors that come along must be closed.
  return {.batches = false, .control = options.receive_info || family == AF_UNIX};
}

std::uint64_t dropped_datagrams(NativeSocket /*socket*/) noexcept { return 0; }

DatagramCapabilities datagram_capabilities() noexcept { return {}; }

}  // namespace tsock::inline v0::os
