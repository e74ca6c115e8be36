#include <cerrno>

#include "uv/os/kernel_pipe.hpp"

namespace tsock::inline v0::os {

int open_pipe(std::size_t /*size*/, PipeEnds& /*ends*/) noexcept { return ENOTSUP; }

std::size_t resize_pipe(const PipeEnds& /*pipe*/, std::size_t /*size*/) noexcept { return 0; }

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

bool can_move_into_file(int /*file*/) noexcept { return false; }

ssize_t move_into_file(const PipeEnds& /*pipe*/, int /*file*/, std::size_t /*bytes*/, int& err) noexcept {
  err = ENOTSUP;
  return -1;
}

}  // namespace tsock::inline v0::os
