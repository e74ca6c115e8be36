#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <tsock/format.hpp>

#include "support/enumerators.hpp"
#include "tsock/tls/output.hpp"

BOOST_AUTO_TEST_SUITE(tls_output)

BOOST_AUTO_TEST_CASE(enumerators_of_tls_have_names) {
  using namespace tsock::tls;
  using tsock::test::count_names;
  std::ostringstream out;
  out << Version::tls1_3 << ' ' << VerifyLevel::ca_and_name << ' ' << ClientAuth::require;
  BOOST_TEST(out.str() == "tls1_3 ca_and_name require");
  BOOST_TEST(fmt::format("{}", EarlyData::refused) == "refused");
  BOOST_TEST(count_names<Version>() == 2);
  BOOST_TEST(count_names<VerifyLevel>() == 5);
  BOOST_TEST(count_names<ClientAuth>() == 3);
  BOOST_TEST(count_names<EarlyData>() == 3);
  BOOST_TEST(count_names<ChannelBinding>() == 3);
  BOOST_TEST(count_names<OcspCheck>() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
