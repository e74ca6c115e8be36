#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

// clang-format off
#include <ctime>  // errqueue.h needs it
#include <linux/errqueue.h>
// clang-format on

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_call.hpp"
#include "uv/os/socket.hpp"

namespace tsock::os {

namespace {

constexpr std::size_t most_received = 32;
constexpr std::size_t most_sent = 64;
constexpr std::size_t most_vectors = 256;
constexpr std::size_t control_size = 512;
constexpr std::size_t any_segment = 65535;
// The kernel's limits: UDP_MAX_SEGMENTS, and what fits an ipv4 packet.
constexpr std::size_t most_segments = 64;
constexpr std::size_t most_offloaded = 65000;

std::optional<int> get_int(int fd, int level, int name) noexcept {
  int value = 0;
  socklen_t length = sizeof(value);
  if (::getsockopt(fd, level, name, &value, &length) != 0) return std::nullopt;
  return value;
}

template <class T>
T control_value(const cmsghdr& header) noexcept {
  T value{};
  std::memcpy(&value, CMSG_DATA(&header), sizeof(value));
  return value;
}

template <class T>
Address plain_address(const T& socket_address) {
  int err = 0;
  return Address::from_sockaddr(reinterpret_cast<const ::sockaddr*>(&socket_address), sizeof(socket_address),
                                err);
}

// \param mapped in the form that a socket of both families has for it
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
      // Of a broadcast or a group it is the interface's address.
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

// Nobody asked for descriptors; they must not leak.
void close_descriptors(const cmsghdr& header) noexcept {
  for (std::size_t at = 0; at + sizeof(int) <= header.cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(&header) + at, sizeof(fd));
    UniqueFd(fd).reset();
  }
}

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

// Fills headers from the front. Returns how many, or -1 with errno.
int receive_headers(int fd, std::span<mmsghdr> list, DatagramCalls& calls) noexcept {
  while (calls.batches) {
    const int got =
        ::recvmmsg(fd, list.data(), static_cast<unsigned>(list.size()), MSG_CMSG_CLOEXEC, nullptr);
    if (got >= 0 || (errno != EINTR && errno != ENOSYS)) return got;
    if (errno == ENOSYS) calls.batches = false;
  }
  int got = 0;
  while (static_cast<std::size_t>(got) < list.size()) {
    mmsghdr& header = list[static_cast<std::size_t>(got)];
    const ssize_t size = ::recvmsg(fd, &header.msg_hdr, MSG_CMSG_CLOEXEC);
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

template <class T>
bool same(const T* a, const T* b) noexcept {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

bool same_ends(const DatagramMessage& a, const DatagramMessage& b) noexcept {
  return same(a.destination, b.destination) && same(a.from, b.from);
}

std::size_t message_size(const DatagramMessage& message) noexcept {
  std::size_t size = 0;
  for (const iovec& vector : message.vectors) size += vector.iov_len;
  return size;
}

// How many messages from the front can leave as one that the kernel cuts: equal sizes, the last one may be
// shorter.
std::size_t equal_run(std::span<const DatagramMessage> messages, std::size_t segment,
                      std::size_t largest_segment) noexcept {
  if (segment == 0 || segment > largest_segment) return 1;
  std::size_t total = segment;
  std::size_t count = 1;
  while (count < messages.size() && count < most_segments && same_ends(messages[0], messages[count])) {
    const std::size_t size = message_size(messages[count]);
    if (size == 0 || size > segment || total + size > most_offloaded) break;
    total += size;
    ++count;
    if (size < segment) break;
  }
  return count;
}

/// The headers of one sendmmsg.
class SendBatch {
 public:
  void build(int fd, std::span<const DatagramMessage> messages, std::size_t largest_segment) noexcept {
    headers_ = vectors_used_ = 0;
    while (!messages.empty() && headers_ < most_sent) {
      const std::size_t segment = largest_segment != 0 ? message_size(messages[0]) : 0;
      const std::size_t run = equal_run(messages, segment, largest_segment);
      std::size_t vectors = 0;
      for (const DatagramMessage& message : messages.first(run)) vectors += message.vectors.size();
      if (run > 1 && vectors_used_ + vectors <= vectors_.size()) {
        add_cut(fd, messages.first(run), segment);
        messages = messages.subspan(run);
      } else {
        add(fd, messages[0], messages[0].vectors, 1);
        messages = messages.subspan(1);
      }
    }
  }
  /// \return messages that left; 0 with `err`.
  std::size_t send(int fd, bool& batches, int& err) noexcept {
    const int sent = headers_ == 1 ? send_each(fd, 1) : send_all(fd, batches);
    if (sent < 0) {
      err = errno == EWOULDBLOCK ? EAGAIN : errno;
      return 0;
    }
    std::size_t messages = 0;
    for (int i = 0; i < sent; ++i) messages += counts_[static_cast<std::size_t>(i)];
    return messages;
  }
  [[nodiscard]] bool starts_cut() const noexcept { return counts_[0] > 1; }

 private:
  int send_all(int fd, bool& batches) noexcept {
    while (batches) {
      const int sent = ::sendmmsg(fd, list_.data(), static_cast<unsigned>(headers_), MSG_NOSIGNAL);
      if (sent >= 0 || (errno != EINTR && errno != ENOSYS)) return sent;
      if (errno == ENOSYS) batches = false;
    }
    return send_each(fd, headers_);
  }
  int send_each(int fd, std::size_t headers) noexcept {
    int sent = 0;
    while (static_cast<std::size_t>(sent) < headers) {
      if (::sendmsg(fd, &list_[static_cast<std::size_t>(sent)].msg_hdr, MSG_NOSIGNAL) >= 0) {
        ++sent;
      } else if (errno != EINTR) {
        return sent != 0 ? sent : -1;
      }
    }
    return sent;
  }
  msghdr& add(int fd, const DatagramMessage& message, std::span<const iovec> vectors,
              std::size_t count) noexcept {
    counts_[headers_] = count;
    msghdr& header = list_[headers_++].msg_hdr;
    header = {};
    if (message.destination != nullptr) {
      header.msg_name = const_cast<::sockaddr*>(message.destination->sockaddr_pointer());
      header.msg_namelen = static_cast<socklen_t>(message.destination->sockaddr_length());
    }
    header.msg_iov = const_cast<iovec*>(vectors.data());
    header.msg_iovlen = vectors.size();
    if (message.from != nullptr) put_from(fd, message);
    return header;
  }
  void add_cut(int fd, std::span<const DatagramMessage> messages, std::size_t segment) noexcept {
    const std::size_t begin = vectors_used_;
    for (const DatagramMessage& message : messages) {
      for (const iovec& vector : message.vectors) vectors_[vectors_used_++] = vector;
    }
    add(fd, messages[0], std::span<const iovec>(vectors_).subspan(begin, vectors_used_ - begin),
        messages.size());
    put(SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment));
  }
  // The local address and the interface. What goes by ipv4 has the item of ipv4, also on a socket for both.
  void put_from(int fd, const DatagramMessage& message) noexcept {
    const Address address = message.from->address();
    const auto is_v4 = [](const Address& a) { return a.is_ipv4() || a.is_v4_mapped(); };
    const bool v4 = !address.is_empty()              ? is_v4(address)
                    : message.destination != nullptr ? is_v4(*message.destination)
                                                     : is_v4(remote_address(fd));
    const auto* const bytes = reinterpret_cast<const std::byte*>(address.sockaddr_pointer());
    if (v4) {
      in_pktinfo packet{};
      packet.ipi_ifindex = static_cast<int>(message.from->interface_index());
      if (bytes != nullptr) {
        const std::size_t at =
            address.is_ipv4() ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr) + 12;
        std::memcpy(&packet.ipi_spec_dst, bytes + at, sizeof(packet.ipi_spec_dst));
      }
      put(IPPROTO_IP, IP_PKTINFO, packet);
    } else {
      in6_pktinfo packet{};
      packet.ipi6_ifindex = message.from->interface_index();
      if (bytes != nullptr)
        std::memcpy(&packet.ipi6_addr, bytes + offsetof(sockaddr_in6, sin6_addr), sizeof(packet.ipi6_addr));
      put(IPPROTO_IPV6, IPV6_PKTINFO, packet);
    }
  }
  // Puts an item behind the others of the last header.
  template <class T>
  void put(int level, int type, const T& value) noexcept {
    auto& control = controls_[headers_ - 1];
    msghdr& header = list_[headers_ - 1].msg_hdr;
    cmsghdr item{};
    item.cmsg_level = level;
    item.cmsg_type = type;
    item.cmsg_len = CMSG_LEN(sizeof(value));
    std::byte* const place = control.data() + header.msg_controllen;
    std::memcpy(place, &item, sizeof(item));
    std::memcpy(place + CMSG_LEN(0), &value, sizeof(value));
    header.msg_control = control.data();
    header.msg_controllen += CMSG_SPACE(sizeof(value));
  }

  struct alignas(cmsghdr) Control
      : std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t))> {};
  std::array<mmsghdr, most_sent> list_;
  std::array<std::size_t, most_sent> counts_;
  std::array<iovec, most_vectors> vectors_;
  std::array<Control, most_sent> controls_;
  std::size_t headers_ = 0;
  std::size_t vectors_used_ = 0;
};

}  // namespace

