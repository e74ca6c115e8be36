// The main() of every test program. Compiled once, because Boost.Test is slow to compile.
#define BOOST_TEST_MODULE tsock
#include <boost/test/unit_test.hpp>
