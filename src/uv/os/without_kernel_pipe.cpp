#include <cerrno>

#include "uv/os/kernel_pipe.hpp"

namespace tsock::inline v0::os {

int open_pipe(std::size_t /*size*/, PipeEnds& /*ends*/) noexcept { return ENOTSUP; }

ssize_t move_into_pipe(NativeSocket /*from*/, const PipeEnds& /*pipe*/, std::size_t /*most*/,
                       int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

ssize_t move_out_of_pipe(const PipeEnds& /*pipe*/, NativeSocket /*to*/, std::size_t /*bytes*/,
                         int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

}  // namespace tsock::inline v0::os
