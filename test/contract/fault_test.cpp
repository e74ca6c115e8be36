#include "contract/stream_fixture.hpp"

// What a stream does when the peer goes: docs/contracts.md has the same table.

using namespace tsock;
using namespace tsock::test;

namespace {

/// What the peer does.
enum class Event { close, reset, half_close_then_reset, half_close };
constexpr std::array events{Event::close, Event::reset, Event::half_close_then_reset, Event::half_close};

/// What our side is doing then.
enum class Activity { reading, writing, both, idle, monitoring };
constexpr std::array activities{Activity::reading, Activity::writing, Activity::both, Activity::idle,
                                Activity::monitoring};

constexpr int unused = -1;   ///< there is no such operation
constexpr int goes_on = -2;  ///< the operation is not disturbed: it completes once the peer reads
constexpr int closed = -4;   ///< EPIPE, as the system tells it to who writes
constexpr int broken = -3;   ///< EPIPE or ECONNRESET, as the transport has it

/// What the reads, writes and monitors in progress give; with Activity::idle, those that follow.
struct Result {
  int read;
  int write;
  int monitor;
};

// By event and activity. `close`: the peer closes; with a write blocked it leaves bytes unread, which the
// transport tells as a reset.
constexpr Result table[4][5] = {
    // reading                    writing                         both
    // idle                       monitoring
    {{EPIPE, unused, unused},
     {unused, ECONNRESET, unused},
     {ECONNRESET, ECONNRESET, unused},
     {EPIPE, closed, unused},
     {unused, unused, EPIPE}},
    {{ECONNRESET, unused, unused},
     {unused, ECONNRESET, unused},
     {ECONNRESET, ECONNRESET, unused},
     {ECONNRESET, ECONNRESET, unused},
     {unused, unused, ECONNRESET}},
    {{EPIPE, unused, unused},
     {unused, broken, unused},
     {EPIPE, broken, unused},
     {EPIPE, closed, unused},
     {unused, unused, EPIPE}},
    {{EPIPE, unused, unused},
     {unused, goes_on, unused},
     {EPIPE, goes_on, unused},
     {EPIPE, goes_on, unused},
     {unused, unused, EPIPE}},
};

std::ostream& operator<<(std::ostream& out, Event event) {
  return out << std::array{"close", "reset", "half-close then reset",
                           "half-close"}[static_cast<std::size_t>(event)];
}

std::ostream& operator<<(std::ostream& out, Activity activity) {
  return out << std::array{"reading", "writing", "both", "idle",
                           "monitoring"}[static_cast<std::size_t>(activity)];
}

bool can(const Backend& backend, Event event, Activity activity) {
  switch (event) {
    case Event::close:
      return true;
    case Event::reset:
      return backend.traits.reset;
    case Event::half_close_then_reset:
      // A reset drops the message that a layer's half-close is.
      return backend.traits.half_close && backend.traits.sees_half_close && backend.traits.reset;
    case Event::half_close:
      return backend.traits.half_closes_alone() &&
             (activity != Activity::monitoring || backend.traits.sees_half_close);
  }
  return false;
}

struct FaultFixture : StreamFixture {
  void cause(Event event) {
    switch (event) {
      case Event::close:
        peer = Stream();  // a disconnect would read what comes
        break;
      case Event::reset:
        peer.abort();
        break;
      case Event::half_close_then_reset:
        BOOST_TEST(error_of(peer.shutdown_write()) == 0);
        loop.run_until_idle();
        peer.abort();
        break;
      case Event::half_close:
        BOOST_TEST(error_of(peer.shutdown_write()) == 0);
        break;
    }
  }

  static void check(int err, int expected) {
    if (expected == broken) {
      BOOST_TEST((err == EPIPE || err == ECONNRESET));
    } else if (expected == closed) {
      BOOST_TEST(tells_closed_peer(err));
    } else {
      BOOST_TEST(err == expected);
    }
  }

  // A write may go out before the answer to it tells that nobody is there.
  int error_of_writing_until_it_fails(bool late) {
    int err = 0;
    for (int i = 0; err == 0 && i < 100; ++i) {
      err = error_of(ours.write("x"));
      if (!late) break;
      loop.run_once();
    }
    return err;
  }

