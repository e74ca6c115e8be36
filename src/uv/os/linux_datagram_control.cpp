#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"
#include "uv/os/posix_datagram_control.hpp"

namespace tsock::inline v0::os {

namespace {

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
    note_packet(*slot.info, *header, slot.source.is_v4_mapped());
    if (header->cmsg_level == SOL_SOCKET) note_socket(*slot.info, *header);
  }
  if (slot.info != nullptr) slot.info->is_incomplete = !complete;
}

int apply_receive_options(NativeSocket socket, bool v4, bool v6, const DatagramOptions& options) noexcept {
  int err = 0;
  const auto set = [&err, socket](int level, int name) {
    if (err == 0) err = set_int(socket, level, name, 1);
  };
  if (options.receive_info) {
    set(SOL_SOCKET, SO_TIMESTAMPNS);
    if (!v4 && !v6) set(SOL_SOCKET, SO_PASSCRED);
    if (err == 0) err = ask_for_packet_info(socket, v4, v6);
  }
  if (!v4 && !v6) return err;
  if (options.icmp_errors) {
    if (v6) set(IPPROTO_IPV6, IPV6_RECVERR);
    if (v4) set(IPPROTO_IP, IP_RECVERR);
  }
  if (options.receive_offload) static_cast<void>(set_int(socket, SOL_UDP, UDP_GRO, 1));
  return err;
}

}  // namespace tsock::inline v0::os
