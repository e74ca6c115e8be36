#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/address.hpp>
#include <tsock/buffer.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/stream_options.hpp>
#include <tsock/tcp_info.hpp>
#include <tsock/unique_socket.hpp>
#include <vector>

/// The system's sockets, one function for each call; the only place that knows how a platform spells them.
/// Every descriptor is close-on-exec and non-blocking from birth, and no call raises SIGPIPE. Functions
/// return 0 or an errno value unless they say otherwise; EINTR is never returned.
namespace tsock::inline v0::os {

/// Whether libuv tells a reset only to those who wait for something to read.
#if defined(_WIN32)
inline constexpr bool reset_is_readable = true;
#else
inline constexpr bool reset_is_readable = false;
#endif

/// `messages` is a unix stream of messages with borders (SOCK_SEQPACKET).
enum class SocketType : std::uint8_t { stream, datagram, messages };

UniqueSocket open_socket(int family, SocketType type, int& err) noexcept;
int open_pair(SocketType type, UniqueSocket& first, UniqueSocket& second) noexcept;
/// Moves a foreign socket to 3 or above and makes it close-on-exec and non-blocking. `was_blocking` tells
/// whether to undo that in the end: other processes may have the same socket.
int prepare_adopted(UniqueSocket& socket, bool& was_blocking) noexcept;
void make_blocking(NativeSocket socket) noexcept;
/// Checks that it is a socket of that type, of a family that tsock knows, and listening if and only if
/// `listening`. For `stream` it may be `messages`, too, which then becomes the type.
int check_socket(NativeSocket socket, SocketType& type, bool listening) noexcept;

int bind(NativeSocket socket, const Address& address) noexcept;
int listen(NativeSocket socket, int backlog) noexcept;
/// Moves a socket to 3 or above: 0 to 2 are for standard streams, even when those are closed. On failure the
/// socket stays where it is.
int lift_above_stdio(UniqueSocket& socket) noexcept;
/// EINPROGRESS while the connection is being made.
int connect(NativeSocket socket, const Address& address) noexcept;
/// The accepted socket has the lowest free descriptor, which may be 0 to 2.
UniqueSocket accept(NativeSocket socket, int& err) noexcept;
/// Takes the pending error of the socket (SO_ERROR).
int take_error(NativeSocket socket) noexcept;

/// \return bytes, 0 at the end, -1 with `err`.
ssize_t readv(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept;
ssize_t writev(NativeSocket socket, std::span<const iovec> vectors, int& err) noexcept;
ssize_t writev_with_fds(NativeSocket socket, std::span<const iovec> vectors, std::span<const int> fds,
                        int& err) noexcept;
/// The most descriptors that one call passes; the kernel's limit.
inline constexpr std::size_t max_passed_fds = 253;
/// More descriptors came along than the stream may keep.
#if defined(ETOOMANYREFS)
inline constexpr int too_many_fds = ETOOMANYREFS;
#else
inline constexpr int too_many_fds = ENOBUFS;  // of systems where none come along
#endif
/// As `readv()`; the first `count` of `fds` are descriptors that came along and belong to the caller now.
/// EMFILE when the system dropped some of them; the others are closed then, and the bytes are gone.
ssize_t readv_with_fds(NativeSocket socket, std::span<const iovec> vectors,
                       std::span<int, max_passed_fds> fds, std::size_t& count, int& err) noexcept;
/// The size of the next message, which stays; 0 at the end, -1 with `err`: EIO for an empty one.
ssize_t next_message(NativeSocket socket, int& err) noexcept;
/// The longest message that can be sent.
[[nodiscard]] std::size_t longest_message(NativeSocket socket) noexcept;
/// Reads up to `most` bytes, or a message whole, and throws them away. \return bytes, 0 at the end, -1 with
/// `err`.
ssize_t discard(NativeSocket socket, std::size_t most, int& err) noexcept;
/// Bytes that were written and are still here. Those of a unix socket are in the peer's queue, where closing
/// does no harm.
struct UnsentBytes {
  std::size_t unacknowledged = 0;  ///< all of them
  std::size_t held_back = 0;       ///< those that the peer has no room for yet
  bool is_lost_by_reset = true;
  bool is_known = true;  ///< false where the system does not tell; the numbers are 0 then
};
[[nodiscard]] UnsentBytes unsent_bytes(NativeSocket socket) noexcept;
/// Bytes in the receive queue.
std::size_t readable_bytes(NativeSocket socket, int& err) noexcept;
/// The result that a read of an empty receive queue would give: 0 while bytes may still come, EPIPE at the
/// end, or the pending error, which the call takes away.
int peek_error(NativeSocket socket) noexcept;
int shutdown_write(NativeSocket socket) noexcept;
/// Makes closing send a reset, where the transport has one.
void reset_on_close(NativeSocket socket) noexcept;

Address local_address(NativeSocket socket);
Address remote_address(NativeSocket socket);
int peer_credentials(NativeSocket socket, PeerCredentials& credentials) noexcept;
/// ENOTSUP if it is no TCP socket; `info` is unchanged after an error.
int tcp_info(NativeSocket socket, TcpInfo& info) noexcept;

/// Options that apply before bind and connect.
int apply_before_connect(NativeSocket socket, int family, const StreamOptions& options,
                         bool reuse_address) noexcept;
/// Options that a connected socket takes.
int apply_connected(NativeSocket socket, int family, const StreamOptions& options) noexcept;
/// Options of a listening socket, before it listens.
int apply_listener(NativeSocket socket, int family, const ListenerOptions& options) noexcept;
/// Makes the connect leave with the first write, if the system allows it. ENOTSUP where TCP has no such
/// option.
int connect_with_first_write(NativeSocket socket) noexcept;
/// Whether accepted sockets inherit the options of the listening one.
[[nodiscard]] bool accepted_inherit_options(int family) noexcept;

}  // namespace tsock::inline v0::os
