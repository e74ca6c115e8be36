#pragma once

#include <optional>
#include <string>
#include <tsock/stale_socket.hpp>
#include <tsock/stream_options.hpp>

namespace tsock::inline v0 {

/// How a Listener is set up.
struct ListenerOptions {
  /// Connections that wait to be accepted; the kernel has its own limit (listen(2)). Of a named pipe at least
  /// 1 and at most 32: further clients wait in their connect.
  int backlog = 128;
  bool reuse_address = true;  ///< SO_REUSEADDR on inet sockets: restart while old connections linger
  bool reuse_port = false;    ///< SO_REUSEPORT: several listeners share the port; ENOTSUP where unsupported
  bool v6only = true;         ///< IPV6_V6ONLY
  StaleSocket stale_socket =
      StaleSocket::probe_and_replace;  ///< for unix paths; only a socket is ever replaced
  std::optional<unsigned> mode =
      std::nullopt;  ///< permission bits of the socket file, set before anybody can connect
  std::optional<std::string> group = std::nullopt;  ///< owner group of the socket file, a name or a number
  /// Remove the socket file at the end, if it is still ours. A forked child leaves it to its parent.
  bool unlink_on_close = true;
  /// For a unix address: sockets whose writes are messages with borders (SOCK_SEQPACKET), see
  /// `Stream::read_message()`. EINVAL with an inet address.
  bool message_borders = false;
  /// TCP fast open (RFC 7413): how many connections may wait that have sent data and not finished their
  /// handshake; 0 takes none. Their first bytes may come twice. Has no effect where the system has it
  /// switched off; ENOTSUP where it has no such option; EINVAL below 0; ignored by unix sockets.
  int fast_open = 0;
  StreamOptions stream = {};  ///< for every accepted stream
};

}  // namespace tsock::inline v0
