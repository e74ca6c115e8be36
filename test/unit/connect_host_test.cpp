#include "tsock/connect_host.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/fake_getaddrinfo.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using namespace std::chrono_literals;
using tsock::test::FakeNames;
using tsock::test::loopback_v4;
using tsock::test::LoopFixture;
using tsock::test::TempDirectory;

namespace {

/// Addresses that refuse, and one that is silent: a unix listener with a full backlog makes connecting wait.
struct ConnectFixture : LoopFixture {
  FakeNames names;
  TempDirectory directory;

  ~ConnectFixture() {
    names.let_go();
    loop.run();
  }

  Listener listen(int& err) { return Listener::tcp(loop, loopback_v4(), {}, err); }

  static Address refusing() {
    Loop other;
    int err = 0;
    return Listener::tcp(other, loopback_v4(), {}, err).local_address();
  }

  /// Attempts that wait until they are destroyed: connecting to a full backlog.
  struct Silent {
    Listener listener;
    std::vector<Stream> fillers;
    Address address;
  };
  Silent silent() {
    Silent made;
    int err = 0;
    made.address = Address::unix_from_path(directory / ("silent" + std::to_string(count_++)), err);
    made.listener = Listener::unix_stream(loop, made.address, {.backlog = 0}, err);
    BOOST_TEST_REQUIRE(err == 0);
    for (;;) {
      auto filler = Stream::connect(loop, made.address, {.retry_full_backlog = false});
      Stream stream = fetch(filler, err);
      if (err != 0) break;
      made.fillers.push_back(std::move(stream));
    }
    BOOST_TEST_REQUIRE(err == EAGAIN);
    return made;
  }
  Silent silent_tcp(const Address& where) {
    Silent made;
    int err = 0;
    made.listener = Listener::tcp(loop, where, {.backlog = 0}, err);
    BOOST_TEST_REQUIRE(err == 0);
    made.address = made.listener.local_address();
    // Over the loopback a connection is made at once or, when the backlog is full, not at all.
    for (;;) {
      auto filler = Stream::connect(loop, made.address);
      loop.run_until_idle();
      if (filler.is_in_progress()) return made;
      made.fillers.push_back(filler.recv(err));
      BOOST_TEST_REQUIRE(err == 0);
    }
  }
  // Where attempts in progress go, oldest first.
  std::vector<std::string> targets() const {
    std::vector<std::string> found;
    const std::string text = dump();
    for (std::size_t at = 0; (at = text.find(", to ", at)) != std::string::npos; ++at)
      found.push_back(text.substr(at + 5, text.find('\n', at) - at - 5));
    return found;
  }
  static ConnectHostOptions patient() {
    ConnectHostOptions options;
    options.connect.retry_full_backlog = true;
    return options;
  }
  std::size_t connects_in_progress() const {
    std::size_t count = 0;
    const std::string text = dump();
    for (std::size_t at = 0; (at = text.find(" connect ", at)) != std::string::npos; ++at) ++count;
    return count;
  }

 private:
  int count_ = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(connect_host, ConnectFixture)

BOOST_AUTO_TEST_CASE(name_is_resolved_and_connected) {
  int err = -1;
  Listener listener = listen(err);
  names.add("www.fake", {"127.0.0.1"});
  auto request = connect_to_host(loop, "www.fake", std::to_string(*listener.local_address().port()));
  const Stream stream = fetch(request, err);
  BOOST_TEST(err == 0);
  BOOST_TEST((stream.remote_address() == listener.local_address()));
}

BOOST_AUTO_TEST_CASE(name_that_does_not_exist_fails_as_resolving_does) {
  BOOST_TEST(error_of(connect_to_host(loop, "none.fake", "80")) == ENXIO);
  BOOST_TEST(error_of(connect_to_host(loop, "www.fake", "80", {.numeric_only = true})) == EINVAL);
}

BOOST_AUTO_TEST_CASE(next_address_is_tried_at_once_when_one_refuses) {
  int err = -1;
  Listener listener = listen(err);
  ConnectHostOptions options;
  options.attempt_delay = 1h;
  auto request = connect_to_host(loop, {refusing(), refusing(), listener.local_address()}, options);
  const Stream stream = fetch(request, err);
  BOOST_TEST(err == 0);
  BOOST_TEST((stream.remote_address() == listener.local_address()));
}

BOOST_AUTO_TEST_CASE(next_address_is_tried_beside_a_silent_one_after_the_delay) {
  int err = -1;
  const Silent silent_host = silent();
  Listener listener = listen(err);
  ConnectHostOptions options = patient();
  options.attempt_delay = 20ms;
  const auto begin = std::chrono::steady_clock::now();
  auto request = connect_to_host(loop, {silent_host.address, listener.local_address()}, options);
  loop.run_until_idle();
  BOOST_TEST(connects_in_progress() == 1U);
  const Stream stream = fetch(request, err);
  BOOST_TEST(err == 0);
  BOOST_TEST((stream.remote_address() == listener.local_address()));
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 20ms));
}

