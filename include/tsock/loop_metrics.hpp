#pragma once

#include <cstdint>

namespace tsock::inline v0 {

/// Counters of a Loop since its start.
struct LoopMetrics {
  std::uint64_t events = 0;       ///< readiness events taken from the kernel
  std::uint64_t completions = 0;  ///< completions delivered
  std::uint64_t in_progress = 0;  ///< requests now in progress
  std::uint64_t deadlines = 0;    ///< deadlines now armed
  std::uint64_t posted = 0;       ///< `post()`ed functions run
};

}  // namespace tsock::inline v0
