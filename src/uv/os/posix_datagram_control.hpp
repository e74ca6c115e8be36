#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstring>
#include <tsock/datagram_backend.hpp>
#include <tsock/datagram_options.hpp>
#include <tsock/native_socket.hpp>

namespace tsock::inline v0::os {

/// Stores in the slot what the kernel reported about a received datagram: the size of each part where the
/// kernel joined several, and DatagramSlot::info. Closes descriptors that came along.
void read_control(msghdr& message, DatagramSlot& slot);

/// Asks for what `read_control()` reads, and for ICMP errors. \return 0 or an errno value; an offload that
/// the kernel does not have is no error
int apply_receive_options(NativeSocket socket, bool v4, bool v6, const DatagramOptions& options) noexcept;

// ---- addresses and interfaces of packets ----

/// Asks for them. \return 0 or an errno value
int ask_for_packet_info(NativeSocket socket, bool v4, bool v6) noexcept;
/// Stores one item. \param mapped whether ipv4 addresses have their mapped form
void note_packet(DatagramInfo& info, const cmsghdr& header, bool mapped);

/// Puts an item of ancillary data behind the others of the message. \param control the room for all of them
template <class T>
void put_control(msghdr& message, std::byte* control, int level, int type, const T& value) noexcept {
  cmsghdr item{};
  item.cmsg_level = level;
  item.cmsg_type = type;
  item.cmsg_len = static_cast<decltype(item.cmsg_len)>(CMSG_LEN(sizeof(value)));
  const auto used = static_cast<std::size_t>(message.msg_control != nullptr ? message.msg_controllen : 0);
  std::memcpy(control + used, &item, sizeof(item));
  std::memcpy(control + used + CMSG_LEN(0), &value, sizeof(value));
  message.msg_control = control;
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(used + CMSG_SPACE(sizeof(value)));
}

/// The room that `put_from()` needs.
inline constexpr std::size_t from_space = CMSG_SPACE(sizeof(in6_pktinfo));
/// Adds the local address and the interface that a message is to leave by.
void put_from(NativeSocket socket, msghdr& message, std::byte* control,
              const DatagramMessage& datagram) noexcept;

}  // namespace tsock::inline v0::os
