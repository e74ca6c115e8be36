#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

constexpr std::size_t any_segment = 65535;

}  // namespace

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

}  // namespace tsock::inline v0::os
