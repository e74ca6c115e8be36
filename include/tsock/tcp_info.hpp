#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// The states of a TCP connection (RFC 9293, section 3.3.2).
enum class TcpState : std::uint8_t {
  established,
  syn_sent,
  syn_received,
  fin_wait_1,
  fin_wait_2,
  time_wait,
  closed,
  close_wait,
  last_ack,
  listen,
  closing,
};

/// "established", "close-wait" and so on, as ss(8) spells them.
[[nodiscard]] TSOCK_EXPORT std::string_view tcp_state_name(TcpState state) noexcept;

/// What the kernel knows of a TCP connection, for `Stream::tcp_info()`; see TCP_INFO in tcp(7). A member
/// without a value is one that this system does not have, or has not measured yet.
struct TcpInfo {
  std::optional<TcpState> state{};
  std::optional<std::chrono::microseconds> rtt{};      ///< smoothed round-trip time
  std::optional<std::chrono::microseconds> rttvar{};   ///< its variation
  std::optional<std::chrono::microseconds> min_rtt{};  ///< the shortest round trip of late
  std::optional<std::chrono::microseconds> rto{};      ///< time after which a segment is sent again
  std::optional<std::uint32_t> mss{};                  ///< largest segment that we send, in bytes
  std::optional<std::uint32_t> path_mtu{};             ///< largest packet of the path, in bytes
  std::optional<std::uint32_t> cwnd{};                 ///< congestion window, in segments
  std::optional<std::uint32_t> unacked{};              ///< segments that were sent and not acknowledged
  std::optional<std::uint32_t> lost{};                 ///< of these, segments held for lost now
  std::optional<std::uint32_t> retransmits{};          ///< segments sent again since the connection began
  std::optional<std::uint64_t> bytes_sent{};           ///< of data, those sent again included
  std::optional<std::uint64_t> bytes_acked{};          ///< by the peer; Linux counts our SYN and FIN, too
  std::optional<std::uint64_t> bytes_received{};       ///< that we have acknowledged
  std::optional<std::uint64_t> bytes_unsent{};         ///< written and not sent even once
  std::optional<std::uint64_t> delivery_rate{};        ///< most recent, in bytes a second
};

}  // namespace tsock::inline v0
