#pragma once

#include <sys/socket.h>

#include <tsock/datagram_backend.hpp>

namespace tsock::os {

/// Stores in the slot what the kernel reported about a received datagram: the size of each part where the
/// kernel joined several, and DatagramSlot::info. Closes descriptors that came along.
void read_control(msghdr& message, DatagramSlot& slot);

}  // namespace tsock::os
