#pragma once

#include <chrono>

#include "duration.hpp"

namespace tsock_cat {

/// The time since it was made.
class Stopwatch {
 public:
  [[nodiscard]] Duration passed() const { return Clock::now() - began_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point began_ = Clock::now();
};

}  // namespace tsock_cat
