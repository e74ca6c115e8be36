#pragma once

#include <cstdint>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/request.hpp>

namespace tsock::inline v0 {

class Loop;

/// What `poll()` waits for, and what has come: a set.
enum class PollEvents : std::uint8_t {
  none = 0,
  readable = 1,
  writable = 2,
  hang_up = 4,  ///< the peer has ended its side; not on every kind of descriptor
  error = 8,    ///< an error is pending on the descriptor; never asked for, comes with what was asked for
};
[[nodiscard]] constexpr PollEvents operator|(PollEvents a, PollEvents b) noexcept {
  return static_cast<PollEvents>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr PollEvents operator&(PollEvents a, PollEvents b) noexcept {
  return static_cast<PollEvents>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
/// Whether they have one in common.
[[nodiscard]] constexpr bool intersect(PollEvents a, PollEvents b) noexcept {
  return (a & b) != PollEvents::none;
}

/// Waits until a descriptor is ready, for what is no stream of tsock: inotify(7), netlink(7), the socket of
/// libpq. Level-triggered, one event a request. The descriptor stays the caller's, and must stay open until
/// the completion or until the Request is destroyed; cancelling leaves no trace. (tevent: tevent_add_fd)
/// \return a request for the events that have come, of those that were asked for. Errors:
///  - EINVAL: nothing was asked for
///  - EBADF; EPERM for a regular file, which is always ready
///  - EEXIST: the loop watches the descriptor already, for a stream or another `poll()`
///  - ENOMEM; ENOSPC (Linux): the user watches as many descriptors as may be (max_user_watches)
TSOCK_EXPORT Request<PollEvents> poll(Loop& loop, NativeSocket descriptor, PollEvents wanted,
                                      CallSite site = CallSite::current());

}  // namespace tsock::inline v0
