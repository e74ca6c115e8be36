#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "uv/os/descriptor.hpp"
#include "uv/os/kernel_pipe.hpp"
#include "uv/os/posix_call.hpp"

namespace tsock::inline v0::os {

namespace {

// A user who has too many pages in pipes gets pipes of one or two: copying is faster then.
constexpr std::size_t least_size = 65536;

int lift(UniqueFd& fd) noexcept {
  if (fd.get() > 2) return 0;
  int err = 0;
  fd = duplicate(fd.get(), err);
  return err;
}

ssize_t moved(ssize_t result, int& err) noexcept { return result >= 0 ? result : socket_failure(err); }

}  // namespace

int open_pipe(std::size_t size, PipeEnds& ends) noexcept {
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_NONBLOCK | O_CLOEXEC) != 0) return errno;
  ends.out.reset(fds[0]);
  ends.in.reset(fds[1]);
  for (UniqueFd* const end : {&ends.out, &ends.in}) {
    if (const int err = lift(*end); err != 0) return err;
  }
  return resize_pipe(ends, size) >= least_size ? 0 : ENOTSUP;
}

std::size_t resize_pipe(const PipeEnds& pipe, std::size_t size) noexcept {
  ::fcntl(pipe.in.get(), F_SETPIPE_SZ, static_cast<int>(size));
  const int room = ::fcntl(pipe.in.get(), F_GETPIPE_SZ);
  return room > 0 ? static_cast<std::size_t>(room) : 0;
}

ssize_t move_into_pipe(NativeSocket from, const PipeEnds& pipe, std::size_t most, int& err) noexcept {
  return moved(retry([&]() noexcept -> ssize_t {
                 return ::splice(from, nullptr, pipe.in.get(), nullptr, most,
                                 SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
               }),
               err);
}

ssize_t move_out_of_pipe(const PipeEnds& pipe, NativeSocket to, std::size_t bytes, int& err) noexcept {
  SigpipeGuard guard;
  const ssize_t result =
      moved(retry([&]() noexcept -> ssize_t {
              return ::splice(pipe.out.get(), nullptr, to, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
            }),
            err);
  if (result < 0 && err == EPIPE) guard.take_signal();
  return result;
}

bool can_move_into_file(int file) noexcept {
  const int flags = ::fcntl(file, F_GETFL);
  return flags >= 0 && (flags & O_APPEND) == 0;
}

ssize_t move_into_file(const PipeEnds& pipe, int file, std::size_t bytes, int& err) noexcept {
  const ssize_t moved = retry([&]() noexcept -> ssize_t {
    return ::splice(pipe.out.get(), nullptr, file, nullptr, bytes, SPLICE_F_MOVE);
  });
  if (moved < 0) err = errno;
  return moved;
}

}  // namespace tsock::inline v0::os
