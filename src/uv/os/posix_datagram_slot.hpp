#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <span>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_datagram_control.hpp"

namespace tsock::inline v0::os {

// Both are part of the loop over a batch, for which calls would cost 110 instructions a datagram.

/// Makes a header that receives into the slot. \param control room for ancillary data; may be empty
[[gnu::always_inline]] inline void prepare_header(msghdr& header, DatagramSlot& slot, sockaddr_storage& name,
                                                  std::span<std::byte> control) noexcept {
  header.msg_name = &name;
  header.msg_namelen = sizeof(name);
  header.msg_iov = slot.room.data();
  header.msg_iovlen = slot.room[2].iov_len != 0 ? 3 : 2;
  header.msg_control = control.empty() ? nullptr : control.data();
  header.msg_controllen = static_cast<decltype(header.msg_controllen)>(control.size());
  header.msg_flags = 0;
}

/// Stores a datagram that was received with that header. \return 0, or EMSGSIZE when it is not the one whose
/// size we asked for: another process receives from the same socket
[[gnu::always_inline]] inline int store_datagram(msghdr& header, std::size_t size,
                                                 const sockaddr_storage& name, bool control,
                                                 DatagramSlot& slot) {
  if ((header.msg_flags & MSG_TRUNC) != 0) return EMSGSIZE;
  slot.size = size;
  if (header.msg_namelen != 0) {
    int ignored = 0;
    slot.source =
        Address::from_sockaddr(reinterpret_cast<const ::sockaddr*>(&name), header.msg_namelen, ignored);
  } else {
    slot.source = Address::unix_unnamed();
  }
  if (!control) return 0;
  if (slot.info != nullptr) *slot.info = DatagramInfo();
  read_control(header, slot);
  return 0;
}

}  // namespace tsock::inline v0::os
