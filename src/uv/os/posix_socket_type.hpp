#pragma once

#include <sys/socket.h>

#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

/// The system's number of a type.
[[nodiscard]] inline int type_of(SocketType type) noexcept {
  if (type == SocketType::messages) return SOCK_SEQPACKET;
  return type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM;
}

}  // namespace tsock::inline v0::os
