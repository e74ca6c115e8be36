// How many system calls datagrams take, what happens when one of them fails, and who has to wait for whom.
#include <memory>

#include "support/kernel_datagrams.hpp"
#include "support/syscall_injector.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// Fails the first `times` calls of a kind.
WatchedTransfers::Answer fail_first(std::vector<TransferCall> kinds, unsigned times, int error) {
  return [kinds = std::move(kinds), left = times, error](const Transfer& transfer) mutable {
    for (const TransferCall kind : kinds) {
      if (kind == transfer.call && left != 0) {
        --left;
        return error;
      }
    }
    return 0;
  };
}

const std::vector<TransferCall> sends{TransferCall::sendmsg, TransferCall::sendmmsg};
const std::vector<TransferCall> receives{TransferCall::recvmsg, TransferCall::recvmmsg};
const std::vector<TransferCall> batches{TransferCall::sendmmsg, TransferCall::recvmmsg};

struct Batches : KernelDatagrams {
  Datagram ours = open(loopback_v4(), {}, {.receive_buffer = 1 << 20});
  Datagram other = open(loopback_v4(), {}, {.receive_buffer = 1 << 20});
  Datagram peer = open(loopback_v4(), {}, {.send_offload = false});
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(datagram_batch, Batches)

// ---- how many calls ----

BOOST_AUTO_TEST_CASE(queued_sends_of_a_turn_leave_in_one_call,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const std::vector<std::string> texts = number_texts(40);
  Queue queue(loop);
  std::vector<Request<ssize_t>> requests;
  WatchedTransfers transfers;
  for (std::size_t i = 0; i < texts.size(); ++i)
    requests.push_back(peer.sendto(queue, texts[i], (i % 2 == 0 ? ours : other).local_address()));
  BOOST_TEST(transfers.take_sends().empty());
  for (Request<ssize_t>& request : requests) BOOST_TEST(error_of(request) == 0);
  const auto calls = transfers.take_sends();
  BOOST_TEST_REQUIRE(calls.size() == 1U);
  BOOST_TEST(calls[0].messages == 40U);
  for (std::size_t i = 0; i < texts.size(); ++i) BOOST_TEST(take(i % 2 == 0 ? ours : other) == texts[i]);
}

BOOST_AUTO_TEST_CASE(a_single_send_is_a_plain_call) {
  WatchedTransfers transfers;
  send(peer, "hello", ours.local_address());
  const auto calls = transfers.take_sends();
  BOOST_TEST_REQUIRE(calls.size() == 1U);
  BOOST_TEST((calls[0].call == TransferCall::sendmsg));
}

BOOST_AUTO_TEST_CASE(single_receives_are_served_from_one_call,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const std::vector<std::string> texts = number_texts(20);
  BOOST_TEST(value_of(peer.send_many(outgoing(texts, ours.local_address()))) == 20);
  WatchedTransfers transfers;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    BOOST_TEST(take(ours) == texts[i]);
    BOOST_TEST(ours.pending_datagrams() == texts.size() - i - 1);
  }
  const auto calls = transfers.take_receives();
  BOOST_TEST_REQUIRE(calls.size() == 1U);
  BOOST_TEST(!calls[0].ancillary);
}

BOOST_AUTO_TEST_CASE(what_is_read_ahead_is_bounded) {
  constexpr std::size_t most = 32;
  const std::vector<std::string> texts = number_texts(100);
  BOOST_TEST(value_of(peer.send_many(outgoing(texts, ours.local_address()))) == 100);
  std::size_t largest = 0;
  for (const std::string& text : texts) {
    BOOST_TEST(take(ours) == text);
    largest = std::max(largest, ours.pending_datagrams());
  }
  BOOST_TEST(largest < most);
  // An idle socket takes nothing.
  send(peer, "waits in the kernel", ours.local_address());
  loop.run_until_idle();
  BOOST_TEST(ours.pending_datagrams() == 0U);
  BOOST_TEST(take(ours) == "waits in the kernel");
}

