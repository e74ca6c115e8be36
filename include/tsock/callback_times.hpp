#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tsock/call_site.hpp>
#include <vector>

namespace tsock::inline v0 {

/// A place whose callbacks have held the loop for long.
struct SlowCallback {
  std::string name{};  ///< the operation whose callback it was, such as "readv_pdu"; "post" and the like
  CallSite site{};     ///< where that operation was started
  std::chrono::nanoseconds longest{};
};

/// How long callbacks have held the loop, for `Loop::callback_times()`. Other events wait meanwhile.
struct CallbackTimes {
  static constexpr std::size_t buckets = 26;
  /// Callbacks that are counted in a bucket took less than this, and not less than the bound of the one
  /// before. The last bucket has no bound.
  [[nodiscard]] static constexpr std::chrono::nanoseconds bound(std::size_t bucket) noexcept {
    return std::chrono::microseconds(std::uint64_t{1} << bucket);
  }

  bool is_on = false;       ///< callbacks are being measured
  std::uint64_t count = 0;  ///< callbacks measured
  std::chrono::nanoseconds total{};
  std::chrono::nanoseconds longest{};
  std::array<std::uint64_t, buckets> histogram{};
  std::vector<SlowCallback> slowest{};  ///< slowest first, each place once
};

}  // namespace tsock::inline v0
