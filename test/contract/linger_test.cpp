#include <algorithm>
#include <limits>
#include <memory>
#include <tuple>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"
#include "support/system.hpp"

// What a disconnect waits for, and how it ends.

using namespace tsock;
using namespace tsock::test;
using namespace std::chrono_literals;

namespace {

auto lingering() {
  return paths_with([](const BackendTraits& traits) { return traits.lingers; });
}
auto buffering() {
  return paths_with([](const BackendTraits& traits) { return traits.lingers && traits.buffers; });
}
// Where a reset drops what the peer has not read yet.
auto over_tcp() {
  return paths_with([](const BackendTraits& traits) { return traits.socket && traits.reset; });
}
auto buffering_without_loss() {
  return paths_with(
      [](const BackendTraits& traits) { return traits.lingers && traits.buffers && !traits.reset; });
}
auto lingering_with_reset() {
  return paths_with([](const BackendTraits& traits) { return traits.reset; });
}

struct LingerFixture : StreamFixture {
  /// Bytes of the peer that nobody on this side reads.
  Request<ssize_t> talking;
  Bytes written;

  void leave_unread() {
    talking = peer.write("unread");
    loop.run_until_idle();
  }

  /// Fills what lies between the two, so that some of it has no room on the other side.
  void fill(const Backend& backend) {
    if (!backend.traits.buffers) return;
    if (!backend.traits.takes_parts()) {
      fill_with_messages();
      return;
    }
    std::size_t size = 0;
    Bytes sink(std::size_t{64} * 1024);
    Request<ssize_t> writing = block_writing(ours);
    size = blocked_bytes().size();
    std::size_t taken = 0;
    // The writer has its turn before each read: where it is late, all would be read.
    while (loop.run_until_idle(), writing.is_in_progress()) {
      Request<ssize_t> reading = peer.read_some(sink);
      taken += static_cast<std::size_t>(value_of(reading));
    }
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST_REQUIRE(taken < size);
    written.assign(blocked_bytes().begin() + static_cast<std::ptrdiff_t>(taken), blocked_bytes().end());
  }

  /// The same where the other side gets nothing of a message before it has all of it.
  void fill_with_messages() {
    const Bytes message = pattern(1000);
    Request<ssize_t> writing;
    std::size_t count = 0;
    do {
      writing = ours.write(message);
      loop.run_until_idle();
      ++count;
    } while (!writing.is_in_progress());
    for (; writing.is_in_progress(); --count) BOOST_TEST((take(peer, message.size()) == message));
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST_REQUIRE(count != 0U);
    for (; count != 0; --count) written.insert(written.end(), message.begin(), message.end());
  }

