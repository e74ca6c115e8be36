#include "support/sanitizer.hpp"

#ifndef _WIN32
#include <sys/mman.h>
#include <sys/resource.h>
#endif

#include <cstddef>

namespace tsock::test {

namespace {

bool leaks_are_ignored = false;

// Asks for memory that a limit does not allow.
bool limit_holds() noexcept {
#ifdef _WIN32
  return false;
#else
  constexpr std::size_t allowed = std::size_t{1} << 20U;
  rlimit before{};
  if (::getrlimit(RLIMIT_AS, &before) != 0) return false;
  rlimit limit = before;
  limit.rlim_cur = allowed;
  if (::setrlimit(RLIMIT_AS, &limit) != 0) return false;
  void* const place = ::mmap(nullptr, allowed, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::setrlimit(RLIMIT_AS, &before);
  if (place == MAP_FAILED) return true;
  ::munmap(place, allowed);
  return false;
#endif
}

}  // namespace

boost::test_tools::assertion_result can_limit_memory(boost::unit_test::test_unit_id /*id*/) {
  boost::test_tools::assertion_result can{TSOCK_TEST_ADDRESS_SANITIZER == 0 &&
                                          TSOCK_TEST_THREAD_SANITIZER == 0 && limit_holds()};
  can.message() << "no limit of memory under a sanitizer, or by qemu";
  return can;
}

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
