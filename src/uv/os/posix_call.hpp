#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace tsock::os {

inline constexpr int scm_pidfd = 4;  // SCM_PIDFD of newer headers

/// Repeats the call while signals interrupt it.
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

/// The value of an int option; none when the system does not have it.
inline std::optional<int> int_option(int fd, int level, int name) noexcept {
  int value = 0;
  socklen_t length = sizeof(value);
  if (::getsockopt(fd, level, name, &value, &length) != 0) return std::nullopt;
  return value;
}

/// The value of an item of ancillary data.
template <class T>
T control_value(const cmsghdr& header) noexcept {
  T value{};
  std::memcpy(&value, CMSG_DATA(&header), sizeof(value));
  return value;
}

}  // namespace tsock::os
