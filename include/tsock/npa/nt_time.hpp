#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>
#include <ratio>

namespace tsock::inline v0::npa {

/// A time as Windows counts it (NTTIME): units of 100 ns since 1601-01-01 UTC. 0 is "not set".
struct NtTime {
  std::uint64_t value = 0;

  /// What stands for a time that never comes.
  [[nodiscard]] static constexpr NtTime never() noexcept {
    return {static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())};
  }
  /// \return 0 for times before 1601, never() for those that cannot be counted.
  [[nodiscard]] static constexpr NtTime from(std::chrono::system_clock::time_point time) noexcept {
    const Clock::duration since_1970 = time.time_since_epoch();
    // A coarser clock, as that of libc++, reaches further.
    if constexpr (std::ratio_greater_v<Clock::period, Ticks::period>) {
      if (since_1970 > std::chrono::duration_cast<Clock::duration>(Ticks(last_tick))) return never();
      if (since_1970 < std::chrono::duration_cast<Clock::duration>(Ticks(-ticks_to_1970))) return {};
    }
    const std::int64_t ticks = std::chrono::floor<Ticks>(since_1970).count();
    return {ticks < -ticks_to_1970 ? 0 : static_cast<std::uint64_t>(ticks + ticks_to_1970)};
  }
  /// The same time for the system's clock, or the clock's first or last one where it does not reach as far;
  /// the last one for never().
  [[nodiscard]] constexpr std::chrono::system_clock::time_point time_point() const noexcept {
    if (value >= never().value) return Clock::time_point::max();
    const std::int64_t ticks = static_cast<std::int64_t>(value) - ticks_to_1970;
    // A finer clock, as that of libstdc++, reaches less far.
    if constexpr (std::ratio_less_v<Clock::period, Ticks::period>) {
      if (ticks > std::chrono::duration_cast<Ticks>(Clock::duration::max()).count())
        return Clock::time_point::max();
      if (ticks < std::chrono::duration_cast<Ticks>(Clock::duration::min()).count())
        return Clock::time_point::min();
    }
    return Clock::time_point(std::chrono::floor<Clock::duration>(Ticks(ticks)));
  }

  friend bool operator==(const NtTime&, const NtTime&) = default;
  friend std::strong_ordering operator<=>(const NtTime&, const NtTime&) = default;

 private:
  using Clock = std::chrono::system_clock;
  using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
  static constexpr std::int64_t ticks_to_1970 = 116'444'736'000'000'000;
  static constexpr std::int64_t last_tick = std::numeric_limits<std::int64_t>::max() - ticks_to_1970;
};

}  // namespace tsock::inline v0::npa
