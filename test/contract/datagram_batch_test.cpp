// Several datagrams with one request.
#include "contract/datagram_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

std::vector<std::string> texts_of(const std::vector<ReceivedDatagram>& datagrams) {
  std::vector<std::string> texts;
  for (const ReceivedDatagram& datagram : datagrams) texts.push_back(text_of(datagram.bytes()));
  return texts;
}

std::vector<OutgoingDatagram> outgoing(const std::vector<std::string>& texts, const Address& destination) {
  std::vector<OutgoingDatagram> list;
  for (const std::string& text : texts) list.push_back({std::as_bytes(std::span(text)), destination});
  return list;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(datagram_batch)

BOOST_DATA_TEST_CASE_F(DatagramFixture, recv_many_waits_for_one, data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<std::vector<ReceivedDatagram>> receiving = ours.recv_many(5);
  loop.run_until_idle();
  BOOST_TEST(receiving.is_in_progress());
  peer_sends("hello");
  const auto datagrams = value_of(receiving);
  BOOST_TEST_REQUIRE(datagrams.size() == 1U);
  BOOST_TEST(text_of(datagrams[0].bytes()) == "hello");
  BOOST_TEST(datagrams[0].source() == peer.local_address());
  BOOST_TEST(receiving.transferred() == 5U);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, recv_many_takes_no_more_than_it_is_told_and_keeps_the_order,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver(numbered(10));
  std::vector<std::string> texts;
  while (texts.size() < 10) {
    const auto datagrams = value_of(ours.recv_many(4));
    BOOST_TEST(datagrams.size() <= 4U);
    BOOST_TEST(!datagrams.empty());
    for (const std::string& text : texts_of(datagrams)) texts.push_back(text);
  }
  BOOST_TEST(texts == numbered(10), boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, recv_many_takes_all_that_waits,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.reads_ahead; })), kind) {
  if (!open(kind)) return;
  deliver(numbered(8));
  BOOST_TEST(texts_of(value_of(ours.recv_many(100))) == numbered(8), boost::test_tools::per_element());
  deliver(numbered(8));
  BOOST_TEST(take_text(ours) == "0");
  BOOST_TEST(value_of(ours.recv_many(100)).size() == 7U);
  BOOST_TEST(ours.pending_datagrams() == 0U);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, recv_many_of_none_is_einval, data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  BOOST_TEST(error_of(ours.recv_many(0)) == EINVAL);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, send_many_sends_all_in_order, data::make(all_datagram_kinds()),
                       kind) {
  if (!open(kind)) return;
  // More than one system call takes, and more than a unix socket has room for.
  const std::vector<std::string> texts = numbered(150);
  std::vector<OutgoingDatagram> list = outgoing(texts, to_peer);
  Request<ssize_t> sending = ours.send_many(list);
  // The list is copied.
  list.clear();
  list.shrink_to_fit();
  for (const std::string& text : texts) BOOST_TEST_REQUIRE(take_text(peer) == text);
  BOOST_TEST(value_of(sending) == 150);
  BOOST_TEST(sending.transferred() == 150U);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, send_many_passes_datagrams_without_bytes,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  const std::vector<std::string> texts{"", "a", "", "", "bb"};
  BOOST_TEST(value_of(ours.send_many(outgoing(texts, to_peer))) == 5);
  for (const std::string& text : texts) BOOST_TEST(take_text(peer) == text);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, send_many_ends_at_the_first_one_that_fails,
                       data::make(datagram_kinds_with([](const DatagramTraits& traits) {
                         return traits.max_size != 0;
                       })),
                       kind) {
  if (!open(kind)) return;
  std::vector<std::string> texts = numbered(6);
  texts[3] = std::string(traits.max_size + 1, 'x');
  Request<ssize_t> sending = ours.send_many(outgoing(texts, to_peer));
  int err = 0;
  BOOST_TEST(fetch(sending, err) == -1);
  BOOST_TEST(err == EMSGSIZE);
  BOOST_TEST(sending.transferred() == 3U);
  BOOST_TEST(error_of(send("behind")) == 0);
  for (const char* text : {"0", "1", "2", "behind"}) BOOST_TEST(take_text(peer) == text);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, send_many_checks_its_list_before_it_sends,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  int err = 0;
  const Address wrong = ours.local_address().is_unix() ? loopback_v4(1) : Address::unix_from_path("/x", err);
  BOOST_TEST(error_of(ours.send_many({})) == EINVAL);
  const std::vector<std::string> texts = numbered(3);
  std::vector<OutgoingDatagram> list = outgoing(texts, to_peer);
  list[2].destination = wrong;
  BOOST_TEST(error_of(ours.send_many(list)) == EINVAL);
  BOOST_TEST(error_of(send("only this")) == 0);
  BOOST_TEST(take_text(peer) == "only this");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, send_many_and_sendto_are_ebusy_beside_each_other,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  const std::vector<std::string> texts = numbered(2);
  const auto list = outgoing(texts, to_peer);
  Request<ssize_t> many = ours.send_many(list);
  Request<ssize_t> busy = send("busy");
  Request<ssize_t> also_busy = ours.send_many(list);
  BOOST_TEST(error_of(busy) == EBUSY);
  BOOST_TEST(error_of(also_busy) == EBUSY);
  BOOST_TEST(error_of(many) == 0);
  Request<ssize_t> one = send("one");
  BOOST_TEST(error_of(ours.send_many(list)) == EBUSY);
  BOOST_TEST(error_of(one) == 0);
  for (const char* text : {"0", "1", "one"}) BOOST_TEST(take_text(peer) == text);
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, an_interrupted_send_many_tells_how_many_left,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  const std::vector<std::string> texts = numbered(400);
  Request<ssize_t> sending = ours.send_many(outgoing(texts, to_peer));
  loop.run_until_idle();
  BOOST_TEST_REQUIRE(sending.is_in_progress());
  BOOST_TEST(sending.cancel());
  BOOST_TEST(error_of(sending) == ECANCELED);
  const std::vector<std::string> taken = take_waiting(peer);
  BOOST_TEST(!taken.empty());
  BOOST_TEST(sending.transferred() == taken.size());
  BOOST_TEST(taken == numbered(taken.size()), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
