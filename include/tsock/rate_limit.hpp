#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <tsock/export.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0 {

class Loop;

namespace detail {
class TokenBucket;
}

/// How fast bytes may pass: a token bucket. Copies are one and the same limit, which all streams share that
/// have one of them, and take in turn.
class TSOCK_EXPORT RateLimit {
 public:
  static constexpr std::size_t usual_burst = std::size_t{64} * 1024;

  /// No limit.
  RateLimit() noexcept = default;
  /// \param bytes_per_second in the long run; 0 lets nothing pass until `set()`
  /// \param burst bytes that may pass at once after a pause; 0 counts as 1. The loop waits in steps of a
  /// millisecond, so that less than the bytes of two makes a lower rate. \throws std::bad_alloc
  RateLimit(Loop& loop, std::uint64_t bytes_per_second, std::size_t burst = usual_burst);
  /// Changes the limit for all who share it, at once. Has no effect on the limit that is none.
  void set(std::uint64_t bytes_per_second, std::size_t burst = usual_burst) noexcept;
  /// True for a limit.
  explicit operator bool() const noexcept { return bucket_ != nullptr; }
  /// For implementers.
  [[nodiscard]] const std::shared_ptr<detail::TokenBucket>& bucket() const noexcept { return bucket_; }

 private:
  std::shared_ptr<detail::TokenBucket> bucket_;
};

/// The limits of one stream; one object may be both.
struct RateLimits {
  RateLimit reading = {};  ///< what is read from the system; bytes read ahead of a request count
  RateLimit writing = {};  ///< what is given to the system
};

/// Limits how fast a stream reads and writes, from its next call of the system on, or ends that with limits
/// that are none. Requests in progress go on. A message with borders passes as a whole, and what exceeds the
/// limit is made up for. Descriptors that are passed, the handshakes and goodbyes of the stream's own layer,
/// and what a disconnect discards are not limited. Of a stream with a layer, limit what is below to limit
/// the bytes of the network. An unlimited stream has no cost of this.
/// \return 0 or an errno value:
///  - ENOTCONN: the stream is closed
///  - ECONNABORTED: it is being disconnected
///  - EINVAL: a limit of another loop
///  - EBUSY: the first limits of a stream that a `pump()` reads or writes: set them before
///  - ENOMEM
TSOCK_EXPORT int limit_rate(Stream& stream, const RateLimits& limits);

}  // namespace tsock::inline v0
