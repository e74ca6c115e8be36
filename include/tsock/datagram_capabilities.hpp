#pragma once

namespace tsock::inline v0 {

/// What this system's UDP sockets can do.
struct DatagramCapabilities {
  bool batches = false;          ///< recvmmsg, sendmmsg: several datagrams in one system call
  bool send_offload = false;     ///< UDP_SEGMENT
  bool receive_offload = false;  ///< UDP_GRO
};

}  // namespace tsock::inline v0