int apply_datagram(int fd, int family, const DatagramOptions& options, bool bound) noexcept {
  int err = 0;
  const auto set = [&err, fd](int level, int name, int value) {
    if (err == 0) err = set_int(fd, level, name, value);
  };
  const auto bytes = [](std::size_t size) {
    return static_cast<int>(
        std::min<std::size_t>(size, static_cast<std::size_t>(std::numeric_limits<int>::max())));
  };
  if (options.receive_buffer) set(SOL_SOCKET, SO_RCVBUF, bytes(*options.receive_buffer));
  if (options.send_buffer) set(SOL_SOCKET, SO_SNDBUF, bytes(*options.send_buffer));
  if (options.receive_info) set(SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (family == AF_UNIX) {
    if (options.broadcast) return EINVAL;
    if (options.receive_info) set(SOL_SOCKET, SO_PASSCRED, 1);
    return err;
  }
  const bool v6 = family == AF_INET6;
  if (options.broadcast) {
    if (v6) return EINVAL;
    set(SOL_SOCKET, SO_BROADCAST, 1);
  }
  if (options.reuse_address) set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) set(SOL_SOCKET, SO_REUSEPORT, 1);
  if (v6 && !bound) set(IPPROTO_IPV6, IPV6_V6ONLY, options.v6only ? 1 : 0);
  if (options.ttl) set(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, *options.ttl);
  if (options.multicast_ttl)
    set(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL, *options.multicast_ttl);
  if (options.multicast_loop)
    set(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP,
        *options.multicast_loop ? 1 : 0);
  if (options.multicast_interface) {
    if (v6) {
      set(IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(*options.multicast_interface));
    } else {
      ip_mreqn request{};
      request.imr_ifindex = static_cast<int>(*options.multicast_interface);
      if (err == 0 && ::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)) != 0)
        err = errno;
    }
  }
  bool only_v6 = options.v6only;
  if (v6 && bound) {
    only_v6 = get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0;
  }
  if (options.receive_info) {
    // A socket for both families is told of what came by ipv4 with the options of ipv4.
    if (v6) {
      set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
      set(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
      set(IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    }
    if (!v6 || !only_v6) {
      set(IPPROTO_IP, IP_PKTINFO, 1);
      set(IPPROTO_IP, IP_RECVTTL, 1);
      set(IPPROTO_IP, IP_RECVTOS, 1);
    }
  }
  if (options.icmp_errors) {
    if (v6) set(IPPROTO_IPV6, IPV6_RECVERR, 1);
    if (!v6 || !only_v6) set(IPPROTO_IP, IP_RECVERR, 1);
  }
  // An offload that the kernel does not have is no error: the plain way is taken.
  if (options.receive_offload) static_cast<void>(set_int(fd, SOL_UDP, UDP_GRO, 1));
  return err;
}

DatagramCalls datagram_calls(int fd, int family, const DatagramOptions& options, bool adopted) noexcept {
  DatagramCalls calls;
  calls.control = options.receive_info;
  if (family == AF_UNIX) return calls;
  calls.control = calls.control || options.receive_offload;
  calls.error_queue = options.icmp_errors;
  if (adopted) {
    // An adopted socket may bring them along. Not knowing their sizes one could not take apart datagrams that
    // the kernel put together.
    calls.control = calls.control || get_int(fd, SOL_UDP, UDP_GRO) != 0;
    calls.error_queue = calls.error_queue || get_int(fd, IPPROTO_IP, IP_RECVERR) == 1 ||
                        (family == AF_INET6 && get_int(fd, IPPROTO_IPV6, IPV6_RECVERR) == 1);
  }
  // A kernel that does not know it would not refuse it either, but send one large datagram.
  if (options.send_offload && get_int(fd, SOL_UDP, UDP_SEGMENT)) calls.largest_segment = any_segment;
  return calls;
}

std::size_t receive_datagrams(int fd, std::span<DatagramSlot> slots, DatagramCalls& calls, int& err) {
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
    msghdr& header = list[i].msg_hdr;
    header.msg_name = &names[i];
    header.msg_namelen = sizeof(names[i]);
    header.msg_iov = slots[i].room.data();
    header.msg_iovlen = slots[i].room[2].iov_len != 0 ? 3 : 2;
    header.msg_control = calls.control ? controls[i].data() : nullptr;
    header.msg_controllen = calls.control ? controls[i].size() : 0;
    header.msg_flags = 0;
  }
  const int got = receive_headers(fd, std::span(list).first(count), calls);
  if (got < 0) {
    err = errno == EWOULDBLOCK ? EAGAIN : errno;
    return 0;
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    DatagramSlot& slot = slots[i];
    msghdr& header = list[i].msg_hdr;
    if ((header.msg_flags & MSG_TRUNC) != 0) {
      // Another process takes from the same socket: this one was not there when we asked for its size.
      err = EMSGSIZE;
      return i;
    }
    slot.size = list[i].msg_len;
    if (header.msg_namelen != 0) {
      int ignored = 0;
      slot.source =
          Address::from_sockaddr(reinterpret_cast<const ::sockaddr*>(&names[i]), header.msg_namelen, ignored);
    } else {
      slot.source = Address::unix_unnamed();
    }
    if (!calls.control) continue;
    if (slot.info != nullptr) *slot.info = DatagramInfo();
    read_control(header, slot);
  }
  return static_cast<std::size_t>(got);
}

