#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/socket.hpp"
#include "uv/os/windows_call.hpp"

namespace tsock::inline v0::os {

namespace {

constexpr std::size_t most_received = 32;
// As many as Linux gathers.
constexpr std::size_t most_gathered = 1024;

// What the other end's refusal is called everywhere: Windows reports it as a reset.
int datagram_error() noexcept {
  const int err = last_socket_error();
  return err == ECONNRESET ? ECONNREFUSED : err;
}

}  // namespace

int apply_datagram(NativeSocket socket, int family, const DatagramOptions& options, bool bound) noexcept {
  if (options.receive_info || options.icmp_errors || options.reuse_port) return ENOTSUP;
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
  const bool v6 = family == AF_INET6;
  if (options.broadcast) {
    if (family != AF_INET) return EINVAL;
    set(SOL_SOCKET, SO_BROADCAST, 1);
  }
  if (family != AF_INET && !v6) return err;
  if (options.reuse_address) set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (v6 && !bound) set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  const int level = v6 ? int{IPPROTO_IPV6} : int{IPPROTO_IP};
  if (options.ttl) set(level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, *options.ttl);
  if (options.multicast_ttl) set(level, v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, *options.multicast_ttl);
  if (options.multicast_loop)
    set(level, v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP, *options.multicast_loop ? 1 : 0);
  // An index is told from an address by its first byte, which is 0 in network order.
  if (options.multicast_interface)
    set(level, v6 ? IPV6_MULTICAST_IF : IP_MULTICAST_IF,
        static_cast<int>(v6 ? *options.multicast_interface : ::htonl(*options.multicast_interface)));
  return err;
}

bool grow_send_buffer(NativeSocket socket, std::size_t size) noexcept {
  int current = 0;
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      get_int(socket, SOL_SOCKET, SO_SNDBUF, current) != 0 || static_cast<std::size_t>(current) >= size)
    return false;
  return set_int(socket, SOL_SOCKET, SO_SNDBUF, static_cast<int>(size)) == 0;
}

DatagramCalls datagram_calls(NativeSocket /*socket*/, int /*family*/, const DatagramOptions& /*options*/,
                             bool /*adopted*/) noexcept {
  return {.batches = false};
}

std::size_t receive_datagrams(NativeSocket socket, std::span<DatagramSlot> slots, DatagramCalls& calls,
                              int& err) {
  if (calls.late_error != 0) {
    err = std::exchange(calls.late_error, 0);
    return 0;
  }
  const std::size_t count = std::min(slots.size(), most_received);
  for (std::size_t i = 0; i < count; ++i) {
    DatagramSlot& slot = slots[i];
    WsaVectors<3> buffers(std::span(slot.room).first(slot.room[2].iov_len != 0 ? 3 : 2));
    sockaddr_storage name{};
    int name_size = sizeof(name);
    auto* const source = reinterpret_cast<::sockaddr*>(&name);
    DWORD got = 0;
    DWORD flags = 0;
    if (::WSARecvFrom(socket, buffers.data(), buffers.count(), &got, &flags, source, &name_size, nullptr,
                      nullptr) != 0) {
      const int failure = datagram_error();
      if (i == 0) err = failure;
      if (i != 0 && failure != EAGAIN) calls.late_error = failure;
      return i;
    }
    int ignored = 0;
    slot.size = got;
    slot.source = Address::from_sockaddr(source, static_cast<std::size_t>(name_size), ignored);
  }
  return count;
}

// The result of FIONREAD is the size of all that wait, or of the first one.
std::size_t next_datagram_size(NativeSocket socket, int& err) noexcept {
  err = 0;
  std::array<char, std::size_t{64} * 1024> largest;
  const int size = ::recv(socket, largest.data(), static_cast<int>(largest.size()), MSG_PEEK);
  if (size >= 0) return static_cast<std::size_t>(size);
  err = datagram_error();
  return 0;
}

std::size_t send_datagrams(NativeSocket socket, std::span<const DatagramMessage> messages,
                           DatagramCalls& /*calls*/, std::span<std::byte> /*scratch*/, int& err) noexcept {
  std::size_t sent = 0;
  for (; sent < messages.size(); ++sent) {
    const DatagramMessage& datagram = messages[sent];
    int failure = datagram.from != nullptr ? ENOTSUP : 0;
    if (failure == 0) {
      WsaVectors<most_gathered> buffers(datagram.vectors);
      if (datagram.vectors.size() > most_gathered) failure = EMSGSIZE;  // it is one call, or none
      const ::sockaddr* const destination =
          datagram.destination != nullptr ? datagram.destination->sockaddr_pointer() : nullptr;
      const auto size =
          static_cast<int>(datagram.destination != nullptr ? datagram.destination->sockaddr_length() : 0);
      DWORD bytes = 0;
      if (failure == 0 && ::WSASendTo(socket, buffers.data(), buffers.count(), &bytes, 0, destination, size,
                                      nullptr, nullptr) != 0)
        failure = datagram_error();
      // Of a socket that has no receiver by itself.
      if (destination == nullptr && (failure == ENOTCONN || failure == EINVAL)) failure = EDESTADDRREQ;
    }
    if (failure == 0) continue;
    if (sent == 0) err = failure;
    break;
  }
  return sent;
}

int drain_error_queue(NativeSocket /*socket*/) noexcept { return 0; }

std::uint64_t dropped_datagrams(NativeSocket /*socket*/) noexcept { return 0; }

int join_multicast(NativeSocket socket, const Address& group, unsigned interface_index, const Address& source,
                   bool join) noexcept {
  if (!group.is_multicast()) return EINVAL;
  const int level = group.is_ipv6() ? int{IPPROTO_IPV6} : int{IPPROTO_IP};
  const auto set = [socket, level](int name, const auto& request) {
    return ::setsockopt(socket, level, name, reinterpret_cast<const char*>(&request), sizeof(request)) == 0
               ? 0
               : last_socket_error();
  };
  if (source.is_empty()) {
    group_req request{};
    request.gr_interface = interface_index;
    std::memcpy(&request.gr_group, group.sockaddr_pointer(), group.sockaddr_length());
    return set(join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, request);
  }
  if (source.family() != group.family()) return EINVAL;
  group_source_req request{};
  request.gsr_interface = interface_index;
  std::memcpy(&request.gsr_group, group.sockaddr_pointer(), group.sockaddr_length());
  std::memcpy(&request.gsr_source, source.sockaddr_pointer(), source.sockaddr_length());
  return set(join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, request);
}

DatagramCapabilities datagram_capabilities() noexcept { return {}; }

}  // namespace tsock::inline v0::os
