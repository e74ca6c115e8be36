#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock {

void UniqueSocket::reset(NativeSocket socket) noexcept {
  // EINTR is not retried: on Linux the descriptor is gone all the same (close(2)).
  if (socket_ >= 0) ::close(socket_);
  socket_ = socket;
}

}  // namespace tsock

namespace tsock::os {

namespace {

int get_int(NativeSocket socket, int level, int name, int& value) noexcept {
  socklen_t size = sizeof(value);
  return ::getsockopt(socket, level, name, &value, &size) == 0 ? 0 : errno;
}

int saturated(std::size_t value) noexcept {
  return static_cast<int>(
      std::min<std::size_t>(value, static_cast<std::size_t>(std::numeric_limits<int>::max())));
}

// On ENOBUFS the kernel took nothing, and it will have buffers again: no reason to give up a connection.
ssize_t fail(int& err) noexcept {
  err = errno == EWOULDBLOCK || errno == ENOBUFS ? EAGAIN : errno;
  return -1;
}

msghdr make_message(std::span<const iovec> vectors) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors.data());
  message.msg_iovlen = vectors.size();
  return message;
}

template <class F>
Address ask_address(NativeSocket socket, F call) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* const pointer = reinterpret_cast<::sockaddr*>(&storage);
  if (call(socket, pointer, &size) != 0) return {};
  int err = 0;
  return Address::from_sockaddr(pointer, size, err);
}

// Ancillary data that may come before the descriptors on an adopted socket: credentials, a security label, a
// descriptor of the peer's process.
constexpr std::size_t beside_fds =
    CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(std::size_t{1024}) + CMSG_SPACE(sizeof(int));

int first_fd(const cmsghdr& header) noexcept {
  int fd = -1;
  if (header.cmsg_len >= CMSG_LEN(sizeof(fd))) std::memcpy(&fd, CMSG_DATA(&header), sizeof(fd));
  return fd;
}

}  // namespace

int lift_above_stdio(UniqueSocket& socket) noexcept {
  if (socket.get() > 2) return 0;
  const int moved = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3);
  if (moved < 0) return errno;
  socket.reset(moved);
  return 0;
}

UniqueSocket open_socket(int family, SocketType type, int& err) noexcept {
  const int kind = (type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  UniqueSocket socket(::socket(family, kind, 0));
  err = socket ? lift_above_stdio(socket) : errno;
  if (err != 0) socket.reset();
  return socket;
}

int open_pair(SocketType type, UniqueSocket& first, UniqueSocket& second) noexcept {
  const int kind = (type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, kind, 0, fds.data()) != 0) return errno;
  first.reset(fds[0]);
  second.reset(fds[1]);
  if (const int err = lift_above_stdio(first); err != 0) return err;
  return lift_above_stdio(second);
}

int prepare_adopted(UniqueSocket& socket, bool& was_blocking) noexcept {
  was_blocking = false;
  if (const int err = lift_above_stdio(socket); err != 0) return err;
  const int descriptor_flags = ::fcntl(socket.get(), F_GETFD);
  if (descriptor_flags < 0) return errno;
  if ((descriptor_flags & FD_CLOEXEC) == 0 &&
      ::fcntl(socket.get(), F_SETFD, descriptor_flags | FD_CLOEXEC) != 0)
    return errno;
  const int status_flags = ::fcntl(socket.get(), F_GETFL);
  if (status_flags < 0) return errno;
  if ((status_flags & O_NONBLOCK) != 0) return 0;
  if (::fcntl(socket.get(), F_SETFL, status_flags | O_NONBLOCK) != 0) return errno;
  was_blocking = true;
  return 0;
}

void make_blocking(NativeSocket socket) noexcept {
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags >= 0) ::fcntl(socket, F_SETFL, flags & ~O_NONBLOCK);
}

int check_socket(NativeSocket socket, SocketType type, bool listening) noexcept {
  int value = 0;
  if (const int err = get_int(socket, SOL_SOCKET, SO_TYPE, value); err != 0) return err;
  if (value != (type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM)) return EPROTOTYPE;
  const int family = local_address(socket).family();
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return EAFNOSUPPORT;
  if (type == SocketType::stream) {
    if (const int err = get_int(socket, SOL_SOCKET, SO_ACCEPTCONN, value); err != 0) return err;
    if ((value != 0) != listening) return EINVAL;
  }
  return 0;
}

