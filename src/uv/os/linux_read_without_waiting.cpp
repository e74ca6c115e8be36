#include <sys/uio.h>

#include <cerrno>

#include "uv/os/descriptor.hpp"
#include "uv/os/posix_call.hpp"

namespace tsock::inline v0::os {

// -1 is the descriptor's own position.
ssize_t read_without_waiting(int fd, std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t got = retry([&]() noexcept -> ssize_t {
    return ::preadv2(fd, vectors.data(), static_cast<int>(vectors.size()), -1, RWF_NOWAIT);
  });
  if (got >= 0) return got;
  err = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == EPERM ? ENOTSUP : errno;
  return -1;
}

}  // namespace tsock::inline v0::os
