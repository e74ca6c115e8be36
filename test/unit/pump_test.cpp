#include "tsock/pump.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <tsock/tsock.hpp>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::text_of;

namespace {

struct PumpFixture : LoopFixture {
  /// The pump moves from `source` to `target`; the test has the other ends.
  void open(std::pair<Stream, Stream> in, std::pair<Stream, Stream> out) {
    feed = std::move(in.first);
    source = std::move(in.second);
    target = std::move(out.first);
    sink = std::move(out.second);
  }
  void open() { open(unix_pair(), unix_pair()); }

  std::string read_text(Stream& stream, std::size_t size) {
    std::string text(size, '?');
    auto reading = stream.read(std::as_writable_bytes(std::span(text)));
    int err = 0;
    fetch(reading, err);
    BOOST_TEST(err == 0);
    return text;
  }
  int end_of(Stream& stream) {
    std::byte byte{};
    auto reading = stream.read_some({&byte, 1});
    return error_of(reading);
  }
  void write_text(Stream& stream, std::string_view text) { BOOST_TEST(error_of(stream.write(text)) == 0); }

  Stream feed;
  Stream source;
  Stream target;
  Stream sink;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pump, PumpFixture)

BOOST_AUTO_TEST_CASE(moves_every_byte_and_half_closes_the_target) {
  open();
  const std::vector<std::byte> sent = pattern(1000000);
  auto pumping = tsock::pump(source, target);
  auto writing = feed.write(sent);
  std::vector<std::byte> received(sent.size());
  auto reading = sink.read(received);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(pumping.is_in_progress());
  BOOST_TEST(pumping.transferred() == sent.size());
  BOOST_TEST(error_of(feed.shutdown_write()) == 0);
  int err = -1;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(result.bytes == sent.size());
  BOOST_TEST((result.side == PumpSide::none));
  BOOST_TEST(end_of(sink) == EPIPE);
  // The other direction still works.
  auto back = sink.write("back");
  BOOST_TEST(read_text(target, 4) == "back");
  BOOST_TEST(error_of(back) == 0);
}

BOOST_AUTO_TEST_CASE(works_over_every_pair_of_stream_kinds) {
  for (const auto from : {test::StreamKind::tcp, test::StreamKind::memory}) {
    for (const auto to : {test::StreamKind::tcp, test::StreamKind::memory}) {
      open(stream_pair(from), stream_pair(to));
      const std::vector<std::byte> sent = pattern(300000, 7);
      auto pumping = tsock::pump(source, target);
      auto writing = feed.write(sent);
      std::vector<std::byte> received(sent.size());
      auto reading = sink.read(received);
      BOOST_TEST(error_of(reading) == 0);
      BOOST_TEST((received == sent));
      BOOST_TEST(error_of(writing) == 0);
      BOOST_TEST(error_of(feed.shutdown_write()) == 0);
      BOOST_TEST(error_of(pumping) == 0);
      BOOST_TEST(end_of(sink) == EPIPE);
    }
  }
}

BOOST_AUTO_TEST_CASE(two_pumps_relay_both_directions_and_may_share_their_streams) {
  open();
  auto there = tsock::pump(source, target);
  auto back = tsock::pump(target, source);
  auto asking = feed.write("question");
  BOOST_TEST(read_text(sink, 8) == "question");
  auto answering = sink.write("answer");
  BOOST_TEST(read_text(feed, 6) == "answer");
  feed = Stream();
  BOOST_TEST(error_of(there) == 0);
  sink = Stream();
  BOOST_TEST(error_of(back) == 0);
}

BOOST_AUTO_TEST_CASE(target_stays_open_without_half_close) {
  open();
  auto pumping = tsock::pump(source, target, {.half_close = false});
  write_text(feed, "one");
  BOOST_TEST(error_of(feed.shutdown_write()) == 0);
  BOOST_TEST(error_of(pumping) == 0);
  write_text(target, "two");
  BOOST_TEST(read_text(sink, 6) == "onetwo");
}

BOOST_AUTO_TEST_CASE(target_that_cannot_half_close_is_no_error) {
  open(unix_pair(), memory_stream_pair(loop, {.half_close = false}));
  auto pumping = tsock::pump(source, target);
  BOOST_TEST(error_of(feed.shutdown_write()) == 0);
  BOOST_TEST(error_of(pumping) == 0);
}

BOOST_AUTO_TEST_CASE(reads_at_most_two_buffers_ahead_of_a_target_that_does_not_read) {
  open(memory_pair(), memory_pair());
  const std::vector<std::byte> sent = pattern(1000000);
  auto pumping = tsock::pump(source, target);
  auto writing = feed.write(sent);
  loop.run_until_idle();
  BOOST_TEST(writing.transferred() == 131072U);
  BOOST_TEST(pumping.transferred() == 0U);
}

BOOST_AUTO_TEST_CASE(idle_pump_holds_no_buffer) {
  open();
  auto pumping = tsock::pump(source, target);
  loop.run_until_idle();
  const std::size_t idle = loop.core().live_blocks();
  auto writing = feed.write("x");
  BOOST_TEST(read_text(sink, 1) == "x");
  BOOST_TEST(error_of(writing) == 0);
  writing = {};
  loop.run_until_idle();
  BOOST_TEST(loop.core().live_blocks() == idle);
}

BOOST_AUTO_TEST_CASE(shows_what_passes_before_it_is_written) {
  open();
  std::string seen;
  bool written_before = false;
  auto pumping = tsock::pump(source, target, {.on_data = [&](std::span<const std::byte> bytes) {
                               int err = 0;
                               written_before = written_before || sink.pending_bytes(err) != 0;
                               seen += text_of(bytes);
                             }});
  write_text(feed, "visible");
  BOOST_TEST(read_text(sink, 7) == "visible");
  BOOST_TEST(seen == "visible");
  BOOST_TEST(!written_before);
}

BOOST_AUTO_TEST_CASE(pump_may_be_destroyed_by_the_function_that_sees_the_bytes) {
  open();
  auto pumping = std::make_unique<Request<PumpResult>>();
  *pumping =
      tsock::pump(source, target, {.on_data = [&pumping](std::span<const std::byte>) { pumping.reset(); }});
  write_text(feed, "kept");
  BOOST_TEST(run_until([&pumping] { return pumping == nullptr; }));
  BOOST_TEST(read_text(source, 4) == "kept");
}

BOOST_AUTO_TEST_CASE(function_sees_the_bytes_to_its_end_also_when_it_ends_the_pump) {
  for (const bool destroys : {false, true}) {
    open();
    std::string seen;
    Request<PumpResult> pumping;
    pumping = tsock::pump(source, target, {.on_data = [&](std::span<const std::byte> bytes) {
                            if (destroys) {
                              pumping = {};
                              source = Stream();
                            } else {
                              pumping.cancel();
                            }
                            seen = text_of(bytes);
                          }});
    write_text(feed, "still here");
    BOOST_TEST(run_until([&seen] { return !seen.empty(); }));
    BOOST_TEST(seen == "still here");
  }
}

BOOST_AUTO_TEST_CASE(streams_may_be_destroyed_by_the_function_that_sees_the_bytes) {
  open();
  auto pumping = tsock::pump(source, target, {.on_data = [this](std::span<const std::byte>) {
                               source = Stream();
                               target = Stream();
                             }});
  write_text(feed, "gone");
  BOOST_TEST(error_of(pumping) == ECANCELED);
}

BOOST_AUTO_TEST_CASE(exception_of_the_function_comes_out_of_run_and_the_pump_goes_on) {
  open();
  bool thrown = false;
  auto pumping = tsock::pump(source, target, {.on_data = [&thrown](std::span<const std::byte>) {
                               if (!std::exchange(thrown, true)) throw std::runtime_error("seen");
                             }});
  auto writing = feed.write("on and on");
  BOOST_CHECK_THROW(while (!thrown) loop.run_once(); loop.run_once(), std::runtime_error);
  BOOST_TEST(read_text(sink, 9) == "on and on");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(cancel_gives_unwritten_bytes_back_to_the_source_and_leaves_the_target_usable) {
  open();
  const std::vector<std::byte> sent = pattern(3000000);
  auto pumping = tsock::pump(source, target);
  auto writing = feed.write(sent);
  loop.run_until_idle();
  BOOST_TEST(pumping.cancel());
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST((result.side == PumpSide::none));
  BOOST_TEST(result.bytes > 0U);
  BOOST_TEST(result.bytes < sent.size());
  BOOST_TEST(pumping.transferred() == result.bytes);

  // A second pump goes on where the first one stopped.
  pumping = tsock::pump(source, target);
  std::vector<std::byte> received(sent.size());
  auto reading = sink.read(received);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(destroying_the_request_at_any_moment_loses_no_byte) {
  for (const bool is_socket : {false, true}) {
    for (int reads = 1; reads < 12; ++reads) {
      if (is_socket) {
        open();
      } else {
        open(memory_stream_pair(loop, {.max_transfer = 50000}),
             memory_stream_pair(loop, {.max_transfer = 30000}));
      }
      const std::vector<std::byte> sent = pattern(1000000, static_cast<unsigned>(reads));
      auto writing = feed.write(sent);
      std::vector<std::byte> received(sent.size());
      auto reading = sink.read(received);
      int left = reads;
      Request<PumpResult> pumping;
      pumping = tsock::pump(source, target, {.on_data = [&](std::span<const std::byte>) {
                              if (--left == 0) loop.post([&pumping] { pumping = {}; });
                            }});
      BOOST_TEST(run_until([&pumping] { return !pumping; }));
      pumping = tsock::pump(source, target);
      BOOST_TEST(error_of(reading) == 0);
      BOOST_TEST((received == sent));
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(part_of_a_buffer_that_the_target_took_is_not_given_back) {
  open(memory_pair(), memory_pair());
  const std::vector<std::byte> sent = pattern(100000);
  auto pumping = tsock::pump(source, target);
  auto writing = feed.write(sent);
  std::vector<std::byte> head(1000);
  auto reading = sink.read(head);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(pumping.cancel());
  int err = 0;
  BOOST_TEST(fetch(pumping, err).bytes == head.size());
  std::vector<std::byte> rest(sent.size() - head.size());
  reading = source.read(rest);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((std::equal(rest.begin(), rest.end(), sent.begin() + 1000)));
  auto appending = target.write("!");
  BOOST_TEST(read_text(sink, 1) == "!");
  BOOST_TEST(error_of(appending) == 0);
}

BOOST_AUTO_TEST_CASE(bytes_read_in_the_turn_in_which_the_target_goes_return_to_the_source) {
  open(memory_pair(), unix_pair());
  auto pumping = tsock::pump(source, target);
  loop.run_until_idle();
  // Over a memory stream a write completes right before the read that took it.
  auto writing = feed.write("kept");
  writing.set_callback([this](auto&) { target = Stream(); });
  BOOST_TEST(error_of(pumping) == ECANCELED);
  BOOST_TEST(read_text(source, 4) == "kept");
}

BOOST_AUTO_TEST_CASE(deadline_ends_an_idle_pump) {
  open();
  auto pumping = tsock::pump(source, target);
  pumping.set_timeout(std::chrono::milliseconds(1));
  BOOST_TEST(error_of(pumping) == ETIMEDOUT);
  write_text(feed, "later");
  BOOST_TEST(read_text(source, 5) == "later");
}

BOOST_AUTO_TEST_CASE(failing_target_is_named_and_the_source_keeps_what_was_not_written) {
  open();
  sink = Stream();
  auto pumping = tsock::pump(source, target);
  write_text(feed, "undelivered");
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST(err == EPIPE);
  BOOST_TEST((result.side == PumpSide::target));
  BOOST_TEST(result.bytes == 0U);
  BOOST_TEST(read_text(source, 11) == "undelivered");
}

BOOST_AUTO_TEST_CASE(failing_source_is_named_after_what_it_had_given_was_written) {
  open(memory_pair(), unix_pair());
  auto pumping = tsock::pump(source, target, {.reset_on_failure = false});
  write_text(feed, "last words");
  feed.abort();
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST(err == ECONNRESET);
  BOOST_TEST((result.side == PumpSide::source));
  BOOST_TEST(result.bytes == 10U);
  BOOST_TEST(read_text(sink, 10) == "last words");
  // The target was not told that this was the end.
  write_text(target, "!");
  BOOST_TEST(read_text(sink, 1) == "!");
}

BOOST_AUTO_TEST_CASE(source_that_was_reset_resets_the_target) {
  for (const auto from : {test::StreamKind::tcp, test::StreamKind::memory}) {
    for (const auto to : {test::StreamKind::tcp, test::StreamKind::memory}) {
      open(stream_pair(from), stream_pair(to));
      auto pumping = tsock::pump(source, target);
      write_text(feed, "half an ans");
      BOOST_TEST(read_text(sink, 11) == "half an ans");
      feed.abort();
      int err = 0;
      BOOST_TEST((fetch(pumping, err).side == PumpSide::source));
      BOOST_TEST(err == ECONNRESET);
      BOOST_TEST(!target.is_open());
      BOOST_TEST(end_of(sink) == ECONNRESET);
    }
  }
}

BOOST_AUTO_TEST_CASE(relay_of_two_pumps_passes_a_reset_on_and_ends_both) {
  open(tcp_pair(), tcp_pair());
  auto there = tsock::pump(source, target);
  auto back = tsock::pump(target, source);
  write_text(feed, "question");
  BOOST_TEST(read_text(sink, 8) == "question");
  write_text(sink, "half an ans");
  BOOST_TEST(read_text(feed, 11) == "half an ans");
  sink.abort();
  BOOST_TEST(error_of(back) == ECONNRESET);
  BOOST_TEST(error_of(there) == ECONNABORTED);
  BOOST_TEST(end_of(feed) == ECONNRESET);
}

BOOST_AUTO_TEST_CASE(target_is_not_reset_where_the_pump_does_not_tell_the_end_or_never_began) {
  open(tcp_pair(), tcp_pair());
  auto pumping = tsock::pump(source, target, {.half_close = false});
  feed.abort();
  BOOST_TEST(error_of(pumping) == ECONNRESET);
  BOOST_TEST(target.is_open());
  std::byte byte{};
  auto reading = target.read({&byte, 1});
  auto [other, peer] = tcp_pair();
  pumping = tsock::pump(target, other);
  BOOST_TEST(error_of(pumping) == EBUSY);
  BOOST_TEST(other.is_open());
}

// ---- the streams are the pump's ----

struct OwnershipFixture : PumpFixture {
  /// What would take bytes out of the middle, or put some there, or give the stream away.
  void check_owned() {
    std::byte byte{};
    BOOST_TEST(begin(source.read_some({&byte, 1})) == EBUSY);
    BOOST_TEST(begin(target.write("x")) == EBUSY);
    Queue queue(loop);
    BOOST_TEST(begin(target.write(queue, "x")) == EBUSY);
    BOOST_TEST(begin(target.shutdown_write()) == EBUSY);
    for (Stream* stream : {&source, &target}) {
      BOOST_TEST(begin(stream->disconnect()) == EBUSY);
      std::vector<std::byte> unread;
      int err = 0;
      BOOST_TEST(!stream->release_socket(unread, err));
      BOOST_TEST(err == EBUSY);
    }
    BOOST_TEST(begin(tsock::pump(source, sink)) == EBUSY);
    BOOST_TEST(begin(tsock::pump(sink, target)) == EBUSY);
  }
  template <class T>
  int begin(Request<T> request) {
    int result = -1;
    request.set_callback([&result](Request<T>& done) { done.recv(result); });
    loop.run_until_idle();
    return result;
  }
};

BOOST_FIXTURE_TEST_CASE(streams_are_owned_while_idle, OwnershipFixture) {
  open();
  auto pumping = tsock::pump(source, target);
  check_owned();
  loop.run_until_idle();
  check_owned();
  write_text(feed, "unharmed");
  BOOST_TEST(read_text(sink, 8) == "unharmed");
  check_owned();
}

BOOST_FIXTURE_TEST_CASE(streams_are_owned_while_the_buffers_are_full, OwnershipFixture) {
  open();
  const std::vector<std::byte> sent = pattern(4000000);
  auto pumping = tsock::pump(source, target);
  auto writing = feed.write(sent);
  loop.run_until_idle();
  check_owned();
  std::vector<std::byte> received(sent.size());
  auto reading = sink.read(received);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_FIXTURE_TEST_CASE(streams_are_owned_between_the_end_of_the_source_and_the_last_byte, OwnershipFixture) {
  open(memory_pair(), memory_pair());
  auto pumping = tsock::pump(source, target);
  write_text(feed, "the last");
  BOOST_TEST(error_of(feed.disconnect()) == 0);
  loop.run_until_idle();
  std::byte byte{};
  BOOST_TEST(begin(source.read_some({&byte, 1})) == EBUSY);
  BOOST_TEST(begin(source.disconnect()) == EBUSY);
  BOOST_TEST(begin(target.shutdown_write()) == EBUSY);
  BOOST_TEST(read_text(sink, 8) == "the last");
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST(end_of(sink) == EPIPE);
}

BOOST_FIXTURE_TEST_CASE(streams_are_owned_until_the_end_of_the_pump_is_delivered, PumpFixture) {
  open();
  auto pumping = tsock::pump(source, target);
  std::byte byte{};
  Request<ssize_t> reading;
  Request<ssize_t> writing;
  Request<void> disconnecting;
  bool tried = false;
  loop.set_trace([&](const TraceEvent& event) {
    if (tried || event.kind != TraceKind::finished || std::string_view(event.name) != "pump") return;
    tried = true;
    reading = source.read_some({&byte, 1});
    writing = target.write("x");
    disconnecting = target.disconnect();
  });
  BOOST_TEST(error_of(feed.shutdown_write()) == 0);
  BOOST_TEST(error_of(pumping) == 0);
  loop.set_trace(nullptr);
  BOOST_TEST_REQUIRE(tried);
  BOOST_TEST(error_of(reading) == EBUSY);
  BOOST_TEST(error_of(writing) == EBUSY);
  BOOST_TEST(error_of(disconnecting) == EBUSY);
  // From here on they are the user's again.
  BOOST_TEST(error_of(target.disconnect()) == 0);
  BOOST_TEST(error_of(source.disconnect()) == 0);
}

BOOST_AUTO_TEST_CASE(pump_that_was_interrupted_behind_its_half_close_can_be_started_again) {
  for (const auto to : {test::StreamKind::unix_socket, test::StreamKind::memory}) {
    open(unix_pair(), stream_pair(to));
    auto pumping = tsock::pump(source, target);
    write_text(feed, "all");
    BOOST_TEST(error_of(feed.shutdown_write()) == 0);
    BOOST_TEST(read_text(sink, 3) == "all");
    BOOST_TEST(end_of(sink) == EPIPE);
    pumping = {};
    pumping = tsock::pump(source, target);
    int err = -1;
    const PumpResult result = fetch(pumping, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(result.bytes == 0U);
    BOOST_TEST(error_of(target.shutdown_write()) == EALREADY);
  }
}

BOOST_AUTO_TEST_CASE(destroyed_stream_ends_the_pump_and_is_named) {
  for (const bool is_source : {true, false}) {
    for (const bool is_busy : {true, false}) {
      open();
      const std::vector<std::byte> sent = pattern(2000000);
      auto pumping = tsock::pump(source, target);
      Request<ssize_t> writing;
      if (is_busy) writing = feed.write(sent);
      loop.run_until_idle();
      (is_source ? source : target) = Stream();
      int err = 0;
      const PumpResult result = fetch(pumping, err);
      BOOST_TEST(err == ECANCELED);
      BOOST_TEST((result.side == (is_source ? PumpSide::source : PumpSide::target)));
      if (is_busy && !is_source) {
        // What the target did not take can be read behind it.
        std::vector<std::byte> rest(sent.size() - static_cast<std::size_t>(result.bytes));
        auto reading = source.read(rest);
        BOOST_TEST(error_of(reading) == 0);
        BOOST_TEST(
            (std::equal(rest.begin(), rest.end(), sent.begin() + static_cast<std::ptrdiff_t>(result.bytes))));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(streams_may_move_while_the_pump_runs) {
  open();
  auto pumping = tsock::pump(source, target);
  const Stream moved_source = std::move(source);
  const Stream moved_target = std::move(target);
  write_text(feed, "moving");
  BOOST_TEST(read_text(sink, 6) == "moving");
}

BOOST_AUTO_TEST_CASE(stream_pumped_into_itself_echoes) {
  auto [near, far] = unix_pair();
  auto pumping = tsock::pump(far, far);
  write_text(near, "echo");
  BOOST_TEST(read_text(near, 4) == "echo");
  far = Stream();
  BOOST_TEST(error_of(pumping) == ECANCELED);
}

BOOST_AUTO_TEST_CASE(busy_and_closed_streams_are_named) {
  open();
  std::byte byte{};
  auto reading = source.read({&byte, 1});
  auto pumping = tsock::pump(source, target);
  int err = 0;
  BOOST_TEST((fetch(pumping, err).side == PumpSide::source));
  BOOST_TEST(err == EBUSY);
  reading = {};
  BOOST_TEST(error_of(target.disconnect()) == 0);
  pumping = tsock::pump(source, target);
  write_text(feed, "x");
  BOOST_TEST((fetch(pumping, err).side == PumpSide::target));
  BOOST_TEST(err == ENOTCONN);
  const Stream moved = std::move(target);
  pumping = tsock::pump(source, target);
  BOOST_TEST((fetch(pumping, err).side == PumpSide::target));
  BOOST_TEST(err == ENOTCONN);
  Stream none;
  Stream nothing;
  BOOST_TEST(!tsock::pump(none, nothing));
}

BOOST_AUTO_TEST_CASE(loop_destroyed_first) {
  auto own = std::make_unique<Loop>();
  auto in = memory_stream_pair(*own);
  auto out = memory_stream_pair(*own);
  auto pumping = tsock::pump(in.second, out.first);
  auto writing = in.first.write("x");
  own->run_until_idle();
  own.reset();
  int err = 0;
  pumping.recv(err);
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_CASE(shows_as_the_parent_of_its_reads_in_the_dump) {
  open();
  auto pumping = tsock::pump(source, target);
  const std::string text = dump();
  BOOST_TEST(text.find("pump ") != std::string::npos);
  BOOST_TEST(text.find("    #") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
