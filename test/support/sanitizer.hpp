#pragma once

// Which sanitizer watches the program, for tests of what it does not let a program do. The two macros are 1
// or 0.
#include <boost/test/unit_test.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define TSOCK_TEST_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TSOCK_TEST_ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(TSOCK_TEST_ADDRESS_SANITIZER)
#define TSOCK_TEST_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__)
#define TSOCK_TEST_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSOCK_TEST_THREAD_SANITIZER 1
#endif
#endif
#if !defined(TSOCK_TEST_THREAD_SANITIZER)
#define TSOCK_TEST_THREAD_SANITIZER 0
#endif

namespace tsock::test {

/// A precondition of tests that limit the memory of the process. Sanitizers map memory of their own without
/// end, and end the program where there is none; qemu takes a limit and does nothing about it.
boost::test_tools::assertion_result can_limit_memory(boost::unit_test::test_unit_id id);

/// A precondition of tests that have allocations fail. ThreadSanitizer has an operator new of its own.
inline boost::test_tools::assertion_result allocations_can_fail(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result can{TSOCK_TEST_THREAD_SANITIZER == 0};
  can.message() << "no failing allocations under ThreadSanitizer";
  return can;
}

/// A precondition of tests that make threads in a forked child, which ThreadSanitizer ends.
inline boost::test_tools::assertion_result children_may_have_threads(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result may{TSOCK_TEST_THREAD_SANITIZER == 0};
  may.message() << "no threads in a forked child under ThreadSanitizer";
  return may;
}

/// For a forked child that ends by exit(3): what threads of the parent had on their stacks, which the child
/// does not have, is no leak of its own.
void ignore_leaks() noexcept;

}  // namespace tsock::test
