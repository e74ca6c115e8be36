#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "uv/os/datagram_socket.hpp"

namespace tsock::inline v0::os {

int join_multicast(NativeSocket socket, const Address& group, unsigned interface_index, const Address& source,
                   bool join) noexcept {
  if (!group.is_multicast()) return EINVAL;
  const int level = group.is_ipv6() ? IPPROTO_IPV6 : IPPROTO_IP;
  if (source.is_empty()) {
    group_req request{};
    request.gr_interface = interface_index;
    std::memcpy(&request.gr_group, group.sockaddr_pointer(), group.sockaddr_length());
    return ::setsockopt(socket, level, join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request,
                        sizeof(request)) == 0
               ? 0
               : errno;
  }
  if (source.family() != group.family()) return EINVAL;
  group_source_req request{};
  request.gsr_interface = interface_index;
  std::memcpy(&request.gsr_group, group.sockaddr_pointer(), group.sockaddr_length());
  std::memcpy(&request.gsr_source, source.sockaddr_pointer(), source.sockaddr_length());
  const int name = join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP;
  return ::setsockopt(socket, level, name, &request, sizeof(request)) == 0 ? 0 : errno;
}

}  // namespace tsock::inline v0::os
