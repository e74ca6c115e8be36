#pragma once

#include <cstdint>

namespace tsock::test {

/// Random numbers that are the same for the same seed everywhere (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }
  /// From 0 to `limit` - 1.
  std::size_t below(std::size_t limit) noexcept { return static_cast<std::size_t>(next() % limit); }
  /// From `low` to `high`, both included.
  std::size_t between(std::size_t low, std::size_t high) noexcept { return low + below(high - low + 1); }
  bool one_in(std::size_t times) noexcept { return below(times) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace tsock::test
