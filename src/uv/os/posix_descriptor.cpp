#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "uv/os/descriptor.hpp"
#include "uv/os/posix_call.hpp"

namespace tsock::inline v0 {

void UniqueFd::reset(int fd) noexcept {
  // EINTR is not retried: on Linux the descriptor is gone all the same (close(2)).
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace tsock::inline v0

namespace tsock::inline v0::os {

namespace {

UniqueFd lifted(UniqueFd fd, int& err) noexcept {
  if (!fd || fd.get() > 2) return fd;
  return duplicate(fd.get(), err);
}

ssize_t descriptor_failure(int& err) noexcept {
  err = errno == EWOULDBLOCK ? EAGAIN : errno;
  return -1;
}

}  // namespace

DescriptorKind descriptor_kind(int fd, int& err) noexcept {
  err = 0;
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    err = errno;
    return DescriptorKind::device;
  }
  if (S_ISSOCK(status.st_mode)) return DescriptorKind::socket;
  if (S_ISFIFO(status.st_mode)) return DescriptorKind::pipe;
  if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) return DescriptorKind::file;
  if (S_ISDIR(status.st_mode)) err = EISDIR;
  return ::isatty(fd) == 1 ? DescriptorKind::terminal : DescriptorKind::device;
}

bool is_stream_socket(NativeSocket socket) noexcept {
  int type = 0;
  socklen_t size = sizeof(type);
  return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

AccessMode access_mode(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return {};
  const int mode = flags & O_ACCMODE;
  return {.readable = mode != O_WRONLY, .writable = mode != O_RDONLY};
}

// On Linux the number is free after EINTR, too.
int close(UniqueFd& fd) noexcept { return ::close(fd.release()) == 0 || errno == EINTR ? 0 : errno; }

UniqueFd duplicate(int fd, int& err) noexcept {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  err = copy ? 0 : errno;
  return copy;
}

UniqueFd duplicate_to_watch(NativeSocket descriptor, int& err) noexcept { return duplicate(descriptor, err); }

UniqueFd open_file(const char* path, FileMode mode, int& err) noexcept {
  int flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  switch (mode) {
    case FileMode::read:
      flags |= O_RDONLY;
      break;
    case FileMode::write:
      flags |= O_WRONLY | O_CREAT | O_TRUNC;
      break;
    case FileMode::append:
      flags |= O_WRONLY | O_CREAT | O_APPEND;
      break;
    case FileMode::read_write:
      flags |= O_RDWR | O_CREAT;
      break;
  }
  UniqueFd opened(retry([&]() noexcept { return ::open(path, flags, 0666); }));
  err = opened ? 0 : errno;
  return lifted(std::move(opened), err);
}

int redirect_to_null(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0) return errno;
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return errno;
  if (retry([&]() noexcept { return ::dup2(null.get(), fd); }) < 0) return errno;
  ::fcntl(fd, F_SETFD, flags);
  return 0;
}

bool is_hung_up(int fd) noexcept {
  pollfd descriptor{.fd = fd, .events = 0, .revents = 0};
  return retry([&]() noexcept { return ::poll(&descriptor, 1, 0); }) > 0 &&
         (descriptor.revents & POLLHUP) != 0;
}

bool is_nonblocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

void set_nonblocking(int fd) noexcept {
  if (const int flags = ::fcntl(fd, F_GETFL); flags != -1) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void clear_nonblocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

ssize_t read_descriptor(int fd, std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t got = retry(
      [&]() noexcept -> ssize_t { return ::readv(fd, vectors.data(), static_cast<int>(vectors.size())); });
  return got >= 0 ? got : descriptor_failure(err);
}

ssize_t write_descriptor(int fd, std::span<const iovec> vectors, int& err) noexcept {
  SigpipeGuard guard;
  const ssize_t written = retry(
      [&]() noexcept -> ssize_t { return ::writev(fd, vectors.data(), static_cast<int>(vectors.size())); });
  if (written >= 0) return written;
  descriptor_failure(err);
  if (err == EPIPE) guard.take_signal();
  return -1;
}

namespace {

sigset_t sigpipe_set() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

}  // namespace

// The SIGPIPE of a write is sent to the writing thread (signal(7)), so blocking it here is enough, and the
// process' own handling of SIGPIPE is not touched.
SigpipeGuard::SigpipeGuard() noexcept {
  const sigset_t set = sigpipe_set();
  sigset_t old;
  ::pthread_sigmask(SIG_BLOCK, &set, &old);
  blocked_here_ = sigismember(&old, SIGPIPE) == 0;
  // A signal that is not ours can be pending only if SIGPIPE was blocked before.
  if (!blocked_here_) {
    sigset_t pending;
    was_pending_ = ::sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
  }
}

SigpipeGuard::~SigpipeGuard() {
  if (!blocked_here_) return;
  const sigset_t set = sigpipe_set();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void SigpipeGuard::take_signal() noexcept {
  if (was_pending_) return;
  sigset_t pending;
  if (::sigpending(&pending) != 0 || sigismember(&pending, SIGPIPE) != 1) return;
  const sigset_t set = sigpipe_set();
  int taken = 0;
  ::sigwait(&set, &taken);
}

}  // namespace tsock::inline v0::os
