#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "uv/os/posix_call.hpp"
#include "uv/os/posix_tcp.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

UnsentBytes unsent_bytes(NativeSocket socket) noexcept {
  UnsentBytes bytes;
  bytes.is_lost_by_reset = family_of(socket) != AF_UNIX;
  int value = 0;
  bytes.is_known = ::ioctl(socket, SIOCOUTQ, &value) == 0;
  if (bytes.is_known) bytes.unacknowledged = static_cast<std::size_t>(std::max(value, 0));
  value = 0;
  if (bytes.is_lost_by_reset && ::ioctl(socket, SIOCOUTQNSD, &value) == 0)
    bytes.held_back = static_cast<std::size_t>(std::max(value, 0));
  return bytes;
}

int set_user_timeout(NativeSocket socket, int milliseconds) noexcept {
  return set_int(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds);
}

// Where the administrator has switched it off, the kernel says so to one who connects, and nothing to one
// who listens.
int connect_with_first_write(NativeSocket socket) noexcept {
  const int err = set_int(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  if (err == EOPNOTSUPP) return 0;
  return err == ENOPROTOOPT ? ENOTSUP : err;
}

int accept_with_first_write(NativeSocket socket, int backlog) noexcept {
  const int err = set_int(socket, IPPROTO_TCP, TCP_FASTOPEN, backlog);
  return err == ENOPROTOOPT ? ENOTSUP : err;
}

bool accepted_inherit_options(int family) noexcept { return family == AF_INET || family == AF_INET6; }

}  // namespace tsock::inline v0::os
