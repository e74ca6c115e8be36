#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>

// clang-format off
#include <ctime>  // errqueue.h needs it
#include <linux/errqueue.h>
// clang-format on

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"

namespace tsock::inline v0::os {

int drain_error_queue(NativeSocket socket) noexcept {
  int last = 0;
  for (;;) {
    msghdr message{};
    alignas(cmsghdr) std::array<std::byte, 512> control;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket, &message, MSG_ERRQUEUE) < 0) {
      if (errno == EINTR) continue;
      return last;
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      const bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
      const bool v6 = header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
      if (!v4 && !v6) continue;
      // Other entries, such as time stamps of sent datagrams, are no errors.
      const auto error = control_value<sock_extended_err>(*header);
      if (error.ee_origin == SO_EE_ORIGIN_LOCAL || error.ee_origin == SO_EE_ORIGIN_ICMP ||
          error.ee_origin == SO_EE_ORIGIN_ICMP6)
        last = static_cast<int>(error.ee_errno);
    }
  }
}

}  // namespace tsock::inline v0::os
