// Receiving one datagram, in memory of the library's and into the caller's.
#include "contract/datagram_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

BOOST_AUTO_TEST_SUITE(datagram_receive)

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_datagram_comes_whole_and_tells_who_sent_it,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  loop.run_until_idle();
  BOOST_TEST(receiving.is_in_progress());
  peer_sends("hello");
  const ReceivedDatagram datagram = value_of(receiving);
  BOOST_TEST(text_of(datagram.bytes()) == "hello");
  BOOST_TEST(datagram.source() == peer.local_address());
  BOOST_TEST(datagram.info() == nullptr);
  BOOST_TEST(receiving.transferred() == 5U);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, nothing_completes_inside_the_call, data::make(all_datagram_kinds()),
                       kind) {
  if (!open(kind)) return;
  deliver({"one", "two"});
  BOOST_TEST(take_text(ours) == "one");
  bool called = false;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  receiving.set_callback([&called](Request<ReceivedDatagram>&) { called = true; });
  BOOST_TEST(receiving.is_in_progress());
  BOOST_TEST(!called);
  BOOST_TEST(text_of(value_of(receiving).bytes()) == "two");
  BOOST_TEST(called);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, what_waits_is_received_in_order, data::make(all_datagram_kinds()),
                       kind) {
  if (!open(kind)) return;
  deliver(numbered(10));
  for (const std::string& text : numbered(10)) BOOST_TEST(take_text(ours) == text);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, the_callers_buffer_is_filled, data::make(all_datagram_kinds()),
                       kind) {
  if (!open(kind)) return;
  std::array<std::byte, 10> buffer{};
  Request<ReceivedInto> receiving = ours.recvfrom(buffer);
  peer_sends("hello");
  const ReceivedInto received = value_of(receiving);
  BOOST_TEST(received.size == 5U);
  BOOST_TEST(received.length == 5U);
  BOOST_TEST(!received.truncated());
  BOOST_TEST(received.source == peer.local_address());
  BOOST_TEST(!received.info.has_value());
  BOOST_TEST(text_of(std::span(buffer).first(5)) == "hello");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_buffer_of_the_datagrams_size_cuts_nothing,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  std::array<std::byte, 5> buffer{};
  peer_sends("hello");
  const ReceivedInto received = value_of(ours.recvfrom(buffer));
  BOOST_TEST(!received.truncated());
  BOOST_TEST(text_of(buffer) == "hello");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_buffer_that_is_too_small_cuts_one_datagram_and_says_so,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver({"first", "second", "third"});
  for (const char* text : {"fir", "sec"}) {
    std::array<std::byte, 4> buffer{};
    const ReceivedInto received = value_of(ours.recvfrom(std::span(buffer).first(3)));
    BOOST_TEST(received.truncated());
    BOOST_TEST(received.size == 3U);
    BOOST_TEST(received.length == (text[0] == 'f' ? 5U : 6U));
    BOOST_TEST(text_of(std::span(buffer).first(3)) == text);
    BOOST_TEST((buffer[3] == std::byte{0}));
  }
  BOOST_TEST(take_text(ours) == "third");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, an_empty_buffer_passes_a_datagram_over,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver({"passed over", "", "next"});
  ReceivedInto received = value_of(ours.recvfrom(std::span<std::byte>()));
  BOOST_TEST(received.truncated());
  BOOST_TEST(received.length == 11U);
  received = value_of(ours.recvfrom(std::span<std::byte>()));
  BOOST_TEST(!received.truncated());
  BOOST_TEST(received.length == 0U);
  BOOST_TEST(take_text(ours) == "next");
}

