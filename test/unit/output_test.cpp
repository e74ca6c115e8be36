#include "tsock/output.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/format.hpp>
#include <tsock/proxy/output.hpp>

#include "support/enumerators.hpp"

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
  BOOST_TEST(printed(tsock::LifecycleKind::handshake) == "handshake");
  BOOST_TEST(printed(tsock::FileMode::read_write) == "read_write");
  BOOST_TEST(printed(tsock::ChildStream::null_device) == "null_device");
  BOOST_TEST(printed(tsock::ChildErrors::file) == "file");
  BOOST_TEST(printed(tsock::ChildFate::leave) == "leave");
  BOOST_TEST(printed(tsock::proxy::Header::Version::v2) == "v2");
  BOOST_TEST(printed(tsock::proxy::Header::Command::local) == "local");
  BOOST_TEST(printed(tsock::proxy::Header::Transport::datagram) == "datagram");
  BOOST_TEST(printed(tsock::proxy::AcceptOptions::Presence::optional) == "optional");
  BOOST_TEST(printed(tsock::proxy::AcceptOptions::Untrusted::refuse) == "refuse");
  BOOST_TEST(printed(static_cast<tsock::Outcome>(77)) == "?");
}

BOOST_AUTO_TEST_CASE(each_enumerator_has_a_name_of_its_own) {
  using tsock::test::count_names;
  BOOST_TEST(count_names<tsock::Outcome>() == 3);
  BOOST_TEST(count_names<tsock::Readiness>() == 3);
  BOOST_TEST(count_names<tsock::Watermark>() == 2);
  BOOST_TEST(count_names<tsock::PumpSide>() == 3);
  BOOST_TEST(count_names<tsock::AddressFamily>() == 3);
  BOOST_TEST(count_names<tsock::StaleSocket>() == 3);
  BOOST_TEST(count_names<tsock::TcpState>() == 11);
  BOOST_TEST(count_names<tsock::LifecycleKind>() == 4);
  BOOST_TEST(count_names<tsock::FileMode>() == 4);
  BOOST_TEST(count_names<tsock::ChildStream>() == 4);
  BOOST_TEST(count_names<tsock::ChildErrors>() == 5);
  BOOST_TEST(count_names<tsock::ChildFate>() == 2);
}

BOOST_AUTO_TEST_CASE(a_set_of_events_is_printed_as_its_members) {
  BOOST_TEST(printed(tsock::PollEvents::readable | tsock::PollEvents::hang_up) == "readable|hang_up");
  BOOST_TEST(printed(tsock::PollEvents::none) == "none");
}

BOOST_AUTO_TEST_CASE(values_are_printed_as_a_person_says_them) {
  BOOST_TEST(printed(tsock::ExitStatus{.code = 3}) == "code 3");
  BOOST_TEST(printed(tsock::ExitStatus{.signal = 9}) == "signal 9");
  BOOST_TEST(printed(tsock::ExitStatus{.signal = 6, .dumped_core = true}) == "signal 6, core dumped");
  BOOST_TEST(printed(tsock::PeerCredentials{.pid = 4711, .uid = 1000, .gid = 100}) ==
             "pid 4711, uid 1000, gid 100");
  BOOST_TEST(printed(tsock::PeerCredentials{.pid = {}, .uid = 0, .gid = 1}) == "uid 0, gid 1");
  int err = 0;
  BOOST_TEST(printed(tsock::Address::parse("[::1]:80", err)) == "[::1]:80");
  BOOST_TEST(printed(tsock::proxy::Network::parse("10.0.0.0/8", err)) == "10.0.0.0/8");
}

BOOST_AUTO_TEST_CASE(values_are_formatted_as_they_are_printed) {
  int err = 0;
  const auto address = tsock::Address::parse("127.0.0.1:80", err);
  BOOST_TEST(fmt::format("{}", address) == address.to_string());
  BOOST_TEST(fmt::format("{:>8}", tsock::Outcome::done) == "    done");
  BOOST_TEST(fmt::format("{:>10}|", tsock::ExitStatus{.code = 0}) == "    code 0|");
  BOOST_TEST(fmt::format("{}", tsock::PeerCredentials{.pid = 1, .uid = 2, .gid = 3}) ==
             "pid 1, uid 2, gid 3");
  BOOST_TEST(fmt::format("{}", tsock::PollEvents::readable | tsock::PollEvents::writable) ==
             "readable|writable");
  BOOST_TEST(fmt::format("{}", tsock::proxy::Network::parse("10.0.0.0/8", err)) == "10.0.0.0/8");
  BOOST_TEST(fmt::format("{}", tsock::proxy::Header::Version::v1) == "v1");
}

BOOST_AUTO_TEST_SUITE_END()
