#pragma once

#include <string>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/unique_socket.hpp>
#include <vector>

/// For daemons that a service manager such as systemd starts: its two interfaces for daemons, without its
/// library.
namespace tsock::inline v0 {

/// A socket that the service manager has opened for this process.
struct ActivatedSocket {
  UniqueSocket socket;
  std::string name;  ///< of the unit or FileDescriptorName=; "unknown" without one
};

/// The sockets of socket activation (sd_listen_fds(3)), in the order of the unit; give those that listen to
/// `Listener::adopt()`. Sets close-on-exec on them, and removes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES
/// from the environment, so that children do not take them for theirs: call it once, before threads are made
/// that read the environment. \return none with `err` 0 if there are none for this process; else `err`:
///  - EINVAL: variables that make no sense
///  - EBADF: a descriptor that is not open
///  - ENOTSUP: not on this system
[[nodiscard]] TSOCK_EXPORT std::vector<ActivatedSocket> take_activated_sockets(int& err);

/// Tells the service manager about this daemon (sd_notify(3)): "READY=1", "STOPPING=1", "STATUS=text",
/// "WATCHDOG=1", several in lines. Does not wait. \return 0 or an errno value:
///  - ENOENT: no service manager listens, as NOTIFY_SOCKET is not set
///  - EINVAL: NOTIFY_SOCKET is no address of a unix socket
///  - EAGAIN: the service manager does not read
///  - ENOTSUP: not on this system
///  - what socket(2) and sendto(2) give
TSOCK_EXPORT int notify_service_manager(std::string_view state) noexcept;

}  // namespace tsock::inline v0
