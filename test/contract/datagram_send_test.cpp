// Sending one datagram: where to, what of, and what goes wrong.
#include <limits>

#include "contract/datagram_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

BOOST_AUTO_TEST_SUITE(datagram_send)

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_datagram_goes_to_its_destination, data::make(all_datagram_kinds()),
                       kind) {
  if (!open(kind)) return;
  BOOST_TEST(value_of(send("hello")) == 5);
  const ReceivedDatagram datagram = value_of(peer.recvfrom());
  BOOST_TEST(text_of(datagram.bytes()) == "hello");
  BOOST_TEST(datagram.source() == ours.local_address());
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, one_that_is_connected_may_name_its_receiver,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.connected; })), kind) {
  if (!open(kind)) return;
  BOOST_TEST(ours.remote_address() == peer.local_address());
  if (peer.local_address().is_unnamed()) return;
  BOOST_TEST(value_of(ours.sendto("named", peer.local_address())) == 5);
  BOOST_TEST(take_text(peer) == "named");
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, one_that_is_not_connected_must_name_its_receiver,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return !traits.connected; })), kind) {
  if (!open(kind)) return;
  BOOST_TEST(error_of(ours.sendto("to whom?")) == EDESTADDRREQ);
  BOOST_TEST(error_of(send("to you")) == 0);
  BOOST_TEST(take_text(peer) == "to you");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, vectors_are_gathered_into_one_datagram,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  for (const std::size_t count : {1U, 2U, 3U, 10U, 256U, 257U, 1024U}) {
    const std::vector<std::byte> bytes = pattern(3 * count, static_cast<unsigned>(count));
    std::vector<iovec> vectors;
    for (std::size_t i = 0; i < count; ++i)
      vectors.push_back(make_vector(std::span<const std::byte>(bytes).subspan(3 * i, 3)));
    Request<ReceivedDatagram> receiving = peer.recvfrom();
    Request<ssize_t> sending = ours.sendto(vectors, to_peer);
    // The array is copied, its bytes are not.
    vectors.assign(vectors.size(), iovec{});
    BOOST_TEST(value_of(sending) == static_cast<ssize_t>(bytes.size()));
    BOOST_TEST((value_of(receiving).copy() == bytes));
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_null_c_string_is_a_datagram_without_bytes,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  const char* const none = nullptr;
  const char* const text = "text";
  const auto check = [this](Request<ssize_t> sending, std::string_view expected) {
    BOOST_TEST(value_of(sending) == static_cast<ssize_t>(expected.size()));
    BOOST_TEST(take_text(peer) == expected);
  };
  for (const char* sent : {none, text}) {
    const std::string_view expected = sent != nullptr ? sent : "";
    check(ours.sendto(sent, to_peer), expected);
    check(ours.sendto(queue, sent, to_peer), expected);
    check(ours.sendto(sent, to_peer, SendFrom()), expected);
    check(ours.sendto(queue, sent, to_peer, SendFrom()), expected);
  }
  check(ours.sendto(nullptr, to_peer), "");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, vectors_without_bytes_are_allowed, data::make(all_datagram_kinds()),
                       kind) {
  if (!open(kind)) return;
  const std::array<iovec, 4> vectors{iovec{}, make_vector(std::as_bytes(std::span("ab", 2))), iovec{},
                                     make_vector(std::as_bytes(std::span("c", 1)))};
  BOOST_TEST(value_of(ours.sendto(vectors, to_peer)) == 3);
  BOOST_TEST(take_text(peer) == "abc");
  BOOST_TEST(value_of(ours.sendto(std::span(vectors).first(1), to_peer)) == 0);
  BOOST_TEST(take_text(peer) == "");
  BOOST_TEST(value_of(ours.sendto(std::span<const iovec>(), to_peer)) == 0);
  BOOST_TEST(take_text(peer) == "");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, too_many_vectors_and_sums_that_do_not_fit_are_emsgsize,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  std::byte byte{};
  std::vector<iovec> vectors(1025, iovec{&byte, 1});
  BOOST_TEST(error_of(ours.sendto(vectors, to_peer)) == EMSGSIZE);
  vectors.assign(2, iovec{&byte, std::numeric_limits<std::size_t>::max() / 2});
  BOOST_TEST(error_of(ours.sendto(vectors, to_peer)) == EMSGSIZE);
  BOOST_TEST(error_of(send("fits")) == 0);
  BOOST_TEST(take_text(peer) == "fits");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, one_that_is_too_large_is_emsgsize_and_harms_no_other,
                       data::make(datagram_kinds_with([](const DatagramTraits& traits) {
                         return traits.max_size != 0;
                       })),
                       kind) {
  if (!open(kind)) return;
  const std::vector<std::byte> bytes(traits.max_size + 1);
  Request<ssize_t> sending = send(bytes);
  BOOST_TEST(error_of(sending) == EMSGSIZE);
  BOOST_TEST(sending.transferred() == 0U);
  Request<ReceivedDatagram> receiving = peer.recvfrom();
  BOOST_TEST(error_of(send(std::span(bytes).first(traits.max_size))) == 0);
  BOOST_TEST(value_of(receiving).size() == traits.max_size);
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, one_that_exceeds_what_unix_sockets_may_hold_is_emsgsize,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.unix_socket; })), kind) {
  if (!open(kind)) return;
  const std::vector<std::byte> bytes(std::size_t{64} << 20);
  BOOST_TEST(error_of(send(bytes)) == EMSGSIZE);
  BOOST_TEST(error_of(send("fits")) == 0);
  BOOST_TEST(take_text(peer) == "fits");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_destination_of_another_family_is_einval,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  int err = 0;
  const std::array<Address, 3> others{Address::inet_from_strings("ipv4", "192.0.2.9", 9, err),
                                      Address::inet_from_strings("ipv6", "2001:db8::9", 9, err),
                                      Address::unix_from_path("/nowhere", err)};
  for (const Address& other : others) {
    if (other.family() == ours.local_address().family()) continue;
    BOOST_TEST(error_of(ours.sendto("text", other)) == EINVAL);
    Queue queue(loop);
    BOOST_TEST(error_of(ours.sendto(queue, "text", other)) == EINVAL);
    BOOST_TEST(queue.length() == 0U);
  }
  BOOST_TEST(error_of(send("text")) == 0);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_second_send_is_ebusy_until_the_first_one_is_over,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ssize_t> first = send("first");
  BOOST_TEST(error_of(send("second")) == EBUSY);
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(send("third")) == 0);
  BOOST_TEST(take_text(peer) == "first");
  BOOST_TEST(take_text(peer) == "third");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_second_receive_is_ebusy_until_the_first_one_is_over,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  std::array<std::byte, 8> buffer{};
  Request<ReceivedDatagram> first = ours.recvfrom();
  BOOST_TEST(error_of(ours.recvfrom()) == EBUSY);
  BOOST_TEST(error_of(ours.recvfrom(buffer)) == EBUSY);
  BOOST_TEST(error_of(ours.recv_many(5)) == EBUSY);
  // The directions do not get into each other's way.
  BOOST_TEST(error_of(send("out")) == 0);
  peer_sends("first");
  BOOST_TEST(text_of(value_of(first).bytes()) == "first");
  peer_sends("second");
  BOOST_TEST(take_text(ours) == "second");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, the_first_thing_that_is_wrong_is_told,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind, {.strict_tsocket = true})) return;
  int err = 0;
  std::byte byte{};
  const std::vector<iovec> many(1025, iovec{&byte, 1});
  const Address wrong = ours.local_address().is_unix() ? loopback_v4(1) : Address::unix_from_path("/x", err);
  Request<ssize_t> in_flight = send("in flight");
  BOOST_TEST(error_of(ours.sendto(many, wrong)) == EMSGSIZE);
  BOOST_TEST(error_of(ours.sendto("", wrong)) == EINVAL);
  BOOST_TEST(error_of(in_flight) == 0);
  Request<ssize_t> again = send("in flight");
  Request<ssize_t> empty = send("");
  Request<ssize_t> misdirected = ours.sendto("text", wrong);
  Request<ssize_t> busy = send("text");
  BOOST_TEST(error_of(empty) == EINVAL);
  BOOST_TEST(error_of(misdirected) == EINVAL);
  BOOST_TEST(error_of(busy) == EBUSY);
  BOOST_TEST(error_of(again) == 0);
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  receiving = {};
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(error_of(ours.sendto(many, wrong)) == EMSGSIZE);
  BOOST_TEST(error_of(ours.sendto("", to_peer)) == EINVAL);
  BOOST_TEST(error_of(send("text")) == ENOTCONN);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, strict_tsocket_refuses_to_send_nothing,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind, {.strict_tsocket = true})) return;
  Queue queue(loop);
  BOOST_TEST(error_of(send("")) == EINVAL);
  BOOST_TEST(error_of(send(queue, "")) == EINVAL);
  const std::array<OutgoingDatagram, 2> list{OutgoingDatagram{std::as_bytes(std::span("x", 1)), to_peer},
                                             OutgoingDatagram{{}, to_peer}};
  BOOST_TEST(error_of(ours.send_many(list)) == EINVAL);
  BOOST_TEST(error_of(send("something")) == 0);
  BOOST_TEST(take_text(peer) == "something");
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, a_sender_waits_for_a_receiver_that_is_full_and_loses_nothing,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  std::vector<std::string> sent;
  Request<ssize_t> blocked = block_sending(sent);
  check_quiet();
  BOOST_TEST(blocked.is_in_progress());
  for (const std::string& text : sent) BOOST_TEST(take_text(peer) == text);
  BOOST_TEST(error_of(blocked) == 0);
  BOOST_TEST(peer.dropped() == 0U);
  check_quiet();
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, a_blocked_sender_hears_when_its_receiver_goes,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  std::vector<std::string> sent;
  Request<ssize_t> blocked = block_sending(sent);
  peer = Datagram();
  const int err = error_of(blocked);
  // A path goes with its socket.
  const bool gone = err == ECONNREFUSED || (err == ENOENT && !to_peer.is_empty());
  BOOST_TEST(gone, "errno " << err);
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, when_nobody_is_there_each_send_is_told_and_the_socket_stays,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.refuses; })), kind) {
  if (!open(kind)) return;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  peer = Datagram();
  for (int i = 0; i < 3; ++i) {
    const int err = error_of(send("anybody?"));
    const bool gone = err == ECONNREFUSED || (err == ENOENT && !to_peer.is_empty());
    BOOST_TEST(gone, "errno " << err);
  }
  check_quiet();
  BOOST_TEST(receiving.is_in_progress());
  BOOST_TEST(ours.is_open());
}

BOOST_AUTO_TEST_SUITE_END()
