// Messages stay where they were received.
#include "core/loop/receive_buffer.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <cerrno>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::detail::ReceiveBuffer;
using tsock::detail::ReceiveChunk;
using tsock::test::LoopFixture;
using tsock::test::pattern;

BOOST_AUTO_TEST_SUITE(receive_buffer)

namespace {

constexpr std::size_t some = 1000;
constexpr std::size_t much = std::size_t{40} * 1024;
constexpr std::size_t any_large = ReceiveBuffer::large_message;

void remove_message(ReceiveBuffer& buffer, std::byte* message) {
  ReceiveChunk& chunk = ReceiveChunk::of(message);
  if (--chunk.messages == 0) buffer.chunk_is_free(chunk);
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_chunk_serves_all_reads_while_no_message_stays) {
  ReceiveBuffer buffer(nullptr);
  const auto room = buffer.room();
  BOOST_TEST(room.size() == ReceiveChunk::room_size);
  buffer.use_until(room.data() + much);
  BOOST_TEST(buffer.room().data() == room.data());
  BOOST_TEST(buffer.may_stay(room.data(), some));
  BOOST_TEST(buffer.may_stay(room.data() + room.size() - some, some));
  BOOST_TEST(!buffer.may_stay(room.data() + room.size(), some));
  const std::byte elsewhere{};
  BOOST_TEST(!buffer.may_stay(&elsewhere, some));
}

BOOST_AUTO_TEST_CASE(every_byte_of_a_chunk_finds_it) {
  ReceiveBuffer buffer(nullptr);
  const auto room = buffer.room();
  ReceiveChunk& chunk = ReceiveChunk::of(room.data());
  BOOST_TEST(chunk.room() == room.data());
  BOOST_TEST(&ReceiveChunk::of(&room.back()) == &chunk);
}

BOOST_AUTO_TEST_CASE(reads_go_behind_a_message_that_stays_until_it_goes) {
  ReceiveBuffer buffer(nullptr);
  std::byte* const first = buffer.room().data();
  buffer.use_until(first + 2 * some);
  BOOST_TEST(buffer.add_message());
  BOOST_TEST(!buffer.add_message());
  const auto second = buffer.room();
  BOOST_TEST(second.data() == first + 2 * some);
  BOOST_TEST(second.size() == ReceiveChunk::room_size - 2 * some);
  BOOST_TEST(buffer.may_stay(second.data(), some));
  buffer.use_until(second.data() + some);
  remove_message(buffer, first);
  BOOST_TEST(buffer.room().data() == first + 3 * some);  // one message is still there
  remove_message(buffer, first);
  BOOST_TEST(buffer.room().data() == first);
}

BOOST_AUTO_TEST_CASE(reads_go_to_another_chunk_when_much_of_one_is_used) {
  ReceiveBuffer buffer(nullptr);
  std::byte* const first = buffer.room().data();
  buffer.add_message();
  buffer.use_until(first + much);
  const auto second = buffer.room();
  BOOST_TEST((second.data() < first || second.data() >= first + ReceiveChunk::room_size));
  BOOST_TEST(second.size() == ReceiveChunk::room_size);
  // And back to the first one, when it is free and the second one is not.
  remove_message(buffer, first);
  buffer.add_message();
  buffer.use_until(second.data() + much);
  BOOST_TEST(buffer.room().data() == first);
}

BOOST_AUTO_TEST_CASE(messages_hold_a_bounded_number_of_chunks_and_small_ones_fewer) {
  ReceiveBuffer buffer(nullptr);
  std::vector<std::byte*> held;
  const auto hold_all = [&](std::size_t size) {
    for (int i = 0; i < 100; ++i) {
      const auto room = buffer.room();
      if (!buffer.may_stay(room.data(), size)) break;
      BOOST_TEST(buffer.may_stay(size));
      buffer.add_message();
      buffer.use_until(room.data() + much);
      held.push_back(room.data());
    }
  };
  hold_all(any_large - 1);
  BOOST_TEST(held.size() == 4U);
  hold_all(any_large);
  BOOST_TEST(held.size() == 8U);
  // Now messages are copied out of one more chunk, which all reads share.
  const std::byte* const shared = buffer.room().data();
  BOOST_TEST(buffer.room().data() == shared);
  BOOST_TEST(!buffer.may_stay(shared, any_large));
  BOOST_TEST(!buffer.may_stay(any_large));
  for (std::byte* message : held) remove_message(buffer, message);
  BOOST_TEST(buffer.may_stay(buffer.room().data(), some));
}

namespace {

constexpr std::size_t large = std::size_t{12} * 1024;

struct Messages : LoopFixture {
  std::pair<Stream, Stream> streams = unix_pair();
  Stream& out = streams.first;
  Stream& in = streams.second;

