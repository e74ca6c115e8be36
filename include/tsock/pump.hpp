#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock {

/// The side of a pump that ended it.
enum class PumpSide : std::uint8_t { none, source, target };

/// What came of a pump. `recv()` gives it also when the pump failed.
struct PumpResult {
  static constexpr bool valid_on_error = true;

  std::uint64_t bytes = 0;         ///< that the target has taken
  PumpSide side = PumpSide::none;  ///< whose error it was; none on success, cancel, timeout and ENOMEM
};

/// How `pump()` works.
struct PumpOptions {
  /// Ends the target's sending side after the last byte. A target that has no half-close (ENOTSUP) is left
  /// open without an error.
  bool half_close = true;
  /// Where the pump half-closes: aborts the target when the source broke off instead of ending, after what
  /// the source gave was written, so that the target's peer sees a reset and does not take for complete what
  /// was cut. Whoever sets it, or `half_close`, to false sees to that.
  bool reset_on_failure = true;
  /// Called from the loop with the bytes of each read, before they are written; they are valid during the
  /// call. May destroy anything.
  std::function<void(std::span<const std::byte>)> on_data = {};
};

/// Moves bytes from one stream to another until the source ends, then half-closes the target. Two pumps make
/// a relay: an end is passed on as an end and a reset as a reset, each way.
///
/// Reading and writing overlap; at most two buffers of 64 KiB are read ahead of the target. While there is
/// nothing to write, no buffer is held. Until its completion is delivered the pump is the source's reader and
/// the target's writer: other reads of the source, writes and `shutdown_write()` of the target, and
/// `disconnect()` and `release_fd()` of either give EBUSY. The streams may be moved meanwhile.
///
/// \return a request for the PumpResult; `transferred()` grows while it runs. Success means that the source
/// ended in order (EPIPE from its read) and the target has taken, and been told the end of, every byte.
/// Errors: those of reading the source, after what had been read was written (the target is aborted then, see
/// `PumpOptions::reset_on_failure`); those of writing and of `Stream::shutdown_write()`; EBUSY when the
/// source has a reader or another pump writes to the target; ENOMEM; ECANCELED with its side when one of the
/// streams was destroyed, or given to its disconnect (`std::move(stream).disconnect()`).
///
/// Cancelling, a deadline, destroying the request, a failing target and ENOMEM lose no byte: what was read
/// and not taken by the target goes back to the source, and its next read gets it. The target can be written
/// on directly behind the last byte that it took, and another pump goes on there; a half-close that is out
/// already counts as done for it. (A layer below may have taken bytes that it has not sent yet; they count as
/// taken.) When it is the source that was destroyed, such bytes go with it.
TSOCK_EXPORT Request<PumpResult> pump(Stream& source, Stream& target, PumpOptions options = {},
                                      CallSite site = CallSite::current());

}  // namespace tsock