int bind(NativeSocket socket, const Address& address) noexcept {
  return ::bind(socket, address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) == 0
             ? 0
             : errno;
}

int listen(NativeSocket socket, int backlog) noexcept { return ::listen(socket, backlog) == 0 ? 0 : errno; }

int connect(NativeSocket socket, const Address& address) noexcept {
  if (::connect(socket, address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) == 0)
    return 0;
  // An interrupted connect goes on in the background (connect(2)).
  return errno == EINTR ? EINPROGRESS : errno;
}

UniqueSocket accept(NativeSocket socket, int& err) noexcept {
  UniqueSocket accepted(retry(
      [socket]() noexcept { return ::accept4(socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }));
  if (!accepted) err = errno == EWOULDBLOCK ? EAGAIN : errno;
  return accepted;
}

int take_error(NativeSocket socket) noexcept {
  int value = 0;
  const int err = get_int(socket, SOL_SOCKET, SO_ERROR, value);
  return err != 0 ? err : value;
}

ssize_t readv(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t got = retry([&]() noexcept -> ssize_t {
    if (vectors.size() == 1) return ::recv(socket, vectors[0].iov_base, vectors[0].iov_len, 0);
    return ::readv(socket, vectors.data(), static_cast<int>(vectors.size()));
  });
  return got >= 0 ? got : fail(err);
}

ssize_t writev(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t sent = retry([&]() noexcept -> ssize_t {
    if (vectors.size() == 1) return ::send(socket, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    const msghdr message = make_message(vectors);
    return ::sendmsg(socket, &message, MSG_NOSIGNAL);
  });
  return sent >= 0 ? sent : fail(err);
}

ssize_t writev_with_fds(NativeSocket socket, std::span<const iovec> vectors, std::span<const int> fds,
                        int& err) noexcept {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * max_passed_fds)> control{};
  msghdr message = make_message(vectors);
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  const ssize_t sent = retry([&]() noexcept -> ssize_t { return ::sendmsg(socket, &message, MSG_NOSIGNAL); });
  return sent >= 0 ? sent : fail(err);
}

ssize_t readv_with_fds(NativeSocket socket, std::span<const iovec> vectors,
                       std::span<int, max_passed_fds> fds, std::size_t& count, int& err) noexcept {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * max_passed_fds) + beside_fds> control;
  msghdr message = make_message(vectors);
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  count = 0;
  const ssize_t got =
      retry([&]() noexcept -> ssize_t { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
  if (got < 0) return fail(err);
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == scm_pidfd) {  // not asked for
      UniqueFd(first_fd(*header)).reset();
    } else if (header->cmsg_type == SCM_RIGHTS) {
      const std::size_t more = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      std::memcpy(fds.data() + count, CMSG_DATA(header), more * sizeof(int));
      count += more;
    }
  }
  // The buffer has room for all that can come: it was the table of descriptors that had none.
  if ((message.msg_flags & MSG_CTRUNC) == 0) return got;
  for (const int passed : fds.first(count)) UniqueFd(passed).reset();
  count = 0;
  err = EMFILE;
  return -1;
}

ssize_t discard(NativeSocket socket, std::size_t most, int& err) noexcept {
  std::array<std::byte, std::size_t{16} * 1024> scratch;
  const ssize_t got = retry([&]() noexcept -> ssize_t {
    return ::recv(socket, scratch.data(), std::min(most, scratch.size()), 0);
  });
  return got >= 0 ? got : fail(err);
}

UnsentBytes unsent_bytes(NativeSocket socket) noexcept {
  UnsentBytes bytes;
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  bytes.is_lost_by_reset =
      ::getsockname(socket, reinterpret_cast<::sockaddr*>(&name), &size) != 0 || name.ss_family != AF_UNIX;
#if defined(SIOCOUTQ)
  int value = 0;
  if (::ioctl(socket, SIOCOUTQ, &value) == 0)
    bytes.unacknowledged = static_cast<std::size_t>(std::max(value, 0));
#endif
#if defined(SIOCOUTQNSD)
  value = 0;
  if (bytes.is_lost_by_reset && ::ioctl(socket, SIOCOUTQNSD, &value) == 0)
    bytes.held_back = static_cast<std::size_t>(std::max(value, 0));
#endif
  return bytes;
}

