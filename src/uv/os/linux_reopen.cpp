#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "uv/os/descriptor.hpp"
#include "uv/os/posix_call.hpp"

namespace tsock::inline v0::os {

namespace {

// Opening the master of a pseudo-terminal again gives another terminal.
bool is_terminal_master(int fd) noexcept {
  unsigned number = 0;
  return ::ioctl(fd, TIOCGPTN, &number) == 0;
}

}  // namespace

UniqueFd reopen(int fd, int& err) noexcept {
  err = ENOTSUP;
  if (is_terminal_master(fd)) return {};
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) {
    err = errno;
    return {};
  }
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
  UniqueFd opened(retry([&]() noexcept {
    return ::open(path.data(), (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  }));
  err = opened ? 0 : errno;
  return opened && opened.get() <= 2 ? duplicate(opened.get(), err) : std::move(opened);
}

}  // namespace tsock::inline v0::os
