#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_datagram_slot.hpp"

namespace tsock::inline v0::os {

namespace {

constexpr std::size_t most_received = 32;
constexpr std::size_t control_size = 512;

// Fills headers from the front. Returns the number of headers filled, or -1 with errno.
int receive_headers(NativeSocket socket, std::span<mmsghdr> list, DatagramCalls& calls) noexcept {
  while (calls.batches) {
    const int got =
        ::recvmmsg(socket, list.data(), static_cast<unsigned>(list.size()), MSG_CMSG_CLOEXEC, nullptr);
    if (got >= 0 || (errno != EINTR && errno != ENOSYS)) return got;
    if (errno == ENOSYS) calls.batches = false;
  }
  int got = 0;
  while (static_cast<std::size_t>(got) < list.size()) {
    mmsghdr& header = list[static_cast<std::size_t>(got)];
    const ssize_t size = ::recvmsg(socket, &header.msg_hdr, MSG_CMSG_CLOEXEC);
    if (size >= 0) {
      header.msg_len = static_cast<unsigned>(size);
      ++got;
    } else if (errno != EINTR) {
      if (got == 0) return -1;
      if (errno != EAGAIN && errno != EWOULDBLOCK) calls.late_error = errno;
      return got;
    }
  }
  return got;
}

}  // namespace

std::size_t receive_datagrams(NativeSocket socket, std::span<DatagramSlot> slots, DatagramCalls& calls,
                              int& err) {
  if (calls.late_error != 0) {
    err = std::exchange(calls.late_error, 0);
    return 0;
  }
  struct alignas(cmsghdr) Control : std::array<std::byte, control_size> {};
  std::array<mmsghdr, most_received> list;
  std::array<sockaddr_storage, most_received> names;
  std::array<Control, most_received> controls;
  const std::size_t count = std::min(slots.size(), list.size());
  for (std::size_t i = 0; i < count; ++i) {
    prepare_header(list[i].msg_hdr, slots[i], names[i],
                   calls.control ? std::span<std::byte>(controls[i]) : std::span<std::byte>());
  }
  const int got = receive_headers(socket, std::span(list).first(count), calls);
  if (got < 0) {
    err = errno == EWOULDBLOCK ? EAGAIN : errno;
    return 0;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    err = store_datagram(list[i].msg_hdr, list[i].msg_len, names[i], calls.control, slots[i]);
    if (err != 0) return i;
  }
  return static_cast<std::size_t>(got);
}

std::size_t next_datagram_size(NativeSocket socket, int& err) noexcept {
  ssize_t size = 0;
  do {
    size = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  err = size >= 0 ? 0 : errno == EWOULDBLOCK ? EAGAIN : errno;
  return size >= 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace tsock::inline v0::os
