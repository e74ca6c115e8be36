// Datagrams that the kernel cuts (UDP_SEGMENT) and puts together (UDP_GRO): the caller sees no difference.
#include "support/descriptors.hpp"
#include "support/kernel_datagrams.hpp"
#include "support/syscall_injector.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct Offload : KernelDatagrams {
  DatagramCapabilities capabilities = Datagram::capabilities();

  [[nodiscard]] bool has_both() const {
    if (capabilities.send_offload && capabilities.receive_offload) return true;
    BOOST_TEST_MESSAGE("skipped: the kernel has no UDP_SEGMENT or no UDP_GRO");
    return false;
  }
  /// Texts of one size; the last one is shorter.
  [[nodiscard]] static std::vector<std::string> equal_texts(std::size_t count, std::size_t size) {
    std::vector<std::string> texts = number_texts(count);
    for (std::string& text : texts) text.resize(size, '.');
    texts.back().resize(size / 2);
    return texts;
  }
  /// Sends them in one turn and takes them.
  void exchange(Datagram& from, Datagram& to, const std::vector<std::string>& texts) {
    Request<ssize_t> sending = from.send_many(outgoing(texts, to.local_address()));
    std::vector<std::string> got;
    while (got.size() < texts.size()) got.push_back(take(to));
    BOOST_TEST(value_of(sending) == static_cast<ssize_t>(texts.size()));
    BOOST_TEST((got == texts));
    BOOST_TEST(is_silent(to));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(datagram_offload, Offload)

BOOST_AUTO_TEST_CASE(the_capabilities_are_those_of_the_kernel,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  BOOST_TEST(capabilities.batches);
  const UniqueSocket fd = raw_socket(AF_INET, SOCK_DGRAM);
  const int on = 1;
  BOOST_TEST(capabilities.receive_offload ==
             (::setsockopt(fd.get(), SOL_UDP, UDP_GRO, &on, sizeof(on)) == 0));
  BOOST_TEST(capabilities.send_offload == (socket_option(fd.get(), SOL_UDP, UDP_SEGMENT) >= 0));
  const Datagram asked = open(loopback_v4(), {}, {.receive_offload = true});
  BOOST_TEST((socket_option(asked.native_handle(), SOL_UDP, UDP_GRO) == 1) == capabilities.receive_offload);
  const Datagram plain = open(loopback_v4());
  BOOST_TEST(socket_option(plain.native_handle(), SOL_UDP, UDP_GRO) <= 0);
}

BOOST_AUTO_TEST_CASE(where_batches_are_missing_the_query_says_so) {
  const WatchedTransfers without(
      [](const Transfer& transfer) { return transfer.call == TransferCall::sendmmsg ? ENOSYS : 0; });
  BOOST_TEST(!Datagram::capabilities().batches);
}

BOOST_AUTO_TEST_CASE(equal_datagrams_to_one_receiver_leave_as_one_and_come_as_many) {
  if (!has_both()) return;
  Datagram ours = open(loopback_v4());
  Datagram peer = open(loopback_v4());
  for (const std::size_t size : {std::size_t{10}, std::size_t{1000}}) {
    WatchedTransfers transfers;
    exchange(peer, ours, equal_texts(20, size));
    const auto sends = transfers.take_sends();
    BOOST_TEST_REQUIRE(sends.size() == 1U);
    BOOST_TEST(sends[0].messages == 1U);
    BOOST_TEST(sends[0].ancillary);
  }
}

BOOST_AUTO_TEST_CASE(more_than_the_kernel_cuts_at_once_leave_in_several) {
  if (!has_both()) return;
  Datagram ours = open(loopback_v4(), {}, {.receive_buffer = 1 << 20});
  Datagram peer = open(loopback_v4());
  // More than 64 pieces, and more than 64 KiB. None of the calls has to be made again.
  for (const auto& [count, size] : {std::pair<std::size_t, std::size_t>{150, 20}, {60, 1400}, {3, 32000}}) {
    WatchedTransfers transfers;
    exchange(peer, ours, equal_texts(count, size));
    BOOST_TEST(transfers.take_sends().size() == (count + 63) / 64);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_alike_is_not_put_together,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Datagram ours = open(loopback_v4());
  Datagram other = open(loopback_v4());
  Datagram peer = open(loopback_v4());
  // Growing sizes, none without bytes, and a receiver that changes.
  for (const std::vector<std::string>& texts :
       {std::vector<std::string>{"a", "bb", "ccc", "dddd"}, std::vector<std::string>{"", "", "", "x", ""}}) {
    WatchedTransfers transfers;
    exchange(peer, ours, texts);
    const auto sends = transfers.take_sends();
    BOOST_TEST_REQUIRE(sends.size() == 1U);
    BOOST_TEST(sends[0].messages == texts.size());
    BOOST_TEST(!sends[0].ancillary);
  }
  WatchedTransfers transfers;
  std::vector<OutgoingDatagram> list;
  const std::vector<std::string> texts = number_texts(6);
  for (std::size_t i = 0; i < texts.size(); ++i)
    list.push_back({std::as_bytes(std::span(texts[i])), (i % 2 == 0 ? ours : other).local_address()});
  BOOST_TEST(value_of(peer.send_many(list)) == 6);
  BOOST_TEST(transfers.take_sends().size() == 1U);
  for (const char* text : {"0", "2", "4"}) BOOST_TEST(take(ours) == text);
  for (const char* text : {"1", "3", "5"}) BOOST_TEST(take(other) == text);
}

BOOST_AUTO_TEST_CASE(without_send_offload_nothing_is_cut,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Datagram ours = open(loopback_v4());
  Datagram peer = open(loopback_v4(), {}, {.send_offload = false});
  WatchedTransfers transfers;
  exchange(peer, ours, equal_texts(20, 100));
  const auto sends = transfers.take_sends();
  BOOST_TEST_REQUIRE(sends.size() == 1U);
  BOOST_TEST(sends[0].messages == 20U);
  BOOST_TEST(!sends[0].ancillary);
}

// A device that cannot, a kernel that refuses the size, a buffer that is too small for all of them together.
BOOST_AUTO_TEST_CASE(a_kernel_that_refuses_to_cut_gets_them_one_by_one) {
  if (!has_both()) return;
  for (const int refusal : {EIO, EINVAL, EMSGSIZE, ENOBUFS}) {
    Datagram ours = open(loopback_v4());
    Datagram peer = open(loopback_v4());
    unsigned refused = 0;
    WatchedTransfers transfers([&refused, refusal](const Transfer& transfer) {
      const bool cut = transfer.ancillary && transfer.call == TransferCall::sendmsg;
      if (cut) ++refused;
      return cut ? refusal : 0;
    });
    exchange(peer, ours, equal_texts(20, 100));
    exchange(peer, ours, equal_texts(20, 100));
    // What lies with the kernel or the size is not tried again; a full buffer is another time another thing.
    BOOST_TEST(refused == (refusal == ENOBUFS ? 2U : 1U));
    exchange(peer, ours, equal_texts(20, 50));
    const unsigned after = refusal == EIO ? 1U : refusal == ENOBUFS ? 3U : 2U;
    BOOST_TEST(refused == after);
  }
}

BOOST_AUTO_TEST_CASE(any_other_error_of_datagrams_that_are_cut_is_told) {
  if (!has_both()) return;
  Datagram ours = open(loopback_v4());
  Datagram peer = open(loopback_v4());
  const std::vector<std::string> texts = equal_texts(5, 100);
  {
    const WatchedTransfers transfers([](const Transfer& transfer) { return transfer.ancillary ? EPERM : 0; });
    Request<ssize_t> sending = peer.send_many(outgoing(texts, ours.local_address()));
    BOOST_TEST(error_of(sending) == EPERM);
    BOOST_TEST(sending.transferred() == 0U);
  }
  exchange(peer, ours, texts);
}

BOOST_AUTO_TEST_CASE(what_the_kernel_put_together_is_taken_apart) {
  if (!has_both()) return;
  for (const bool info : {false, true}) {
    Datagram ours = open(loopback_v4(), {}, {.receive_info = info, .receive_offload = true});
    Datagram peer = open(loopback_v4());
    const std::vector<std::string> texts = equal_texts(30, 100);
    BOOST_TEST(error_of(peer.send_many(outgoing(texts, ours.local_address()))) == 0);
    WatchedTransfers transfers;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const ReceivedDatagram datagram = value_of(ours.recvfrom());
      BOOST_TEST(text_of(datagram.bytes()) == texts[i]);
      BOOST_TEST(datagram.source() == peer.local_address());
      BOOST_TEST((datagram.info() != nullptr) == info);
      BOOST_TEST(ours.pending_datagrams() == texts.size() - i - 1);
    }
    BOOST_TEST(transfers.take_receives().size() == 1U);
    BOOST_TEST(is_silent(ours));
  }
}

// Also while they still lie together where they were received.
BOOST_AUTO_TEST_CASE(what_was_put_together_counts_as_what_it_is) {
  if (!has_both()) return;
  Datagram ours = open(loopback_v4(), {}, {.receive_offload = true});
  Datagram peer = open(loopback_v4());
  BOOST_TEST(error_of(peer.send_many(outgoing(equal_texts(30, 100), ours.local_address()))) == 0);
  std::size_t pending = 0;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  receiving.set_callback([&](Request<ReceivedDatagram>&) { pending = ours.pending_datagrams(); });
  wait_for(receiving);
  BOOST_TEST(pending == 29U);
}

BOOST_AUTO_TEST_CASE(a_part_of_what_was_put_together_can_be_cut_off_given_back_and_taken_at_once) {
  if (!has_both()) return;
  Datagram ours = open(loopback_v4(), {}, {.receive_offload = true});
  Datagram peer = open(loopback_v4());
  const std::vector<std::string> texts = equal_texts(20, 3000);
  BOOST_TEST(error_of(peer.send_many(outgoing(texts, ours.local_address()))) == 0);
  BOOST_TEST(take(ours) == texts[0]);
  std::vector<std::byte> small(1000);
  const ReceivedInto cut = value_of(ours.recvfrom(small));
  BOOST_TEST(cut.truncated());
  BOOST_TEST(cut.length == 3000U);
  BOOST_TEST(text_of(small) == texts[1].substr(0, 1000));
  { const Request<ReceivedInto> abandoned = ours.recvfrom(small); }
  { const Request<std::vector<ReceivedDatagram>> abandoned = ours.recv_many(7); }
  std::vector<std::byte> whole(4000);
  const ReceivedInto into = value_of(ours.recvfrom(whole));
  BOOST_TEST(text_of(std::span(whole).first(into.size)) == texts[2]);
  std::vector<std::string> rest = texts_of(value_of(ours.recv_many(5)));
  BOOST_TEST(rest.size() == 5U);
  while (rest.size() < 17) {
    for (std::string& text : texts_of(value_of(ours.recv_many(100)))) rest.push_back(std::move(text));
  }
  BOOST_TEST((rest == std::vector<std::string>(texts.begin() + 3, texts.end())));
}

// Asked for by whoever made the socket: not knowing the sizes would make one large datagram of several.
BOOST_AUTO_TEST_CASE(an_adopted_socket_that_puts_together_is_taken_apart_too) {
  if (!has_both()) return;
  UniqueSocket fd = raw_socket(AF_INET, SOCK_DGRAM);
  const int on = 1;
  const Address any = loopback_v4();
  BOOST_TEST_REQUIRE(::setsockopt(fd.get(), SOL_UDP, UDP_GRO, &on, sizeof(on)) == 0);
  BOOST_TEST_REQUIRE(
      ::bind(fd.get(), any.sockaddr_pointer(), static_cast<socklen_t>(any.sockaddr_length())) == 0);
  Datagram ours = Datagram::adopt(loop, fd, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Datagram peer = open(loopback_v4());
  exchange(peer, ours, equal_texts(10, 100));
}

BOOST_AUTO_TEST_SUITE_END()