BOOST_AUTO_TEST_CASE(losers_are_gone_when_the_winner_is_delivered) {
  int err = -1;
  const Silent first = silent();
  const Silent second = silent();
  Listener listener = listen(err);
  ConnectHostOptions options = patient();
  options.attempt_delay = 1ms;
  auto request = connect_to_host(loop, {first.address, second.address, listener.local_address()}, options);
  std::uint64_t left = 99;
  request.set_callback([&](auto&) { left = loop.metrics().in_progress; });
  wait_for(request);
  BOOST_TEST(left == 1U);  // the guard of wait_for()
}

BOOST_AUTO_TEST_CASE(families_take_turns_beginning_with_the_first) {
  if (!test::has_ipv6()) {
    BOOST_TEST_MESSAGE("skipped: no ipv6 here");
    return;
  }
  const Silent six = silent_tcp(test::loopback_v6());
  const Silent four = silent_tcp(loopback_v4());
  const Silent path = silent();
  ConnectHostOptions options = patient();
  options.attempt_delay = 0ms;
  const Address& a = six.address;
  const Address& b = four.address;
  auto request = connect_to_host(loop, {a, a, a, b, b}, options);
  BOOST_TEST(run_until([this] { return targets().size() == 5; }));
  BOOST_TEST(
      targets() == (std::vector<std::string>{a.string(), b.string(), a.string(), b.string(), a.string()}),
      boost::test_tools::per_element());
  request = connect_to_host(loop, {b, a, path.address, a}, options);
  BOOST_TEST(run_until([this] { return targets().size() == 4; }));
  BOOST_TEST(targets().front() == b.string());
}

BOOST_AUTO_TEST_CASE(error_of_a_host_that_answered_wins_over_a_missing_route) {
  int err = 0;
  const Address unroutable = Address::inet_from_strings("ipv4", "255.255.255.255", 9, err);
  const int direct = error_of(Stream::connect(loop, unroutable));
  BOOST_TEST_REQUIRE((direct == ENETUNREACH || direct == EHOSTUNREACH || direct == EACCES));
  if (direct != EACCES) {
    BOOST_TEST(error_of(connect_to_host(loop, {unroutable, refusing()})) == ECONNREFUSED);
    BOOST_TEST(error_of(connect_to_host(loop, {refusing(), unroutable})) == ECONNREFUSED);
  }
}

BOOST_AUTO_TEST_CASE(nothing_to_try_is_an_error) {
  BOOST_TEST(error_of(connect_to_host(loop, std::vector<Address>{})) == ENXIO);
  ConnectHostOptions options;
  options.family = AddressFamily::ipv6;
  BOOST_TEST(error_of(connect_to_host(loop, {refusing()}, options)) == ENXIO);
  int err = 0;
  options.family = AddressFamily::any;
  options.connect.local = Address::inet_from_strings("ipv6", "::1", 0, err);
  BOOST_TEST(error_of(connect_to_host(loop, {refusing()}, options)) == ENXIO);
}

BOOST_AUTO_TEST_CASE(timeout_counts_for_lookup_and_attempts_together) {
  names.get_stuck("stuck.fake");
  ConnectHostOptions options = patient();
  options.connect.timeout = 5ms;
  auto request = connect_to_host(loop, "stuck.fake", "80", options);
  names.wait_for_stuck(1);
  BOOST_TEST(error_of(request) == ETIMEDOUT);
  const Silent silent_host = silent();
  BOOST_TEST(error_of(connect_to_host(loop, {silent_host.address}, options)) == ETIMEDOUT);
}

