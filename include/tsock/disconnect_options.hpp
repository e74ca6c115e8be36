#pragma once

#include <chrono>
#include <cstddef>

namespace tsock::inline v0 {

/// How long `Stream::disconnect()` lingers for a peer that has not taken everything, and how many of the
/// bytes the peer still sends it discards meanwhile. If nothing is unread or unsent, it does not wait.
struct DisconnectOptions {
  static constexpr std::chrono::seconds default_linger_time{30};
  static constexpr std::size_t default_most_discarded = std::size_t{64} * 1024 * 1024;

  std::chrono::nanoseconds linger_time = default_linger_time;  ///< 0: closes at once
  std::size_t most_discarded = default_most_discarded;         ///< bytes, those read ahead included
};

}  // namespace tsock::inline v0
