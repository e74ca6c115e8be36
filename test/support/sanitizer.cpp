#include "support/sanitizer.hpp"

namespace tsock::test {

namespace {

bool leaks_are_ignored = false;

}  // namespace

void ignore_leaks() noexcept { leaks_are_ignored = true; }

}  // namespace tsock::test

#if TSOCK_TEST_ADDRESS_SANITIZER
// LeakSanitizer asks before it looks.
extern "C" int __lsan_is_turned_off();   // NOLINT(bugprone-reserved-identifier)
extern "C" int __lsan_is_turned_off() {  // NOLINT(bugprone-reserved-identifier)
  return tsock::test::leaks_are_ignored ? 1 : 0;
}
#endif

#if TSOCK_TEST_THREAD_SANITIZER
// libcrypto is not instrumented: the atomics by which it publishes what it computes once for a shared
// certificate are not seen, and so look like races.
extern "C" const char* __tsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "race:libcrypto.so\n";
}
#endif
