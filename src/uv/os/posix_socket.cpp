#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"
#include "uv/os/posix_socket_type.hpp"
#include "uv/os/posix_tcp.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0 {

void UniqueSocket::reset(NativeSocket socket) noexcept {
  // EINTR is not retried: on Linux the descriptor is gone all the same (close(2)).
  if (socket_ >= 0) ::close(socket_);
  socket_ = socket;
}

}  // namespace tsock::inline v0

namespace tsock::inline v0::os {

namespace {

#if defined(TCP_KEEPIDLE)
constexpr int keepalive_idle_option = TCP_KEEPIDLE;
#else
constexpr int keepalive_idle_option = TCP_KEEPALIVE;  // macOS, OpenSolaris
#endif

int saturated(std::size_t value) noexcept {
  return static_cast<int>(
      std::min<std::size_t>(value, static_cast<std::size_t>(std::numeric_limits<int>::max())));
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

}  // namespace

int lift_above_stdio(UniqueSocket& socket) noexcept {
  if (socket.get() > 2) return 0;
  const int moved = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3);
  if (moved < 0) return errno;
  socket.reset(moved);
  return 0;
}

int prepare_adopted(UniqueSocket& socket, bool& was_blocking) noexcept {
  was_blocking = false;
  if (const int err = lift_above_stdio(socket); err != 0) return err;
  if (const int err = set_close_on_exec(socket.get()); err != 0) return err;
  if (const int err = suppress_sigpipe(socket.get()); err != 0) return err;
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

int check_socket(NativeSocket socket, SocketType& type, bool listening) noexcept {
  int value = 0;
  if (const int err = get_int(socket, SOL_SOCKET, SO_TYPE, value); err != 0) return err;
  const int family = local_address(socket).family();
  if (type == SocketType::stream && value == SOCK_SEQPACKET && family == AF_UNIX) type = SocketType::messages;
  if (value != type_of(type)) return EPROTOTYPE;
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return EAFNOSUPPORT;
  if (type != SocketType::datagram) {
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
  return got >= 0 ? got : socket_failure(err);
}

ssize_t writev(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t sent = retry([&]() noexcept -> ssize_t {
    if (vectors.size() == 1) return ::send(socket, vectors[0].iov_base, vectors[0].iov_len, no_sigpipe);
    const msghdr message = make_message(vectors);
    return ::sendmsg(socket, &message, no_sigpipe);
  });
  if (sent >= 0) return sent;
  // The first write of a fast open that the connect could not take along.
  if (errno == EINPROGRESS) errno = EAGAIN;
  return socket_failure(err);
}

ssize_t writev_with_fds(NativeSocket socket, std::span<const iovec> vectors, std::span<const int> fds,
                        int& err) noexcept {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * max_passed_fds)> control{};
  msghdr message = make_message(vectors);
  message.msg_control = control.data();
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(fds.size_bytes()));
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(fds.size_bytes()));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  const ssize_t sent = retry([&]() noexcept -> ssize_t { return ::sendmsg(socket, &message, no_sigpipe); });
  return sent >= 0 ? sent : socket_failure(err);
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
  socket_failure(err);
  return err == EAGAIN ? 0 : err;
}

int shutdown_write(NativeSocket socket) noexcept { return ::shutdown(socket, SHUT_WR) == 0 ? 0 : errno; }

void reset_on_close(NativeSocket socket) noexcept {
  const linger value{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
}

Address local_address(NativeSocket socket) { return ask_address(socket, ::getsockname); }

Address remote_address(NativeSocket socket) { return ask_address(socket, ::getpeername); }

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
  if (options.keepalive_idle) set_time(keepalive_idle_option, *options.keepalive_idle);
  if (options.keepalive_interval) set_time(TCP_KEEPINTVL, *options.keepalive_interval);
  if (options.keepalive_count) set(IPPROTO_TCP, TCP_KEEPCNT, *options.keepalive_count);
  if (err == 0 && options.user_timeout)
    err = options.user_timeout->count() < 0
              ? EINVAL
              : set_user_timeout(socket, saturated(static_cast<std::size_t>(options.user_timeout->count())));
  return err;
}

int apply_listener(NativeSocket socket, int family, const ListenerOptions& options) noexcept {
  if (options.fast_open < 0) return EINVAL;
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
  if (err == 0 && options.fast_open != 0) err = accept_with_first_write(socket, options.fast_open);
  // Set before it listens: the receive buffer decides on the window that connections can scale to, see
  // tcp(7).
  return err == 0 ? apply_connected(socket, family, options.stream) : err;
}

}  // namespace tsock::inline v0::os
