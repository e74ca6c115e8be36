#pragma once

#include <cstdint>
#include <optional>

namespace tsock::inline v0 {

/// The process at the other end of a unix socket, as the kernel saw it when the connection was made
/// (SO_PEERCRED in unix(7)).
struct PeerCredentials {
  std::optional<std::int64_t> pid;  ///< absent where the platform has none
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

}  // namespace tsock::inline v0