std::size_t readable_bytes(NativeSocket socket, int& err) noexcept {
  int value = 0;
  if (::ioctl(socket, FIONREAD, &value) != 0) {
    err = errno;
    return 0;
  }
  return static_cast<std::size_t>(std::max(value, 0));
}

int peek_error(NativeSocket socket) noexcept {
  std::byte byte{};
  const ssize_t got = retry([&]() noexcept -> ssize_t { return ::recv(socket, &byte, 1, MSG_PEEK); });
  if (got > 0) return 0;
  if (got == 0) return EPIPE;
  int err = 0;
  fail(err);
  return err == EAGAIN ? 0 : err;
}

int shutdown_write(NativeSocket socket) noexcept { return ::shutdown(socket, SHUT_WR) == 0 ? 0 : errno; }

void reset_on_close(NativeSocket socket) noexcept {
  const linger value{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
}

Address local_address(NativeSocket socket) { return ask_address(socket, ::getsockname); }

Address remote_address(NativeSocket socket) { return ask_address(socket, ::getpeername); }

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

int apply_before_connect(NativeSocket socket, int family, const StreamOptions& options,
                         bool reuse_address) noexcept {
  if (options.reuse_address.value_or(reuse_address)) {
    if (const int err = set_int(socket, SOL_SOCKET, SO_REUSEADDR, 1); err != 0) return err;
  }
  if (family == AF_INET6) {
    if (const int err = set_int(socket, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0); err != 0)
      return err;
  }
  return 0;
}

int apply_connected(NativeSocket socket, int family, const StreamOptions& options) noexcept {
  int err = 0;
  const auto set = [&err, socket](int level, int name, int value) {
    if (err == 0) err = set_int(socket, level, name, value);
  };
  // A negative time would become a long one as an unsigned number.
  const auto set_time = [&err, &set](int name, auto time) {
    if (err == 0 && time.count() < 0) err = EINVAL;
    set(IPPROTO_TCP, name, saturated(static_cast<std::size_t>(time.count())));
  };
  if (options.receive_buffer) set(SOL_SOCKET, SO_RCVBUF, saturated(*options.receive_buffer));
  if (options.send_buffer) set(SOL_SOCKET, SO_SNDBUF, saturated(*options.send_buffer));
  if (family != AF_INET && family != AF_INET6) return err;
  set(IPPROTO_TCP, TCP_NODELAY, options.nodelay ? 1 : 0);
  const bool details = options.keepalive_idle || options.keepalive_interval || options.keepalive_count;
  if (options.keepalive || details) set(SOL_SOCKET, SO_KEEPALIVE, options.keepalive.value_or(true) ? 1 : 0);
  if (options.keepalive_idle) set_time(TCP_KEEPIDLE, *options.keepalive_idle);
  if (options.keepalive_interval) set_time(TCP_KEEPINTVL, *options.keepalive_interval);
  if (options.keepalive_count) set(IPPROTO_TCP, TCP_KEEPCNT, *options.keepalive_count);
  if (options.user_timeout) set_time(TCP_USER_TIMEOUT, *options.user_timeout);
  return err;
}

int apply_listener(NativeSocket socket, int family, const ListenerOptions& options) noexcept {
  if (family == AF_UNIX) return options.reuse_port ? EINVAL : 0;
  int err = options.reuse_address ? set_int(socket, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
  if (err == 0 && options.reuse_port) {
#if defined(SO_REUSEPORT)
    err = set_int(socket, SOL_SOCKET, SO_REUSEPORT, 1);
#else
    err = ENOTSUP;
#endif
  }
  if (err == 0 && family == AF_INET6)
    err = set_int(socket, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  // Set before it listens: the receive buffer decides on the window that connections can scale to, see
  // tcp(7).
  return err == 0 ? apply_connected(socket, family, options.stream) : err;
}

bool accepted_inherit_options(int family) noexcept {
#if defined(__linux__)
  return family == AF_INET || family == AF_INET6;
#else
  static_cast<void>(family);
  return false;
#endif
}

}  // namespace tsock::os
