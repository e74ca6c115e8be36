#include "uv/bind_unix.hpp"

#include <cerrno>
#include <tsock/unique_fd.hpp>

namespace tsock::detail {

namespace {

// Whether somebody has the address. A socket of another type has it too (EPROTOTYPE), and so has one that
// hears somebody else only (EPERM).
bool is_alive(os::SocketType type, const Address& address) {
  int err = 0;
  const UniqueFd fd = os::open_socket(address.family(), type, err);
  if (!fd) return true;
  err = os::connect(fd.get(), address);
  return err != ECONNREFUSED && err != ENOENT;
}

}  // namespace

int bind_unix(int fd, os::SocketType type, const Address& address, StaleSocket stale) {
  const int err = os::bind(fd, address);
  if (err != EADDRINUSE || address.is_abstract() || stale == StaleSocket::fail) return err;
  os::FileIdentity identity;
  const int identified = os::identify_socket_file(address, identity);
  if (identified == EEXIST) return EADDRINUSE;
  if (identified != 0 && identified != ENOENT) return identified;
  if (stale == StaleSocket::probe_and_replace && is_alive(type, address)) return EADDRINUSE;
  if (const int unlinked = os::unlink_socket_file(address); unlinked != 0 && unlinked != ENOENT)
    return unlinked;
  return os::bind(fd, address);
}

}  // namespace tsock::detail
