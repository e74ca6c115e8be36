#include <sys/socket.h>

#include <cerrno>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

int peer_credentials(NativeSocket socket, PeerCredentials& credentials) noexcept {
  int domain = 0;
  if (const int err = get_int(socket, SOL_SOCKET, SO_DOMAIN, domain); err != 0) return err;
  if (domain != AF_UNIX) return ENOTSUP;
  struct ucred value {};
  socklen_t size = sizeof(value);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &value, &size) != 0) return errno;
  credentials.pid = value.pid;
  credentials.uid = value.uid;
  credentials.gid = value.gid;
  return 0;
}

}  // namespace tsock::inline v0::os
