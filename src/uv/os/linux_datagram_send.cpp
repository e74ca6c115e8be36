#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "uv/os/datagram_socket.hpp"
#include "uv/os/posix_datagram_control.hpp"

namespace tsock::inline v0::os {

namespace {

constexpr std::size_t most_sent = 64;
constexpr std::size_t most_vectors = 256;
// The kernel's limits: UDP_MAX_SEGMENTS, and what fits into an ipv4 packet.
constexpr std::size_t most_segments = 64;
constexpr std::size_t most_offloaded = 65000;
// Measured on loopback with 24 messages to be cut: of 64 bytes, 250 ns each when they are adjacent, 277 ns
// when they are not; of 1400 bytes, a copy costs more than it saves (349 and 334 ns).
constexpr std::size_t largest_joined = 512;

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

/// Messages that can leave as one, which the kernel cuts.
struct EqualRun {
  std::size_t messages = 1;
  std::size_t vectors = 0;
};

// Counts messages of equal size from the front; the last one may be shorter.
EqualRun equal_run(std::span<const DatagramMessage> messages, std::size_t segment,
                   std::size_t largest_segment) noexcept {
  EqualRun run{.vectors = messages[0].vectors.size()};
  if (segment == 0 || segment > largest_segment) return run;
  std::size_t total = segment;
  while (run.messages < messages.size() && run.messages < most_segments) {
    const DatagramMessage& next = messages[run.messages];
    const std::size_t size = message_size(next);
    if (size == 0 || size > segment || total + size > most_offloaded || !same_ends(messages[0], next)) break;
    total += size;
    ++run.messages;
    run.vectors += next.vectors.size();
    if (size < segment) break;
  }
  return run;
}

/// The headers of one call of sendmmsg(2).
class SendBatch {
 public:
  /// \param scratch where small messages that leave as one are joined
  explicit SendBatch(std::span<std::byte> scratch) noexcept : scratch_(scratch) {}

  void build(NativeSocket socket, std::span<const DatagramMessage> messages,
             std::size_t largest_segment) noexcept {
    headers_ = vectors_used_ = scratch_used_ = 0;
    while (!messages.empty() && headers_ < most_sent) {
      const std::size_t segment = largest_segment != 0 ? message_size(messages[0]) : 0;
      const EqualRun run = equal_run(messages, segment, largest_segment);
      if (run.messages > 1 && add_cut(socket, messages.first(run.messages), run.vectors, segment)) {
        messages = messages.subspan(run.messages);
      } else {
        add(socket, messages[0], messages[0].vectors, 1);
        messages = messages.subspan(1);
      }
    }
  }
  /// \return messages that left; 0 with `err`.
  std::size_t send(NativeSocket socket, bool& batches, int& err) noexcept {
    const int sent = headers_ == 1 ? send_each(socket, 1) : send_all(socket, batches);
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
  int send_all(NativeSocket socket, bool& batches) noexcept {
    while (batches) {
      const int sent = ::sendmmsg(socket, list_.data(), static_cast<unsigned>(headers_), MSG_NOSIGNAL);
      if (sent >= 0 || (errno != EINTR && errno != ENOSYS)) return sent;
      if (errno == ENOSYS) batches = false;
    }
    return send_each(socket, headers_);
  }
  int send_each(NativeSocket socket, std::size_t headers) noexcept {
    int sent = 0;
    while (static_cast<std::size_t>(sent) < headers) {
      if (::sendmsg(socket, &list_[static_cast<std::size_t>(sent)].msg_hdr, MSG_NOSIGNAL) >= 0) {
        ++sent;
      } else if (errno != EINTR) {
        return sent != 0 ? sent : -1;
      }
    }
    return sent;
  }
  msghdr& add(NativeSocket socket, const DatagramMessage& message, std::span<const iovec> vectors,
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
    if (message.from != nullptr) put_from(socket, header, controls_[headers_ - 1].data(), message);
    return header;
  }
  // Returns false when there is no room for the vectors.
  bool add_cut(NativeSocket socket, std::span<const DatagramMessage> messages, std::size_t vectors,
               std::size_t segment) noexcept {
    const std::size_t begin = vectors_used_;
    if (segment <= largest_joined && segment * messages.size() <= scratch_.size() - scratch_used_) {
      if (begin == vectors_.size()) return false;
      vectors_[vectors_used_++] = join(messages);
    } else {
      if (begin + vectors > vectors_.size()) return false;
      for (const DatagramMessage& message : messages) {
        for (const iovec& vector : message.vectors) vectors_[vectors_used_++] = vector;
      }
    }
    msghdr& header =
        add(socket, messages[0], std::span<const iovec>(vectors_).subspan(begin, vectors_used_ - begin),
            messages.size());
    put_control(header, controls_[headers_ - 1].data(), SOL_UDP, UDP_SEGMENT,
                static_cast<std::uint16_t>(segment));
    return true;
  }
  // Copies the messages together: the kernel copies one piece in less time than many small ones.
  iovec join(std::span<const DatagramMessage> messages) noexcept {
    std::byte* const begin = scratch_.data() + scratch_used_;
    std::byte* end = begin;
    for (const DatagramMessage& message : messages) {
      for (const iovec& vector : message.vectors) {
        if (vector.iov_len == 0) continue;
        std::memcpy(end, vector.iov_base, vector.iov_len);
        end += vector.iov_len;
      }
    }
    scratch_used_ = static_cast<std::size_t>(end - scratch_.data());
    return {begin, static_cast<std::size_t>(end - begin)};
  }
  struct alignas(cmsghdr) Control : std::array<std::byte, from_space + CMSG_SPACE(sizeof(std::uint16_t))> {};
  std::array<mmsghdr, most_sent> list_;
  std::array<std::size_t, most_sent> counts_;
  std::array<iovec, most_vectors> vectors_;
  std::array<Control, most_sent> controls_;
  std::span<std::byte> scratch_;
  std::size_t headers_ = 0;
  std::size_t vectors_used_ = 0;
  std::size_t scratch_used_ = 0;
};

}  // namespace

std::size_t send_datagrams(NativeSocket socket, std::span<const DatagramMessage> messages,
                           DatagramCalls& calls, std::span<std::byte> scratch, int& err) noexcept {
  SendBatch batch(scratch);
  batch.build(socket, messages, calls.largest_segment);
  const std::size_t sent = batch.send(socket, calls.batches, err);
  if (sent != 0 || !batch.starts_cut()) return sent;
  // These errors may be due to the cutting alone (kernel, device, size, buffer); any other is the datagram's.
  const bool size = err == EINVAL || err == EMSGSIZE;
  const bool device = err == EIO || err == ENOPROTOOPT || err == EOPNOTSUPP;
  if (!size && !device && err != ENOBUFS) return 0;
  const std::size_t segment = message_size(messages[0]);
  batch.build(socket, messages, 0);
  const std::size_t sent_alone = batch.send(socket, calls.batches, err);
  if (sent_alone != 0) {
    if (size) calls.largest_segment = segment - 1;
    if (device) calls.largest_segment = 0;
  }
  return sent_alone;
}

}  // namespace tsock::inline v0::os
