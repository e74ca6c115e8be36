#include "tsock/tcp_info.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <tsock/layer/layer_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "support/loop_fixture.hpp"
#include "support/system.hpp"
#include "support/toy_engine.hpp"

namespace tsock::test {

BOOST_FIXTURE_TEST_SUITE(stream_tcp_info, LoopFixture)

BOOST_AUTO_TEST_CASE(tcp_connection_tells_its_state_and_what_it_has_moved,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  auto [ours, theirs] = tcp_pair();
  static_cast<void>(send_through(ours, theirs, pattern(5000)));
  static_cast<void>(send_through(theirs, ours, pattern(3000)));
  int err = -1;
  const TcpInfo info = ours.tcp_info(err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST_REQUIRE(info.state.has_value());
  BOOST_TEST((*info.state == TcpState::established));
  BOOST_TEST_REQUIRE(info.mss.has_value());
  BOOST_TEST(*info.mss > 0U);
  BOOST_TEST(info.retransmits.has_value());
  if (info.bytes_received) BOOST_TEST(*info.bytes_received == 3000U);
  if (info.bytes_sent) BOOST_TEST(*info.bytes_sent == 5000U);
  // The SYN may count.
  if (info.bytes_acked) BOOST_TEST((*info.bytes_acked == 5000U || *info.bytes_acked == 5001U));
  if (info.rtt) BOOST_TEST((*info.rtt > std::chrono::microseconds::zero()));
}

BOOST_AUTO_TEST_CASE(state_follows_the_peers_end,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  auto [ours, theirs] = tcp_pair();
  BOOST_TEST(error_of(theirs.shutdown_write()) == 0);
  BOOST_TEST(error_of(ours.monitor()) == EPIPE);
  int err = -1;
  const TcpInfo info = ours.tcp_info(err);
  BOOST_TEST(err == 0);
  BOOST_TEST_REQUIRE(info.state.has_value());
  BOOST_TEST(tcp_state_name(*info.state) == "close-wait");
}

BOOST_AUTO_TEST_CASE(layer_answers_for_the_connection_below,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  auto [below, other] = tcp_pair();
  auto left =
      layer::layer_over(std::move(below), std::make_unique<ToyEngine>(ToyEngine::Side::client), "toy");
  auto right =
      layer::layer_over(std::move(other), std::make_unique<ToyEngine>(ToyEngine::Side::server), "toy");
  int err = -1;
  const Stream ours = fetch(left, err);
  BOOST_TEST_REQUIRE(err == 0);
  const Stream theirs = fetch(right, err);
  BOOST_TEST_REQUIRE(err == 0);
  const TcpInfo info = ours.tcp_info(err);
  BOOST_TEST(err == 0);
  BOOST_TEST((info.state == TcpState::established));
}

BOOST_AUTO_TEST_CASE(streams_without_tcp_have_none) {
  int err = -1;
  auto [left, right] = unix_pair();
  BOOST_TEST(!left.tcp_info(err).state.has_value());
  BOOST_TEST(err == ENOTSUP);
  auto [near, far] = memory_pair();
  static_cast<void>(near.tcp_info(err));
  BOOST_TEST(err == ENOTSUP);
  static_cast<void>(Stream().tcp_info(err));
  BOOST_TEST(err == ENOTCONN);
  auto [gone, peer] = tcp_pair();
  gone.abort();
  static_cast<void>(gone.tcp_info(err));
  BOOST_TEST(err == ENOTCONN);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
