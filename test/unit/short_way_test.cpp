// What runs for every message takes a short way where nothing is in its way: in a callback, with states that
// were kept. Everything else has to be told from it; and what a state was before must not show.
#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "core/loop/pool.hpp"
#include "core/stream/read_states.hpp"
#include "core/stream/write_state.hpp"
#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::text_of;

BOOST_AUTO_TEST_SUITE(short_way)

namespace {

struct ShortWayFixture : LoopFixture {
  std::pair<Stream, Stream> streams = unix_pair();
  Stream& out = streams.first;
  Stream& in = streams.second;
  Queue queue{loop};
  Queue other{loop};

  /// Runs `body` in a callback of a loop that keeps states, with queues that have served the stream.
  template <class F>
  void in_callback(F body) {
    std::array<Request<ssize_t>, 4> writes;
    for (auto& write : writes) write = out.write(queue, "\1q");
    loop.run_until_idle();
    for (auto& write : writes) write = out.write(other, "\1o");
    loop.run_until_idle();
    for (std::size_t i = 0; i < 2 * writes.size(); ++i) {
      auto reading = in.readv_pdu(framing::u8{});
      BOOST_TEST(error_of(reading) == 0);
    }
    writes = {};
    BOOST_TEST(keeps_states());
    in_callback_now(body);
  }
  template <class F>
  void in_callback_now(F body) {
    bool ran = false;
    loop.sleep(0ns).detach([&](auto&) {
      body();
      ran = true;
    });
    BOOST_TEST(run_until([&] { return ran; }));
    loop.run_until_idle();
  }
  /// Where the pool keeps anything.
  [[nodiscard]] bool keeps_states() {
    return detail::Pool::passes_through() ||
           (loop.core().state_cache().first<detail::StreamWrite>() != nullptr &&
            loop.core().state_cache().first<detail::PrefixedPduState>() != nullptr);
  }
  std::string received(std::size_t size) {
    std::string text(size, '\0');
    auto reading = in.read(std::as_writable_bytes(std::span(text)));
    BOOST_TEST(error_of(reading) == 0);
    return text;
  }
  /// Runs `body` in the callback of a message of `text`, the first one, while the rest of it is unread.
  template <class F>
  void in_message(std::string_view text, F body) {
    in_callback([] {});
    bool ran = false;
    auto reading = in.readv_pdu(framing::u8{});
    reading.set_callback([&](Request<Pdu>& request) {
      int err = 0;
      const Pdu first = request.recv(err);
      BOOST_TEST(err == 0);
      body();
      ran = true;
    });
    auto writing = out.write(text);
    loop.run_until_idle();
    BOOST_TEST(ran);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_state_that_is_kept_is_poisoned, ShortWayFixture) {
  in_callback([] {});
  const auto* const write = loop.core().state_cache().first<detail::StreamWrite>();
  const auto* const read = loop.core().state_cache().first<detail::PrefixedPduState>();
  const bool is_watched = detail::memory_is_watched && !detail::Pool::passes_through();
  BOOST_TEST(detail::is_poisoned(write, sizeof(*write)) == is_watched);
  BOOST_TEST(detail::is_poisoned(read, sizeof(*read)) == is_watched);
}

BOOST_FIXTURE_TEST_CASE(while_a_queue_writes_others_are_refused, ShortWayFixture) {
  Request<ssize_t> first;
  Request<ssize_t> second;
  Request<ssize_t> direct;
  Request<ssize_t> of_other;
  in_callback([&] {
    first = out.write(queue, "a");
    direct = out.write("b");
    of_other = out.write(other, "c");
    second = out.write(queue, "d");
  });
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(error_of(direct) == EBUSY);
  BOOST_TEST(error_of(of_other) == EBUSY);
  BOOST_TEST(received(2) == "ad");
}

BOOST_FIXTURE_TEST_CASE(while_a_write_without_a_queue_is_under_way_queues_are_refused, ShortWayFixture) {
  Request<ssize_t> direct;
  Request<ssize_t> again;
  Request<ssize_t> queued;
  in_callback([&] {
    direct = out.write("a");
    again = out.write("b");
    queued = out.write(queue, "c");
  });
  BOOST_TEST(error_of(direct) == 0);
  BOOST_TEST(error_of(again) == EBUSY);
  BOOST_TEST(error_of(queued) == EBUSY);
  BOOST_TEST(received(1) == "a");
}

BOOST_FIXTURE_TEST_CASE(a_queue_that_is_stopped_or_held_starts_nothing, ShortWayFixture) {
  Request<ssize_t> stopped;
  Request<ssize_t> behind;
  in_callback([&] {
    queue.stop();
    stopped = out.write(queue, "stopped ");
  });
  BOOST_TEST(stopped.is_in_progress());
  queue.start();
  BOOST_TEST(error_of(stopped) == 0);
  BOOST_TEST(received(8) == "stopped ");

  auto holding = queue.wait();
  in_callback_now([&] { behind = out.write(queue, "behind"); });
  BOOST_TEST(behind.is_in_progress());
  BOOST_TEST(queue.length() == 2U);
  int err = 0;
  { const QueueHold hold = holding.recv(err); }
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(behind) == 0);
  BOOST_TEST(received(6) == "behind");
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_is_or_will_be_shut_down_takes_no_write, ShortWayFixture) {
  Request<ssize_t> before;
  Request<ssize_t> behind;
  Request<ssize_t> later;
  Request<void> ending;
  in_callback([&] {
    before = out.write(queue, "a");
    ending = out.shutdown_write();
    behind = out.write(queue, "b");
  });
  BOOST_TEST(error_of(ending) == 0);
  in_callback_now([&] { later = out.write(queue, "c"); });
  BOOST_TEST(error_of(before) == 0);
  BOOST_TEST(error_of(behind) == EPIPE);
  BOOST_TEST(error_of(later) == EPIPE);
  BOOST_TEST(received(1) == "a");
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_was_closed_takes_no_write, ShortWayFixture) {
  Request<ssize_t> write;
  in_callback([&] {
    out.abort();
    write = out.write(queue, "a");
  });
  BOOST_TEST(error_of(write) == ENOTCONN);
}

BOOST_FIXTURE_TEST_CASE(a_stream_on_which_a_message_was_cut_takes_no_write, ShortWayFixture) {
  const std::vector<std::byte> more_than_fits(std::size_t{8} << 20);
  Request<ssize_t> cut;
  Request<ssize_t> behind;
  in_callback([&] { cut = out.write(queue, more_than_fits); });
  BOOST_TEST(cut.transferred() != 0U);
  in_callback_now([&] {
    cut = {};
    behind = out.write(queue, "behind");
  });
  BOOST_TEST(error_of(behind) == EPROTO);
}

BOOST_FIXTURE_TEST_CASE(bytes_are_counted_where_somebody_counts_them, ShortWayFixture) {
  Request<ssize_t> write;
  Request<ssize_t> too_much;
  in_callback([&] {
    out.set_watermarks({.high = 4, .low = 1, .cap = 8}, [](Watermark) {});
    write = out.write(queue, "12345");
    BOOST_TEST(out.queued_bytes() == 5U);
    too_much = out.write(queue, "6789");
  });
  BOOST_TEST(error_of(write) == 0);
  BOOST_TEST(error_of(too_much) == ENOBUFS);
  BOOST_TEST(out.queued_bytes() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_second_read_is_refused_until_the_first_is_delivered, ShortWayFixture) {
  Request<Pdu> second;
  Request<Pdu> refused;
  in_message("\1a\1b\1c", [&] {
    second = in.readv_pdu(framing::u8{});
    refused = in.readv_pdu(framing::u8{});
    BOOST_TEST(second.transferred() == 2U);
  });
  int err = 0;
  BOOST_TEST(text_of(second.recv(err).body()) == "b");
  BOOST_TEST(error_of(refused) == EBUSY);
  auto third = in.readv_pdu(framing::u8{});
  wait_for(third);
  BOOST_TEST(text_of(third.recv(err).body()) == "c");
}

BOOST_FIXTURE_TEST_CASE(a_message_that_was_there_but_not_delivered_goes_back_whole, ShortWayFixture) {
  in_message("\1a\1b", [&] {
    auto abandoned = in.readv_pdu(framing::u8{});
    BOOST_TEST(abandoned.is_in_progress());
  });
  BOOST_TEST(received(2) == "\1b");
}

BOOST_FIXTURE_TEST_CASE(a_message_outside_of_its_limits_is_refused_and_stays, ShortWayFixture) {
  using namespace std::string_literals;
  Request<Pdu> too_long;
  Request<Pdu> too_short;
  in_message("\1a\0\0\0\3abc"s, [&] {
    too_long = in.readv_pdu(framing::u32be{.max_body = 2});
    too_long.set_callback(
        [&](auto&) { too_short = in.readv_pdu(framing::u32be{.max_body = 9, .min_body = 4}); });
  });
  BOOST_TEST(error_of(too_long) == EMSGSIZE);
  BOOST_TEST(error_of(too_short) == EMSGSIZE);
  BOOST_TEST(received(7) == "\0\0\0\3abc"s);
}

BOOST_FIXTURE_TEST_CASE(every_kind_of_prefix_is_read_at_once, ShortWayFixture) {
  using namespace std::string_literals;
  std::vector<Pdu> pdus;
  Request<Pdu> reading;
  const auto take = [&](Request<Pdu>& request) {
    int err = 0;
    pdus.push_back(request.recv(err));
    BOOST_TEST(err == 0);
  };
  in_message(
      "\1a"
      "\0\1b"
      "\1\0c"
      "\0\0\0\1d"
      "\1\0\0\0e"
      "\6\0\0\0f-"s,
      [&] {
        reading = in.readv_pdu(framing::u16be{});
        reading.set_callback([&](auto& r1) {
          take(r1);
          reading = in.readv_pdu(framing::u16le{});
          reading.set_callback([&](auto& r2) {
            take(r2);
            reading = in.readv_pdu(framing::u32be{});
            reading.set_callback([&](auto& r3) {
              take(r3);
              reading = in.readv_pdu(framing::u32le{});
              reading.set_callback([&](auto& r4) {
                take(r4);
                reading = in.readv_pdu(framing::u32le{.includes_header = true});
                reading.set_callback([&](auto& r5) { take(r5); });
              });
            });
          });
        });
      });
  std::string bodies;
  for (const Pdu& pdu : pdus) bodies += text_of(pdu.body()) + " ";
  BOOST_TEST(bodies == "b c d e f- ");
  BOOST_TEST(pdus.back().header().size() == 4U);
}

BOOST_FIXTURE_TEST_CASE(what_a_state_was_before_does_not_show, ShortWayFixture) {
  std::array<std::byte, 1> byte{};
  in_callback([] {});
  for (int round = 0; round < 3; ++round) {
    // One read that times out in the middle of a message, one write that is cancelled.
    auto reading = in.readv_pdu(framing::u8{});
    auto part = out.write("\3x");
    BOOST_TEST(run_until([&] { return reading.transferred() == 2; }));
    reading.set_timeout(0ns);
    BOOST_TEST(error_of(reading) == ETIMEDOUT);
    auto cancelled = out.write(queue, "never");
    cancelled.cancel();
    BOOST_TEST(error_of(cancelled) == ECANCELED);
    reading = {};
    part = {};
    cancelled = {};
    BOOST_TEST(received(2) == "\3x");

    Request<Pdu> next;
    Request<ssize_t> write;
    loop.sleep(0ns).detach([&](auto&) {
      next = in.readv_pdu(framing::u8{});
      write = out.write(queue, "\2ab");
      BOOST_TEST(next.transferred() == 0U);
      BOOST_TEST(write.transferred() == 0U);
    });
    BOOST_TEST(run_until([&] { return next && !next.is_in_progress() && !write.is_in_progress(); }));
    int err = -1;
    BOOST_TEST(write.recv(err) == 3);
    BOOST_TEST(err == 0);
    BOOST_TEST(text_of(next.recv(err).body()) == "ab");
    BOOST_TEST(err == 0);
    BOOST_TEST(loop.metrics().deadlines == 0U);
  }
  auto nothing_left = in.read(byte);
  loop.run_until_idle();
  BOOST_TEST(nothing_left.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(a_trace_that_begins_later_sees_all_that_begins_then, ShortWayFixture) {
  std::size_t started = 0;
  Request<Pdu> reading;
  const auto trace = [&](const TraceEvent& event) { started += event.kind == TraceKind::started ? 1 : 0; };
  const std::function<void(int)> answer = [&](int count) {
    reading = in.readv_pdu(framing::u8{});
    reading.set_callback([&, count](Request<Pdu>& request) {
      int err = 0;
      Pdu pdu = request.recv(err);
      const auto vector = pdu.vector();
      in.writev(queue, vector).detach([held = std::move(pdu)](auto&) {});
      if (count > 1) answer(count - 1);
    });
  };
  in_callback([] {});
  for (int round = 0; round < 2; ++round) {
    loop.set_trace(trace);
    BOOST_TEST((detail::Pool::passes_through() || !keeps_states()));
    answer(3);
    auto writing = out.write("\1a\1b\1c");
    loop.run_until_idle();
    BOOST_TEST(started == 7U);
    started = 0;
    loop.set_trace({});
    answer(3);
    auto unseen = out.write("\1a\1b\1c");
    loop.run_until_idle();
    BOOST_TEST(started == 0U);
    writing = {};
    unseen = {};
    reading = {};
    BOOST_TEST(keeps_states());
    std::array<std::byte, 12> answers{};
    auto all = out.read(answers);
    BOOST_TEST(error_of(all) == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(of_writes_side_by_side_those_that_were_cancelled_do_not_leave, ShortWayFixture) {
  const std::string text = "onetwosix";
  for (std::size_t gone = 0; gone < 3; ++gone) {
    std::array<Request<ssize_t>, 3> writes;
    const auto start = [&] {
      for (std::size_t i = 0; i < 3; ++i)
        writes[i] = out.write(queue, std::string_view(text).substr(i * 3, 3));
      writes[gone].cancel();
    };
    const std::string rest = std::string(text).erase(gone * 3, 3);
    in_callback(start);
    BOOST_TEST(received(6) == rest);
    start();
    loop.run_until_idle();
    BOOST_TEST(received(6) == rest);
  }
}

BOOST_FIXTURE_TEST_CASE(several_vectors_between_neighbours_leave_in_their_place, ShortWayFixture) {
  const std::string text = "abcdefghij..xy";
  const auto part = [&](std::size_t begin, std::size_t size) {
    return make_vector(std::as_bytes(std::span(text).subspan(begin, size)));
  };
  std::array<Request<ssize_t>, 3> writes;
  in_callback([&] {
    const std::array<iovec, 1> before{part(0, 4)};
    const std::array<iovec, 2> between{part(4, 2), part(12, 2)};
    // As far behind the first vector of the one before it as that one has bytes.
    const std::array<iovec, 1> behind{part(8, 2)};
    writes[0] = out.writev(queue, before);
    writes[1] = out.writev(queue, between);
    writes[2] = out.writev(queue, behind);
  });
  for (auto& write : writes) BOOST_TEST(error_of(write) == 0);
  BOOST_TEST(received(10) == "abcdefxyij");
}

// More than the socket takes, so that it leaves in pieces, while new neighbours come.
BOOST_FIXTURE_TEST_CASE(large_neighbours_leave_whole_and_in_order, ShortWayFixture) {
  constexpr std::size_t piece = 50000;
  constexpr std::size_t count = 80;
  const std::vector<std::byte> bytes = pattern(piece * count);
  std::vector<Request<ssize_t>> writes;
  const auto write_next = [&](std::size_t n) {
    for (; n > 0 && writes.size() < count; --n)
      writes.push_back(out.write(queue, std::span(bytes).subspan(writes.size() * piece, piece)));
  };
  in_callback([&] { write_next(20); });
  std::vector<std::byte> got(bytes.size());
  for (std::size_t size = 0; size < got.size(); size += piece) {
    auto reading = in.read(std::span(got).subspan(size, piece));
    loop.sleep(0ns).detach([&](auto&) { write_next(2); });
    BOOST_TEST(error_of(reading) == 0);
  }
  BOOST_TEST((got == bytes));
  for (auto& write : writes) BOOST_TEST(error_of(write) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
