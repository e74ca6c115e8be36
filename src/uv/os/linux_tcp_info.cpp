// <netinet/tcp.h> of the C library has an old tcp_info, and the two headers exclude each other.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <limits>

#include "uv/os/socket.hpp"

namespace tsock::inline v0::os {

namespace {

using std::chrono::microseconds;
using Kernel = struct ::tcp_info;

/// What an older kernel does not know is missing at the end.
class KernelTcpInfo {
 public:
  int ask(NativeSocket socket) noexcept {
    socklen_t size = sizeof(info_);
    if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info_, &size) != 0) return errno;
    size_ = size;
    return 0;
  }
  template <class T, class U>
  void give(U Kernel::*member, std::optional<T>& value) const noexcept {
    if (has(member)) value = T{info_.*member};
  }
  // The kernel says 0, or the largest number, for a time that was never measured.
  template <class U>
  void give_time(U Kernel::*member, std::optional<microseconds>& value) const noexcept {
    if (has(member) && info_.*member != 0 && info_.*member != std::numeric_limits<U>::max())
      value = microseconds(info_.*member);
  }
  template <class U>
  [[nodiscard]] bool has(U Kernel::*member) const noexcept {
    const auto* const end = reinterpret_cast<const std::byte*>(&(info_.*member)) + sizeof(U);
    return static_cast<std::size_t>(end - reinterpret_cast<const std::byte*>(&info_)) <= size_;
  }
  [[nodiscard]] std::uint8_t state() const noexcept { return info_.tcpi_state; }

 private:
  Kernel info_{};
  std::size_t size_ = 0;
};

// The kernel counts them from 1 in this order (include/net/tcp_states.h).
std::optional<TcpState> state_of(std::uint8_t number) noexcept {
  if (number < 1 || number > static_cast<unsigned>(TcpState::closing) + 1) return std::nullopt;
  return static_cast<TcpState>(number - 1);
}

}  // namespace

int tcp_info(NativeSocket socket, TcpInfo& info) noexcept {
  if (socket == invalid_socket) return ENOTSUP;
  KernelTcpInfo kernel;
  const int err = kernel.ask(socket);
  if (err == ENOPROTOOPT || err == EOPNOTSUPP || err == ENOTSOCK) return ENOTSUP;
  if (err != 0) return err;
  info.state = state_of(kernel.state());
  kernel.give_time(&Kernel::tcpi_rtt, info.rtt);
  if (info.rtt) kernel.give_time(&Kernel::tcpi_rttvar, info.rttvar);
  kernel.give_time(&Kernel::tcpi_min_rtt, info.min_rtt);
  kernel.give_time(&Kernel::tcpi_rto, info.rto);
  kernel.give(&Kernel::tcpi_snd_mss, info.mss);
  kernel.give(&Kernel::tcpi_pmtu, info.path_mtu);
  kernel.give(&Kernel::tcpi_snd_cwnd, info.cwnd);
  kernel.give(&Kernel::tcpi_unacked, info.unacked);
  kernel.give(&Kernel::tcpi_lost, info.lost);
  kernel.give(&Kernel::tcpi_total_retrans, info.retransmits);
  kernel.give(&Kernel::tcpi_bytes_sent, info.bytes_sent);
  kernel.give(&Kernel::tcpi_bytes_acked, info.bytes_acked);
  kernel.give(&Kernel::tcpi_bytes_received, info.bytes_received);
  kernel.give(&Kernel::tcpi_notsent_bytes, info.bytes_unsent);
  kernel.give(&Kernel::tcpi_delivery_rate, info.delivery_rate);
  return 0;
}

}  // namespace tsock::inline v0::os
