#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

// POSIX tells the size of a message to one who has room for it; all that wait together are no shorter. It
// does not tell an empty message from the end, which it is taken for.
ssize_t next_message(NativeSocket socket, int& err) noexcept {
  const std::size_t room = std::max<std::size_t>(readable_bytes(socket, err), 1);
  const std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[room]);
  if (bytes == nullptr) {
    err = ENOMEM;
    return -1;
  }
  const ssize_t size =
      retry([&]() noexcept -> ssize_t { return ::recv(socket, bytes.get(), room, MSG_PEEK); });
  return size >= 0 ? size : socket_failure(err);
}

std::size_t longest_message(NativeSocket socket) noexcept {
  return static_cast<std::size_t>(std::max(int_option(socket, SOL_SOCKET, SO_SNDBUF).value_or(0), 1));
}

// What a message has beyond the bytes that are read of it goes with them: it shows in what is left.
ssize_t discard(NativeSocket socket, std::size_t most, int& err) noexcept {
  std::array<std::byte, std::size_t{16} * 1024> scratch;
  const std::size_t before = readable_bytes(socket, err);
  const ssize_t got = retry([&]() noexcept -> ssize_t {
    return ::recv(socket, scratch.data(), std::min(most, scratch.size()), 0);
  });
  if (got <= 0) return got == 0 ? 0 : socket_failure(err);
  const std::size_t after = readable_bytes(socket, err);
  return std::max(got, static_cast<ssize_t>(before - std::min(before, after)));
}

}  // namespace tsock::inline v0::os
