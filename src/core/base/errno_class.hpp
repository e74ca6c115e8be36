#pragma once

#include <cerrno>

namespace tsock::inline v0::detail {

/// True if the process or the system has run out of descriptors, memory or watches (ENOSPC, epoll_ctl(2)), so
/// that a later try may succeed.
[[nodiscard]] inline bool is_shortage(int err) noexcept {
  return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM || err == ENOSPC;
}

/// True if an error of accept(2) says that the listener itself is unusable. All other errors, which differ
/// between systems and protocols, belong to the one connection at the head of the backlog.
[[nodiscard]] inline bool is_listener_broken(int err) noexcept {
  return err == EBADF || err == ENOTSOCK || err == EINVAL || err == EFAULT || err == ENOTCONN;
}

/// True if the error is one of the connection, as opposed to one of a single call (no memory, a descriptor
/// that cannot be passed). The kernel reports such an error only once, so whoever receives it has to remember
/// it.
[[nodiscard]] inline bool breaks_connection(int err) noexcept {
  switch (err) {
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ETIMEDOUT:
#ifdef EHOSTDOWN
    case EHOSTDOWN:
#endif
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case ENETUNREACH:
    case EPROTO:
      return true;
    default:
      return false;
  }
}

}  // namespace tsock::inline v0::detail
