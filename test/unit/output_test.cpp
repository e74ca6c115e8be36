#include "tsock/output.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <tsock/format.hpp>

BOOST_AUTO_TEST_SUITE(output)

namespace {
template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}
}  // namespace

BOOST_AUTO_TEST_CASE(enumerators_are_printed_by_their_names) {
  BOOST_TEST(printed(tsock::Outcome::abandoned) == "abandoned");
  BOOST_TEST(printed(tsock::Readiness::next_turn) == "next_turn");
  BOOST_TEST(printed(tsock::Watermark::low) == "low");
  BOOST_TEST(printed(tsock::PumpSide::target) == "target");
  BOOST_TEST(printed(tsock::AddressFamily::ipv6) == "ipv6");
  BOOST_TEST(printed(tsock::StaleSocket::replace) == "replace");
  BOOST_TEST(printed(tsock::TcpState::close_wait) == "close-wait");
  BOOST_TEST(printed(tsock::TraceKind::finished) == tsock::trace_kind_name(tsock::TraceKind::finished));
  BOOST_TEST(printed(static_cast<tsock::Outcome>(77)) == "?");
}

BOOST_AUTO_TEST_CASE(a_set_of_events_is_printed_as_its_members) {
  BOOST_TEST(printed(tsock::PollEvents::readable | tsock::PollEvents::hang_up) == "readable|hang_up");
  BOOST_TEST(printed(tsock::PollEvents::none) == "none");
}

BOOST_AUTO_TEST_CASE(values_are_formatted_as_they_are_printed) {
  int err = 0;
  const auto address = tsock::Address::parse("127.0.0.1:80", err);
  BOOST_TEST(fmt::format("{}", address) == address.to_string());
  BOOST_TEST(fmt::format("{:>8}", tsock::Outcome::done) == "    done");
}

BOOST_AUTO_TEST_SUITE_END()
