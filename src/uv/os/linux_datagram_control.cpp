#include "uv/os/linux_datagram_control.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"

namespace tsock::os {

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
  switch (header.cmsg_type) {
    case IP_PKTINFO: {
      const auto packet = control_value<in_pktinfo>(header);
      info.destination = v4_address(packet.ipi_addr, mapped);
      // For a broadcast or a group, this is the interface's address.
      info.reply_from = v4_address(packet.ipi_spec_dst, mapped);
      info.interface_index = static_cast<unsigned>(packet.ipi_ifindex);
      break;
    }
    case IP_TTL:
      info.ttl = control_value<int>(header);
      break;
    case IP_TOS:
      info.ecn = control_value<std::uint8_t>(header) & 3;
      break;
    default:
      break;
  }
}

void note_ipv6(DatagramInfo& info, const cmsghdr& header) {
  switch (header.cmsg_type) {
    case IPV6_PKTINFO: {
      const auto packet = control_value<in6_pktinfo>(header);
      sockaddr_in6 address{};
      address.sin6_family = AF_INET6;
      address.sin6_addr = packet.ipi6_addr;
      if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) address.sin6_scope_id = packet.ipi6_ifindex;
      info.destination = plain_address(address);
      if (info.reply_from.is_empty()) info.reply_from = info.destination;
      info.interface_index = packet.ipi6_ifindex;
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

void note_socket(DatagramInfo& info, const cmsghdr& header) {
  if (header.cmsg_type == SCM_TIMESTAMPNS) {
    const auto time = control_value<timespec>(header);
    info.timestamp =
        std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)));
  } else if (header.cmsg_type == SCM_CREDENTIALS) {
    const auto sender = control_value<ucred>(header);
    info.credentials = PeerCredentials{sender.pid, sender.uid, sender.gid};
  }
}

// Closes descriptors that were not asked for, so that they do not leak.
void close_descriptors(const cmsghdr& header) noexcept {
  for (std::size_t at = 0; at + sizeof(int) <= header.cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&header) + at, sizeof(fd));
    UniqueFd(fd).reset();
  }
}

}  // namespace

void read_control(msghdr& message, DatagramSlot& slot) {
  bool complete = (message.msg_flags & MSG_CTRUNC) == 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
      const int segment = control_value<int>(*header);
      if (segment > 0 && static_cast<std::size_t>(segment) < slot.size)
        slot.segment = static_cast<std::size_t>(segment);
    }
    if (header->cmsg_level == SOL_SOCKET &&
        (header->cmsg_type == SCM_RIGHTS || header->cmsg_type == scm_pidfd)) {
      close_descriptors(*header);
      complete = complete && header->cmsg_type != SCM_RIGHTS;
    }
    if (slot.info == nullptr) continue;
    if (header->cmsg_level == IPPROTO_IP) note_ip(*slot.info, *header, slot.source.is_v4_mapped());
    if (header->cmsg_level == IPPROTO_IPV6) note_ipv6(*slot.info, *header);
    if (header->cmsg_level == SOL_SOCKET) note_socket(*slot.info, *header);
  }
  if (slot.info != nullptr) slot.info->is_incomplete = !complete;
}

}  // namespace tsock::os
