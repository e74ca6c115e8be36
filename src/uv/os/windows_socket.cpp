#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <tsock/unique_socket.hpp>

#include "uv/os/socket.hpp"
#include "uv/os/windows_call.hpp"

namespace tsock::inline v0 {

void UniqueSocket::reset(NativeSocket socket) noexcept {
  if (socket_ != invalid_socket) ::closesocket(socket_);
  socket_ = socket;
}

}  // namespace tsock::inline v0

namespace tsock::inline v0::os {

namespace {

int saturated(std::size_t value) noexcept {
  return static_cast<int>(
      std::min<std::size_t>(value, static_cast<std::size_t>(std::numeric_limits<int>::max())));
}

// Unix sockets with message borders are refused by the system.
int type_of(SocketType type) noexcept {
  if (type == SocketType::messages) return SOCK_SEQPACKET;
  return type == SocketType::stream ? SOCK_STREAM : SOCK_DGRAM;
}

// The result of a call on a stream socket that failed. On ENOBUFS the system took nothing, and it will have
// buffers again: no reason to give up a connection.
ssize_t socket_failure(int& err) noexcept {
  err = last_socket_error();
  if (err == ENOBUFS) err = EAGAIN;
  return -1;
}

template <class F>
Address ask_address(NativeSocket socket, F call) {
  sockaddr_storage storage{};
  int size = sizeof(storage);
  auto* const pointer = reinterpret_cast<::sockaddr*>(&storage);
  if (call(socket, pointer, &size) != 0) return {};
  int err = 0;
  return Address::from_sockaddr(pointer, static_cast<std::size_t>(size), err);
}

// ICMP errors of a datagram socket. One that is not connected has no use for them, and would meet those of
// any receiver as an error of its next receive.
void report_icmp_errors(NativeSocket socket, bool on) noexcept {
  BOOL value = on ? TRUE : FALSE;
  DWORD size = 0;
  ::WSAIoctl(socket, SIO_UDP_CONNRESET, &value, sizeof(value), nullptr, 0, &size, nullptr, nullptr);
}

}  // namespace

UniqueSocket open_socket(int family, SocketType type, int& err) noexcept {
  UniqueSocket socket(
      ::WSASocketW(family, type_of(type), 0, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT));
  err = socket ? set_nonblocking(socket.get(), true) : last_socket_error();
  if (err != 0) socket.reset();
  if (err == 0 && type == SocketType::datagram) report_icmp_errors(socket.get(), false);
  return socket;
}

int open_pair(SocketType /*type*/, UniqueSocket& /*first*/, UniqueSocket& /*second*/) noexcept {
  return ENOTSUP;
}

// Nothing tells whether the socket was blocking.
int prepare_adopted(UniqueSocket& socket, bool& was_blocking) noexcept {
  was_blocking = false;
  const int err = set_private(socket.get());
  return err != 0 ? err : set_nonblocking(socket.get(), true);
}

void make_blocking(NativeSocket socket) noexcept { set_nonblocking(socket, false); }

int check_socket(NativeSocket socket, SocketType& type, bool listening) noexcept {
  int value = 0;
  if (const int err = get_int(socket, SOL_SOCKET, SO_TYPE, value); err != 0) return err;
  if (value != type_of(type)) return EPROTOTYPE;
  const int family = kind_of(socket).family;
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return EAFNOSUPPORT;
  if (type == SocketType::stream) {
    if (const int err = get_int(socket, SOL_SOCKET, SO_ACCEPTCONN, value); err != 0) return err;
    if ((value != 0) != listening) return EINVAL;
  }
  return 0;
}

int bind(NativeSocket socket, const Address& address) noexcept {
  return ::bind(socket, address.sockaddr_pointer(), static_cast<int>(address.sockaddr_length())) == 0
             ? 0
             : last_socket_error();
}

int listen(NativeSocket socket, int backlog) noexcept {
  return ::listen(socket, backlog) == 0 ? 0 : last_socket_error();
}

// Sockets are no descriptors of the C library here, whose 0 to 2 are standard streams.
int lift_above_stdio(UniqueSocket& /*socket*/) noexcept { return 0; }

int connect(NativeSocket socket, const Address& address) noexcept {
  const bool is_datagram = kind_of(socket).type == SOCK_DGRAM;
  if (is_datagram) report_icmp_errors(socket, true);
  if (::connect(socket, address.sockaddr_pointer(), static_cast<int>(address.sockaddr_length())) == 0)
    return 0;
  const int err = last_socket_error();
  return err == EAGAIN ? EINPROGRESS : err;
}

UniqueSocket accept(NativeSocket socket, int& err) noexcept {
  UniqueSocket accepted(::accept(socket, nullptr, nullptr));
  int failure = accepted ? set_private(accepted.get()) : last_socket_error();
  if (failure == 0) failure = set_nonblocking(accepted.get(), true);
  if (failure == 0) return accepted;
  err = failure;
  return {};
}

int take_error(NativeSocket socket) noexcept {
  int value = 0;
  const int err = get_int(socket, SOL_SOCKET, SO_ERROR, value);
  return err != 0 ? err : errno_of_system(static_cast<unsigned long>(value));
}

ssize_t readv(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept {
  WsaVectors<> buffers(vectors);
  DWORD got = 0;
  DWORD flags = 0;
  if (::WSARecv(socket, buffers.data(), buffers.count(), &got, &flags, nullptr, nullptr) == 0)
    return static_cast<ssize_t>(got);
  return ::WSAGetLastError() == WSAEDISCON ? 0 : socket_failure(err);
}

ssize_t writev(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept {
  WsaVectors<> buffers(vectors);
  DWORD sent = 0;
  if (::WSASend(socket, buffers.data(), buffers.count(), &sent, 0, nullptr, nullptr) == 0)
    return static_cast<ssize_t>(sent);
  return socket_failure(err);
}

ssize_t writev_with_fds(NativeSocket /*socket*/, std::span<const iovec> /*vectors*/,
                        std::span<const int> /*fds*/, int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

ssize_t readv_with_fds(NativeSocket socket, std::span<const iovec> vectors,
                       std::span<int, max_passed_fds> /*fds*/, std::size_t& count, int& err) noexcept {
  count = 0;
  return readv(socket, vectors, err);
}

ssize_t discard(NativeSocket socket, std::size_t most, int& err) noexcept {
  std::array<char, std::size_t{16} * 1024> scratch;
  const int got = ::recv(socket, scratch.data(), static_cast<int>(std::min(most, scratch.size())), 0);
  return got >= 0 ? got : socket_failure(err);
}

// Nothing tells what is still here, neither under way nor held back.
UnsentBytes unsent_bytes(NativeSocket /*socket*/) noexcept { return {.is_known = false}; }

std::size_t readable_bytes(NativeSocket socket, int& err) noexcept {
  u_long value = 0;
  if (::ioctlsocket(socket, FIONREAD, &value) == 0) return value;
  err = last_socket_error();
  return 0;
}

int peek_error(NativeSocket socket) noexcept {
  char byte = 0;
  const int got = ::recv(socket, &byte, 1, MSG_PEEK);
  if (got > 0) return 0;
  if (got == 0) return EPIPE;
  int err = 0;
  socket_failure(err);
  return err == EAGAIN ? 0 : err;
}

int shutdown_write(NativeSocket socket) noexcept {
  return ::shutdown(socket, SD_SEND) == 0 ? 0 : last_socket_error();
}

void reset_on_close(NativeSocket socket) noexcept {
  const linger value{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&value), sizeof(value));
}

Address local_address(NativeSocket socket) { return ask_address(socket, ::getsockname); }

Address remote_address(NativeSocket socket) { return ask_address(socket, ::getpeername); }

int peer_credentials(NativeSocket /*socket*/, PeerCredentials& /*credentials*/) noexcept { return ENOTSUP; }

ssize_t next_message(NativeSocket /*socket*/, int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

std::size_t longest_message(NativeSocket /*socket*/) noexcept { return 1; }

int tcp_info(NativeSocket /*socket*/, TcpInfo& /*info*/) noexcept { return ENOTSUP; }

// SO_REUSEADDR would let two sockets have one port at the same time. What POSIX systems need it for, a port
// whose old connections linger, is free here.
int apply_before_connect(NativeSocket socket, int family, const StreamOptions& options,
                         bool /*reuse_address*/) noexcept {
  if (family != AF_INET6) return 0;
  return set_int(socket, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
}

int apply_connected(NativeSocket socket, int family, const StreamOptions& options) noexcept {
  int err = 0;
  const auto set = [&err, socket](int level, int name, int value) {
    if (err == 0) err = set_int(socket, level, name, value);
  };
  if (options.receive_buffer) set(SOL_SOCKET, SO_RCVBUF, saturated(*options.receive_buffer));
  if (options.send_buffer) set(SOL_SOCKET, SO_SNDBUF, saturated(*options.send_buffer));
  if (family != AF_INET && family != AF_INET6) return err;
  // Of Windows 10; the compiler's headers do not have them.
  constexpr int keepalive_idle_option = 3;
  constexpr int keepalive_count_option = 16;
  constexpr int keepalive_interval_option = 17;
  // A negative time would become a long one as an unsigned number.
  const auto set_time = [&err, &set](int name, auto time) {
    if (err == 0 && time.count() < 0) err = EINVAL;
    set(IPPROTO_TCP, name, saturated(static_cast<std::size_t>(time.count())));
  };
  set(IPPROTO_TCP, TCP_NODELAY, options.nodelay ? 1 : 0);
  const bool details = options.keepalive_idle || options.keepalive_interval || options.keepalive_count;
  if (options.keepalive || details) set(SOL_SOCKET, SO_KEEPALIVE, options.keepalive.value_or(true) ? 1 : 0);
  if (options.keepalive_idle) set_time(keepalive_idle_option, *options.keepalive_idle);
  if (options.keepalive_interval) set_time(keepalive_interval_option, *options.keepalive_interval);
  if (options.keepalive_count) set(IPPROTO_TCP, keepalive_count_option, *options.keepalive_count);
  if (err == 0 && options.user_timeout) err = options.user_timeout->count() < 0 ? EINVAL : ENOTSUP;
  return err;
}

int apply_listener(NativeSocket socket, int family, const ListenerOptions& options) noexcept {
  if (options.fast_open < 0) return EINVAL;
  if (family == AF_UNIX) return options.reuse_port ? EINVAL : 0;
  if (options.reuse_port) return ENOTSUP;
  if (options.fast_open != 0) return ENOTSUP;
  // Without it, a program that sets SO_REUSEADDR can take the port away.
  int err = options.reuse_address ? 0 : set_int(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
  if (err == 0 && family == AF_INET6)
    err = set_int(socket, IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  return err == 0 ? apply_connected(socket, family, options.stream) : err;
}

int connect_with_first_write(NativeSocket /*socket*/) noexcept { return ENOTSUP; }

bool accepted_inherit_options(int /*family*/) noexcept { return false; }

}  // namespace tsock::inline v0::os
