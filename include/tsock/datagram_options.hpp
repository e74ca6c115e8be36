#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <tsock/stale_socket.hpp>

namespace tsock::inline v0 {

/// How a datagram socket is set up. An option that is not given keeps the system's default; an option that
/// this kind of socket does not have is ignored without an error.
struct DatagramOptions {
  bool broadcast = false;  ///< SO_BROADCAST; EINVAL for ipv6 and unix, which have none
  bool reuse_address =
      false;  ///< SO_REUSEADDR. tsocket sets it whenever a port is given, which lets two processes share it
  bool reuse_port = false;  ///< SO_REUSEPORT: the kernel spreads datagrams over the sockets
  bool v6only = true;       ///< IPV6_V6ONLY
  std::optional<std::size_t> receive_buffer = std::nullopt;  ///< SO_RCVBUF, bytes
  std::optional<std::size_t> send_buffer = std::nullopt;     ///< SO_SNDBUF, bytes
  std::optional<int> ttl = std::nullopt;                     ///< IP_TTL, IPV6_UNICAST_HOPS
  std::optional<int> multicast_ttl = std::nullopt;           ///< IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS
  std::optional<bool> multicast_loop =
      std::nullopt;  ///< IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP: whether this host hears its own
  std::optional<unsigned> multicast_interface =
      std::nullopt;  ///< index of the interface that multicasts leave by

  /// What to do if the local unix path already exists. tsocket fails.
  StaleSocket stale_socket = StaleSocket::probe_and_replace;
  /// Remove the socket file at the end, if it is still ours.
  bool unlink_on_close = true;
  /// Permission bits of the socket file, set before anybody can send to it, whatever the umask is.
  std::optional<unsigned> mode = std::nullopt;
  /// Owner group of the socket file, a name or a number; EINVAL for one that does not exist.
  std::optional<std::string> group = std::nullopt;

  /// Fill in ReceivedDatagram::info(): destination address and interface, ttl, ECN, the kernel's receive
  /// time; on unix sockets the sender's credentials. Costs a little for every datagram.
  bool receive_info = false;
  /// Report ICMP errors also on a socket that is not connected. They end the one request that meets them,
  /// never the socket.
  bool icmp_errors = false;
  /// Let the kernel merge datagrams of one sender, and take them apart here (UDP_GRO), where supported.
  bool receive_offload = false;
  /// Let the kernel cut equal datagrams to one receiver (UDP_SEGMENT) when several leave together, where
  /// supported.
  bool send_offload = true;
  /// As tsocket: sending an empty datagram gives EINVAL.
  bool strict_tsocket = false;
};

}  // namespace tsock::inline v0