std::size_t next_datagram_size(int fd, int& err) noexcept {
  ssize_t size = 0;
  do {
    size = ::recv(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC);
  } while (size < 0 && errno == EINTR);
  err = size >= 0 ? 0 : errno == EWOULDBLOCK ? EAGAIN : errno;
  return size >= 0 ? static_cast<std::size_t>(size) : 0;
}

std::size_t send_datagrams(int fd, std::span<const DatagramMessage> messages, DatagramCalls& calls,
                           int& err) noexcept {
  SendBatch batch;
  batch.build(fd, messages, calls.largest_segment);
  const std::size_t sent = batch.send(fd, calls.batches, err);
  if (sent != 0 || !batch.starts_cut()) return sent;
  // These may be due to the cutting alone (kernel, device, size, buffer), any other one is the datagram's.
  const bool size = err == EINVAL || err == EMSGSIZE;
  const bool device = err == EIO || err == ENOPROTOOPT || err == EOPNOTSUPP;
  if (!size && !device && err != ENOBUFS) return 0;
  const std::size_t segment = message_size(messages[0]);
  batch.build(fd, messages, 0);
  const std::size_t sent_alone = batch.send(fd, calls.batches, err);
  if (sent_alone != 0) {
    if (size) calls.largest_segment = segment - 1;
    if (device) calls.largest_segment = 0;
  }
  return sent_alone;
}

