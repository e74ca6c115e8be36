#if defined(TSOCK_WITH_TSOCK_CAT)

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::UniqueSocket;

BOOST_AUTO_TEST_SUITE(tsock_cat_scan)

// A port of this host that nobody listens on, kept from others by a socket that does not listen.
class ClosedPort {
 public:
  explicit ClosedPort(int type = SOCK_STREAM) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    BOOST_TEST_REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  std::string port() const { return std::to_string(port_); }
  int number() const { return port_; }

 private:
  UniqueSocket fd_;
  int port_ = 0;
};

std::vector<nlohmann::json> scan_events(const std::string& error) {
  std::vector<nlohmann::json> found;
  for (const auto& event : events_of(error)) {
    if (event.at("event") == "scan") found.push_back(event);
  }
  return found;
}

BOOST_AUTO_TEST_CASE(open_and_refused_ports_are_told_apart_with_the_time_it_took) {
  const RawListener listener;
  const ClosedPort closed;
  const std::string open = port_of(listener.address());
  const CatOutcome outcome = run({"-z", "-n", "127.0.0.1", open + "," + closed.port()});
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(outcome.output.starts_with("HOST       PORT"), outcome.output);
  BOOST_TEST(contains(outcome.output, "127.0.0.1  " + open + "/tcp"), outcome.output);
  BOOST_TEST(contains(outcome.output, "  open"), outcome.output);
  BOOST_TEST(contains(outcome.output, "  refused"), outcome.output);
  BOOST_TEST(contains(outcome.output, "ms\n"), outcome.output);
  BOOST_TEST(contains(outcome.error, "1 open, 1 refused"), outcome.error);
}

BOOST_AUTO_TEST_CASE(nothing_open_is_8) {
  const ClosedPort closed;
  const CatOutcome outcome = run({"-z", "127.0.0.1", closed.port()});
  BOOST_TEST(outcome.status == 8);
  BOOST_TEST(contains(outcome.error, "0 open, 1 refused"), outcome.error);
}

BOOST_AUTO_TEST_CASE(json_has_an_object_for_each_port_and_the_counts) {
  const RawListener listener;
  const ClosedPort closed;
  const CatOutcome outcome =
      run({"-z", "--json", "127.0.0.1:" + port_of(listener.address()), "tcp://127.0.0.1:" + closed.port()});
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.output == "");
  const auto ports = scan_events(outcome.error);
  BOOST_TEST_REQUIRE(ports.size() == 2U);
  for (const auto& each : ports) {
    const bool is_open = std::to_string(each.at("port").get<int>()) == port_of(listener.address());
    BOOST_TEST(each.at("state") == (is_open ? "open" : "refused"));
    BOOST_TEST(each.at("protocol") == "tcp");
    BOOST_TEST(each.at("host") == "127.0.0.1");
    BOOST_TEST(each.at("seconds").get<double>() >= 0.0);
    BOOST_TEST(each.contains("errno") == !is_open);
  }
  const auto counts = event_named(outcome.error, "scanned");
  BOOST_TEST(counts.at("ports") == 2);
  BOOST_TEST(counts.at("open") == 1);
  BOOST_TEST(counts.at("refused") == 1);
  BOOST_TEST(counts.at("timed_out") == 0);
}

// A full backlog: the system takes no connection and says nothing.
BOOST_AUTO_TEST_CASE(a_port_that_does_not_answer_times_out) {
  const RawListener listener(RawListener::loopback(0), 0);
  int err = 0;
  const auto address = tsock::Address::parse(listener.address(), err);
  std::vector<UniqueSocket> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    static_cast<void>(::connect(waiting.back().get(), address.sockaddr_pointer(),
                                static_cast<socklen_t>(address.sockaddr_length())));
  }
  const CatOutcome outcome = run({"-z", "--json", "-w", "100ms", "127.0.0.1", port_of(listener.address())});
  BOOST_TEST(outcome.status == 8);
  BOOST_TEST(event_named(outcome.error, "scan").at("state") == "timed_out");
}

