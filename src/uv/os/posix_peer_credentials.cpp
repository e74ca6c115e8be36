#include <sys/socket.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/un.h>  // LOCAL_PEERPID
#endif

#include <cerrno>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

// getpeereid(3) of the BSDs and macOS, found by its form: glibc and musl do not have it.
template <class Socket>
auto peer_ids(Socket socket, uid_t& uid, gid_t& gid, int /*preferred*/) noexcept
    -> decltype(getpeereid(socket, &uid, &gid)) {
  return getpeereid(socket, &uid, &gid);
}
template <class Socket>
int peer_ids(Socket /*socket*/, uid_t& /*uid*/, gid_t& /*gid*/, long /*otherwise*/) noexcept {
  errno = ENOTSUP;
  return -1;
}

}  // namespace

int peer_credentials(NativeSocket socket, PeerCredentials& credentials) noexcept {
  if (family_of(socket) != AF_UNIX) return ENOTSUP;
  uid_t uid = 0;
  gid_t gid = 0;
  if (peer_ids(socket, uid, gid, 0) != 0) return errno;
  credentials.pid.reset();
#if defined(LOCAL_PEERPID) && defined(SOL_LOCAL)
  if (const std::optional<int> pid = int_option(socket, SOL_LOCAL, LOCAL_PEERPID)) credentials.pid = *pid;
#endif
  credentials.uid = uid;
  credentials.gid = gid;
  return 0;
}

}  // namespace tsock::inline v0::os
