#include "support/system.hpp"

namespace tsock::test {

bool uses_posix_alone() noexcept {
#if defined(TSOCK_PORTABLE)
  return true;
#else
  return false;
#endif
}

boost::test_tools::assertion_result more_than_posix(boost::unit_test::test_unit_id /*id*/) {
  boost::test_tools::assertion_result more{!uses_posix_alone()};
  more.message() << "the library uses POSIX alone";
  return more;
}

boost::test_tools::assertion_result posix_alone(boost::unit_test::test_unit_id /*id*/) {
  boost::test_tools::assertion_result alone{uses_posix_alone()};
  alone.message() << "the library uses more than POSIX";
  return alone;
}

}  // namespace tsock::test
