#include "tsock/watermarks.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

BOOST_AUTO_TEST_SUITE(watermarks)

namespace {

/// Nothing leaves the writer before the reader reads: the memory pair has no buffer.
struct WatermarkFixture : LoopFixture {
  WatermarkFixture() {
    auto pair = memory_pair();
    writer = std::move(pair.first);
    reader = std::move(pair.second);
  }
  void mark(WriteWatermarks marks) {
    writer.set_watermarks(marks,
                          [this](Watermark which) { story += which == Watermark::high ? "high " : "low "; });
  }
  Request<ssize_t> write(std::size_t size) { return writer.write(*queue, std::span(bytes).first(size)); }
  void read(std::size_t size) {
    auto reading = reader.read(std::span(into).first(size));
    BOOST_TEST(error_of(reading) == 0);
    loop.run_until_idle();
  }
  Stream writer;
  Stream reader;
  std::optional<Queue> queue{std::in_place, loop};
  std::array<std::byte, 1000> bytes{};
  std::array<std::byte, 1000> into{};
  std::string story;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(high_is_told_once_and_low_when_it_is_down_again, WatermarkFixture) {
  mark({.high = 100, .low = 50});
  auto first = write(60);
  loop.run_until_idle();
  BOOST_TEST(story == "");
  auto second = write(40);
  BOOST_TEST(story == "");  // never inside the write
  BOOST_TEST(writer.queued_bytes() == 100U);
  loop.run_until_idle();
  BOOST_TEST(story == "high ");
  auto third = write(100);
  loop.run_until_idle();
  BOOST_TEST(story == "high ");
  read(149);
  BOOST_TEST(story == "high ");
  read(1);
  BOOST_TEST(story == "high low ");
  auto fourth = write(50);
  loop.run_until_idle();
  BOOST_TEST(story == "high low high ");
  read(100);
  BOOST_TEST(story == "high low high low ");
  BOOST_TEST(writer.queued_bytes() == 0U);
}

BOOST_FIXTURE_TEST_CASE(above_the_cap_a_write_fails_with_enobufs_and_sends_nothing, WatermarkFixture) {
  writer.set_watermarks({.cap = 100}, {});
  auto first = write(80);
  auto refused = write(21);
  auto fits = write(20);
  BOOST_TEST(error_of(refused) == ENOBUFS);
  BOOST_TEST(refused.transferred() == 0U);
  BOOST_TEST(writer.queued_bytes() == 100U);
  read(100);
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(fits) == 0);
  auto after = write(100);
  read(100);
  BOOST_TEST(error_of(after) == 0);
}

BOOST_FIXTURE_TEST_CASE(bytes_of_writes_that_end_early_do_not_count_any_more, WatermarkFixture) {
  mark({.high = 100, .low = 10});
  auto running = write(40);
  auto cancelled = write(40);
  auto destroyed = write(40);
  BOOST_TEST(writer.queued_bytes() == 120U);
  loop.run_until_idle();
  BOOST_TEST(story == "high ");
  destroyed = {};
  BOOST_TEST(writer.queued_bytes() == 80U);
  cancelled.cancel();
  BOOST_TEST(writer.queued_bytes() == 40U);
  running = {};
  BOOST_TEST(writer.queued_bytes() == 0U);
  loop.run_until_idle();
  BOOST_TEST(story == "high low ");
}

BOOST_FIXTURE_TEST_CASE(a_queue_that_goes_takes_its_waiting_bytes_along, WatermarkFixture) {
  mark({.high = 100, .low = 60});
  auto hold = queue->wait();
  int err = 0;
  const QueueHold held = fetch(hold, err);
  auto waiting = write(100);
  loop.run_until_idle();
  BOOST_TEST(story == "high ");
  queue.reset();
  BOOST_TEST(error_of(waiting) == ECANCELED);
  loop.run_until_idle();
  BOOST_TEST(writer.queued_bytes() == 0U);
  BOOST_TEST(story == "high low ");
}

BOOST_FIXTURE_TEST_CASE(the_function_may_be_replaced_or_taken_away, WatermarkFixture) {
  mark({.high = 10, .low = 5});
  auto first = write(10);
  writer.set_watermarks({.high = 10, .low = 5}, {});
  loop.run_until_idle();
  BOOST_TEST(story == "");
  read(10);
  BOOST_TEST(story == "");
}

BOOST_FIXTURE_TEST_CASE(the_function_may_destroy_its_stream, WatermarkFixture) {
  writer.set_watermarks({.high = 10, .low = 5}, [this, text = std::string(100, 'x')](Watermark) {
    writer = {};
    story += std::to_string(text.size());
  });
  auto first = write(10);
  BOOST_TEST(error_of(first) == ECANCELED);
  BOOST_TEST(story == "100");
}

BOOST_FIXTURE_TEST_CASE(the_function_may_own_the_disconnect_of_its_stream, WatermarkFixture) {
  auto disconnect = std::make_shared<Request<void>>();
  writer.set_watermarks({.high = 10, .low = 5}, [disconnect](Watermark) {});
  *disconnect = writer.disconnect();
  const std::weak_ptr<Request<void>> owned = std::exchange(disconnect, nullptr);
  writer = {};
  BOOST_TEST(owned.expired());
}

BOOST_AUTO_TEST_SUITE_END()
