#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::os {

namespace {

constexpr std::size_t any_segment = 65535;

}  // namespace

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
  if (options.receive_info) set(SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (family == AF_UNIX) {
    if (options.broadcast) return EINVAL;
    if (options.receive_info) set(SOL_SOCKET, SO_PASSCRED, 1);
    return err;
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
  if (options.receive_info) {
    // On a socket of both families, the ipv4 options report on what came by ipv4.
    if (v6) {
      set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
      set(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
      set(IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    }
    if (!v6 || !only_v6) {
      set(IPPROTO_IP, IP_PKTINFO, 1);
      set(IPPROTO_IP, IP_RECVTTL, 1);
      set(IPPROTO_IP, IP_RECVTOS, 1);
    }
  }
  if (options.icmp_errors) {
    if (v6) set(IPPROTO_IPV6, IPV6_RECVERR, 1);
    if (!v6 || !only_v6) set(IPPROTO_IP, IP_RECVERR, 1);
  }
  // An offload that the kernel does not have is no error: datagrams take the plain way.
  if (options.receive_offload) static_cast<void>(set_int(socket, SOL_UDP, UDP_GRO, 1));
  return err;
}

DatagramCalls datagram_calls(NativeSocket socket, int family, const DatagramOptions& options,
                             bool adopted) noexcept {
  DatagramCalls calls;
  calls.control = options.receive_info;
  if (family == AF_UNIX) return calls;
  calls.control = calls.control || options.receive_offload;
  calls.error_queue = options.icmp_errors;
  if (adopted) {
    // An adopted socket may have these set. Without the sizes, datagrams that the kernel joined could not be
    // taken apart.
    calls.control = calls.control || int_option(socket, SOL_UDP, UDP_GRO) != 0;
    calls.error_queue = calls.error_queue || int_option(socket, IPPROTO_IP, IP_RECVERR) == 1 ||
                        (family == AF_INET6 && int_option(socket, IPPROTO_IPV6, IPV6_RECVERR) == 1);
  }
  // When sending, a kernel that does not know the option would not refuse it, but send one large datagram.
  if (options.send_offload && int_option(socket, SOL_UDP, UDP_SEGMENT)) calls.largest_segment = any_segment;
  return calls;
}

bool grow_send_buffer(NativeSocket socket, std::size_t size) noexcept {
  const std::optional<int> current = int_option(socket, SOL_SOCKET, SO_SNDBUF);
  if (!current) return false;
  const std::size_t wanted = (size + 1023) / 1024 * 1024;
  if (wanted > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  if (static_cast<std::size_t>(*current) >= wanted * 2) return false;
  return set_int(socket, SOL_SOCKET, SO_SNDBUF, static_cast<int>(wanted)) == 0;
}

std::uint64_t dropped_datagrams(NativeSocket socket) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  socklen_t length = sizeof(values);
  if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, values.data(), &length) != 0) return 0;
  return values[SK_MEMINFO_DROPS];
}

DatagramCapabilities datagram_capabilities() noexcept {
  DatagramCapabilities result;
  int err = 0;
  const UniqueSocket socket = open_socket(AF_INET, SocketType::datagram, err);
  if (!socket) return result;
  result.batches = ::recvmmsg(socket.get(), nullptr, 0, MSG_DONTWAIT, nullptr) == 0 &&
                   ::sendmmsg(socket.get(), nullptr, 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0;
  result.send_offload = set_int(socket.get(), SOL_UDP, UDP_SEGMENT, 0) == 0;
  result.receive_offload = set_int(socket.get(), SOL_UDP, UDP_GRO, 1) == 0;
  return result;
}

}  // namespace tsock::os
