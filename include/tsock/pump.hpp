#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0 {

/// The side of a pump that ended it.
enum class PumpSide : std::uint8_t { none, source, target };

/// The result of a pump. `recv()` returns it also after a failure.
struct PumpResult {
  static constexpr bool valid_on_error = true;

  std::uint64_t bytes = 0;         ///< bytes that the target has taken
  PumpSide side = PumpSide::none;  ///< whose error it was; none on success, cancel, timeout and ENOMEM
};

/// How `pump()` works.
struct PumpOptions {
  /// Ends the target's sending side after the last byte. A target without half-close (ENOTSUP) stays open
  /// without an error.
  bool half_close = true;
  /// With `half_close`: aborts the target if the source broke off instead of ending, after everything read
  /// from the source was written. The target's peer then sees a reset and does not take truncated data for
  /// complete. Whoever sets this or `half_close` to false is responsible for that.
  bool reset_on_failure = true;
  /// Called from the loop with the bytes of each read, before they are written. The bytes are valid during
  /// the call. May destroy anything. Without it the bytes of sockets need not pass through this process.
  std::function<void(std::span<const std::byte>)> on_data = {};
};

/// Moves bytes from one stream to another until the source ends, then half-closes the target. Two pumps make
/// a relay: each passes an end on as an end and a reset as a reset.
///
/// Reading and writing overlap; at most two buffers of 64 KiB (of 256 KiB when the target is a regular file)
/// are read ahead of the target. While there is nothing to write, no buffer is held. From a socket to another
/// one, or to a regular file that is not appended to, the system moves the bytes by itself while much comes
/// at once (splice(2) of Linux, by way of the few pipes that a loop has; in pieces of up to 256 KiB, for a
/// file of up to 1 MiB, of which two are read ahead); not with `on_data`, which has to see them. Until its
/// completion is delivered, the pump is the source's reader and the target's writer: other reads of the
/// source, writes and `shutdown_write()` of the target, and `disconnect()` and `release_socket()` of either
/// give EBUSY. The streams may be moved meanwhile.
///
/// \return a request for the PumpResult; `transferred()` grows while it runs. Success means that the source
/// ended in order (EPIPE from its read), and that the target has taken every byte and been told the end.
/// Errors:
///  - those of reading the source, after everything read was written; the target is then aborted, see
///    `PumpOptions::reset_on_failure`
///  - those of writing and of `Stream::shutdown_write()`
///  - EBUSY: the source has a reader, or another pump writes to the target
///  - ENOMEM
///  - ECANCELED with its side: one of the streams was destroyed, or handed to its disconnect
///    (`std::move(stream).disconnect()`)
///
/// Cancelling, a deadline, destroying the request, a failing target and ENOMEM lose no byte: bytes read but
/// not taken by the target return to the source, and its next read gets them. Direct writes to the target, or
/// another pump, continue right behind the last byte it took; for that pump a half-close that has already
/// taken effect counts as done. (A layer below may have taken bytes that it has not sent yet; they count as
/// taken.) If the source was destroyed, such bytes are lost with it.
TSOCK_EXPORT Request<PumpResult> pump(Stream& source, Stream& target, PumpOptions options = {},
                                      CallSite site = CallSite::current());

}  // namespace tsock::inline v0
