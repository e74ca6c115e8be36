#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <tsock/format.hpp>

#include "support/enumerators.hpp"
#include "tsock/npa/output.hpp"

BOOST_AUTO_TEST_SUITE(npa_output)

BOOST_AUTO_TEST_CASE(enumerators_and_values_of_npa_are_printed) {
  using namespace tsock::npa;
  using tsock::test::count_names;
  int err = 0;
  const Sid sid = Sid::parse("S-1-5-7", err);
  std::ostringstream out;
  out << Level::level8 << ' ' << Transport::ncalrpc << ' ' << NtStatus::access_denied() << ' ' << sid;
  BOOST_TEST(out.str() == "level8 ncalrpc NT_STATUS_ACCESS_DENIED (0xC0000022) S-1-5-7");
  const Identity nobody = Identity::anonymous({}, {});
  BOOST_TEST(fmt::format("{} {}", sid, FileType::message_mode) == "S-1-5-7 message_mode");
  BOOST_TEST(fmt::format("{}", nobody) == nobody.to_string());
  BOOST_TEST(count_names<Level>() == 2);
  BOOST_TEST(count_names<TicketType>() == 3);
  BOOST_TEST(count_names<Transport>() == 3);
  BOOST_TEST(count_names<FileType>() == 2);
  BOOST_TEST(count_names<Claims::Kind>() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
