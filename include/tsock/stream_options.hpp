#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>

namespace tsock::inline v0 {

/// How a stream's socket is set up. An option that is not given keeps the system's default. An option that
/// this kind of socket does not have (nodelay on a unix socket) is ignored without an error.
struct StreamOptions {
  bool nodelay = true;                           ///< TCP_NODELAY: the loop already gathers writes
  std::optional<bool> keepalive = std::nullopt;  ///< SO_KEEPALIVE
  std::optional<std::chrono::seconds> keepalive_idle = std::nullopt;      ///< TCP_KEEPIDLE; implies keepalive
  std::optional<std::chrono::seconds> keepalive_interval = std::nullopt;  ///< TCP_KEEPINTVL
  std::optional<int> keepalive_count = std::nullopt;                      ///< TCP_KEEPCNT
  std::optional<std::size_t> receive_buffer = std::nullopt;               ///< SO_RCVBUF, bytes
  std::optional<std::size_t> send_buffer = std::nullopt;                  ///< SO_SNDBUF, bytes
  std::optional<std::chrono::milliseconds> user_timeout =
      std::nullopt;  ///< TCP_USER_TIMEOUT: unacknowledged data ends the connection
  std::optional<bool> reuse_address =
      std::nullopt;    ///< SO_REUSEADDR for the local address; by default only when a local port is given
  bool v6only = true;  ///< IPV6_V6ONLY on ipv6 sockets

  /// Fail reads at the first sign that the connection broke, without returning what is still buffered
  /// (tsocket's tstream_bsd_fail_readv_first_error).
  bool fail_on_first_error = false;
  /// Behave as tsocket where tsock differs on purpose: one error latch for both directions, so that the
  /// peer's end of stream also ends writing, and ECONNRESET for a blocked write or a monitor when the peer
  /// ends its side.
  bool strict_tsocket = false;
  /// Accept file descriptors that the peer passes (unix sockets); see `Stream::take_received_fds()`. A read
  /// fails if its bytes came with descriptors that cannot be accepted, and the descriptors are closed.
  bool receive_fds = false;
  /// How many descriptors may wait to be taken. One more fails the read with ETOOMANYREFS.
  std::size_t max_received_fds = 16;
  /// How many bytes may be read ahead of a request and kept in memory for the next read; rounded down to a
  /// power of two. 0 means none, which costs a system call for each read, and for each byte of a delimited
  /// message. The default is what one call returns, at most 128 KiB. Bytes returned by an interrupted read do
  /// not count. A libuv handle reads on its own: up to this number, between 4 KiB and 64 KiB.
  std::size_t max_read_ahead = std::numeric_limits<std::size_t>::max();
};

}  // namespace tsock::inline v0
