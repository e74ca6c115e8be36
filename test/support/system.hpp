#pragma once

#include <boost/test/unit_test.hpp>

/// What the library uses of the system beyond POSIX. A build with TSOCK_PORTABLE uses nothing of that, and
/// the tests that need it are skipped there; everywhere else they run.
namespace tsock::test {

[[nodiscard]] bool uses_posix_alone() noexcept;

/// A precondition of tests that need more than that.
boost::test_tools::assertion_result more_than_posix(boost::unit_test::test_unit_id id);
/// A precondition of tests of what is missing then.
boost::test_tools::assertion_result posix_alone(boost::unit_test::test_unit_id id);

}  // namespace tsock::test
