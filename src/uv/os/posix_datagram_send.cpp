#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/posix_datagram_control.hpp"

namespace tsock::inline v0::os {

std::size_t send_datagrams(NativeSocket socket, std::span<const DatagramMessage> messages,
                           DatagramCalls& /*calls*/, std::span<std::byte> /*scratch*/, int& err) noexcept {
  std::size_t sent = 0;
  for (; sent < messages.size(); ++sent) {
    const DatagramMessage& datagram = messages[sent];
    alignas(cmsghdr) std::array<std::byte, from_space> control;
    msghdr header = make_message(datagram.vectors);
    if (datagram.destination != nullptr) {
      header.msg_name = const_cast<::sockaddr*>(datagram.destination->sockaddr_pointer());
      header.msg_namelen = static_cast<socklen_t>(datagram.destination->sockaddr_length());
    }
    if (datagram.from != nullptr) put_from(socket, header, control.data(), datagram);
    if (retry([&]() noexcept -> ssize_t { return ::sendmsg(socket, &header, no_sigpipe); }) >= 0) continue;
    if (sent == 0) err = errno == EWOULDBLOCK ? EAGAIN : errno;
    break;
  }
  return sent;
}

}  // namespace tsock::inline v0::os
