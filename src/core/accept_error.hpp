#pragma once

#include <cerrno>

namespace tsock::detail {

/// Whether an error of accept(2) says that the listener is no good. All others, which differ between systems
/// and protocols, are those of the one connection that was at the head of the backlog.
[[nodiscard]] inline bool is_listener_broken(int err) noexcept {
  return err == EBADF || err == ENOTSOCK || err == EINVAL || err == EFAULT || err == ENOTCONN;
}

}  // namespace tsock::detail
