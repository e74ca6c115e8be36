// Sends in a queue.
#include <initializer_list>
#include <memory>

#include "contract/datagram_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct SizesFixture : DatagramFixture {
  /// Sends one datagram of each size, in two vectors, and receives them.
  void check_sizes(std::initializer_list<std::size_t> sizes) {
    Queue queue(loop);
    std::vector<std::vector<std::byte>> sent;
    for (const std::size_t size : sizes) sent.push_back(pattern(size, static_cast<unsigned>(sent.size())));
    std::vector<Request<ssize_t>> sends;
    for (const auto& bytes : sent) {
      const std::span<const std::byte> all(bytes);
      const std::size_t half = all.size() / 2;
      const std::array<iovec, 2> vectors{make_vector(all.first(half)), make_vector(all.subspan(half))};
      sends.push_back(ours.sendto(queue, vectors, to_peer));
    }
    for (const auto& bytes : sent) BOOST_TEST((value_of(peer.recvfrom()).copy() == bytes));
    for (auto& sending : sends) BOOST_TEST(error_of(sending) == 0);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(datagram_queue)

BOOST_DATA_TEST_CASE_F(DatagramFixture, many_sends_keep_their_order, data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  constexpr std::size_t count = 100;
  Queue queue(loop, "out");
  const std::vector<std::string> texts = numbered(count);
  std::vector<Request<ssize_t>> sends;
  for (const std::string& text : texts) sends.push_back(send(queue, text));
  BOOST_TEST(queue.length() == count);
  for (std::size_t i = 0; i < count; ++i) {
    BOOST_TEST(take_text(peer) == texts[i]);
    BOOST_TEST(value_of(sends[i]) == static_cast<ssize_t>(texts[i].size()));
  }
  BOOST_TEST(queue.length() == 0U);
}

BOOST_DATA_TEST_CASE_F(SizesFixture, sends_of_any_sizes_and_vectors_arrive_as_they_were,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  // Runs of equal sizes, with a shorter one or a larger one behind.
  check_sizes({100,  100,  100,  40,   100,  100,  1, 1, 1400, 1400, 1400, 1401,
               1400, 8000, 8000, 8000, 8000, 7999, 3, 3, 3,    3,    3,    2});
}

BOOST_DATA_TEST_CASE_F(SizesFixture, sends_without_bytes_arrive_in_their_place,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  // Behind a run of equal sizes, before one, and alone.
  check_sizes({100, 100, 0, 0, 1, 1, 0, 8000, 8000, 0});
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, completions_come_in_the_order_of_the_queue,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  std::string order;
  std::vector<Request<ssize_t>> sends;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    sends.push_back(send(queue, "text"));
    sends.back().set_callback([&order, name](Request<ssize_t>&) { order += name; });
  }
  BOOST_TEST(order.empty());
  BOOST_TEST(run_until([&] { return order.size() == 4; }));
  BOOST_TEST(order == "abcd");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_direct_send_beside_queued_ones_is_ebusy,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  Request<ssize_t> queued = send(queue, "queued");
  BOOST_TEST(error_of(send("direct")) == EBUSY);
  BOOST_TEST(error_of(queued) == 0);
  BOOST_TEST(take_text(peer) == "queued");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_queued_send_beside_a_direct_one_or_one_of_another_queue_is_ebusy,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue one(loop);
  Queue two(loop);
  Request<ssize_t> direct = send("direct");
  BOOST_TEST(error_of(send(one, "queued")) == EBUSY);
  BOOST_TEST(error_of(direct) == 0);
  Request<ssize_t> first = send(one, "first");
  BOOST_TEST(error_of(send(two, "second")) == EBUSY);
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(take_text(peer) == "direct");
  BOOST_TEST(take_text(peer) == "first");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_stopped_queue_sends_nothing_until_it_is_started,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> queued = send(queue, "queued");
  loop.run_until_idle();
  BOOST_TEST(queued.is_in_progress());
  // What only waits is in nobody's way.
  BOOST_TEST(error_of(send("direct")) == 0);
  BOOST_TEST(take_text(peer) == "direct");
  queue.start();
  BOOST_TEST(error_of(queued) == 0);
  BOOST_TEST(take_text(peer) == "queued");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, cancelling_in_the_middle_takes_out_one_datagram,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  for (const bool stopped : {false, true}) {
    Queue queue(loop);
    if (stopped) queue.stop();
    const std::vector<std::string> texts = numbered(5);
    std::vector<Request<ssize_t>> sends;
    for (const std::string& text : texts) sends.push_back(send(queue, text));
    BOOST_TEST(sends[2].cancel());
    queue.start();
    for (std::size_t i = 0; i < sends.size(); ++i) BOOST_TEST(error_of(sends[i]) == (i == 2 ? ECANCELED : 0));
    for (const char* text : {"0", "1", "3", "4"}) BOOST_TEST(take_text(peer) == text);
    BOOST_TEST(queue.length() == 0U);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, destroying_in_the_middle_takes_out_one_datagram,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  for (const bool stopped : {false, true}) {
    Queue queue(loop);
    if (stopped) queue.stop();
    std::vector<std::string> texts = numbered(5);
    std::vector<Request<ssize_t>> sends;
    for (const std::string& text : texts) sends.push_back(send(queue, text));
    sends[0] = {};
    sends[2] = {};
    // Nobody looks at these bytes any more.
    texts[0] = texts[2] = "x";
    BOOST_TEST(queue.length() == 3U);
    queue.start();
    for (const char* text : {"1", "3", "4"}) BOOST_TEST(take_text(peer) == text);
    for (const std::size_t i : {1U, 3U, 4U}) BOOST_TEST(error_of(sends[i]) == 0);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_deadline_ends_one_that_waits_and_no_other,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> first = send(queue, "first");
  Request<ssize_t> second = send(queue, "second");
  first.set_timeout(std::chrono::nanoseconds(0));
  BOOST_TEST(error_of(first) == ETIMEDOUT);
  queue.start();
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(take_text(peer) == "second");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, one_that_fails_does_not_stop_those_behind_it,
                       data::make(datagram_kinds_with([](const DatagramTraits& traits) {
                         return traits.max_size != 0;
                       })),
                       kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  const std::vector<std::byte> bytes(traits.max_size + 1);
  Request<ssize_t> first = send(queue, "first");
  Request<ssize_t> too_large = send(queue, bytes);
  Request<ssize_t> also = send(queue, bytes);
  Request<ssize_t> last = send(queue, "last");
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(too_large) == EMSGSIZE);
  BOOST_TEST(error_of(also) == EMSGSIZE);
  BOOST_TEST(error_of(last) == 0);
  BOOST_TEST(take_text(peer) == "first");
  BOOST_TEST(take_text(peer) == "last");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, stop_holds_back_what_was_sent_in_the_same_turn,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  std::vector<Request<ssize_t>> sends;
  for (const char* text : {"0", "1", "2"}) sends.push_back(send(queue, text));
  queue.stop();
  BOOST_TEST(queue.length() == 3U);
  BOOST_TEST(error_of(send("direct")) == 0);
  queue.start();
  queue.stop();
  loop.run_until_idle();
  for (const Request<ssize_t>& sending : sends) BOOST_TEST(sending.is_in_progress());
  BOOST_TEST(take_text(peer) == "direct");
  sends[1] = {};
  queue.start();
  for (const char* text : {"0", "2"}) BOOST_TEST(take_text(peer) == text);
  BOOST_TEST(error_of(sends[0]) == 0);
  BOOST_TEST(error_of(sends[2]) == 0);
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, stop_and_the_end_of_the_queue_hold_back_what_is_behind_a_blocked_send,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  for (const bool ends : {false, true}) {
    if (!open(kind)) return;
    auto queue = std::make_unique<Queue>(loop);
    const std::vector<std::string> texts = numbered(400);
    std::vector<Request<ssize_t>> sends;
    for (const std::string& text : texts) sends.push_back(send(*queue, text));
    loop.run_until_idle();
    std::size_t sent = 0;
    while (!sends[sent].is_in_progress()) ++sent;
    if (ends) {
      queue.reset();
    } else {
      queue->stop();
    }
    for (std::size_t i = 0; i <= sent; ++i) BOOST_TEST(take_text(peer) == texts[i]);
    BOOST_TEST(error_of(sends[sent]) == 0);
    loop.run_until_idle();
    if (ends) {
      for (std::size_t i = sent + 1; i < sends.size(); ++i) BOOST_TEST(error_of(sends[i]) == ECANCELED);
      continue;
    }
    for (std::size_t i = sent + 1; i < sends.size(); ++i) BOOST_TEST(sends[i].is_in_progress());
    queue->start();
    for (std::size_t i = sent + 1; i < sends.size(); ++i) BOOST_TEST(take_text(peer) == texts[i]);
    BOOST_TEST(error_of(sends.back()) == 0);
  }
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, a_queue_that_goes_ends_what_waits_and_lets_go_on_what_was_started,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Request<ssize_t> started;
  Request<ssize_t> waiting;
  {
    Queue queue(loop);
    started = send(queue, "started");
    waiting = send(queue, "waiting");
  }
  BOOST_TEST(error_of(waiting) == ECANCELED);
  BOOST_TEST(error_of(started) == 0);
  BOOST_TEST(take_text(peer) == "started");
  BOOST_TEST(error_of(send("next")) == 0);
  BOOST_TEST(take_text(peer) == "next");
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, a_full_receiver_holds_up_the_queue_and_loses_nothing,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  const std::vector<std::string> texts = numbered(400);
  std::vector<Request<ssize_t>> sends;
  for (const std::string& text : texts) sends.push_back(send(queue, text));
  loop.run_until_idle();
  check_quiet();
  BOOST_TEST(sends.back().is_in_progress());
  for (const std::string& text : texts) BOOST_TEST_REQUIRE(take_text(peer) == text);
  for (auto& sending : sends) BOOST_TEST(error_of(sending) == 0);
}

BOOST_DATA_TEST_CASE_F(
    DatagramFixture, cancelling_one_that_is_blocked_lets_the_next_one_go,
    data::make(datagram_kinds_with([](const DatagramTraits& traits) { return traits.blocks; })), kind) {
  if (!open(kind)) return;
  std::vector<std::string> sent;
  Request<ssize_t> blocked = block_sending(sent);
  BOOST_TEST(blocked.cancel());
  BOOST_TEST(error_of(blocked) == ECANCELED);
  sent.pop_back();
  Queue queue(loop);
  Request<ssize_t> destroyed = send(queue, "destroyed");
  Request<ssize_t> last = send(queue, "last");
  loop.run_until_idle();
  destroyed = {};
  loop.run_until_idle();
  BOOST_TEST(last.is_in_progress());
  for (const std::string& text : sent) BOOST_TEST(take_text(peer) == text);
  BOOST_TEST(error_of(last) == 0);
  BOOST_TEST(take_text(peer) == "last");
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, disconnect_while_something_waits_in_a_queue_is_ebusy,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> waiting = send(queue, "waits");
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  waiting = {};
  BOOST_TEST(error_of(ours.disconnect()) == 0);
}

BOOST_DATA_TEST_CASE_F(DatagramFixture, one_queue_can_order_the_sends_of_two_sockets,
                       data::make(all_datagram_kinds()), kind) {
  if (!open(kind)) return;
  Queue queue(loop);
  std::string order;
  std::vector<Request<ssize_t>> sends;
  for (int i = 0; i < 3; ++i) {
    sends.push_back(send(queue, "out"));
    sends.back().set_callback([&order](Request<ssize_t>&) { order += 'o'; });
    sends.push_back(peer.sendto(queue, "back", to_ours));
    sends.back().set_callback([&order](Request<ssize_t>&) { order += 'b'; });
  }
  BOOST_TEST(run_until([&] { return order.size() == 6; }));
  BOOST_TEST(order == "obobob");
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(take_text(peer) == "out");
    BOOST_TEST(take_text(ours) == "back");
  }
}

BOOST_AUTO_TEST_SUITE_END()