  /// A peer that takes its time, and talks on meanwhile.
  Bytes read_slowly(int& err) {
    Bytes all;
    Bytes buffer(std::size_t{16} * 1024);
    std::size_t more = 0;
    for (;;) {
      Request<ssize_t> reading = peer.read_some(buffer);
      const ssize_t got = fetch(reading, err);
      if (err != 0) return all;
      all.insert(all.end(), buffer.begin(), buffer.begin() + got);
      if (++more < 10) BOOST_TEST(error_of(peer.write("and more")) == 0);
      loop.run_until_idle();
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(linger)

BOOST_DATA_TEST_CASE_F(LingerFixture, what_was_written_arrives_although_input_is_unread,
                       data::make(lingering()), backend) {
  open(backend);
  fill(backend);
  leave_unread();
  Request<void> closing = ours.disconnect();
  int err = 0;
  BOOST_TEST((read_slowly(err) == written));
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(talking) == 0);
  BOOST_TEST(closing.is_in_progress());
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(closing.transferred() >= (backend.traits.floors != 0 ? 1U : 6U));  // of a record only its part
  BOOST_TEST(!ours.is_open());
}

BOOST_DATA_TEST_CASE_F(LingerFixture, six_unread_bytes_behind_a_write_that_is_out_cost_nothing,
                       data::make(buffering()), backend) {
  open(backend);
  // One of them was read ahead.
  BOOST_TEST(error_of(peer.write("!unread")) == 0);
  Bytes first(1);
  BOOST_TEST(error_of(ours.read(first)) == 0);
  fill(backend);
  Request<void> closing = ours.disconnect();
  int err = 0;
  BOOST_TEST((take_all(peer, err) == written));
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(closing.transferred() == 6U + backend.traits.goodbye);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, bytes_that_were_read_ahead_are_unread_too, data::make(lingering()),
                       backend) {
  open(backend);
  talking = peer.write("!unread");
  Bytes first(1);
  BOOST_TEST(error_of(ours.read(first)) == 0);
  loop.run_until_idle();
  Request<void> closing = ours.disconnect({.linger_time = 1h});
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  BOOST_TEST(error_of(talking) == 0);
  int err = 0;
  take_all(peer, err);  // also the goodbye of a layer, which a peer that closes would answer with a reset
  BOOST_TEST(err == EPIPE);
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(closing.transferred() == 6U);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_silent_peer_that_has_everything_is_not_waited_for,
                       data::make(lingering()), backend) {
  open(backend);
  // In a conversation the kernel puts acknowledgements off.
  for (int i = 0; i < 20; ++i) {
    Request<ssize_t> asking = peer.write("ask");
    BOOST_TEST(take_text(ours, 3) == "ask");
    Request<ssize_t> answering = ours.write("answer");
    BOOST_TEST(take_text(peer, 6) == "answer");
    BOOST_TEST(error_of(asking) == 0);
    BOOST_TEST(error_of(answering) == 0);
  }
  Request<void> closing = ours.disconnect({.linger_time = 1h});
  BOOST_TEST(error_of(closing) == 0);
  Bytes buffer(1);
  BOOST_TEST(error_of(peer.read(buffer)) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, what_was_sent_arrives_although_input_comes_later,
                       data::make(over_tcp()), backend) {
  open(backend);
  fill(backend);
  Request<void> closing = ours.disconnect({.linger_time = 1h});
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  int err = 0;
  BOOST_TEST((read_slowly(err) == written));
  BOOST_TEST(err == EPIPE);
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_silent_peer_that_had_no_room_is_waited_for_until_its_end,
                       data::make(over_tcp()), backend) {
  if (uses_posix_alone()) {
    BOOST_TEST_MESSAGE("skipped: nothing tells here what the peer has no room for");
    return;
  }
  open(backend);
  fill(backend);
  Request<void> closing = ours.disconnect({.linger_time = 1h});
  int err = 0;
  BOOST_TEST((take_all(peer, err) == written));
  BOOST_TEST(err == EPIPE);
  check_quiet();
  BOOST_TEST(closing.is_in_progress());
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(closing.transferred() == 0U);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, what_the_other_end_of_a_unix_socket_has_not_read_is_not_waited_for,
                       data::make(buffering_without_loss()), backend) {
  open(backend);
  fill(backend);
  BOOST_TEST(error_of(ours.disconnect({.linger_time = 1h})) == 0);
  int err = 0;
  BOOST_TEST((take_all(peer, err) == written));
  BOOST_TEST(err == EPIPE);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_peer_that_has_ended_its_side_is_not_waited_for,
                       data::make(lingering()), backend) {
  if (!backend.traits.half_closes_alone()) return;
  open(backend);
  fill(backend);
  Request<ssize_t> last = peer.write("unread");
  Request<void> ending = peer.shutdown_write();
  loop.run_until_idle();
  BOOST_TEST(error_of(ours.disconnect({.linger_time = 1h})) == 0);
  BOOST_TEST(error_of(last) == 0);
  BOOST_TEST(error_of(ending) == 0);
  int err = 0;
  BOOST_TEST((take_all(peer, err) == written));
  BOOST_TEST(err == EPIPE);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_peer_that_never_stops_talking_meets_the_limit_of_bytes,
                       data::make(lingering()), backend) {
  open(backend);
  Request<ssize_t> endless = block_writing(peer);
  const std::size_t most = backend.traits.buffers ? backend.traits.at_most(std::size_t{1} << 20) / 2 : 50;
  Request<void> closing = ours.disconnect({.most_discarded = most});
  BOOST_TEST(error_of(closing) == ENOBUFS);
  BOOST_TEST(closing.transferred() > most);
  // Each layer looks behind the limit; a message of a socket goes whole.
  const std::size_t expected = backend.traits.messages_that_fit != 0
                                   ? backend.traits.longest_write
                                   : most + std::max(1U, backend.traits.floors);
  if (backend.traits.buffers) BOOST_TEST(closing.transferred() == expected);
  BOOST_TEST(!ours.is_open());
  if (backend.traits.takes_parts()) BOOST_TEST(error_of(endless) != 0);  // a message is read whole
}

BOOST_DATA_TEST_CASE_F(LingerFixture, as_many_bytes_as_may_be_discarded_are_within_the_limit,
                       data::make(lingering()) * data::make({false, true}), backend, without_limit) {
  open(backend);
  leave_unread();
  // Below a layer its records are counted.
  const std::size_t most =
      without_limit ? std::numeric_limits<std::size_t>::max() : 6 + backend.traits.floors * 64;
  Request<void> closing = ours.disconnect({.most_discarded = most});
  BOOST_TEST(error_of(talking) == 0);
  BOOST_TEST(closing.is_in_progress());
  int err = 0;
  take_all(peer, err);  // also the goodbye of a layer, which a peer that closes would answer with a reset
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
  if (backend.traits.floors == 0) BOOST_TEST(closing.transferred() == 6U);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, bytes_that_were_read_ahead_are_within_the_limit_too,
                       data::make(buffering()), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.write("!unread")) == 0);
  Bytes first(1);
  BOOST_TEST(error_of(ours.read(first)) == 0);
  BOOST_TEST(error_of(ours.disconnect({.linger_time = 1h, .most_discarded = 5})) == ENOBUFS);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, one_turn_discards_a_bounded_number_of_bytes, data::make(over_tcp()),
                       backend) {
  open(backend);
  const Request<ssize_t> endless = block_writing(peer);
  const Request<void> closing = ours.disconnect();
  std::size_t before = 0;
  while (closing.transferred() < std::size_t{8} << 20) {
    BOOST_TEST_REQUIRE(closing.transferred() - before <= std::size_t{1} << 20);
    before = closing.transferred();
    loop.run_once();
  }
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_peer_that_never_reads_meets_the_limit_of_time,
                       data::make(buffering()), backend) {
  open(backend);
  fill(backend);
  leave_unread();
  Request<void> closing = ours.disconnect({.linger_time = 20ms});
  BOOST_TEST(error_of(closing) == ETIMEDOUT);
  BOOST_TEST(!ours.is_open());
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_peer_that_talks_on_meets_the_limit_of_time, data::make(lingering()),
                       backend) {
  open(backend);
  leave_unread();
  Request<void> closing = ours.disconnect({.linger_time = 100ms});
  loop.run_until_idle();
  std::vector<Request<ssize_t>> talk;
  talk.push_back(peer.write("still here"));
  BOOST_TEST(error_of(closing) == ETIMEDOUT);
  BOOST_TEST(closing.transferred() >= 16U);
  if (backend.traits.floors == 0) BOOST_TEST(closing.transferred() == 16U);  // a layer adds its own
  BOOST_TEST(error_of(talking) == 0);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, nothing_is_cut_off_when_the_time_ends_for_a_peer_that_has_everything,
                       data::make(lingering()), backend) {
  // A record that comes in single bytes is still under way when the sending side ends.
  if (backend.traits.floors != 0 && backend.traits.max_transfer == 1) return;
  open(backend);
  leave_unread();
  // Behind a handshake the kernel may be late with its acknowledgement of the end, by up to 200 ms.
  const auto linger_time = backend.traits.floors != 0 ? 250ms : 20ms;
  BOOST_TEST(error_of(ours.disconnect({.linger_time = linger_time})) == 0);
  BOOST_TEST(error_of(talking) == 0);
  Bytes buffer(1);
  BOOST_TEST(error_of(peer.read(buffer)) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, without_linger_time_the_stream_is_closed_at_once,
                       data::make(buffering()), backend) {
  open(backend);
  fill(backend);
  leave_unread();
  Request<void> closing = ours.disconnect({.linger_time = 0s});
  BOOST_TEST(ours.native_handle() == -1);
  BOOST_TEST(error_of(closing) == ETIMEDOUT);
}

// More is there than one turn discards.
BOOST_DATA_TEST_CASE_F(LingerFixture, without_linger_time_a_peer_that_never_stops_talking_is_not_heard_out,
                       data::make(over_tcp()), backend) {
  open(backend);
  Request<ssize_t> endless = block_writing(peer);
  Request<void> closing = ours.disconnect({.linger_time = 0s});
  BOOST_TEST(ours.native_handle() == -1);
  BOOST_TEST(error_of(closing) == ETIMEDOUT);
  BOOST_TEST(error_of(endless) != 0);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_connection_that_breaks_meanwhile_is_told,
                       data::make(lingering_with_reset()), backend) {
  open(backend);
  leave_unread();
  Request<void> closing = ours.disconnect();
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  peer.abort();
  BOOST_TEST(error_of(closing) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_lingering_disconnect_that_is_interrupted_closes_at_once,
                       data::make(lingering()) * data::make({0, 1, 2, 3, 4}), backend, how) {
  open(backend);
  leave_unread();
  Request<void> closing = ours.disconnect();
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  switch (how) {
    case 0:
      closing.cancel();
      BOOST_TEST(error_of(ours.disconnect()) == EALREADY);
      BOOST_TEST(error_of(closing) == ECANCELED);
      break;
    case 1:
      closing.set_timeout(1ms);
      BOOST_TEST(error_of(closing) == ETIMEDOUT);
      break;
    case 2:
      closing = {};
      break;
    case 3:
      ours.abort();
      BOOST_TEST(error_of(closing) == ECONNABORTED);
      break;
    default:
      ours = Stream();
      BOOST_TEST(error_of(closing) == ECANCELED);
  }
  BOOST_TEST(!ours.is_open());
  if (how != 4) BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
  Bytes buffer(1);
  const int err = error_of(peer.read(buffer));
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
}

BOOST_DATA_TEST_CASE_F(LingerFixture, lingering_keeps_nobody_busy, data::make(lingering()), backend) {
  open(backend);
  leave_unread();
  Request<void> closing = ours.disconnect();
  check_quiet();
  BOOST_TEST(closing.is_in_progress());
  int err = 0;
  take_all(peer, err);
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
}

// ---- until it is delivered ----

BOOST_DATA_TEST_CASE_F(LingerFixture, a_disconnect_that_is_over_does_not_keep_the_loop_running,
                       data::make(lingering()), backend) {
  open(backend);
  Request<void> closing = ours.disconnect();
  loop.run_until_idle();
  std::byte byte{};
  BOOST_TEST(error_of(peer.read_some({&byte, 1})) == EPIPE);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(dump().starts_with("loop: 0 requests in progress, 0 deadlines\n"), dump());
}

BOOST_DATA_TEST_CASE_F(LingerFixture, until_a_disconnect_is_delivered_others_are_told_that_it_runs,
                       data::make(lingering()), backend) {
  open(backend);
  Request<void> closing = ours.disconnect();
  Request<void> second = ours.disconnect();
  Bytes buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> some = ours.read_some(buffer);
  Request<Pdu> message = ours.readv_pdu(framing::u32be{});
  Request<ssize_t> writing = ours.write("x");
  Request<void> ending = ours.shutdown_write();
  Request<void> watching = ours.monitor();
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == ECONNABORTED);
  std::vector<std::byte> unread;
  BOOST_TEST(!ours.release_socket(unread, err));
  BOOST_TEST(err == ECONNABORTED);
  BOOST_TEST(error_of(second) == EALREADY);
  BOOST_TEST(error_of(reading) == ECONNABORTED);
  BOOST_TEST(error_of(some) == ECONNABORTED);
  BOOST_TEST(error_of(message) == ECONNABORTED);
  BOOST_TEST(error_of(writing) == ECONNABORTED);
  BOOST_TEST(error_of(ending) == ECONNABORTED);
  BOOST_TEST(error_of(watching) == ECONNABORTED);
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
  BOOST_TEST(error_of(ours.read(buffer)) == ENOTCONN);
  BOOST_TEST(error_of(ours.write("x")) == ENOTCONN);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_stream_may_go_before_its_disconnect_is_delivered,
                       data::make(lingering()) * data::make({0, 1, 2}), backend, how) {
  open(backend);
  Request<void> closing = ours.disconnect({.linger_time = 0s});
  switch (how) {
    case 0: {
      ours = Stream();
      // What a layer has just said has not arrived yet.
      if (backend.traits.floors != 0 && backend.traits.buffers) {
        const int err = error_of(closing);
        const bool may_be_silent = backend.traits.goodbye == 0 || backend.traits.floors > 1;
        BOOST_TEST((err == ETIMEDOUT || (may_be_silent && err == 0)));
      } else {
        BOOST_TEST(error_of(closing) == 0);
      }
      break;
    }
    case 1:
      ours = Stream();
      closing = {};
      break;
    default:
      closing = {};
      BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
      ours = Stream();
  }
}

// ---- with the stream ----

BOOST_DATA_TEST_CASE_F(LingerFixture, a_stream_given_to_its_disconnect_finishes_its_writes,
                       data::make(lingering()), backend) {
  open(backend);
  leave_unread();
  Request<ssize_t> writing = block_writing(ours);
  Bytes buffer(100);
  Request<ssize_t> reading = ours.read(buffer);
  std::move(ours).disconnect().detach();
  take_what_fills(peer);
  int err = 0;
  BOOST_TEST((take_all(peer, err) == blocked_bytes()));
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(error_of(talking) == 0);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_queue_given_along_is_written_out, data::make(lingering()), backend) {
  open(backend);
  Queue replies(loop, "replies");
  Queue reads(loop, "reads");
  Request<Pdu> reading = ours.readv_pdu(reads, framing::u32be{});
  Request<Pdu> behind = ours.readv_pdu(reads, framing::u32be{});
  Request<QueueHold> holding = replies.wait();
  Request<ssize_t> first = ours.write(replies, "one ");
  Request<ssize_t> second = ours.write(replies, "two");
  Request<void> closing = std::move(ours).disconnect(std::move(replies));
  wait_for(holding);
  loop.run_until_idle();
  BOOST_TEST(first.is_in_progress());
  holding = {};
  int err = 0;
  BOOST_TEST(text_of(take_all(peer, err)) == "one two");
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(error_of(behind) == ECANCELED);
  peer = Stream();
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, writes_that_nobody_takes_meet_the_limit_of_time,
                       data::make(lingering()), backend) {
  open(backend);
  Request<ssize_t> writing = block_writing(ours);
  BOOST_TEST(error_of(std::move(ours).disconnect({.linger_time = 20ms})) == ETIMEDOUT);
  BOOST_TEST(error_of(writing) == ECANCELED);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_disconnect_that_owns_its_stream_closes_when_it_is_interrupted,
                       data::make(lingering()) * data::make({false, true}) * data::make({false, true}),
                       backend, is_blocked, destroyed) {
  open(backend);
  leave_unread();
  Request<ssize_t> writing;
  if (is_blocked) writing = block_writing(ours);
  Request<void> closing = std::move(ours).disconnect();
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  if (destroyed) {
    closing = {};
  } else {
    closing.cancel();
    BOOST_TEST(error_of(closing) == ECANCELED);
  }
  if (is_blocked) BOOST_TEST(error_of(writing) == ECANCELED);
  int err = 0;
  take_all(peer, err);
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
}

// ---- with the stream, under a pump ----

namespace {

struct PumpedFixture : LingerFixture {
  Stream there;
  Stream far;
  Request<ssize_t> feeding;
  Request<PumpResult> pumping;

  /// A pump from or to `ours`, full of bytes that nobody takes at the other end.
  void pump_until_full(const Backend& backend, PumpSide side, PumpOptions options = {}) {
    open(backend);
    std::tie(there, far) = backend.make(*this);
    fill_with_blocking_bytes(side == PumpSide::source ? there : ours);
    feeding = (side == PumpSide::source ? peer : far).write(blocking_bytes_kept());
    pumping = side == PumpSide::source ? pump(ours, there, std::move(options))
                                       : pump(there, ours, std::move(options));
    loop.run_until_idle();
  }
  /// What the pump moved, and nothing else, is at the other end, which lives.
  void check_result(PumpSide side) {
    int err = 0;
    const PumpResult result = fetch(pumping, err);
    BOOST_TEST(err == ECANCELED);
    BOOST_TEST((result.side == side));
    take_what_fills(side == PumpSide::source ? far : peer);
    const auto moved = std::span(kept_).first(static_cast<std::size_t>(result.bytes));
    if (side == PumpSide::source) {
      if (!moved.empty()) BOOST_TEST((take(far, moved.size()) == Bytes(moved.begin(), moved.end())));
      Request<ssize_t> writing = there.write("goes on");
      BOOST_TEST(take_text(far, 7) == "goes on");
      BOOST_TEST(error_of(writing) == 0);
      return;
    }
    BOOST_TEST((take_all(peer, err) == Bytes(moved.begin(), moved.end())));
    BOOST_TEST(err == EPIPE);
    const auto rest = std::span(kept_).subspan(moved.size());
    if (!rest.empty()) BOOST_TEST((take(there, rest.size()) == Bytes(rest.begin(), rest.end())));
    BOOST_TEST(error_of(feeding) == 0);
  }

 private:
  const Bytes& blocking_bytes_kept() {
    kept_ = blocking_bytes();
    return kept_;
  }

  Bytes kept_;
};

const std::vector<PumpSide> pump_sides{PumpSide::source, PumpSide::target};

}  // namespace

BOOST_DATA_TEST_CASE_F(PumpedFixture, a_pump_over_a_stream_given_to_its_disconnect_ends_and_loses_nothing,
                       data::make(lingering()) * data::make({0, 1}), backend, index) {
  const PumpSide side = pump_sides[static_cast<std::size_t>(index)];
  pump_until_full(backend, side);
  Request<void> closing = std::move(ours).disconnect({.linger_time = 1h});
  check_result(side);
  peer.disconnect().detach();
  feeding = {};
  peer = Stream();
  const int err = error_of(closing);
  BOOST_TEST((err == 0 || (err == ECONNRESET && backend.traits.floors != 0)));  // it has not read the goodbye
}

BOOST_DATA_TEST_CASE_F(PumpedFixture, a_pump_that_shows_bytes_may_give_its_stream_to_a_disconnect,
                       data::make(lingering()) * data::make({0, 1}), backend, index) {
  const PumpSide side = pump_sides[static_cast<std::size_t>(index)];
  Request<void> closing;
  pump_until_full(backend, side, {.on_data = [&](std::span<const std::byte>) {
                    if (!closing) closing = std::move(ours).disconnect({.linger_time = 1h});
                  }});
  check_result(side);
  feeding = {};
  peer = Stream();
  const int err = error_of(closing);
  BOOST_TEST((err == 0 || (err == ECONNRESET && backend.traits.floors != 0)));
}

BOOST_DATA_TEST_CASE_F(PumpedFixture, a_callback_may_give_a_pumped_stream_to_a_disconnect_and_forget_both,
                       data::make(lingering()) * data::make({0, 1}) * data::make({false, true}), backend,
                       index, dropped) {
  const PumpSide side = pump_sides[static_cast<std::size_t>(index)];
  pump_until_full(backend, side);
  bool called = false;
  bool ended = dropped;
  loop.post([&] {
    Request<void> closing = std::move(ours).disconnect({.linger_time = 1h});
    if (!dropped) std::move(closing).detach([&ended](auto&) { ended = true; });
    pumping = {};
    called = true;
  });
  BOOST_TEST(run_until([&] { return called; }));
  feeding = {};
  int err = 0;
  take_all(peer, err);
  // A record may be cut.
  BOOST_TEST(
      (err == EPIPE || (dropped && (err == ECONNRESET || (err == EPROTO && backend.traits.floors != 0)))));
  peer = Stream();
  BOOST_TEST(run_until([&] { return ended; }));
}

// Of a message that its target has taken, a pump holds nothing.
BOOST_DATA_TEST_CASE_F(
    PumpedFixture, bytes_that_a_pump_held_count_as_discarded,
    data::make(paths_with([](const BackendTraits& traits) { return traits.takes_parts(); })), backend) {
  pump_until_full(backend, PumpSide::source);
  BOOST_TEST(error_of(std::move(ours).disconnect({.most_discarded = 1})) == ENOBUFS);
  BOOST_TEST(error_of(pumping) == ECANCELED);
}

BOOST_DATA_TEST_CASE_F(LingerFixture, a_disconnect_that_owns_its_stream_ends_with_its_loop,
                       data::make(lingering()) * data::make({0, 1, 2, 3}), backend, what) {
  if (what == 2 && !backend.traits.takes_parts()) return;  // the pump's target takes the message whole
  auto other = std::make_unique<LoopFixture>();
  auto [left, right] = backend.make(*other);
  auto [from, to] = backend.make(*other);
  // Nobody reads.
  open(backend);
  const Bytes bytes = blocking_bytes();
  Request<ssize_t> feeding = right.write(bytes);
  Request<ssize_t> writing;
  Request<PumpResult> pumping;
  if (what == 1) writing = left.write(bytes);
  if (what == 2) pumping = pump(left, to);
  if (what == 3) pumping = pump(from, left);
  other->loop.run_until_idle();
  Request<void> closing = std::move(left).disconnect();
  other->loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  other->expects_leftovers = true;
  other.reset();
  int err = 0;
  closing.recv(err);
  BOOST_TEST(err == ECANCELED);
  for (Request<ssize_t>* request : {&feeding, &writing}) {
    if (!*request) continue;
    request->recv(err);
    BOOST_TEST((err == ECANCELED || err == 0));
  }
  if (!pumping) return;
  pumping.recv(err);
  BOOST_TEST(err == ECANCELED);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_fails_before_the_disconnect_is_told, LingerFixture) {
  const auto script = make_script({.room = 0});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing = ours.write("lost");
  Request<void> closing = std::move(ours).disconnect();
  loop.run_until_idle();
  script->write_error = EIO;
  script->events->on_writable();
  BOOST_TEST(error_of(writing) == EIO);
  BOOST_TEST(error_of(closing) == EIO);
  BOOST_TEST(script->disconnect_calls == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_disconnect_that_owns_its_stream_follows_a_half_close, LingerFixture) {
  const auto script = make_script({.room = 0});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing = ours.write("late");
  Request<void> ending = ours.shutdown_write();
  Request<void> closing = std::move(ours).disconnect();
  loop.run_until_idle();
  BOOST_TEST(script->disconnect_calls == 0U);
  script->room = 4;
  script->events->on_writable();
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(ending) == 0);
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_is_closed_or_none_gives_its_disconnect_an_error, LingerFixture) {
  BOOST_TEST(!std::move(ours).disconnect());
  ours = scripted_stream(loop, make_script({}));
  Stream moved = std::move(ours);
  BOOST_TEST(error_of(std::move(ours).disconnect()) == ENOTCONN);
  BOOST_TEST(error_of(moved.disconnect()) == 0);
  BOOST_TEST(error_of(std::move(moved).disconnect()) == ENOTCONN);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_that_never_ends_meets_the_limit_of_time, LingerFixture) {
  const auto script = make_script({.disconnect_result = EAGAIN});
  ours = scripted_stream(loop, script);
  BOOST_TEST(error_of(ours.disconnect({.linger_time = 5ms})) == ETIMEDOUT);
  BOOST_TEST(script->aborted);
}

BOOST_AUTO_TEST_SUITE_END()
