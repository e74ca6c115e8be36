#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <tsock/format.hpp>

#include "support/enumerators.hpp"
#include "tsock/gssapi/output.hpp"

BOOST_AUTO_TEST_SUITE(gssapi_output)

BOOST_AUTO_TEST_CASE(enumerators_of_gssapi_have_names) {
  using namespace tsock::gssapi;
  using tsock::test::count_names;
  std::ostringstream out;
  out << Protection::confidentiality << ' ' << Frame::mit_sample;
  BOOST_TEST(out.str() == "confidentiality mit_sample");
  BOOST_TEST(fmt::format("{}", Frame::length) == "length");
  BOOST_TEST(count_names<Protection>() == 2);
  BOOST_TEST(count_names<Frame>() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
