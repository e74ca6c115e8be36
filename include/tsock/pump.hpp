#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <tsock/call_site.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock {

/// The side of a pump that ended it.
enum class PumpSide : std::uint8_t { none, source, target };

/// What came of a pump. `recv()` gives it also when the pump failed.
struct PumpResult {
  static constexpr bool valid_on_error = true;

  std::uint64_t bytes = 0;         ///< that the target has taken
  PumpSide side = PumpSide::none;  ///< whose error it was; none on success, cancel and timeout
};

/// How `pump()` works.
struct PumpOptions {
  /// Ends the target's sending side after the last byte. A target that has no half-close (ENOTSUP) is left
  /// open without an error.
  bool half_close = true;
  /// Called from the loop with the bytes of each read, before they are written; they are valid during the
  /// call. May destroy anything.
  std::function<void(std::span<const std::byte>)> on_data = {};
};

/// Moves bytes from one stream to another until the source ends, then half-closes the target. Two pumps make
/// a relay.
///
/// Reading and writing overlap; at most two buffers of 64 KiB are read ahead of the target. While there is
/// nothing to write, no buffer is held. The pump is the source's reader and the target's writer: others get
/// EBUSY. The streams may be moved meanwhile.
///
/// \return a request for the PumpResult; `transferred()` grows while it runs. Success means that the source
/// ended in order (EPIPE from its read) and the target has taken, and been told the end of, every byte.
/// Errors: those of reading the source, after what had been read was written; those of writing and of
/// `Stream::shutdown_write()`; ECANCELED with its side when one of the streams was destroyed.
///
/// Cancelling, a deadline, destroying the request and a failing target lose no byte: what was read and not
/// taken by the target goes back to the source, and its next read gets it. The target can be written on
/// directly behind the last byte that it took. (A layer below may have taken bytes that it has not sent yet;
/// they count as taken.) When it is the source that was destroyed, such bytes go with it.
Request<PumpResult> pump(Stream& source, Stream& target, PumpOptions options = {},
                         CallSite site = CallSite::current());

}  // namespace tsock