// A.9, 9184: one without bytes was not taken from the kernel and blocked those behind it.
BOOST_DATA_TEST_CASE_F(DatagramFixture, datagrams_without_bytes_pass_both_ways_and_block_nothing,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver({"", "ten bytes!", "", ""});
  BOOST_TEST(take_text(ours) == "");
  BOOST_TEST(take_text(ours) == "ten bytes!");
  std::array<std::byte, 4> buffer{};
  const ReceivedInto received = value_of(ours.recvfrom(buffer));
  BOOST_TEST(received.length == 0U);
  BOOST_TEST(received.source == peer.local_address());
  BOOST_TEST(take_text(ours) == "");
  Request<ReceivedDatagram> receiving = peer.recvfrom();
  BOOST_TEST(value_of(send(std::string_view())) == 0);
  const ReceivedDatagram datagram = value_of(receiving);
  BOOST_TEST(datagram.size() == 0U);
  BOOST_TEST(datagram.source() == ours.local_address());
  // Nothing more came with it.
  receiving = ours.recvfrom();
  loop.run_until_idle();
  BOOST_TEST(receiving.is_in_progress());
}

// A.9, 7115 and 11714: the size that a system tells beforehand is not trusted.
BOOST_DATA_TEST_CASE_F(DatagramFixture, every_size_comes_whole_in_memory_of_that_size,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  const std::size_t most = traits.max_size != 0 ? traits.max_size : 300000;
  for (const std::size_t size : {std::size_t{1}, std::size_t{1023}, std::size_t{2047}, std::size_t{2048},
                                 std::size_t{2049}, std::size_t{9000}, std::size_t{65507}, std::size_t{65535},
                                 std::size_t{65536}, std::size_t{65537}, std::size_t{200000}, most}) {
    if (size > most) continue;
    const std::vector<std::byte> bytes = pattern(size, static_cast<unsigned>(size));
    Request<ReceivedDatagram> receiving = ours.recvfrom();
    BOOST_TEST(value_of(peer.sendto(bytes, to_ours)) == static_cast<ssize_t>(size));
    const ReceivedDatagram datagram = value_of(receiving);
    BOOST_TEST(datagram.size() == size);
    BOOST_TEST((datagram.copy() == bytes), "size " << size);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, large_datagrams_fill_the_callers_buffer_or_are_cut_there,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  const std::size_t size = traits.inet ? traits.max_size : 150000;
  const std::vector<std::byte> bytes = pattern(size);
  for (const std::size_t room : {size + 1, size, size - 1, std::size_t{3000}}) {
    std::vector<std::byte> buffer(room);
    Request<ReceivedInto> receiving = ours.recvfrom(buffer);
    BOOST_TEST(error_of(peer.sendto(bytes, to_ours)) == 0);
    const ReceivedInto received = value_of(receiving);
    BOOST_TEST(received.length == size);
    BOOST_TEST(received.size == std::min(room, size));
    BOOST_TEST(received.truncated() == (room < size));
    BOOST_TEST(std::equal(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(received.size),
                          bytes.begin()));
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_large_datagram_that_finds_an_idle_socket_is_not_cut_off,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  const std::vector<std::byte> bytes = pattern(traits.inet ? 60000 : 150000);
  // The receiver looks, finds nothing, waits; then one comes.
  for (int i = 0; i < 5; ++i) {
    Request<ReceivedDatagram> receiving = ours.recvfrom();
    loop.run_until_idle();
    BOOST_TEST(error_of(peer.sendto(bytes, to_ours)) == 0);
    BOOST_TEST((value_of(receiving).copy() == bytes));
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_received_datagram_outlives_its_socket,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  peer_sends("kept");
  ReceivedDatagram datagram = value_of(ours.recvfrom());
  ours = Datagram();
  peer = Datagram();
  loop.run_until_idle();
  BOOST_TEST(text_of(datagram.bytes()) == "kept");
  ReceivedDatagram moved = std::move(datagram);
  BOOST_TEST(text_of(moved.bytes()) == "kept");
  BOOST_TEST(datagram.bytes().empty());
  datagram = std::move(moved);
  BOOST_TEST(text_of(datagram.copy()) == "kept");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, what_waits_is_received_after_its_sender_went,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver({"one", "two"});
  peer = Datagram();
  BOOST_TEST(take_text(ours) == "one");
  BOOST_TEST(take_text(ours) == "two");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_receiver_without_a_sender_waits_and_keeps_nobody_busy,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  check_quiet();
  peer = Datagram();
  check_quiet();
  BOOST_TEST(receiving.is_in_progress());
}

BOOST_AUTO_TEST_SUITE_END()
