#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "duration.hpp"

namespace tsock_cat {

/// The round trips of --ping.
struct PingResult {
  std::size_t sent = 0;
  std::size_t message_size = 0;  ///< bytes on the wire
  std::vector<Duration> times;   ///< of those that were answered

  /// The time that this share of them did not exceed; 0 without any. \param share from 0, the lowest, to 1,
  /// the highest
  [[nodiscard]] Duration quantile(double share) const;
  /// How many took at most that long, and longer than the one before; each limit is twice the one before.
  [[nodiscard]] std::vector<std::pair<Duration, std::size_t>> histogram() const;
};

/// The results for people, in lines.
[[nodiscard]] std::string ping_table(const PingResult& result);

}  // namespace tsock_cat
