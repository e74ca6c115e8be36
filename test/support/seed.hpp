#pragma once

#include <cstdint>

namespace tsock::test {

/// The number in an environment variable, or `otherwise`.
[[nodiscard]] std::uint64_t environment_number(const char* name, std::uint64_t otherwise);

/// Names the seed that runs now, for the report when the process dies under a sanitizer or a signal.
class SeedScope {
 public:
  SeedScope(const char* test, std::uint64_t seed, std::uint64_t steps) noexcept;
  SeedScope(const SeedScope&) = delete;
  SeedScope& operator=(const SeedScope&) = delete;
  ~SeedScope();
};

}  // namespace tsock::test
