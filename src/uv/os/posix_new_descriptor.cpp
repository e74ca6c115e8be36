#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"
#include "uv/os/posix_socket_type.hpp"
#include "uv/os/socket.hpp"

// POSIX.1-2017 makes a descriptor and changes its flags in two calls: a program that another thread starts in
// between inherits it.
namespace tsock::inline v0::os {

namespace {

// What `socket()` has made, or closed with an error.
int finish(UniqueSocket& socket) noexcept {
  int err = set_close_on_exec(socket.get());
  if (err == 0) {
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) err = errno;
  }
  if (err == 0) err = suppress_sigpipe(socket.get());
  return err;
}

}  // namespace

UniqueSocket open_socket(int family, SocketType type, int& err) noexcept {
  UniqueSocket socket(::socket(family, type_of(type), 0));
  err = socket ? finish(socket) : errno;
  if (err == 0) err = lift_above_stdio(socket);
  if (err != 0) socket.reset();
  return socket;
}

int open_pair(SocketType type, UniqueSocket& first, UniqueSocket& second) noexcept {
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, type_of(type), 0, fds.data()) != 0) return errno;
  first.reset(fds[0]);
  second.reset(fds[1]);
  for (UniqueSocket* socket : {&first, &second}) {
    int err = finish(*socket);
    if (err == 0) err = lift_above_stdio(*socket);
    if (err != 0) return err;
  }
  return 0;
}

int make_pipe(UniqueFd& reading, UniqueFd& writing) noexcept {
  std::array<int, 2> fds{-1, -1};
  if (::pipe(fds.data()) != 0) return errno;
  reading.reset(fds[0]);
  writing.reset(fds[1]);
  const int err = set_close_on_exec(fds[0]);
  return err != 0 ? err : set_close_on_exec(fds[1]);
}

UniqueSocket accept(NativeSocket socket, int& err) noexcept {
  UniqueSocket accepted(retry([socket]() noexcept { return ::accept(socket, nullptr, nullptr); }));
  int failure = accepted ? finish(accepted) : errno == EWOULDBLOCK ? EAGAIN : errno;
  if (failure == 0) return accepted;
  err = failure;
  return {};
}

ssize_t readv_with_fds(NativeSocket socket, std::span<const iovec> vectors,
                       std::span<int, max_passed_fds> fds, std::size_t& count, int& err) noexcept {
  alignas(cmsghdr)
      std::array<std::byte, CMSG_SPACE(sizeof(int) * max_passed_fds) + CMSG_SPACE(std::size_t{1024})>
          control;
  msghdr message = make_message(vectors);
  message.msg_control = control.data();
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(control.size());
  count = 0;
  const ssize_t got = retry([&]() noexcept -> ssize_t { return ::recvmsg(socket, &message, 0); });
  if (got < 0) return socket_failure(err);
  int failure = (message.msg_flags & MSG_CTRUNC) != 0 ? EMFILE : 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t more = std::min((header->cmsg_len - CMSG_LEN(0)) / sizeof(int), max_passed_fds - count);
    std::memcpy(fds.data() + count, CMSG_DATA(header), more * sizeof(int));
    count += more;
  }
  for (const int passed : fds.first(count)) {
    if (const int problem = set_close_on_exec(passed); failure == 0) failure = problem;
  }
  if (failure == 0) return got;
  for (const int passed : fds.first(count)) UniqueFd(passed).reset();
  count = 0;
  err = failure;
  return -1;
}

}  // namespace tsock::inline v0::os
