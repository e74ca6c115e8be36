#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/posix_datagram_slot.hpp"

namespace tsock::inline v0::os {

namespace {

constexpr std::size_t most_received = 32;
constexpr std::size_t control_size = 512;

// Looks at the next datagram. \return its size; more than `room` has when it does not fit; -1 with errno
ssize_t peek(NativeSocket socket, std::span<std::byte> room) noexcept {
  iovec vector{room.data(), room.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  const ssize_t size = retry([&]() noexcept -> ssize_t { return ::recvmsg(socket, &message, MSG_PEEK); });
  return size < 0 || (message.msg_flags & MSG_TRUNC) == 0 ? size : static_cast<ssize_t>(room.size()) + 1;
}

}  // namespace

std::size_t receive_datagrams(NativeSocket socket, std::span<DatagramSlot> slots, DatagramCalls& calls,
                              int& err) {
  if (calls.late_error != 0) {
    err = std::exchange(calls.late_error, 0);
    return 0;
  }
  const std::size_t count = std::min(slots.size(), most_received);
  for (std::size_t i = 0; i < count; ++i) {
    alignas(cmsghdr) std::array<std::byte, control_size> control;
    sockaddr_storage name;
    msghdr header{};
    prepare_header(header, slots[i], name,
                   calls.control ? std::span<std::byte>(control) : std::span<std::byte>());
    const ssize_t size = retry([&]() noexcept -> ssize_t { return ::recvmsg(socket, &header, 0); });
    if (size < 0) {
      const int failure = errno == EWOULDBLOCK ? EAGAIN : errno;
      if (i == 0) err = failure;
      if (i != 0 && failure != EAGAIN) calls.late_error = failure;
      return i;
    }
    err = store_datagram(header, static_cast<std::size_t>(size), name, calls.control, slots[i]);
    if (err != 0) return i;
  }
  return count;
}

std::size_t next_datagram_size(NativeSocket socket, int& err) noexcept {
  err = 0;
  std::array<std::byte, std::size_t{8} * 1024> usual;
  ssize_t size = peek(socket, usual);
  for (std::size_t room = usual.size() * 8; size > 0 && static_cast<std::size_t>(size) > room / 8;
       room *= 8) {
    const std::unique_ptr<std::byte[]> block(new (std::nothrow) std::byte[room]);
    if (!block) {
      err = ENOMEM;
      return 0;
    }
    size = peek(socket, {block.get(), room});
  }
  if (size >= 0) return static_cast<std::size_t>(size);
  err = errno == EWOULDBLOCK ? EAGAIN : errno;
  return 0;
}

}  // namespace tsock::inline v0::os