int drain_error_queue(int fd) noexcept {
  int last = 0;
  for (;;) {
    msghdr message{};
    alignas(cmsghdr) std::array<std::byte, 512> control;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(fd, &message, MSG_ERRQUEUE) < 0) {
      if (errno == EINTR) continue;
      return last;
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      const bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
      const bool v6 = header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
      if (!v4 && !v6) continue;
      // Others, such as time stamps of what was sent, are no errors.
      const auto error = control_value<sock_extended_err>(*header);
      if (error.ee_origin == SO_EE_ORIGIN_LOCAL || error.ee_origin == SO_EE_ORIGIN_ICMP ||
          error.ee_origin == SO_EE_ORIGIN_ICMP6)
        last = static_cast<int>(error.ee_errno);
    }
  }
}

bool grow_send_buffer(int fd, std::size_t size) noexcept {
  const std::optional<int> current = get_int(fd, SOL_SOCKET, SO_SNDBUF);
  if (!current) return false;
  const std::size_t wanted = (size + 1023) / 1024 * 1024;
  if (wanted > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  if (static_cast<std::size_t>(*current) >= wanted * 2) return false;
  return set_int(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(wanted)) == 0;
}

std::uint64_t dropped_datagrams(int fd) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  socklen_t length = sizeof(values);
  if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values.data(), &length) != 0) return 0;
  return values[SK_MEMINFO_DROPS];
}

