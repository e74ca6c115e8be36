// Closing, moving, destroying: before, after and in the middle of everything, callbacks included.
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

#include "contract/datagram_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

BOOST_AUTO_TEST_SUITE(datagram_lifetime)

BOOST_DATA_TEST_CASE_F(DatagramFixture, after_disconnect_everything_is_enotconn,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  std::array<std::byte, 4> buffer{};
  Queue queue(loop);
  Queue stopped(loop);
  stopped.stop();
  const std::array<OutgoingDatagram, 1> list{OutgoingDatagram{buffer, to_peer}};
  BOOST_TEST(ours.is_open());
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(!ours.is_open());
  BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
  BOOST_TEST(error_of(ours.recvfrom()) == ENOTCONN);
  BOOST_TEST(error_of(ours.recvfrom(buffer)) == ENOTCONN);
  BOOST_TEST(error_of(ours.recv_many(1)) == ENOTCONN);
  BOOST_TEST(error_of(send("text")) == ENOTCONN);
  BOOST_TEST(error_of(send(queue, "text")) == ENOTCONN);
  BOOST_TEST(error_of(ours.send_many(list)) == ENOTCONN);
  Request<ssize_t> waiting = send(stopped, "text");
  loop.run_until_idle();
  stopped.start();
  BOOST_TEST(error_of(waiting) == ENOTCONN);
  BOOST_TEST(ours.native_handle() == -1);
  BOOST_TEST(ours.local_address().is_empty());
  BOOST_TEST(ours.remote_address().is_empty());
  BOOST_TEST(ours.join_multicast(loopback_v4()) == ENOTCONN);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, disconnect_is_ebusy_while_something_is_in_flight,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  receiving = {};
  Request<ssize_t> sending = send("text");
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  BOOST_TEST(error_of(sending) == 0);
  BOOST_TEST(error_of(ours.disconnect()) == 0);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, disconnect_drops_what_was_read_ahead,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  for (const bool in_callback : {false, true}) {
    if (!open(kind)) return;
    deliver(numbered(5));
    Request<ReceivedDatagram> receiving = ours.recvfrom();
    Request<void> closing;
    if (in_callback) receiving.set_callback([&](Request<ReceivedDatagram>&) { closing = ours.disconnect(); });
    wait_for(receiving);
    if (!in_callback) closing = ours.disconnect();
    BOOST_TEST(ours.pending_datagrams() == 0U);
    BOOST_TEST(error_of(closing) == 0);
    BOOST_TEST(ours.pending_datagrams() == 0U);
    BOOST_TEST(error_of(ours.recvfrom()) == ENOTCONN);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_disconnect_that_is_cancelled_or_destroyed_has_closed,
                       data::make(all_datagram_kinds()), kind) {
  for (const bool destroy : {false, true}) {
    if (!open(kind)) return;
    Request<void> closing = ours.disconnect();
    if (destroy) {
      closing = {};
    } else {
      closing.cancel();
      wait_for(closing);
    }
    BOOST_TEST(!ours.is_open());
    BOOST_TEST(error_of(send("text")) == ENOTCONN);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, requests_of_a_destroyed_socket_end_with_ecanceled_on_the_next_turn,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  Queue stopped(loop);
  stopped.stop();
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  Request<ssize_t> sending = send(queue, "one");
  Request<ssize_t> behind = send(queue, "two");
  Request<ssize_t> waiting = send(stopped, "three");
  ours = Datagram();
  BOOST_TEST(receiving.is_in_progress());
  BOOST_TEST(error_of(receiving) == ECANCELED);
  BOOST_TEST(error_of(sending) == ECANCELED);
  BOOST_TEST(error_of(behind) == ECANCELED);
  BOOST_TEST(error_of(waiting) == ECANCELED);
  BOOST_TEST(queue.length() == 0U);
  BOOST_TEST(stopped.length() == 0U);
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, a_socket_that_goes_while_its_sender_is_blocked_ends_the_send,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  std::vector<std::string> sent;
  Request<ssize_t> blocked = block_sending(sent);
  ours = Datagram();
  BOOST_TEST(error_of(blocked) == ECANCELED);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_socket_may_be_moved_while_requests_are_in_progress,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  Request<ssize_t> sending = send("out");
  Datagram moved = std::move(ours);
  BOOST_TEST(!ours.is_open());
  BOOST_TEST(error_of(ours.recvfrom()) == ENOTCONN);
  BOOST_TEST(error_of(ours.sendto("text")) == ENOTCONN);
  BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
  BOOST_TEST(ours.pending_datagrams() == 0U);
  BOOST_TEST(ours.dropped() == 0U);
  ours = std::move(moved);
  BOOST_TEST(error_of(sending) == 0);
  peer_sends("back");
  BOOST_TEST(text_of(value_of(receiving).bytes()) == "back");
  BOOST_TEST(take_text(peer) == "out");
}

BOOST_AUTO_TEST_CASE(one_that_never_was_gives_empty_requests) {
  Datagram none;
  BOOST_TEST(!none.is_open());
  int err = 0;
  none.recvfrom().recv(err);
  BOOST_TEST(err == EIO);
  none.sendto("text").recv(err);
  BOOST_TEST(err == EIO);
  none.disconnect().recv(err);
  BOOST_TEST(err == EIO);
  BOOST_TEST(none.native_handle() == -1);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_callback_may_destroy_its_request_its_socket_or_both,
                       data::make(all_datagram_kinds()), kind) {
  for (const int what : {0, 1, 2}) {
    if (!open(kind)) return;
    deliver(numbered(3));
    auto session = std::make_unique<std::pair<Datagram, Request<ReceivedDatagram>>>();
    session->first = std::move(ours);
    session->second = session->first.recvfrom();
    bool called = false;
    session->second.set_callback([&](Request<ReceivedDatagram>& request) {
      int err = 0;
      const ReceivedDatagram datagram = request.recv(err);
      BOOST_TEST(err == 0);
      if (what == 0) session->second = {};
      if (what == 1) session->first = Datagram();
      if (what == 2) session.reset();
      BOOST_TEST(text_of(datagram.bytes()) == "0");
      called = true;
    });
    BOOST_TEST(run_until([&] { return called; }));
    loop.run_until_idle();
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_callback_of_a_send_may_destroy_queue_socket_and_the_other_sends,
                       data::make(all_datagram_kinds()), kind) {
  for (const int what : {0, 1, 2}) {
    if (!open(kind)) return;
    std::optional<Queue> queue(std::in_place, loop);
    std::vector<Request<ssize_t>> sends;
    const std::vector<std::string> texts = numbered(5);
    for (const std::string& text : texts) sends.push_back(send(*queue, text));
    int calls = 0;
    sends[1].set_callback([&](Request<ssize_t>&) {
      ++calls;
      if (what == 0) queue.reset();
      if (what == 1) ours = Datagram();
      if (what == 2) sends.clear();
    });
    for (std::size_t i = 2; i < sends.size(); ++i) sends[i].set_callback([&](Request<ssize_t>&) { ++calls; });
    BOOST_TEST(run_until([&] { return calls == (what == 2 ? 1 : 4); }));
    loop.run_until_idle();
    BOOST_TEST(calls == (what == 2 ? 1 : 4));
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_receiver_may_go_while_another_one_of_the_turn_is_delivered,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ReceivedDatagram> mine = ours.recvfrom();
  Request<ReceivedDatagram> theirs = peer.recvfrom();
  int called = 0;
  const auto end_both = [&](Request<ReceivedDatagram>&) {
    ++called;
    mine = {};
    theirs = {};
    ours = Datagram();
    peer = Datagram();
  };
  mine.set_callback(end_both);
  theirs.set_callback(end_both);
  Request<ssize_t> out = send("out");
  Request<ssize_t> back = peer.sendto("back", to_ours);
  BOOST_TEST(run_until([&] { return called != 0; }));
  loop.run_until_idle();
  BOOST_TEST(called == 1);
  wait_for(out);
  wait_for(back);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, an_echo_over_callbacks_answers_everything,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue replies(loop);
  Request<ReceivedDatagram> receiving;
  const std::function<void()> next = [&] {
    receiving = ours.recvfrom();
    receiving.set_callback([&](Request<ReceivedDatagram>& request) {
      int err = 0;
      ReceivedDatagram datagram = request.recv(err);
      BOOST_TEST(err == 0);
      const auto bytes = std::as_const(datagram).bytes();
      ours.sendto(replies, bytes, to_peer).detach([kept = std::move(datagram)](Request<ssize_t>&) {});
      next();
    });
  };
  next();
  for (int i = 0; i < 50; ++i) {
    const std::string text = std::to_string(i);
    peer_sends(text);
    BOOST_TEST(take_text(peer) == text);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, what_a_callback_throws_comes_out_of_run_and_nothing_is_lost,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  deliver(numbered(3));
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  receiving.set_callback([](Request<ReceivedDatagram>&) { throw std::runtime_error("thrown"); });
  bool thrown = false;
  try {
    static_cast<void>(run_until([&] { return !receiving.is_in_progress(); }));
    loop.run_until_idle();
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  BOOST_TEST(thrown);
  BOOST_TEST(text_of(value_of(receiving).bytes()) == "0");
  BOOST_TEST(take_text(ours) == "1");
  Request<ssize_t> sending = send("out");
  sending.set_callback([](Request<ssize_t>&) { throw std::runtime_error("thrown"); });
  BOOST_CHECK_THROW(static_cast<void>(run_until([&] { return !sending.is_in_progress(); })),
                    std::runtime_error);
  BOOST_TEST(take_text(peer) == "out");
  BOOST_TEST(take_text(ours) == "2");
}

BOOST_DATA_TEST_CASE(a_loop_may_go_before_its_sockets, data::make(all_datagram_kinds()), kind) {
  if (std::string_view(kind.name) == "udp v6" && !has_ipv6()) return;
  std::optional<Loop> loop(std::in_place);
  DatagramEnds ends = kind.make(*loop, {});
  int err = 0;
  // Some is read ahead, some is finished and not delivered, some is blocked, some waits.
  for (const char* text : {"one", "two", "three"})
    BOOST_TEST_REQUIRE(ends.peer.sendto(text, ends.to_ours).wait(err));
  Request<ReceivedDatagram> first = ends.ours.recvfrom();
  BOOST_TEST_REQUIRE(first.wait(err));
  const ReceivedDatagram kept = first.recv(err);
  Request<ReceivedDatagram> receiving = ends.ours.recvfrom();
  Request<ReceivedDatagram> idle = ends.peer.recvfrom();
  Queue queue(*loop);
  Queue stopped(*loop);
  stopped.stop();
  Request<ssize_t> sending = ends.ours.sendto(queue, "text", ends.to_peer);
  Request<ssize_t> waiting = ends.ours.sendto(stopped, "text", ends.to_peer);
  idle.set_callback([](Request<ReceivedDatagram>&) { BOOST_ERROR("called after the loop went"); });
  loop.reset();
  BOOST_TEST(!receiving.is_in_progress());
  idle.recv(err);
  BOOST_TEST(err == ECANCELED);
  sending.recv(err);
  BOOST_TEST(err == ECANCELED);
  waiting.recv(err);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(!ends.ours.is_open());
  BOOST_TEST(ends.ours.native_handle() == -1);
  BOOST_TEST(ends.ours.pending_datagrams() == 0U);
  BOOST_TEST(ends.ours.dropped() == 0U);
  BOOST_TEST(text_of(kept.bytes()) == "one");
  Datagram moved = std::move(ends.ours);
  ends.ours = std::move(moved);
}

BOOST_AUTO_TEST_SUITE_END()
