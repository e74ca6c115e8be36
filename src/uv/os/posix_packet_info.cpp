#include <netinet/in.h>
#include <sys/socket.h>
#if defined(IP_RECVIF)
#include <net/if_dl.h>
#endif

#include <cstddef>
#include <cstring>

#include "uv/os/posix_call.hpp"
#include "uv/os/posix_datagram_control.hpp"
#include "uv/os/socket.hpp"

// RFC 3542 for ipv6. For ipv4, IP_PKTINFO where the system has it, else the options of the BSDs.
namespace tsock::inline v0::os {

namespace {

template <class T>
Address plain_address(const T& socket_address) {
  int err = 0;
  return Address::from_sockaddr(reinterpret_cast<const ::sockaddr*>(&socket_address), sizeof(socket_address),
                                err);
}

// \param mapped whether to use the mapped form, as a socket of both families does
Address v4_address(const in_addr& ip, bool mapped) {
  if (!mapped) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr = ip;
    return plain_address(address);
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr.s6_addr[10] = address.sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(&address.sin6_addr.s6_addr[12], &ip, sizeof(ip));
  return plain_address(address);
}

void note_ip(DatagramInfo& info, const cmsghdr& header, bool mapped) {
#if defined(IP_PKTINFO)
  if (header.cmsg_type == IP_PKTINFO) {
    const auto packet = control_value<in_pktinfo>(header);
    info.destination = v4_address(packet.ipi_addr, mapped);
    // For a broadcast or a group, this is the interface's address.
    info.reply_from = v4_address(packet.ipi_spec_dst, mapped);
    info.interface_index = static_cast<unsigned>(packet.ipi_ifindex);
  }
#elif defined(IP_RECVDSTADDR)
  if (header.cmsg_type == IP_RECVDSTADDR) {
    info.destination = v4_address(control_value<in_addr>(header), mapped);
    if (!info.destination.is_multicast()) info.reply_from = info.destination;
  }
#if defined(IP_RECVIF)
  if (header.cmsg_type == IP_RECVIF)
    info.interface_index = reinterpret_cast<const sockaddr_dl*>(CMSG_DATA(&header))->sdl_index;
#endif
#endif
  // The type of the item is the option that gives the value, or the one that asked for it; the value is an
  // int or a byte.
  const bool is_ttl = header.cmsg_type == IP_TTL
#if defined(IP_RECVTTL)
                      || header.cmsg_type == IP_RECVTTL
#endif
      ;
  const bool is_tos = header.cmsg_type == IP_TOS
#if defined(IP_RECVTOS)
                      || header.cmsg_type == IP_RECVTOS
#endif
      ;
  if (!is_ttl && !is_tos) return;
  const int value = header.cmsg_len >= CMSG_LEN(sizeof(int)) ? control_value<int>(header)
                                                             : control_value<unsigned char>(header);
  if (is_ttl) info.ttl = value;
  if (is_tos) info.ecn = value & 3;
}

void note_ipv6(DatagramInfo& info, const cmsghdr& header) {
  switch (header.cmsg_type) {
    case IPV6_PKTINFO: {
      const auto packet = control_value<in6_pktinfo>(header);
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = packet.ipi6_addr;
      if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr))
        address.sin6_scope_id = static_cast<std::uint32_t>(packet.ipi6_ifindex);
      info.destination = plain_address(address);
      if (info.reply_from.is_empty()) info.reply_from = info.destination;
      info.interface_index = static_cast<unsigned>(packet.ipi6_ifindex);
      break;
    }
    case IPV6_HOPLIMIT:
      info.ttl = control_value<int>(header);
      break;
    case IPV6_TCLASS:
      info.ecn = control_value<int>(header) & 3;
      break;
    default:
      break;
  }
}

}  // namespace

int ask_for_packet_info(NativeSocket socket, bool v4, bool v6) noexcept {
  int err = 0;
  const auto set = [&err, socket](int level, int name) {
    if (err == 0) err = set_int(socket, level, name, 1);
  };
  if (v6) {
    set(IPPROTO_IPV6, IPV6_RECVPKTINFO);
    set(IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    set(IPPROTO_IPV6, IPV6_RECVTCLASS);
  }
  if (!v4) return err;
#if defined(IP_PKTINFO)
  set(IPPROTO_IP, IP_PKTINFO);
#elif defined(IP_RECVDSTADDR)
  set(IPPROTO_IP, IP_RECVDSTADDR);
#if defined(IP_RECVIF)
  set(IPPROTO_IP, IP_RECVIF);
#endif
#endif
#if defined(IP_RECVTTL)
  set(IPPROTO_IP, IP_RECVTTL);
#endif
#if defined(IP_RECVTOS)
  set(IPPROTO_IP, IP_RECVTOS);
#endif
  return err;
}

void note_packet(DatagramInfo& info, const cmsghdr& header, bool mapped) {
  if (header.cmsg_level == IPPROTO_IP) note_ip(info, header, mapped);
  if (header.cmsg_level == IPPROTO_IPV6) note_ipv6(info, header);
}

// A datagram that goes by ipv4 has the ipv4 item, even on a socket of both families.
void put_from(NativeSocket socket, msghdr& message, std::byte* control,
              const DatagramMessage& datagram) noexcept {
  const Address address = datagram.from->address();
  const auto is_v4 = [](const Address& a) { return a.is_ipv4() || a.is_v4_mapped(); };
  const bool v4 = !address.is_empty()               ? is_v4(address)
                  : datagram.destination != nullptr ? is_v4(*datagram.destination)
                                                    : is_v4(remote_address(socket));
  const auto* const bytes = reinterpret_cast<const std::byte*>(address.sockaddr_pointer());
  if (v4) {
    in_addr ip{};
    if (bytes != nullptr) {
      const std::size_t at =
          address.is_ipv4() ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr) + 12;
      std::memcpy(&ip, bytes + at, sizeof(ip));
    }
#if defined(IP_PKTINFO)
    in_pktinfo packet{};
    packet.ipi_ifindex = static_cast<decltype(packet.ipi_ifindex)>(datagram.from->interface_index());
    packet.ipi_spec_dst = ip;
    put_control(message, control, IPPROTO_IP, IP_PKTINFO, packet);
#elif defined(IP_SENDSRCADDR)
    if (bytes != nullptr) put_control(message, control, IPPROTO_IP, IP_SENDSRCADDR, ip);
#endif
  } else {
    in6_pktinfo packet{};
    packet.ipi6_ifindex = static_cast<decltype(packet.ipi6_ifindex)>(datagram.from->interface_index());
    if (bytes != nullptr)
      std::memcpy(&packet.ipi6_addr, bytes + offsetof(sockaddr_in6, sin6_addr), sizeof(packet.ipi6_addr));
    put_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, packet);
  }
}

}  // namespace tsock::inline v0::os
