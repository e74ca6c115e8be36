#include "tsock/memory_datagram.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::text_of;

BOOST_AUTO_TEST_SUITE(memory_datagram)

namespace {

struct PairFixture : LoopFixture {
  Datagram first;
  Datagram second;

  void open(const MemoryDatagramOptions& options = {}) {
    auto pair = memory_datagram_pair(loop, options);
    first = std::move(pair.first);
    second = std::move(pair.second);
  }

  /// Sends "0", "1", ... in one turn.
  void send_numbers(Datagram& from, std::size_t count) {
    Queue queue(loop);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back(std::to_string(i));
    std::vector<Request<ssize_t>> sends;
    for (const std::string& text : texts) sends.push_back(from.sendto(queue, text));
    for (auto& sending : sends) BOOST_TEST(error_of(sending) == 0);
  }

  /// Everything that waits, in its order.
  std::vector<std::size_t> take_numbers(Datagram& at) {
    std::vector<std::size_t> numbers;
    for (;;) {
      auto receiving = at.recvfrom();
      loop.run_until_idle();
      if (receiving.is_in_progress()) return numbers;
      int err = 0;
      numbers.push_back(std::stoul(text_of(receiving.recv(err).bytes())));
      BOOST_TEST_REQUIRE(err == 0);
    }
  }

