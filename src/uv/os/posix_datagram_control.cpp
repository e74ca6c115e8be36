#include "uv/os/posix_datagram_control.hpp"

#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <tsock/unique_fd.hpp>

#include "uv/os/posix_call.hpp"

namespace tsock::inline v0::os {

namespace {

// Closes descriptors that were not asked for, so that they do not leak.
void close_passed(const cmsghdr& header) noexcept {
  for (std::size_t at = 0; at + sizeof(int) <= header.cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&header) + at, sizeof(fd));
    UniqueFd(fd).reset();
  }
}

#if defined(SCM_TIMESTAMP)
void note_time(DatagramInfo& info, const cmsghdr& header) {
  const auto time = control_value<timeval>(header);
  info.timestamp =
      std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec)));
}
#endif

}  // namespace

void read_control(msghdr& message, DatagramSlot& slot) {
  bool complete = (message.msg_flags & MSG_CTRUNC) == 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      close_passed(*header);
      complete = false;
    }
    if (slot.info == nullptr) continue;
    note_packet(*slot.info, *header, slot.source.is_v4_mapped());
#if defined(SCM_TIMESTAMP)
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMP)
      note_time(*slot.info, *header);
#endif
  }
  if (slot.info != nullptr) slot.info->is_incomplete = !complete;
}

int apply_receive_options(NativeSocket socket, bool v4, bool v6, const DatagramOptions& options) noexcept {
  const bool inet = v4 || v6;
  if (options.icmp_errors && inet) return ENOTSUP;
  if (!options.receive_info) return 0;
#if defined(SO_TIMESTAMP)
  if (const int err = set_int(socket, SOL_SOCKET, SO_TIMESTAMP, 1); err != 0) return err;
#endif
  return inet ? ask_for_packet_info(socket, v4, v6) : 0;
}

}  // namespace tsock::inline v0::os
