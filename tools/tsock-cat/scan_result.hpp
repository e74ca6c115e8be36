#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <vector>

#include "duration.hpp"

namespace tsock_cat {

/// What became of the attempt to reach a port.
enum class PortState : std::uint8_t {
  open,         ///< connected; for UDP, answered
  refused,      ///< the host is there, and nobody listens
  no_answer,    ///< of UDP: open or filtered, nobody can tell
  timed_out,    ///< nothing came in the time of -w
  unreachable,  ///< there is no way to the host, or a firewall says no
  failed        ///< something else
};

inline constexpr std::array port_states{PortState::open,      PortState::refused,     PortState::no_answer,
                                        PortState::timed_out, PortState::unreachable, PortState::failed};

/// "open", "timed out"; in JSON with _ for the space.
[[nodiscard]] std::string_view port_state_name(PortState state) noexcept;

/// One port of one address.
struct ScanResult {
  std::string host;  ///< as the user wrote it
  tsock::Address address;
  bool is_datagram = false;
  PortState state = PortState::failed;
  int err = 0;
  Duration time{};  ///< until that was known
};

/// A table for people: open ports, and the others as long as there are few of them. `all` shows every port.
/// `services` adds the names of services.
[[nodiscard]] std::string scan_table(const std::vector<ScanResult>& results, bool all, bool services);

/// "3 open, 997 refused".
[[nodiscard]] std::string scan_summary(const std::vector<ScanResult>& results);

}  // namespace tsock_cat
