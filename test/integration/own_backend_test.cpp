// The backend of the guide, as it is copied: what happens off the way that the example itself goes.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

#define main own_backend_main
#include "../../docs/examples/own_backend.cpp"
#undef main

namespace {

using namespace tsock;
using namespace tsock::test;

struct OwnBackendFixture : LoopFixture {
  Stream ours;
  Stream peer;

  OwnBackendFixture() {
    auto pair = unix_pair();
    ours = xor_stream(std::move(pair.first), std::byte{0x55});
    peer = xor_stream(std::move(pair.second), std::byte{0x55});
  }
  void check_loop_is_done() {
    loop.run_until_idle();
    BOOST_TEST(loop.metrics().in_progress == 0U);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(own_backend, OwnBackendFixture)

BOOST_AUTO_TEST_CASE(disconnect_waits_for_what_the_backend_has_still_to_write) {
  const std::vector<std::byte> bytes = pattern(std::size_t{16} << 20);
  Request<ssize_t> writing = ours.write(bytes);
  loop.run_until_idle();
  BOOST_TEST_REQUIRE(writing.is_in_progress());
  writing.cancel();
  BOOST_TEST(error_of(writing) == ECANCELED);
  const std::size_t left = writing.transferred();
  Request<void> disconnecting = ours.disconnect({.linger_time = std::chrono::minutes(5)});
  loop.run_until_idle();
  BOOST_TEST(disconnecting.is_in_progress());

  std::vector<std::byte> received;
  std::vector<std::byte> buffer(65536);
  int err = 0;
  while (err == 0) {
    Request<ssize_t> reading = peer.read_some(buffer);
    const ssize_t got = fetch(reading, err);
    if (err == 0) received.insert(received.end(), buffer.begin(), buffer.begin() + got);
  }
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(received.size() == left);
  BOOST_TEST(std::equal(received.begin(), received.end(), bytes.begin()));
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(disconnecting) == 0);
  check_loop_is_done();
}

BOOST_AUTO_TEST_CASE(a_monitor_follows_one_that_timed_out) {
  Request<void> first = ours.monitor();
  first.set_timeout(std::chrono::milliseconds(1));
  BOOST_TEST(error_of(first) == ETIMEDOUT);
  check_loop_is_done();
  Request<void> second = ours.monitor();
  loop.run_until_idle();
  BOOST_TEST(second.is_in_progress());
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(second) == EPIPE);
}

BOOST_AUTO_TEST_CASE(a_monitor_that_is_given_up_does_not_keep_the_loop_running) {
  Request<void> monitor = ours.monitor();
  loop.run_until_idle();
  monitor = {};
  check_loop_is_done();
}

BOOST_AUTO_TEST_CASE(a_read_that_is_given_up_does_not_keep_the_loop_running) {
  std::vector<std::byte> buffer(4);
  Request<ssize_t> cancelled = ours.read(buffer);
  loop.run_until_idle();
  cancelled.cancel();
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  check_loop_is_done();
  Request<ssize_t> destroyed = ours.read(buffer);
  loop.run_until_idle();
  destroyed = {};
  check_loop_is_done();

  Request<ssize_t> writing = peer.write("text");
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(buffer) == "text");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
