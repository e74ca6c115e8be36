#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"
#include "uv/os/posix_socket_type.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

// Ancillary data that may come before the descriptors on an adopted socket: credentials, a security label, a
// descriptor of the peer's process.
constexpr std::size_t beside_fds =
    CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(std::size_t{1024}) + CMSG_SPACE(sizeof(int));

int first_fd(const cmsghdr& header) noexcept {
  int fd = -1;
  if (header.cmsg_len >= CMSG_LEN(sizeof(fd))) std::memcpy(&fd, CMSG_DATA(&header), sizeof(fd));
  return fd;
}

int flagged(SocketType type) noexcept { return type_of(type) | SOCK_NONBLOCK | SOCK_CLOEXEC; }

}  // namespace

UniqueSocket open_socket(int family, SocketType type, int& err) noexcept {
  UniqueSocket socket(::socket(family, flagged(type), 0));
  err = socket ? lift_above_stdio(socket) : errno;
  if (err != 0) socket.reset();
  return socket;
}

int open_pair(SocketType type, UniqueSocket& first, UniqueSocket& second) noexcept {
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, flagged(type), 0, fds.data()) != 0) return errno;
  first.reset(fds[0]);
  second.reset(fds[1]);
  if (const int err = lift_above_stdio(first); err != 0) return err;
  return lift_above_stdio(second);
}

int make_pipe(UniqueFd& reading, UniqueFd& writing) noexcept {
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return errno;
  reading.reset(fds[0]);
  writing.reset(fds[1]);
  return 0;
}

UniqueSocket accept(NativeSocket socket, int& err) noexcept {
  UniqueSocket accepted(retry(
      [socket]() noexcept { return ::accept4(socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }));
  if (!accepted) err = errno == EWOULDBLOCK ? EAGAIN : errno;
  return accepted;
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
  if (got < 0) return socket_failure(err);
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

}  // namespace tsock::inline v0::os
