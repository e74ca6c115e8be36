#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::layer {

/// What `discard_input()` has met.
struct DiscardedInput {
  Readiness more = Readiness::later;  ///< `now`: there may be more, and others have their turn first
  bool is_over = false;               ///< the end, an error, or more than may be discarded
  bool has_ended = false;             ///< the end
};

/// Reads what a peer still sends to a layer that disconnects, and drops it: of no use to anybody, it may hide
/// the end, and hold up a peer that reads nothing while its own write is blocked. `read(vector, err)` and
/// `want_readable()` are as those of a StreamBackend.
template <class Read, class WantReadable>
DiscardedInput discard_input(Linger& linger, Read read, WantReadable want_readable) noexcept {
  constexpr unsigned reads_per_call = 16;
  std::array<std::byte, std::size_t{4} * 1024> dropped;
  for (unsigned reads = 0; reads < reads_per_call; ++reads) {
    // One more than may be discarded: behind the last byte of these there may be the end.
    const std::size_t rest = linger.most_discarded - std::min(linger.discarded, linger.most_discarded);
    const std::size_t size = std::min(std::max(rest, rest + 1), dropped.size());
    int err = 0;
    const ssize_t got = read(make_vector(std::span<std::byte>(dropped).first(size)), err);
    if (got > 0 && linger.discard(static_cast<std::size_t>(got))) continue;
    if (got >= 0 || err != EAGAIN) return {.is_over = true, .has_ended = got == 0};
    if (want_readable() == Readiness::later) return {};
  }
  return {.more = Readiness::now};
}

}  // namespace tsock::inline v0::layer
