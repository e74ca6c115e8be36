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
