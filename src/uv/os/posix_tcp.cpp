#include "uv/os/posix_tcp.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

// The bytes in the send queue; less than 0 where the system does not tell.
int queued_bytes([[maybe_unused]] NativeSocket socket) noexcept {
  [[maybe_unused]] int value = 0;
#if defined(SO_NWRITE)  // macOS
  if (get_int(socket, SOL_SOCKET, SO_NWRITE, value) == 0) return value;
#elif defined(FIONWRITE)  // FreeBSD, NetBSD
  if (::ioctl(socket, FIONWRITE, &value) == 0) return value;
#elif defined(TIOCOUTQ)   // of terminals, and in some systems of sockets
  if (::ioctl(socket, TIOCOUTQ, &value) == 0) return value;
#endif
  return -1;
}

}  // namespace

// Nothing tells bytes that are held back from those under way, so that all of them count as under way.
UnsentBytes unsent_bytes(NativeSocket socket) noexcept {
  const int queued = queued_bytes(socket);
  return {.unacknowledged = static_cast<std::size_t>(std::max(queued, 0)),
          .is_lost_by_reset = family_of(socket) != AF_UNIX,
          .is_known = queued >= 0};
}

int set_user_timeout(NativeSocket /*socket*/, int /*milliseconds*/) noexcept { return ENOTSUP; }

int tcp_info(NativeSocket /*socket*/, TcpInfo& /*info*/) noexcept { return ENOTSUP; }

int connect_with_first_write(NativeSocket /*socket*/) noexcept { return ENOTSUP; }

int accept_with_first_write(NativeSocket /*socket*/, int /*backlog*/) noexcept { return ENOTSUP; }

bool accepted_inherit_options(int /*family*/) noexcept { return false; }

}  // namespace tsock::inline v0::os
