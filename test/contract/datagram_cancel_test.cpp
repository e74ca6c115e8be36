// Cancelling, deadlines and destroying: three different things that lose no datagram.
#include "contract/datagram_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

auto those_that_read_ahead() {
  return data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.reads_ahead; }));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(datagram_cancel)

BOOST_DATA_TEST_CASE_F(DatagramFixture, an_interrupted_receive_takes_nothing_with_it,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  std::array<std::byte, 16> buffer{};
  Request<ReceivedDatagram> cancelled = ours.recvfrom();
  loop.run_until_idle();
  BOOST_TEST(cancelled.cancel());
  BOOST_TEST(cancelled.is_in_progress());
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  Request<ReceivedInto> timed_out = ours.recvfrom(buffer);
  timed_out.set_timeout(1ns);
  BOOST_TEST(error_of(timed_out) == ETIMEDOUT);
  Request<std::vector<ReceivedDatagram>> destroyed = ours.recv_many(3);
  loop.run_until_idle();
  destroyed = {};
  deliver({"one", "two"});
  BOOST_TEST(take_text(ours) == "one");
  BOOST_TEST(take_text(ours) == "two");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, what_is_there_already_can_be_cancelled_or_has_come,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver(numbered(5));
  BOOST_TEST(take_text(ours) == "0");
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  receiving.cancel();
  int err = 0;
  const ReceivedDatagram datagram = fetch(receiving, err);
  std::vector<std::string> texts = take_waiting(ours);
  if (err == 0) {
    texts.insert(texts.begin(), text_of(datagram.bytes()));
  } else {
    BOOST_TEST(err == ECANCELED);
  }
  BOOST_TEST(texts == (std::vector<std::string>{"1", "2", "3", "4"}), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, one_that_is_read_ahead_and_not_yet_delivered_goes_back_in_its_place,
                       those_that_read_ahead(), kind) {
  if (!open(kind)) return;
  deliver(numbered(6));
  BOOST_TEST(take_text(ours) == "0");
  BOOST_TEST(ours.pending_datagrams() == 5U);
  {
    const Request<ReceivedDatagram> receiving = ours.recvfrom();
    BOOST_TEST(ours.pending_datagrams() == 4U);
  }
  BOOST_TEST(ours.pending_datagrams() == 5U);
  std::array<std::byte, 16> buffer{};
  { const Request<ReceivedInto> receiving = ours.recvfrom(buffer); }
  buffer = {};
  { const Request<ReceivedInto> receiving = ours.recvfrom(std::span<std::byte>()); }
  { const Request<std::vector<ReceivedDatagram>> receiving = ours.recv_many(3); }
  BOOST_TEST(ours.pending_datagrams() == 5U);
  BOOST_TEST(take_waiting(ours) == (std::vector<std::string>{"1", "2", "3", "4", "5"}),
             boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, one_that_was_cut_goes_back_whole_with_its_sender,
                       those_that_read_ahead(), kind) {
  if (!open(kind)) return;
  deliver({"first", "one that is cut", "last"});
  BOOST_TEST(take_text(ours) == "first");
  std::array<std::byte, 3> buffer{};
  { const Request<ReceivedInto> receiving = ours.recvfrom(buffer); }
  std::array<std::byte, 32> large{};
  { const Request<ReceivedInto> receiving = ours.recvfrom(large); }
  const ReceivedDatagram datagram = value_of(ours.recvfrom());
  BOOST_TEST(text_of(datagram.bytes()) == "one that is cut");
  BOOST_TEST(datagram.source() == peer.local_address());
  BOOST_TEST(take_text(ours) == "last");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, cancelling_after_a_datagram_was_taken_is_too_late,
                       those_that_read_ahead(), kind) {
  if (!open(kind)) return;
  deliver({"one", "two"});
  BOOST_TEST(take_text(ours) == "one");
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  receiving.cancel();
  BOOST_TEST(text_of(value_of(receiving).bytes()) == "two");
  BOOST_TEST(!receiving.cancel());
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, what_is_read_ahead_is_bounded_and_served_before_what_comes,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver(numbered(8));
  BOOST_TEST(take_text(ours) == "0");
  BOOST_TEST(ours.pending_datagrams() == (traits.reads_ahead ? 7U : 0U));
  peer_sends("8");
  for (const char* text : {"1", "2", "3"}) BOOST_TEST(take_text(ours) == text);
  for (const std::string& text : take_waiting(ours)) BOOST_TEST(text >= "4");
  BOOST_TEST(ours.pending_datagrams() == 0U);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_send_that_is_cancelled_in_its_turn_does_not_leave,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ssize_t> cancelled = send("cancelled");
  cancelled.cancel();
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  BOOST_TEST(cancelled.transferred() == 0U);
  {
    const std::string text = "destroyed";
    const Request<ssize_t> destroyed = send(text);
  }
  Request<ssize_t> moved = send("moved");
  Request<ssize_t> sending = std::move(moved);
  BOOST_TEST(error_of(sending) == 0);
  BOOST_TEST(take_text(peer) == "moved");
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, a_blocked_send_can_be_interrupted_in_three_ways,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  std::vector<std::string> sent;
  Request<ssize_t> blocked = block_sending(sent);
  sent.pop_back();
  blocked.set_timeout(1ns);
  BOOST_TEST(error_of(blocked) == ETIMEDOUT);
  blocked = send("cancelled");
  loop.run_until_idle();
  BOOST_TEST(blocked.cancel());
  BOOST_TEST(error_of(blocked) == ECANCELED);
  {
    const std::string text = "destroyed";
    const Request<ssize_t> destroyed = send(text);
    loop.run_until_idle();
    BOOST_TEST(destroyed.is_in_progress());
  }
  BOOST_TEST(take_waiting(peer) == sent, boost::test_tools::per_element());
  BOOST_TEST(error_of(send("next")) == 0);
  BOOST_TEST(take_text(peer) == "next");
}

BOOST_AUTO_TEST_SUITE_END()
