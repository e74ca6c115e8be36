#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

namespace tsock::inline v0::npa {

/// A time as Windows counts it (NTTIME): units of 100 ns since 1601-01-01 UTC. 0 is "not set".
struct NtTime {
  std::uint64_t value = 0;

  /// What stands for a time that never comes.
  [[nodiscard]] static constexpr NtTime never() noexcept {
    return {static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())};
  }
  /// \return 0 for times before 1601.
  [[nodiscard]] static constexpr NtTime from(std::chrono::system_clock::time_point time) noexcept {
    const std::int64_t ticks = std::chrono::floor<Ticks>(time.time_since_epoch()).count();
    return {ticks < -ticks_to_1970 ? 0 : static_cast<std::uint64_t>(ticks + ticks_to_1970)};
  }
  /// The same time for the system's clock, or the clock's first or last one where it does not reach as far.
  [[nodiscard]] constexpr std::chrono::system_clock::time_point time_point() const noexcept {
    using Clock = std::chrono::system_clock;
    constexpr std::int64_t last =
        std::chrono::duration_cast<Ticks>(Clock::time_point::max().time_since_epoch()).count();
    constexpr std::int64_t first =
        std::chrono::duration_cast<Ticks>(Clock::time_point::min().time_since_epoch()).count();
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return Clock::time_point::max();
    const std::int64_t ticks = static_cast<std::int64_t>(value) - ticks_to_1970;
    if (ticks > last) return Clock::time_point::max();
    if (ticks < first) return Clock::time_point::min();
    return Clock::time_point(std::chrono::duration_cast<Clock::duration>(Ticks(ticks)));
  }

  friend bool operator==(const NtTime&, const NtTime&) = default;
  friend std::strong_ordering operator<=>(const NtTime&, const NtTime&) = default;

 private:
  using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
  static constexpr std::int64_t ticks_to_1970 = 116'444'736'000'000'000;
};

}  // namespace tsock::inline v0::npa
