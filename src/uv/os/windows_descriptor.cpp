#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "uv/os/descriptor.hpp"
#include "uv/os/windows_call.hpp"

// Descriptors of the C library, over handles of the system.
namespace tsock::inline v0 {

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0) ::_close(fd_);
  fd_ = fd;
}

}  // namespace tsock::inline v0

namespace tsock::inline v0::os {

namespace {

// Calls a function for every vector until one is not wholly done. \return bytes, or -1 with errno
template <class Call>
ssize_t for_each_vector(std::span<const iovec> vectors, int& err, Call call) noexcept {
  ssize_t done = 0;
  for (const iovec& vector : vectors) {
    if (vector.iov_len == 0) continue;
    const auto size = static_cast<unsigned>(
        std::min<std::size_t>(vector.iov_len, static_cast<std::size_t>(std::numeric_limits<int>::max())));
    const int moved = call(vector.iov_base, size);
    if (moved < 0 && done == 0) {
      err = errno;
      return -1;
    }
    if (moved > 0) done += moved;
    if (moved < 0 || static_cast<std::size_t>(moved) != vector.iov_len) break;
  }
  return done;
}

}  // namespace

// What can be read and written by calls that wait, which is everything, is used as files are.
DescriptorKind descriptor_kind(int fd, int& err) noexcept {
  err = 0;
  struct _stat64 status {};
  if (::_fstat64(fd, &status) != 0) {
    err = errno;
    return DescriptorKind::device;
  }
  if ((status.st_mode & S_IFMT) == S_IFDIR) err = EISDIR;
  // Standard streams begin as text, where ends of lines are others and Ctrl-Z is an end.
  static_cast<void>(::_setmode(fd, _O_BINARY));
  return DescriptorKind::file;
}

bool is_stream_socket(NativeSocket socket) noexcept {
  int type = 0;
  return get_int(socket, SOL_SOCKET, SO_TYPE, type) == 0 && type == SOCK_STREAM;
}

// Nothing tells.
AccessMode access_mode(int /*fd*/) noexcept { return {.readable = true, .writable = true}; }

int close(UniqueFd& fd) noexcept { return ::_close(fd.release()) == 0 ? 0 : errno; }

// There is no lowest number to ask for: those of standard streams are held while the copy is made.
UniqueFd duplicate(int fd, int& err) noexcept {
  UniqueFd copy(::_dup(fd));
  err = copy ? 0 : errno;
  if (!copy || copy.get() > 2) return copy;
  return duplicate(copy.get(), err);
}

UniqueFd duplicate_to_watch(NativeSocket /*descriptor*/, int& err) noexcept {
  err = ENOTSUP;
  return {};
}

UniqueFd reopen(int /*fd*/, int& err) noexcept {
  err = ENOTSUP;
  return {};
}

UniqueFd open_file(const char* path, FileMode mode, int& err) noexcept {
  int flags = _O_BINARY | _O_NOINHERIT;
  switch (mode) {
    case FileMode::read:
      flags |= _O_RDONLY;
      break;
    case FileMode::write:
      flags |= _O_WRONLY | _O_CREAT | _O_TRUNC;
      break;
    case FileMode::append:
      flags |= _O_WRONLY | _O_CREAT | _O_APPEND;
      break;
    case FileMode::read_write:
      flags |= _O_RDWR | _O_CREAT;
      break;
  }
  UniqueFd opened(::_open(path, flags, _S_IREAD | _S_IWRITE));
  err = opened ? 0 : errno;
  if (!opened || opened.get() > 2) return opened;
  return duplicate(opened.get(), err);
}

int redirect_to_null(int fd) noexcept {
  const UniqueFd null(::_open("NUL", _O_RDWR | _O_BINARY | _O_NOINHERIT));
  if (!null) return errno;
  return ::_dup2(null.get(), fd) == 0 ? 0 : errno;
}

bool is_hung_up(int /*fd*/) noexcept { return false; }

bool is_nonblocking(int /*fd*/) noexcept { return false; }

void set_nonblocking(int /*fd*/) noexcept {}

void clear_nonblocking(int /*fd*/) noexcept {}

ssize_t read_descriptor(int fd, std::span<const iovec> vectors, int& err) noexcept {
  return for_each_vector(vectors, err, [fd](void* bytes, unsigned size) { return ::_read(fd, bytes, size); });
}

ssize_t read_without_waiting(int /*fd*/, std::span<const iovec> /*vectors*/, int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

ssize_t write_descriptor(int fd, std::span<const iovec> vectors, int& err) noexcept {
  return for_each_vector(vectors, err,
                         [fd](const void* bytes, unsigned size) { return ::_write(fd, bytes, size); });
}

// Nothing raises a signal.
SigpipeGuard::SigpipeGuard() noexcept = default;
SigpipeGuard::~SigpipeGuard() = default;
void SigpipeGuard::take_signal() noexcept {}

}  // namespace tsock::inline v0::os
