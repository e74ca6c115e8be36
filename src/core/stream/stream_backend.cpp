#include <tsock/stream_backend.hpp>
#include <tsock/stream_options.hpp>

#include "core/stream/sized_message.hpp"

namespace tsock::inline v0 {

ssize_t StreamBackend::try_read_message(MessageRoom& room, int& err) noexcept {
  return detail::read_sized_message(*this, room, err);
}

ssize_t StreamBackend::try_write_messages(std::span<const iovec> messages, int& err) noexcept {
  ssize_t taken = 0;
  for (const iovec& message : messages) {
    const ssize_t result = try_writev({&message, 1}, err);
    if (result > 0) taken += result;
    if (result < static_cast<ssize_t>(message.iov_len)) break;
  }
  return taken != 0 ? taken : -1;
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
