#include "uv/linger.hpp"

#include <algorithm>
#include <cerrno>

#include "uv/os/socket.hpp"

namespace tsock::inline v0::detail {

namespace {

// How many calls of the kernel one stream may make before others have their turn.
constexpr unsigned discards_per_event = 16;
// No event reports the peer's acknowledgement, which the peer may delay for 40 ms (RFC 1122 allows 500).
constexpr std::chrono::milliseconds acknowledgement_interval{20};

// Whether closing now could cut off bytes that were written.
bool must_linger(NativeSocket socket, Linger& linger) noexcept {
  int ignored = 0;
  const bool is_readable = os::readable_bytes(socket, ignored) != 0;
  // Nothing more can come that a closed socket would answer with a reset.
  if (linger.peer_has_ended && !is_readable) return false;
  const os::UnsentBytes unsent = os::unsent_bytes(socket);
  const bool unread = linger.discarded != 0 || is_readable;
  if (!unread && (unsent.unacknowledged == 0 || !unsent.is_lost_by_reset)) return false;
  // If nothing is held back, a silent peer may have all bytes, and only the acknowledgement may be late.
  linger.awaits_end = linger.awaits_end || unsent.held_back != 0;
  return true;
}

}  // namespace

int try_linger(NativeSocket socket, Linger& linger) noexcept {
  const bool had_begun = linger.has_begun;
  if (!had_begun) {
    if (!must_linger(socket, linger)) return 0;
    linger.has_begun = true;
    // The result is of no use: it may be shut down already, and a connection that is gone shows below.
    os::shutdown_write(socket);
  }
  if (linger.discarded > linger.most_discarded) return ENOBUFS;
  for (unsigned calls = 0;; ++calls) {
    // Reads one byte more than may be discarded: the end may come right behind the last byte allowed.
    const std::size_t rest = linger.most_discarded - linger.discarded;
    int err = 0;
    const ssize_t got = os::discard(socket, std::max(rest, rest + 1), err);
    if (got == 0) return 0;
    if (got < 0 && err != EAGAIN) return err;
    if (got < 0) break;
    linger.peer_talks = linger.peer_talks || had_begun;
    if (!linger.discard(static_cast<std::size_t>(got))) return ENOBUFS;
    if (calls == discards_per_event) return EAGAIN;  // also when the time is over: the caller then breaks off
  }
  const os::UnsentBytes unsent = os::unsent_bytes(socket);
  const bool has_arrived = unsent.is_known && unsent.unacknowledged == 0;
  if (has_arrived && !linger.awaits_end) return 0;
  if (linger.is_over) return has_arrived && !linger.peer_talks ? 0 : ETIMEDOUT;
  linger.try_again = linger.awaits_end ? std::chrono::milliseconds::zero() : acknowledgement_interval;
  return EAGAIN;
}

}  // namespace tsock::inline v0::detail
