#pragma once

#include <sys/socket.h>

#include <cerrno>

namespace tsock::os {

inline constexpr int scm_pidfd = 4;  // SCM_PIDFD of newer headers

/// Calls again while a signal interrupts.
template <class F>
auto retry(F call) noexcept {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// Sets a socket option that is an int. \return 0 or an errno value.
inline int set_int(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : errno;
}

}  // namespace tsock::os
