#include <cerrno>

#include "uv/os/descriptor.hpp"

namespace tsock::inline v0::os {

ssize_t read_without_waiting(int /*fd*/, std::span<const iovec> /*vectors*/, int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

}  // namespace tsock::inline v0::os