BOOST_AUTO_TEST_CASE(ranges_hosts_and_a_limit_go_together) {
  const RawListener listener;
  const int open = std::stoi(port_of(listener.address()));
  const std::string range = std::to_string(open - 50) + "-" + std::to_string(std::min(open + 50, 65535));
  const CatOutcome outcome =
      run({"-z", "--json", "--scan-parallel", "3", "127.0.0.1", "127.0.0.2", range + "," + range});
  const auto ports = scan_events(outcome.error);
  BOOST_TEST(ports.size() == 2 * static_cast<std::size_t>(std::min(open + 50, 65535) - open + 51));
  BOOST_TEST(outcome.status == 0);
  const auto is_ours = [open](const auto& each) {
    return each.at("port") == open && each.at("host") == "127.0.0.1" && each.at("state") == "open";
  };
  BOOST_TEST(std::count_if(ports.begin(), ports.end(), is_ours) == 1);
}

BOOST_AUTO_TEST_CASE(many_refused_ports_are_counted_and_shown_with_v) {
  const CatOutcome brief = run({"-z", "-w", "5s", "127.0.0.3", "1-40"});
  BOOST_TEST(contains(brief.output, "127.0.0.3: 40 ports refused (-v shows them)\n"), brief.output);
  const CatOutcome all = run({"-z", "-v", "-n", "127.0.0.3", "1-40"});
  BOOST_TEST(contains(all.output, "127.0.0.3  40/tcp  refused"), all.output);
}

BOOST_AUTO_TEST_CASE(of_udp_a_refusal_is_known_and_silence_means_nothing) {
  const ClosedPort silent(SOCK_DGRAM);  // bound: the system takes what comes
  std::string refused;
  {
    const ClosedPort gone(SOCK_DGRAM);
    refused = gone.port();
  }
  const CatOutcome outcome =
      run({"-z", "-u", "--json", "-w", "300ms", "127.0.0.1", silent.port() + "," + refused});
  BOOST_TEST(outcome.status == 8);
  for (const auto& each : scan_events(outcome.error)) {
    BOOST_TEST(each.at("state") == (each.at("port") == silent.number() ? "no_answer" : "refused"));
    BOOST_TEST(each.at("protocol") == "udp");
  }
}

BOOST_AUTO_TEST_CASE(of_udp_an_answer_is_open) {
  Cat echo({"-k", "--announce", "udp-listen://127.0.0.1:0", "echo:"});
  const std::string port = port_of(echo.listening());
  const CatOutcome outcome = run({"-zu", "127.0.0.1", port});
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(contains(outcome.output, port + "/udp"), outcome.output);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_found_is_2_when_nothing_is_open) {
  const CatOutcome outcome = run({"-z", "-n", "no-such-name", "80"});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(contains(outcome.error, "resolve no-such-name"), outcome.error);
}

const std::vector<std::vector<std::string>> wrong_scans{
    {"-z"},
    {"-z", "127.0.0.1"},
    {"-z", "127.0.0.1", "80-70"},
    {"-z", "127.0.0.1", "0"},
    {"-z", "127.0.0.1", "80,"},
    {"-z", "127.0.0.1", "65536"},
    {"-z", "-l", "80"},
    {"-z", "-U", "/x", "80"},
    {"-z", "-p", "7", "127.0.0.1", "80"},
    {"-z", "--proxy", "socks5://127.0.0.1:1", "127.0.0.1", "80"},
    {"-z", "--ping", "3", "127.0.0.1", "80"},
    {"-z", "--insecure", "127.0.0.1", "80"},
    {"-z", "-W", "1", "127.0.0.1", "80"},
    {"--scan-parallel", "3", "127.0.0.1", "80"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_scans.size()), index) {
  expect_wrong_command_line(wrong_scans[index]);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
