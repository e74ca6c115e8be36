#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

// The kernel's own need of the send buffer (unix_dgram_sendmsg).
constexpr int beside_message = 32;

// An empty message and the end read alike, so that one with nothing behind it but the end counts as the end.
bool is_at_end(NativeSocket socket) noexcept {
  pollfd asked{.fd = socket, .events = POLLRDHUP, .revents = 0};
  const int ready = retry([&]() noexcept { return ::poll(&asked, 1, 0); });
  int ignored = 0;
  return ready == 1 && readable_bytes(socket, ignored) == 0;
}

}  // namespace

ssize_t next_message(NativeSocket socket, int& err) noexcept {
  const ssize_t size =
      retry([socket]() noexcept -> ssize_t { return ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC); });
  if (size < 0) return socket_failure(err);
  if (size > 0 || is_at_end(socket)) return size;
  err = EIO;
  return -1;
}

std::size_t longest_message(NativeSocket socket) noexcept {
  const int room = int_option(socket, SOL_SOCKET, SO_SNDBUF).value_or(0);
  return static_cast<std::size_t>(std::max(room - beside_message, 1));
}

// MSG_TRUNC tells the size of a message of which there is no room for all, and has TCP copy nothing.
ssize_t discard(NativeSocket socket, std::size_t most, int& err) noexcept {
  std::array<std::byte, std::size_t{16} * 1024> scratch;
  const ssize_t got = retry([&]() noexcept -> ssize_t {
    return ::recv(socket, scratch.data(), std::min(most, scratch.size()), MSG_TRUNC);
  });
  return got >= 0 ? got : socket_failure(err);
}

}  // namespace tsock::inline v0::os
