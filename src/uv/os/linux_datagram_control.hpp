#pragma once

#include <sys/socket.h>

#include <tsock/datagram_backend.hpp>

namespace tsock::os {

/// Puts what the kernel told of a received datagram into its slot: where the kernel put several together,
/// their size, and what goes into DatagramSlot::info. Closes descriptors that came along.
void read_control(msghdr& message, DatagramSlot& slot);

}  // namespace tsock::os