int join_multicast(int fd, const Address& group, unsigned interface_index, const Address& source,
                   bool join) noexcept {
  if (!group.is_multicast()) return EINVAL;
  const int level = group.is_ipv6() ? IPPROTO_IPV6 : IPPROTO_IP;
  if (source.is_empty()) {
    group_req request{};
    request.gr_interface = interface_index;
    std::memcpy(&request.gr_group, group.sockaddr_pointer(), group.sockaddr_length());
    return ::setsockopt(fd, level, join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request, sizeof(request)) ==
                   0
               ? 0
               : errno;
  }
  if (source.family() != group.family()) return EINVAL;
  group_source_req request{};
  request.gsr_interface = interface_index;
  std::memcpy(&request.gsr_group, group.sockaddr_pointer(), group.sockaddr_length());
  std::memcpy(&request.gsr_source, source.sockaddr_pointer(), source.sockaddr_length());
  const int name = join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP;
  return ::setsockopt(fd, level, name, &request, sizeof(request)) == 0 ? 0 : errno;
}

DatagramCapabilities datagram_capabilities() noexcept {
  DatagramCapabilities result;
  int err = 0;
  const UniqueFd fd = open_socket(AF_INET, SocketType::datagram, err);
  if (!fd) return result;
  result.batches = ::recvmmsg(fd.get(), nullptr, 0, MSG_DONTWAIT, nullptr) == 0 &&
                   ::sendmmsg(fd.get(), nullptr, 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0;
  result.send_offload = set_int(fd.get(), SOL_UDP, UDP_SEGMENT, 0) == 0;
  result.receive_offload = set_int(fd.get(), SOL_UDP, UDP_GRO, 1) == 0;
  return result;
}

}  // namespace tsock::os
