#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <tsock/stream_backend.hpp>
#include <tsock/stream_options.hpp>

namespace tsock::inline v0 {

ssize_t StreamBackend::try_read_message(MessageRoom& room, int& err) noexcept {
  int failure = 0;
  const std::size_t size = pending_bytes(failure);
  err = size == 0 && failure != 0 ? failure : EAGAIN;
  if (size == 0) return err == EPIPE ? 0 : -1;
  std::span<std::byte> rest = room.take(size);
  if (rest.empty()) return -1;
  while (!rest.empty()) {
    const std::array<iovec, 1> vector{make_vector(rest)};
    const ssize_t got = try_readv(vector, err);
    if (got <= 0) {
      // A part that was taken cannot stay there.
      if (rest.size() == size) return got;
      err = EPROTO;
      return -1;
    }
    rest = rest.subspan(static_cast<std::size_t>(got));
  }
  return static_cast<ssize_t>(size);
}

// Accepts options that change nothing: without a socket there is no delay to switch off, and options that
// count before connecting come too late for any stream.
int StreamBackend::apply(const StreamOptions& options) noexcept {
  const bool asks_for_socket = options.keepalive || options.keepalive_idle || options.keepalive_interval ||
                               options.keepalive_count || options.receive_buffer || options.send_buffer ||
                               options.user_timeout || options.receive_fds;
  return asks_for_socket ? ENOTSUP : 0;
}

int StreamBackend::tcp_info(TcpInfo& /*info*/) const noexcept { return ENOTSUP; }

}  // namespace tsock::inline v0
