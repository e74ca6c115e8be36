#include "uv/os/posix_tcp.hpp"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

// The bytes in the send queue; 0 where the system does not tell.
std::size_t queued_bytes([[maybe_unused]] NativeSocket socket) noexcept {
  int value = 0;
#if defined(SO_NWRITE)  // macOS
  if (get_int(socket, SOL_SOCKET, SO_NWRITE, value) != 0) return 0;
#elif defined(FIONWRITE)  // FreeBSD, NetBSD
  if (::ioctl(socket, FIONWRITE, &value) != 0) return 0;
#elif defined(TIOCOUTQ)   // of terminals, and in some systems of sockets
  if (::ioctl(socket, TIOCOUTQ, &value) != 0) return 0;
#endif
  return static_cast<std::size_t>(std::max(value, 0));
}

}  // namespace

// Nothing tells bytes that are held back from those under way, so that all of them count as under way.
UnsentBytes unsent_bytes(NativeSocket socket) noexcept {
  return {.unacknowledged = queued_bytes(socket), .is_lost_by_reset = family_of(socket) != AF_UNIX};
}

int set_user_timeout(NativeSocket /*socket*/, int /*milliseconds*/) noexcept { return ENOTSUP; }

int tcp_info(NativeSocket /*socket*/, TcpInfo& /*info*/) noexcept { return ENOTSUP; }

int connect_with_first_write(NativeSocket /*socket*/) noexcept { return ENOTSUP; }

int accept_with_first_write(NativeSocket /*socket*/, int /*backlog*/) noexcept { return ENOTSUP; }

bool accepted_inherit_options(int /*family*/) noexcept { return false; }

}  // namespace tsock::inline v0::os
