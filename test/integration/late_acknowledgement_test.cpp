// What a disconnect makes of acknowledgements that are late.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <tsock/tsock.hpp>
#include <tuple>

#include "support/loop_fixture.hpp"
#include "support/syscall_injector.hpp"

using namespace tsock;
using namespace std::chrono_literals;
using tsock::test::LateAcknowledgement;
using tsock::test::LoopFixture;

namespace {

struct LateAcknowledgementFixture : LoopFixture {
  Stream ours;
  Stream peer;

  LateAcknowledgementFixture() {
    std::tie(ours, peer) = tcp_pair();
    BOOST_TEST(test::text_of(send_through(ours, peer, test::bytes_of("sent"))) == "sent");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(late_acknowledgement, LateAcknowledgementFixture)

BOOST_AUTO_TEST_CASE(what_is_not_acknowledged_has_not_arrived) {
  LateAcknowledgement late(4);
  Request<void> closing = ours.disconnect({.linger_time = 1h});
  BOOST_TEST(run_until([&] { return late.asked() >= 10; }));
  BOOST_TEST(closing.is_in_progress());
  late.acknowledge();
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_is_asked_for_from_time_to_time) {
  const LateAcknowledgement late(4);
  const auto begin = std::chrono::steady_clock::now();
  const Request<void> closing = ours.disconnect({.linger_time = 1h});
  const unsigned at_once = late.asked();
  BOOST_TEST(run_until([&] { return late.asked() >= at_once + 5; }));
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 100ms));
}

BOOST_AUTO_TEST_CASE(without_an_acknowledgement_the_time_ends_with_etimedout) {
  const LateAcknowledgement late(4);
  BOOST_TEST(error_of(ours.disconnect({.linger_time = 30ms})) == ETIMEDOUT);
}

BOOST_AUTO_TEST_CASE(who_waits_for_the_end_of_the_peer_asks_for_nothing) {
  Request<ssize_t> talking = peer.write("unread");
  BOOST_TEST(error_of(talking) == 0);
  const LateAcknowledgement late(4);
  Request<void> closing = ours.disconnect({.linger_time = 1h});
  loop.run_until_idle();
  const unsigned asked = late.asked();
  BOOST_TEST(error_of(loop.sleep(100ms)) == 0);
  BOOST_TEST(late.asked() == asked);
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