  std::vector<std::size_t> numbers_that_arrive(const MemoryDatagramOptions& options, std::size_t count) {
    open(options);
    send_numbers(first, count);
    return take_numbers(second);
  }
};

std::vector<std::size_t> counted(std::size_t count) {
  std::vector<std::size_t> numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = i;
  return numbers;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(everything_comes_in_order_by_default, PairFixture) {
  BOOST_TEST(numbers_that_arrive({}, 200) == counted(200), boost::test_tools::per_element());
  BOOST_TEST(second.dropped() == 0U);
}

BOOST_FIXTURE_TEST_CASE(both_ends_have_an_address_and_know_the_other_one, PairFixture) {
  open();
  BOOST_TEST(first.local_address().to_string() == "192.0.2.1:1");
  BOOST_TEST(second.local_address().to_string() == "192.0.2.2:1");
  BOOST_TEST(first.remote_address() == second.local_address());
  BOOST_TEST(second.remote_address() == first.local_address());
}

BOOST_FIXTURE_TEST_CASE(the_addresses_can_be_chosen, PairFixture) {
  int err = 0;
  const Address here = Address::unix_from_path("/here", err);
  const Address there = Address::unix_from_path("/there", err);
  open({.first_address = here, .second_address = there});
  auto sending = first.sendto("text", there);
  auto receiving = second.recvfrom();
  BOOST_TEST(error_of(sending) == 0);
  const ReceivedDatagram datagram = fetch(receiving, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(datagram.source() == here);
  BOOST_TEST(text_of(datagram.bytes()) == "text");
  BOOST_TEST(error_of(first.sendto("text", tsock::test::loopback_v4(1))) == EINVAL);
}

BOOST_FIXTURE_TEST_CASE(an_address_that_is_not_the_other_ends_is_ehostunreach, PairFixture) {
  open();
  BOOST_TEST(error_of(first.sendto("text", tsock::test::loopback_v4(9))) == EHOSTUNREACH);
  BOOST_TEST(error_of(first.sendto("text", first.local_address())) == EHOSTUNREACH);
}

BOOST_FIXTURE_TEST_CASE(with_loss_1_nothing_comes_and_sending_succeeds, PairFixture) {
  BOOST_TEST(numbers_that_arrive({.loss = 1.0}, 50).empty());
  BOOST_TEST(second.dropped() == 0U);
}

BOOST_FIXTURE_TEST_CASE(loss_takes_about_its_share_and_keeps_the_order_of_the_rest, PairFixture) {
  const auto numbers = numbers_that_arrive({.loss = 0.25, .queue_length = 1000}, 1000);
  BOOST_TEST(numbers.size() > 700U);
  BOOST_TEST(numbers.size() < 800U);
  BOOST_TEST(std::is_sorted(numbers.begin(), numbers.end()));
}

BOOST_FIXTURE_TEST_CASE(duplication_doubles_about_its_share, PairFixture) {
  const auto numbers = numbers_that_arrive({.duplication = 0.1, .queue_length = 2000}, 1000);
  BOOST_TEST(numbers.size() > 1070U);
  BOOST_TEST(numbers.size() < 1130U);
  std::map<std::size_t, std::size_t> times;
  for (const std::size_t number : numbers) ++times[number];
  BOOST_TEST(times.size() == 1000U);
  for (const auto& [number, count] : times) BOOST_TEST(count <= 2U);
}

BOOST_FIXTURE_TEST_CASE(reordering_loses_nothing_and_moves_nothing_further_than_its_distance, PairFixture) {
  const auto numbers =
      numbers_that_arrive({.reorder = 0.2, .reorder_distance = 4, .queue_length = 1000}, 1000);
  BOOST_TEST(!std::is_sorted(numbers.begin(), numbers.end()));
  for (std::size_t place = 0; place < numbers.size(); ++place) {
    std::size_t overtakers = 0;
    for (std::size_t i = 0; i < place; ++i) overtakers += numbers[i] > numbers[place] ? 1U : 0U;
    BOOST_TEST(overtakers <= 4U);
  }
  auto sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  BOOST_TEST(sorted == counted(1000), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_held_back_datagram_comes_when_no_other_does, PairFixture) {
  BOOST_TEST(numbers_that_arrive({.reorder = 1.0, .reorder_distance = 100}, 1) == counted(1),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_waiting_receiver_gets_a_held_back_datagram_too, PairFixture) {
  open({.reorder = 1.0, .reorder_distance = 100});
  auto receiving = second.recvfrom();
  loop.run_until_idle();
  BOOST_TEST(error_of(first.sendto("late")) == 0);
  BOOST_TEST(error_of(receiving) == 0);
}

// The figures are part of the promise: the same on every platform and in every version.
BOOST_FIXTURE_TEST_CASE(a_seed_has_one_result_everywhere, PairFixture) {
  const MemoryDatagramOptions options{.seed = 7, .loss = 0.2, .duplication = 0.2, .reorder = 0.2};
  std::string story;
  for (const std::size_t number : numbers_that_arrive(options, 20)) story += std::to_string(number) + ' ';
  BOOST_TEST(story == "0 1 1 2 2 4 6 7 8 10 11 12 13 16 14 17 19 ");
}

BOOST_FIXTURE_TEST_CASE(other_seeds_have_other_results, PairFixture) {
  const auto one = numbers_that_arrive({.seed = 1, .loss = 0.5}, 100);
  const auto two = numbers_that_arrive({.seed = 2, .loss = 0.5}, 100);
  BOOST_TEST((one != two));
}

BOOST_FIXTURE_TEST_CASE(each_direction_has_its_own_chance, PairFixture) {
  const MemoryDatagramOptions options{.loss = 0.5};
  const auto alone = numbers_that_arrive(options, 100);
  open(options);
  send_numbers(second, 33);
  send_numbers(first, 100);
  BOOST_TEST(take_numbers(second) == alone, boost::test_tools::per_element());
  BOOST_TEST((take_numbers(first) != alone));
}

BOOST_FIXTURE_TEST_CASE(one_probability_does_not_change_what_another_one_hits, PairFixture) {
  const auto lossy = numbers_that_arrive({.loss = 0.3}, 100);
  auto all = numbers_that_arrive({.loss = 0.3, .duplication = 0.3, .reorder = 0.3}, 100);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  BOOST_TEST(all == lossy, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(probabilities_beyond_0_and_1_count_as_these, PairFixture) {
  BOOST_TEST(numbers_that_arrive({.loss = -1.0}, 10).size() == 10U);
  BOOST_TEST(numbers_that_arrive({.loss = 7.0}, 10).empty());
}

BOOST_FIXTURE_TEST_CASE(a_full_queue_drops_and_counts, PairFixture) {
  BOOST_TEST(numbers_that_arrive({.queue_length = 3}, 10) == counted(3), boost::test_tools::per_element());
  BOOST_TEST(second.dropped() == 7U);
  BOOST_TEST(first.dropped() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_was_dropped_is_told_once_also_after_the_end, PairFixture) {
  numbers_that_arrive({.queue_length = 3}, 10);
  Request<void> disconnecting = second.disconnect();
  BOOST_TEST(second.dropped() == 7U);
  BOOST_TEST(error_of(disconnecting) == 0);
  BOOST_TEST(second.dropped() == 7U);
}

BOOST_FIXTURE_TEST_CASE(a_queue_without_room_has_room_for_one, PairFixture) {
  BOOST_TEST(numbers_that_arrive({.queue_length = 0}, 2).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_full_queue_that_blocks_loses_nothing_and_lets_nobody_spin, PairFixture) {
  open({.queue_length = 2, .block_when_full = true});
  Queue queue(loop);
  std::vector<Request<ssize_t>> sends;
  for (const char* text : {"0", "1", "2", "3", "4"}) sends.push_back(first.sendto(queue, text));
  loop.run_until_idle();
  BOOST_TEST(!sends[1].is_in_progress());
  BOOST_TEST(sends[2].is_in_progress());
  const auto before = loop.metrics();
  for (int i = 0; i < 10; ++i) loop.run_until_idle();
  BOOST_TEST(loop.metrics().events - before.events <= 2U);
  BOOST_TEST(take_numbers(second) == counted(5), boost::test_tools::per_element());
  for (auto& sending : sends) BOOST_TEST(error_of(sending) == 0);
  BOOST_TEST(second.dropped() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_blocked_sender_hears_when_the_other_end_goes, PairFixture) {
  open({.queue_length = 1, .block_when_full = true});
  BOOST_TEST(error_of(first.sendto("fills")) == 0);
  auto blocked = first.sendto("waits");
  loop.run_until_idle();
  BOOST_TEST(blocked.is_in_progress());
  second = Datagram();
  BOOST_TEST(error_of(blocked) == ECONNREFUSED);
}

BOOST_FIXTURE_TEST_CASE(what_waits_can_be_received_after_the_sender_went, PairFixture) {
  open();
  send_numbers(first, 3);
  first = Datagram();
  BOOST_TEST(take_numbers(second) == counted(3), boost::test_tools::per_element());
  BOOST_TEST(error_of(second.sendto("nobody")) == ECONNREFUSED);
}

BOOST_FIXTURE_TEST_CASE(a_limit_for_the_size_holds_to_the_byte, PairFixture) {
  open({.max_size = 10});
  BOOST_TEST(error_of(first.sendto(std::string(10, 'x'))) == 0);
  BOOST_TEST(error_of(first.sendto(std::string(11, 'x'))) == EMSGSIZE);
}

BOOST_FIXTURE_TEST_CASE(datagrams_of_any_size_pass_whole, PairFixture) {
  open({.max_size = std::size_t{1} << 20});
  Queue queue(loop);
  std::vector<std::vector<std::byte>> sent;
  for (const std::size_t size : {0U, 1U, 2048U, 2049U, 65535U, 65536U, 65537U, 200000U, 0U, 1048576U, 5U})
    sent.push_back(pattern(size, static_cast<unsigned>(size)));
  for (const auto& bytes : sent) first.sendto(queue, bytes).detach();
  for (const auto& bytes : sent) {
    auto receiving = second.recvfrom();
    int err = 0;
    const ReceivedDatagram datagram = fetch(receiving, err);
    BOOST_TEST(err == 0);
    BOOST_TEST((datagram.copy() == bytes));
  }
}

BOOST_AUTO_TEST_SUITE_END()