// So that it cannot hold up others for as long as a flood lasts.
BOOST_AUTO_TEST_CASE(recv_many_gives_what_one_call_gives) {
  BOOST_TEST(value_of(peer.send_many(outgoing(number_texts(100), ours.local_address()))) == 100);
  WatchedTransfers transfers;
  BOOST_TEST(value_of(ours.recv_many(1000)).size() == 32U);
  BOOST_TEST(transfers.take_receives().size() == (uses_posix_alone() ? 32U : 1U));
  BOOST_TEST(value_of(ours.recv_many(1000)).size() == 32U);
}

BOOST_AUTO_TEST_CASE(ancillary_data_is_asked_for_by_those_who_want_it) {
  Datagram curious = open(loopback_v4(), {}, {.receive_info = true});
  for (Datagram* at : {&ours, &curious}) {
    send(peer, "hello", at->local_address());
    WatchedTransfers transfers;
    BOOST_TEST(take(*at) == "hello");
    const auto calls = transfers.take_receives();
    BOOST_TEST_REQUIRE(!calls.empty());
    for (const Transfer& call : calls) BOOST_TEST(call.ancillary == (at == &curious));
  }
}

// ---- calls that fail ----

BOOST_AUTO_TEST_CASE(a_system_without_batches_is_served_by_a_plain_loop,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  WatchedTransfers transfers(fail_first(batches, 1000, ENOSYS));
  for (int round = 0; round < 3; ++round) {
    const std::vector<std::string> texts = number_texts(50);
    BOOST_TEST(value_of(peer.send_many(outgoing(texts, ours.local_address()))) == 50);
    for (const std::string& text : texts) BOOST_TEST(take(ours) == text);
  }
  // Each direction found out once.
  BOOST_TEST(transfers.take({TransferCall::sendmmsg, TransferCall::recvmmsg}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_plain_loop_loses_no_error_and_no_datagram) {
  const Address closed = nobody();
  Datagram connected = open(loopback_v4(), closed);
  Datagram remote = open(closed);
  const std::vector<std::string> texts = number_texts(3);
  BOOST_TEST(value_of(remote.send_many(outgoing(texts, connected.local_address()))) == 3);
  // The fourth call of the loop meets an error.
  unsigned calls = 0;
  const WatchedTransfers transfers([&calls](const Transfer& transfer) {
    if (transfer.call == TransferCall::recvmmsg) return ENOSYS;
    return transfer.call == TransferCall::recvmsg && ++calls == 4 ? ECONNREFUSED : 0;
  });
  for (const std::string& text : texts) BOOST_TEST(take(connected) == text);
  BOOST_TEST(error_of(connected.recvfrom()) == ECONNREFUSED);
  send(remote, "after it", connected.local_address());
  BOOST_TEST(take(connected) == "after it");
}

BOOST_AUTO_TEST_CASE(an_interrupted_call_is_made_again) {
  const std::vector<std::string> texts = number_texts(5);
  {
    const WatchedTransfers transfers(fail_first(sends, 3, EINTR));
    send(peer, "one", ours.local_address());
    BOOST_TEST(value_of(peer.send_many(outgoing(texts, ours.local_address()))) == 5);
  }
  const WatchedTransfers transfers(fail_first(receives, 3, EINTR));
  BOOST_TEST(take(ours) == "one");
  for (const std::string& text : texts) BOOST_TEST(take(ours) == text);
}

BOOST_AUTO_TEST_CASE(a_call_that_would_block_is_made_again_when_the_kernel_says_so) {
  {
    WatchedTransfers transfers(fail_first(sends, 2, EAGAIN));
    Request<ssize_t> sending = peer.sendto("one", ours.local_address());
    BOOST_TEST(value_of(sending) == 3);
    BOOST_TEST(transfers.take_sends().size() == 3U);
  }
  const WatchedTransfers transfers(fail_first(receives, 2, EAGAIN));
  BOOST_TEST(take(ours) == "one");
}

BOOST_AUTO_TEST_CASE(a_datagram_that_somebody_else_took_leaves_the_receiver_waiting) {
  send(peer, "taken away", ours.local_address());
  unsigned calls = 0;
  const WatchedTransfers transfers([&calls, fd = ours.native_handle()](const Transfer&) {
    std::array<std::byte, 16> buffer{};
    static_cast<void>(::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT));
    return ++calls < 100 ? 0 : EBADF;
  });
  BOOST_TEST(is_silent(ours));
  BOOST_TEST(calls == 1U);
}

BOOST_AUTO_TEST_CASE(an_error_of_sending_ends_one_request_and_nothing_else) {
  for (const int error : {ENOBUFS, ENOMEM, EPERM, ENETUNREACH}) {
    Queue queue(loop);
    const WatchedTransfers transfers(fail_first(sends, 1, error));
    Request<ssize_t> first = peer.sendto(queue, "first", ours.local_address());
    Request<ssize_t> second = peer.sendto(queue, "second", ours.local_address());
    BOOST_TEST(error_of(first) == error);
    BOOST_TEST(error_of(second) == 0);
    BOOST_TEST(take(ours) == "second");
  }
}

BOOST_AUTO_TEST_CASE(an_error_of_receiving_ends_one_request_and_loses_no_datagram) {
  for (const int error : {ENOBUFS, ENOMEM, ECONNRESET}) {
    send(peer, "hello", ours.local_address());
    const WatchedTransfers transfers(fail_first(receives, 1, error));
    BOOST_TEST(error_of(ours.recvfrom()) == error);
    BOOST_TEST(take(ours) == "hello");
  }
}

BOOST_AUTO_TEST_CASE(send_many_ends_at_the_one_that_fails_and_tells_how_many_left) {
  // A broadcast without the option is refused.
  const std::vector<std::string> texts = number_texts(10);
  for (const std::size_t bad : {0U, 1U, 5U, 9U}) {
    std::vector<OutgoingDatagram> list = outgoing(texts, ours.local_address());
    list[bad].destination = inet("127.255.255.255", ours.local_address().port().value_or(0));
    Request<ssize_t> sending = peer.send_many(list);
    int failure = 0;
    BOOST_TEST(fetch(sending, failure) == -1);
    BOOST_TEST(failure == EACCES);
    BOOST_TEST(sending.transferred() == bad);
    for (std::size_t i = 0; i < bad; ++i) BOOST_TEST(take(ours) == texts[i]);
    BOOST_TEST(is_silent(ours));
  }
}

// ---- fairness ----

namespace {

/// Receives for ever, and has a new datagram sent for each that comes.
struct Flooded {
  Datagram& socket;
  Datagram& flood;
  std::size_t count = 0;
  Request<ReceivedDatagram> receiving = {};
  void next() {
    receiving = socket.recvfrom();
    receiving.set_callback([this](Request<ReceivedDatagram>&) {
      ++count;
      const int fd = flood.native_handle();
      const Address to = socket.local_address();
      ::sendto(fd, "more", 4, 0, to.sockaddr_pointer(), static_cast<socklen_t>(to.sockaddr_length()));
      next();
    });
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_flood_on_one_socket_lets_others_have_their_turn) {
  constexpr std::size_t batch = 32;
  BOOST_TEST(value_of(peer.send_many(outgoing(number_texts(300), ours.local_address()))) == 300);
  Flooded flooded{ours, peer};
  flooded.next();
  // It never ends by itself, and others are served all along.
  for (std::size_t turn = 1; turn <= 50; ++turn) {
    Request<ReceivedDatagram> quiet = other.recvfrom();
    const std::size_t before = flooded.count;
    BOOST_TEST(error_of(peer.sendto("once", other.local_address())) == 0);
    wait_for(quiet);
    // At most one batch before the send leaves, and one before what it brought is seen.
    BOOST_TEST(flooded.count - before <= 3 * batch);
  }
  BOOST_TEST(flooded.count >= batch);
}

BOOST_AUTO_TEST_CASE(a_flood_of_sends_lets_others_have_their_turn) {
  constexpr std::size_t many = 20000;
  Datagram sink = open(loopback_v4());
  Queue queue(loop);
  std::size_t left = 0;
  std::vector<Request<ssize_t>> requests;
  for (std::size_t i = 0; i < many; ++i) {
    requests.push_back(peer.sendto(queue, "flood", sink.local_address()));
    requests.back().set_callback([&left](Request<ssize_t>&) { ++left; });
  }
  send(other, "hello", ours.local_address());
  BOOST_TEST(take(ours) == "hello");
  BOOST_TEST(left < many / 2);
  requests.clear();
}

BOOST_AUTO_TEST_SUITE_END()
