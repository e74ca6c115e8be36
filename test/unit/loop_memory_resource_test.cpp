// LoopOptions::memory
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "core/loop/pool.hpp"
#include "support/counting_memory.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct MemoryFixture {
  CountingMemory memory;
  std::optional<Loop> loop;
  int err = 0;

  MemoryFixture() { loop.emplace(LoopOptions{.memory = &memory}); }
  ~MemoryFixture() {
    memory.is_exhausted = memory.throws_another = false;
    loop.reset();
    BOOST_TEST(memory.out.empty());
  }
  /// Makes streams and destroys them. \return the blocks that were out meanwhile
  std::size_t leave_a_peak() {
    std::vector<std::pair<Stream, Stream>> pairs(20'000);
    for (auto& pair : pairs) pair = memory_stream_pair(*loop);
    return memory.out.size();
  }
  template <class T>
  int error_of(Request<T> request) const {
    int how = 0;
    request.wait(how);
    return how;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(loop_memory_resource, MemoryFixture)

BOOST_AUTO_TEST_CASE(requests_streams_and_messages_are_in_it) {
  auto [left, right] = Stream::socketpair(*loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(memory.taken > 0U);
  for (const std::size_t size : {10U, 3000U, 100'000U, 300'000U}) {
    const std::string text(size, 'x');
    Request<ssize_t> writing = left.write_pdu(framing::u32be{}, text);
    Request<Pdu> reading = right.readv_pdu(framing::u32be{});
    loop->run();
    const std::size_t taken = memory.taken;
    const Pdu pdu = reading.recv(err);
    BOOST_TEST((pdu.text() == text));
    BOOST_TEST(memory.taken == taken);
    BOOST_TEST(memory.out.size() > 0U);
  }
  if (detail::Pool::passes_through()) return;
  // What is freed stays in the pool, and is given back on demand.
  const std::size_t out = memory.out.size();
  BOOST_TEST(loop->trim() > 0U);
  BOOST_TEST(memory.out.size() < out);
}

#ifndef _WIN32

BOOST_AUTO_TEST_CASE(a_loop_at_rest_gives_back_what_a_peak_has_left,
                     *boost::unit_test::precondition(more_than_posix)) {
  if (detail::Pool::passes_through()) return;
  const auto rest = std::chrono::milliseconds(2);
  loop.emplace(LoopOptions{.memory = &memory, .trim_after = rest});
  // The streams that are there keep what they have.
  auto [left, right] = memory_stream_pair(*loop);
  for (int times = 0; times < 2; ++times) {
    const std::size_t peak = leave_a_peak();
    BOOST_TEST(memory.out.size() == peak);
    // Each waits for something that comes later than the end of the rest.
    for (int waits = 0; waits < 1000 && memory.out.size() > peak / 4; ++waits)
      BOOST_TEST_REQUIRE(error_of(loop->sleep(10 * rest)) == 0);
    BOOST_TEST(memory.out.size() <= peak / 4);
  }
  Request<Pdu> reading = right.readv_pdu(framing::u32be{});
  left.write_pdu(framing::u32be{}, std::string("still there")).detach();
  BOOST_TEST(error_of(std::move(reading)) == 0);
}

#endif

BOOST_AUTO_TEST_CASE(a_loop_that_is_told_so_keeps_it) {
  if (detail::Pool::passes_through()) return;
  loop.emplace(LoopOptions{.memory = &memory, .trim_after = std::chrono::milliseconds::max()});
  const std::size_t peak = leave_a_peak();
  BOOST_TEST(error_of(loop->sleep(std::chrono::milliseconds(20))) == 0);
  BOOST_TEST(memory.out.size() >= peak);
  BOOST_TEST(loop->trim() > 1024U * 1024U);
}

BOOST_AUTO_TEST_CASE(a_message_may_be_the_last_to_need_it) {
  for (const std::size_t size : {5000U, 300'000U}) {
    loop.emplace(LoopOptions{.memory = &memory});
    Pdu pdu;
    {
      auto [left, right] = Stream::socketpair(*loop, err);
      const std::string text(size, 'x');
      Request<ssize_t> writing = left.write_pdu(framing::u32be{}, text);
      Request<Pdu> reading = right.readv_pdu(framing::u32be{});
      loop->run();
      pdu = reading.recv(err);
    }
    loop.reset();
    // The smaller one may stay where it was received, which is not in the pool.
    if (size > 5000U) BOOST_TEST(!memory.out.empty());
    BOOST_TEST(pdu.size() == size + 4);
    pdu = {};
    BOOST_TEST(memory.out.empty());
  }
}

BOOST_AUTO_TEST_CASE(what_has_no_memory_is_enomem_whatever_was_thrown) {
  const std::string text(300'000, 'x');  // more than stays where it was received
  for (const bool in_other_words : {false, true}) {
    auto [left, right] = Stream::socketpair(*loop, err);
    Request<ssize_t> writing = left.write_pdu(framing::u32be{}, text);
    Request<Pdu> reading = right.readv_pdu(framing::u32be{});
    loop->trim();
    memory.is_exhausted = true;
    memory.throws_another = in_other_words;
    while (reading.is_in_progress() && loop->run_once()) continue;
    static_cast<void>(reading.recv(err));
    BOOST_TEST(err == ENOMEM);
    memory.is_exhausted = memory.throws_another = false;
  }
}

BOOST_AUTO_TEST_CASE(a_borrowed_loop_takes_it_too) {
  Loop& ours = *loop;
  CountingMemory other;
  {
    Loop borrowing(ours.native_handle(), {.memory = &other});
    BOOST_TEST(error_of(borrowing.sleep({})) == 0);
    BOOST_TEST(other.taken > 0U);
  }
  ours.run();
  BOOST_TEST(other.out.empty());
}

BOOST_AUTO_TEST_SUITE_END()