  static std::vector<std::byte> wire(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes{std::byte{0}, std::byte{0}, std::byte(size >> 8U), std::byte(size & 255U)};
    const auto body = pattern(size, seed);
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
  }
  void send(const std::vector<std::byte>& bytes) {
    auto writing = out.write(bytes);
    BOOST_TEST_REQUIRE(error_of(writing) == 0);
  }
  Pdu receive() {
    auto reading = in.readv_pdu(framing::u32be{});
    int err = -1;
    Pdu pdu = fetch(reading, err);
    BOOST_TEST(err == 0);
    return pdu;
  }
  static void check(const Pdu& pdu, std::size_t size, unsigned seed) {
    const auto expected = pattern(size, seed);
    const auto body = pdu.body();
    BOOST_TEST(std::equal(body.begin(), body.end(), expected.begin(), expected.end()));
  }
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Messages, messages_that_came_together_lie_side_by_side,
                       boost::unit_test::data::make({std::size_t{28}, std::size_t{100}, large}), size) {
  std::vector<std::byte> both = wire(size, 1);
  const auto second = wire(size, 2);
  both.insert(both.end(), second.begin(), second.end());
  send(both);
  Pdu one;
  Pdu two;
  auto reading = in.readv_pdu(framing::u32be{});
  Request<Pdu> next;
  reading.set_callback([&](Request<Pdu>& request) {
    int err = 0;
    one = request.recv(err);
    next = in.readv_pdu(framing::u32be{});
  });
  BOOST_TEST_REQUIRE(run_until([&] { return next && !next.is_in_progress(); }));
  int err = 0;
  two = next.recv(err);
  check(one, size, 1);
  check(two, size, 2);
  BOOST_TEST(two.bytes().data() == one.bytes().data() + one.size());
  two.body()[0] ^= std::byte{0xff};
  check(one, size, 1);
}

BOOST_FIXTURE_TEST_CASE(small_messages_that_are_kept_are_not_touched_by_what_comes_later, Messages) {
  std::vector<Pdu> kept;
  for (unsigned i = 0; i < 3000; ++i) {
    send(wire(i % 200, i));
    kept.push_back(receive());
    if (i % 7 == 0) kept[i / 2] = Pdu();
  }
  for (unsigned i = 0; i < 3000; ++i) {
    if (!kept[i].empty()) check(kept[i], i % 200, i);
  }
}

BOOST_FIXTURE_TEST_CASE(messages_that_are_kept_are_not_touched_by_what_comes_later, Messages) {
  std::vector<Pdu> kept;
  for (unsigned i = 0; i < 30; ++i) {
    send(wire(large + i, i));
    kept.push_back(receive());
  }
  for (unsigned i = 0; i < 30; ++i) check(kept[i], large + i, i);
  // In any order.
  for (unsigned i = 0; i < 30; i += 3) kept[i] = Pdu();
  for (unsigned i = 0; i < 10; ++i) {
    send(wire(large, 100 + i));
    check(receive(), large, 100 + i);
  }
  for (unsigned i = 1; i < 30; i += 3) check(kept[i], large + i, i);
}

BOOST_FIXTURE_TEST_CASE(a_message_that_was_ready_but_not_delivered_goes_back_to_the_stream, Messages) {
  std::vector<std::byte> both = wire(large, 1);
  const auto second = wire(large, 2);
  both.insert(both.end(), second.begin(), second.end());
  send(both);
  auto reading = in.readv_pdu(framing::u32be{});
  bool dropped = false;
  reading.set_callback([&](Request<Pdu>&) {
    // It is complete at once, and abandoned before the loop can tell.
    const Request<Pdu> abandoned = in.readv_pdu(framing::u32be{});
    dropped = true;
  });
  BOOST_TEST_REQUIRE(run_until([&] { return dropped; }));
  int err = 0;
  BOOST_TEST(in.pending_bytes(err) == second.size());
  check(receive(), large, 2);
}

BOOST_AUTO_TEST_CASE(a_message_in_place_outlives_its_stream_and_its_loop) {
  Pdu kept;
  {
    Messages fixture;
    fixture.expects_leftovers = true;
    fixture.send(Messages::wire(large, 7));
    kept = fixture.receive();
  }
  Messages::check(kept, large, 7);
}

BOOST_AUTO_TEST_SUITE_END()
