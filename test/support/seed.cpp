#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace tsock::test {

namespace {

const char* test_now = nullptr;
std::uint64_t seed_now = 0;
std::uint64_t steps_now = 0;

void print_seed() {
  if (test_now == nullptr) return;
  std::fprintf(stderr, "%s: again with TSOCK_SEED=%" PRIu64 " TSOCK_STEPS=%" PRIu64 "\n", test_now, seed_now,
               steps_now);
}

}  // namespace

std::uint64_t environment_number(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 0) : otherwise;
}

SeedScope::SeedScope(const char* test, std::uint64_t seed, std::uint64_t steps) noexcept {
  static const bool registered = [] {
    if (&__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&print_seed);
    return true;
  }();
  static_cast<void>(registered);
  test_now = test;
  seed_now = seed;
  steps_now = steps;
  BOOST_TEST_CHECKPOINT(test << ": TSOCK_SEED=" << seed << " TSOCK_STEPS=" << steps);
}

SeedScope::~SeedScope() { test_now = nullptr; }

}  // namespace tsock::test