  void check_row(const Backend& backend, Event event, Activity activity) {
    const Result expected = table[static_cast<std::size_t>(event)][static_cast<std::size_t>(activity)];
    open(backend);
    Bytes buffer(4);
    Request<ssize_t> reading;
    Request<ssize_t> writing;
    Request<void> watching;
    if (activity == Activity::writing || activity == Activity::both) writing = block_writing(ours);
    if (activity == Activity::reading || activity == Activity::both) reading = ours.read(buffer);
    if (activity == Activity::monitoring) watching = ours.monitor();
    loop.run_until_idle();

    cause(event);

    if (reading) {
      check(error_of(reading), expected.read);
      BOOST_TEST(reading.transferred() == 0U);
    }
    if (watching) check(error_of(watching), expected.monitor);
    if (writing && expected.write != goes_on) check(error_of(writing), expected.write);
    check_quiet();
    if (writing && expected.write == goes_on) {
      BOOST_TEST(writing.is_in_progress());
      take_what_fills(peer);
      BOOST_TEST((take(peer, blocked_bytes().size()) == blocked_bytes()));
      BOOST_TEST(error_of(writing) == 0);
    }
    if (activity == Activity::idle) {
      check(error_of(ours.read(buffer)), expected.read);
      if (expected.write == goes_on) {
        Request<ssize_t> next = ours.write("abc");
        BOOST_TEST(take_text(peer, 3) == "abc");
        BOOST_TEST(error_of(next) == 0);
      } else {
        check(error_of_writing_until_it_fails(backend.traits.late_reset && event == Event::close),
              expected.write);
      }
      check_quiet(std::chrono::milliseconds(5));
    }
    BOOST_TEST(error_of(ours.disconnect()) == 0);
    peer = Stream();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_fault)

BOOST_DATA_TEST_CASE_F(FaultFixture, each_fault_has_its_result_and_nothing_spins, data::make(paths()),
                       backend) {
  for (const Event event : events) {
    for (const Activity activity : activities) {
      if (!can(backend, event, activity)) continue;
      BOOST_TEST_CONTEXT(event << " while " << activity) { check_row(backend, event, activity); }
    }
  }
}

// A half-closed peer and a blocked write: a monitor that has fired, a reader that has ended and a writer that
// waits must not keep the loop busy, however often they are started again.
BOOST_DATA_TEST_CASE_F(FaultFixture, a_blocked_write_to_a_half_closed_peer_costs_nothing_while_it_waits,
                       data::make(paths_with([](const BackendTraits& traits) {
                         return traits.half_close && traits.sees_half_close;
                       })),
                       backend) {
  open(backend);
  Request<ssize_t> writing = block_writing(ours);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  BOOST_TEST(error_of(watching) == EPIPE);
  check_quiet();
  watching = ours.monitor();
  BOOST_TEST(error_of(watching) == EPIPE);
  check_quiet();
  Bytes buffer(1);
  BOOST_TEST(error_of(ours.read(buffer)) == EPIPE);
  check_quiet();
  BOOST_TEST(writing.is_in_progress());
  take_what_fills(peer);
  BOOST_TEST((take(peer, blocked_bytes().size()) == blocked_bytes()));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(FaultFixture, unread_bytes_nobody_asks_for_cost_nothing, data::make(paths()),
                       backend) {
  open(backend);
  Bytes buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> writing = peer.write("abcdef");
  BOOST_TEST(error_of(reading) == 0);
  check_quiet();
  BOOST_TEST(take_text(ours, 5) == "bcdef");
  BOOST_TEST(error_of(writing) == 0);
}

// libuv once told the end before data that could still be read.
BOOST_DATA_TEST_CASE_F(FaultFixture, what_can_still_be_read_is_delivered_after_a_write_has_failed,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.buffers; })),
                       backend) {
  open(backend);
  BOOST_TEST(error_of(peer.write("last words")) == 0);
  peer = Stream();
  const int err = error_of_writing_until_it_fails(true);
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
  int read_error = 0;
  BOOST_TEST(text_of(take_all(ours, read_error)) == "last words");
  BOOST_TEST((read_error == EPIPE || read_error == ECONNRESET));
}

BOOST_DATA_TEST_CASE_F(FaultFixture, what_can_still_be_read_is_delivered_to_a_reader_beside_a_failing_write,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.buffers; })),
                       backend) {
  open(backend);
  Request<ssize_t> writing = block_writing(ours);
  BOOST_TEST(error_of(peer.write("last words")) == 0);
  Bytes buffer(4);
  Request<ssize_t> reading = ours.read(buffer);
  peer = Stream();
  // Where nothing has to linger, bytes that the peer did not read are no reset.
  const int expected = backend.traits.lingers ? ECONNRESET : EPIPE;
  BOOST_TEST(error_of(writing) == expected);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(buffer) == "last");
  int read_error = 0;
  BOOST_TEST(text_of(take_all(ours, read_error)) == " words");
  BOOST_TEST(read_error == expected);
}

BOOST_DATA_TEST_CASE_F(FaultFixture, a_reset_in_a_message_tells_the_bytes_that_came,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.reset; })),
                       backend) {
  open(backend);
  Bytes buffer(4);
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> writing = peer.write("ab");
  reach(reading, 2);
  BOOST_TEST(error_of(writing) == 0);
  peer.abort();
  BOOST_TEST(error_of(reading) == ECONNRESET);
  BOOST_TEST(reading.transferred() == 2U);
  BOOST_TEST(text_of(std::span(buffer).first(2)) == "ab");
}

BOOST_DATA_TEST_CASE_F(FaultFixture, ending_the_own_side_of_a_broken_connection_tells_what_broke_it,
                       data::make(paths_with([](const BackendTraits& traits) {
                         return traits.reset && traits.half_close && traits.socket;
                       })),
                       backend) {
  open(backend);
  peer.abort();
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(watching) == ECONNRESET);
  BOOST_TEST(error_of(ours.shutdown_write()) == ECONNRESET);
}

BOOST_AUTO_TEST_SUITE_END()
