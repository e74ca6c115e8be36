#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/unique_fd.hpp>

namespace tsock::inline v0::os {

inline constexpr int scm_pidfd = 4;  // SCM_PIDFD of newer headers

// Where a call cannot suppress SIGPIPE, the socket does: see suppress_sigpipe().
#if defined(MSG_NOSIGNAL)
inline constexpr int no_sigpipe = MSG_NOSIGNAL;
#else
inline constexpr int no_sigpipe = 0;
#endif

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

/// Reads an option that is an int. \return 0 or an errno value.
inline int get_int(int fd, int level, int name, int& value) noexcept {
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? 0 : errno;
}

/// The value of an int option; none when the system does not have it.
inline std::optional<int> int_option(int fd, int level, int name) noexcept {
  int value = 0;
  if (get_int(fd, level, name, value) != 0) return std::nullopt;
  return value;
}

/// The address family of a socket; AF_UNSPEC when it has none.
inline int family_of(int fd) noexcept {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  return ::getsockname(fd, reinterpret_cast<::sockaddr*>(&name), &size) == 0 ? name.ss_family : AF_UNSPEC;
}

/// \return 0 or an errno value.
inline int suppress_sigpipe([[maybe_unused]] int fd) noexcept {
#if !defined(MSG_NOSIGNAL) && defined(SO_NOSIGPIPE)
  return set_int(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#else
  return 0;
#endif
}

/// Makes a descriptor close-on-exec. \return 0 or an errno value.
inline int set_close_on_exec(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return errno;
  return (flags & FD_CLOEXEC) != 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0 ? 0 : errno;
}

/// Makes a pipe whose ends are close-on-exec. \return 0 or an errno value.
int make_pipe(UniqueFd& reading, UniqueFd& writing) noexcept;

/// The result of a call on a stream socket that failed. On ENOBUFS the kernel took nothing, and it will have
/// buffers again: no reason to give up a connection.
inline ssize_t socket_failure(int& err) noexcept {
  err = errno == EWOULDBLOCK || errno == ENOBUFS ? EAGAIN : errno;
  return -1;
}

inline msghdr make_message(std::span<const iovec> vectors) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(vectors.data());
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(vectors.size());
  return message;
}

/// The value of an item of ancillary data.
template <class T>
T control_value(const cmsghdr& header) noexcept {
  T value{};
  std::memcpy(&value, CMSG_DATA(&header), sizeof(value));
  return value;
}

}  // namespace tsock::inline v0::os
