#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <optional>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/posix_datagram_control.hpp"

namespace tsock::inline v0::os {

int apply_datagram(NativeSocket socket, int family, const DatagramOptions& options, bool bound) noexcept {
  int err = 0;
  const auto set = [&err, socket](int level, int name, int value) {
    if (err == 0) err = set_int(socket, level, name, value);
  };
  const auto bytes = [](std::size_t size) {
    return static_cast<int>(
        std::min<std::size_t>(size, static_cast<std::size_t>(std::numeric_limits<int>::max())));
  };
  if (options.receive_buffer) set(SOL_SOCKET, SO_RCVBUF, bytes(*options.receive_buffer));
  if (options.send_buffer) set(SOL_SOCKET, SO_SNDBUF, bytes(*options.send_buffer));
  if (family == AF_UNIX) {
    if (options.broadcast) return EINVAL;
    return err == 0 ? apply_receive_options(socket, false, false, options) : err;
  }
  const bool v6 = family == AF_INET6;
  if (options.broadcast) {
    if (v6) return EINVAL;
    set(SOL_SOCKET, SO_BROADCAST, 1);
  }
  if (options.reuse_address) set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) set(SOL_SOCKET, SO_REUSEPORT, 1);
  if (v6 && !bound) set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  if (options.ttl) set(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, *options.ttl);
  if (options.multicast_ttl)
    set(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, *options.multicast_ttl);
  if (options.multicast_loop)
    set(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP,
        *options.multicast_loop ? 1 : 0);
  if (options.multicast_interface) {
    if (v6) {
      set(IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(*options.multicast_interface));
    } else {
      ip_mreqn request{};
      request.imr_ifindex = static_cast<int>(*options.multicast_interface);
      if (err == 0 && ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)) != 0)
        err = errno;
    }
  }
  bool only_v6 = options.v6only;
  if (v6 && bound) {
    only_v6 = int_option(socket, IPPROTO_IPV6, IPV6_V6ONLY) != 0;
  }
  // On a socket of both families, the ipv4 options report on what came by ipv4.
  return err == 0 ? apply_receive_options(socket, !v6 || !only_v6, v6, options) : err;
}

// Linux gives twice what it was asked for, and counts its own structures in it.
bool grow_send_buffer(NativeSocket socket, std::size_t size) noexcept {
  const std::optional<int> current = int_option(socket, SOL_SOCKET, SO_SNDBUF);
  if (!current) return false;
  const std::size_t wanted = (size + 1023) / 1024 * 1024;
  if (wanted > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  if (static_cast<std::size_t>(*current) >= wanted * 2) return false;
  return set_int(socket, SOL_SOCKET, SO_SNDBUF, static_cast<int>(wanted)) == 0;
}

}  // namespace tsock::inline v0::os