BOOST_AUTO_TEST_CASE(cancel_and_destroy_end_every_attempt) {
  const Silent first = silent();
  const Silent second = silent();
  ConnectHostOptions options = patient();
  options.attempt_delay = 0ms;
  auto request = connect_to_host(loop, {first.address, second.address}, options);
  BOOST_TEST(run_until([this] { return connects_in_progress() == 2; }));
  BOOST_TEST(request.cancel());
  BOOST_TEST(error_of(request) == ECANCELED);
  BOOST_TEST(loop.metrics().in_progress == 0U);

  request = connect_to_host(loop, {first.address, second.address}, options);
  BOOST_TEST(run_until([this] { return connects_in_progress() == 2; }));
  request = {};
  BOOST_TEST(loop.metrics().in_progress == 0U);
}

BOOST_AUTO_TEST_CASE(request_and_stream_destroyed_in_the_callback) {
  int err = 0;
  Listener listener = listen(err);
  auto request = std::make_unique<Request<Stream>>(connect_to_host(loop, {listener.local_address()}));
  request->set_callback([&request](Request<Stream>& done) {
    int result = 0;
    { const Stream stream = done.recv(result); }
    BOOST_TEST(result == 0);
    request.reset();
  });
  BOOST_TEST(run_until([&request] { return request == nullptr; }));
}

BOOST_AUTO_TEST_CASE(report_has_the_lookup_and_every_attempt) {
  int err = -1;
  Listener listener = listen(err);
  names.add("www.fake", {"127.0.0.1"});
  ConnectReport report;
  ConnectHostOptions options;
  options.report = &report;
  auto request = connect_to_host(loop, "www.fake", std::to_string(*listener.local_address().port()), options);
  BOOST_TEST(report.lookup_error == EINPROGRESS);
  const Stream stream = fetch(request, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST_REQUIRE(report.lookup.has_value());
  BOOST_TEST(report.lookup_error == 0);
  BOOST_TEST((report.lookup->count() > 0));
  BOOST_TEST(report.addresses.size() == 1U);
  BOOST_TEST_REQUIRE(report.attempts.size() == 1U);
  BOOST_TEST((report.attempts[0].address == listener.local_address()));
  BOOST_TEST((report.attempts[0].started >= *report.lookup));
  BOOST_TEST((report.attempts[0].took.count() > 0));
  BOOST_TEST(report.attempts[0].error == 0);
  BOOST_TEST((report.took >= report.attempts[0].started + report.attempts[0].took));
}

BOOST_AUTO_TEST_CASE(report_is_complete_after_failures_too) {
  ConnectReport report;
  ConnectHostOptions options = patient();
  options.report = &report;
  BOOST_TEST(error_of(connect_to_host(loop, "none.fake", "80", options)) == ENXIO);
  BOOST_TEST(report.lookup_error == ENXIO);
  BOOST_TEST(report.attempts.empty());

  BOOST_TEST(error_of(connect_to_host(loop, {refusing(), refusing()}, options)) == ECONNREFUSED);
  BOOST_TEST(!report.lookup.has_value());
  BOOST_TEST_REQUIRE(report.attempts.size() == 2U);
  BOOST_TEST(report.attempts[0].error == ECONNREFUSED);
  BOOST_TEST(report.attempts[1].error == ECONNREFUSED);
  BOOST_TEST((report.attempts[1].started >= report.attempts[0].started + report.attempts[0].took));

  const Silent silent_host = silent();
  options.connect.timeout = 5ms;
  BOOST_TEST(error_of(connect_to_host(loop, {silent_host.address}, options)) == ETIMEDOUT);
  BOOST_TEST_REQUIRE(report.attempts.size() == 1U);
  BOOST_TEST(report.attempts[0].error == ETIMEDOUT);
  BOOST_TEST((report.took >= 5ms));
}

BOOST_AUTO_TEST_CASE(report_tells_a_slower_attempt_that_was_given_up) {
  int err = -1;
  const Silent silent_host = silent();
  Listener listener = listen(err);
  ConnectReport report;
  ConnectHostOptions options = patient();
  options.attempt_delay = 1ms;
  options.report = &report;
  auto request = connect_to_host(loop, {silent_host.address, listener.local_address()}, options);
  const Stream stream = fetch(request, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST_REQUIRE(report.attempts.size() == 2U);
  BOOST_TEST(report.attempts[0].error == ECANCELED);
  BOOST_TEST(report.attempts[1].error == 0);
}

BOOST_AUTO_TEST_SUITE_END()
