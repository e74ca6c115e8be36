#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

// How a stream ends: disconnect, abort, monitor, and the options that change it.

using namespace tsock;
using namespace tsock::test;

namespace {

auto with_reset() {
  return backends_with([](const BackendTraits& traits) { return traits.reset; });
}
auto with_half_close() {
  return backends_with([](const BackendTraits& traits) { return traits.half_closes_alone(); });
}
auto sockets() {
  return backends_with([](const BackendTraits& traits) { return traits.socket; });
}
auto sockets_with_half_close() {
  return backends_with([](const BackendTraits& traits) { return traits.socket && traits.half_close; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_end)

// ---- disconnect ----

BOOST_DATA_TEST_CASE_F(StreamFixture, disconnect_closes_and_the_peer_sees_the_end, data::make(all_backends()),
                       backend) {
  open(backend);
  Request<ssize_t> writing = ours.write("bye");
  BOOST_TEST(take_text(peer, 3) == "bye");
  BOOST_TEST(error_of(writing) == 0);
  Request<void> disconnecting = ours.disconnect();
  BOOST_TEST(disconnecting.is_in_progress());
  BOOST_TEST(error_of(disconnecting) == 0);
  BOOST_TEST(!ours.is_open());
  BOOST_TEST(ours.native_handle() == -1);
  Bytes buffer(1);
  BOOST_TEST(error_of(peer.read(buffer)) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, what_was_written_before_disconnect_can_still_be_read,
                       data::make(backends_with([](const BackendTraits& traits) { return traits.buffers; })),
                       backend) {
  open(backend);
  BOOST_TEST(error_of(ours.write("last words")) == 0);
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  int err = 0;
  BOOST_TEST(text_of(take_all(peer, err)) == "last words");
  BOOST_TEST(err == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, disconnect_with_an_operation_outstanding_is_ebusy_and_harms_nothing,
                       data::make(all_backends()), backend) {
  open(backend);
  Bytes buffer(3);
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  Request<ssize_t> writing = ours.write("abc");
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  BOOST_TEST(take_text(peer, 3) == "abc");
  BOOST_TEST(error_of(writing) == 0);
  Request<ssize_t> back = peer.write("def");
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(back) == 0);
  BOOST_TEST(error_of(ours.disconnect()) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, disconnect_ends_a_monitor_with_econnaborted, data::make(all_backends()),
                       backend) {
  open(backend);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(error_of(watching) == ECONNABORTED);
}

BOOST_FIXTURE_TEST_CASE(disconnect_ends_a_shutdown_write_in_progress_with_econnaborted, StreamFixture) {
  const auto script = make_script({.shutdown_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<void> ending = ours.shutdown_write();
  loop.run_until_idle();
  BOOST_TEST(ending.is_in_progress());
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(error_of(ending) == ECONNABORTED);
}

BOOST_FIXTURE_TEST_CASE(a_goodbye_that_takes_time_is_tried_again_when_the_backend_says_so, StreamFixture) {
  const auto script = make_script({.disconnect_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<void> disconnecting = ours.disconnect();
  for (unsigned calls = 1; calls < 4; ++calls) {
    loop.run_until_idle();
    BOOST_TEST(script->disconnect_calls == calls);
    BOOST_TEST(disconnecting.is_in_progress());
    script->events->on_writable();
  }
  script->disconnect_result = EIO;
  script->events->on_writable();
  BOOST_TEST(error_of(disconnecting) == EIO);
  BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
}

BOOST_FIXTURE_TEST_CASE(abort_ends_a_goodbye_with_econnaborted, StreamFixture) {
  const auto script = make_script({.disconnect_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<void> disconnecting = ours.disconnect();
  ours.abort();
  BOOST_TEST(error_of(disconnecting) == ECONNABORTED);
  BOOST_TEST(script->aborted);
}

BOOST_FIXTURE_TEST_CASE(a_stream_destroyed_in_its_goodbye_ends_it_with_ecanceled, StreamFixture) {
  const auto script = make_script({.disconnect_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<void> disconnecting = ours.disconnect();
  ours = Stream();
  BOOST_TEST(error_of(disconnecting) == ECANCELED);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, writing_to_a_peer_that_has_closed_fails_and_raises_no_signal,
                       data::make(all_backends()), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  // The kernel learns from the answer to a first write that nobody is there.
  int err = 0;
  for (int i = 0; err == 0 && i < 100; ++i) {
    err = error_of(ours.write("x"));
    if (i == 0) BOOST_TEST((err != 0 || backend.traits.late_reset));
    loop.run_once();
  }
  BOOST_TEST(tells_closed_peer(err));
  BOOST_TEST(error_of(ours.write("x")) == err);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, what_the_peer_writes_after_our_close_fails_over_there,
                       data::make(all_backends()), backend) {
  open(backend);
  ours = Stream();
  int err = 0;
  for (int i = 0; err == 0 && i < 100; ++i) {
    err = error_of(peer.write("x"));
    loop.run_once();
  }
  BOOST_TEST(tells_closed_peer(err));
}

// ---- abort ----

BOOST_DATA_TEST_CASE_F(StreamFixture, abort_gives_the_peer_a_reset, data::make(with_reset()), backend) {
  open(backend);
  Bytes buffer(1);
  Request<ssize_t> reading = peer.read(buffer);
  ours.abort();
  BOOST_TEST(error_of(reading) == ECONNRESET);
  BOOST_TEST(error_of(peer.read(buffer)) == ECONNRESET);
  BOOST_TEST(error_of(peer.write("x")) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, abort_ends_everything_of_ones_own_with_econnaborted,
                       data::make(all_backends()), backend) {
  open(backend);
  Bytes buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> writing = ours.write("x");
  Request<void> watching = ours.monitor();
  Request<void> ending = ours.shutdown_write();
  ours.abort();
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(error_of(reading) == ECONNABORTED);
  BOOST_TEST(error_of(writing) == ECONNABORTED);
  BOOST_TEST(error_of(watching) == ECONNABORTED);
  BOOST_TEST(error_of(ending) == ECONNABORTED);
  BOOST_TEST(!ours.is_open());
}

// ---- monitor ----

BOOST_DATA_TEST_CASE_F(StreamFixture, a_second_monitor_is_ealready, data::make(all_backends()), backend) {
  open(backend);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(ours.monitor()) == EALREADY);
  BOOST_TEST(watching.is_in_progress());
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(watching) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_monitor_is_not_disturbed_by_traffic, data::make(all_backends()),
                       backend) {
  open(backend);
  Request<void> watching = ours.monitor();
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST((send_through(ours, peer, bytes_of("there")) == bytes_of("there")));
    BOOST_TEST((send_through(peer, ours, bytes_of("back")) == bytes_of("back")));
  }
  BOOST_TEST(watching.is_in_progress());
  check_quiet();
  BOOST_TEST(watching.is_in_progress());
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_monitor_sees_the_end_behind_unread_bytes_which_can_still_be_read,
                       data::make(backends_with([](const BackendTraits& traits) { return traits.buffers; })),
                       backend) {
  open(backend);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(peer.write("unread")) == 0);
  loop.run_until_idle();
  BOOST_TEST(watching.is_in_progress());
  check_quiet();
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(watching) == EPIPE);
  check_quiet();
  int err = 0;
  BOOST_TEST(text_of(take_all(ours, err)) == "unread");
  BOOST_TEST(err == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_monitor_of_a_stream_that_has_failed_tells_so_at_once,
                       data::make(all_backends()), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  Bytes buffer(1);
  BOOST_TEST(error_of(ours.read(buffer)) == EPIPE);
  for (int i = 0; i < 3; ++i) BOOST_TEST(error_of(ours.monitor()) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_monitor_ends_also_when_a_read_meets_the_end_first,
                       data::make(all_backends()), backend) {
  open(backend);
  Bytes buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(reading) == EPIPE);
  BOOST_TEST(error_of(watching) == EPIPE);
}

// ---- options ----

BOOST_DATA_TEST_CASE_F(StreamFixture, fail_on_first_error_does_not_hand_out_what_is_buffered,
                       data::make(sockets()), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.fail_on_first_error = true}) == 0);
  BOOST_TEST(error_of(peer.write("never seen")) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  Bytes buffer(1);
  // Not EPIPE: the end is not clean.
  BOOST_TEST(error_of(ours.read(buffer)) == ECONNRESET);
  BOOST_TEST(error_of(ours.read(buffer)) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, without_fail_on_first_error_what_is_buffered_comes_first,
                       data::make(backends_with([](const BackendTraits& traits) { return traits.buffers; })),
                       backend) {
  open(backend);
  BOOST_TEST(error_of(peer.write("seen")) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  int err = 0;
  BOOST_TEST(text_of(take_all(ours, err)) == "seen");
  BOOST_TEST(err == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, fail_on_first_error_lets_a_healthy_stream_work,
                       data::make(all_backends()), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.fail_on_first_error = true}) == 0);
  const Bytes sent = pattern(5000);
  BOOST_TEST((send_through(peer, ours, sent) == sent));
  BOOST_TEST((send_through(ours, peer, sent) == sent));
}

BOOST_DATA_TEST_CASE_F(StreamFixture, strict_tsocket_has_one_latch_for_both_directions,
                       data::make(with_half_close()), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  Bytes buffer(1);
  const int read_error = error_of(ours.read(buffer));
  BOOST_TEST((read_error == EPIPE || read_error == ECONNRESET));
  BOOST_TEST(error_of(ours.write("x")) == read_error);
  BOOST_TEST(error_of(ours.shutdown_write()) == read_error);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, strict_tsocket_fails_a_blocked_write_when_the_peer_ends_its_side,
                       data::make(sockets_with_half_close()), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
  Request<ssize_t> writing = block_writing(ours);
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  BOOST_TEST(error_of(writing) == ECONNRESET);
  check_quiet();
}

BOOST_DATA_TEST_CASE_F(StreamFixture, strict_tsocket_fails_a_blocked_write_with_the_read_that_meets_the_end,
                       data::make(with_half_close()), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
  Request<ssize_t> writing = block_writing(ours);
  Bytes buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  const int err = error_of(reading);
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
  BOOST_TEST(error_of(writing) == err);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, strict_tsocket_gives_a_monitor_econnreset_when_the_peer_ends_its_side,
                       data::make(sockets_with_half_close()), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  BOOST_TEST(error_of(watching) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, strict_tsocket_lets_a_healthy_stream_work, data::make(all_backends()),
                       backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
  const Bytes sent = pattern(5000);
  BOOST_TEST((send_through(peer, ours, sent) == sent));
  BOOST_TEST((send_through(ours, peer, sent) == sent));
}

// ---- strict_tsocket: a reader waits, a write is blocked, the peer sends nine bytes and ends its side ----

namespace {

struct StrictFixture : StreamFixture {
  Request<ssize_t> writing;
  std::string order;

  void open_strict(const Backend& backend) {
    open(backend);
    BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
    writing = block_writing(ours);
    writing.set_callback([this](auto&) { order += 'w'; });
  }
  template <class T>
  void watch(Request<T>& reading) {
    reading.set_callback([this](auto&) { order += 'r'; });
  }
  void send_and_end(std::string_view text) {
    sent_ = text;
    // Together, so that our side sees both at once.
    Request<ssize_t> sending = peer.write(sent_);
    Request<void> ending = peer.shutdown_write();
    BOOST_TEST(error_of(sending) == 0);
    BOOST_TEST(error_of(ending) == 0);
  }
  /// The reader got what it asked for, then the write heard of the end.
  void check_served() {
    BOOST_TEST(error_of(writing) == ECONNRESET);
    BOOST_TEST(order == "rw");
    check_quiet();
  }
  /// There was too little for the reader.
  template <class T>
  void check_cut(Request<T>& reading) {
    BOOST_TEST(error_of(reading) == EPIPE);
    BOOST_TEST(reading.transferred() == 9U);
    BOOST_TEST(error_of(writing) == EPIPE);
    check_quiet();
  }

 private:
  std::string sent_;
};

}  // namespace

BOOST_DATA_TEST_CASE_F(StrictFixture, strict_tsocket_serves_a_waiting_read_before_a_blocked_write_fails,
                       data::make(sockets_with_half_close()), backend) {
  for (const bool has_vectors : {false, true}) {
    open_strict(backend);
    order.clear();
    Bytes buffer(9);
    Request<ssize_t> reading = has_vectors ? ours.readv(std::array{make_vector(std::span(buffer).first(4)),
                                                                   make_vector(std::span(buffer).subspan(4))})
                                           : ours.read_some(buffer);
    watch(reading);
    send_and_end("123456789");
    BOOST_TEST(value_of(reading) == 9);
    BOOST_TEST(text_of(buffer) == "123456789");
    check_served();
    BOOST_TEST(error_of(ours.read(buffer)) == ECONNRESET);
  }
}

BOOST_DATA_TEST_CASE_F(StrictFixture, strict_tsocket_serves_a_waiting_message_before_a_blocked_write_fails,
                       data::make(sockets_with_half_close()), backend) {
  for (const bool is_line : {false, true}) {
    open_strict(backend);
    order.clear();
    Request<Pdu> reading = is_line ? ours.readv_pdu(framing::line{.max_body = 100})
                                   : ours.readv_pdu(framing::u8{.max_body = 100});
    watch(reading);
    send_and_end(is_line ? "12345678\n" : "\b12345678");
    BOOST_TEST(text_of(value_of(reading).body()) == "12345678");
    check_served();
  }
}

// The write meets the break before the reader has been asked, and a line may take a call for each byte.
BOOST_FIXTURE_TEST_CASE(strict_tsocket_serves_a_waiting_message_before_a_write_that_fails, StreamFixture) {
  const auto script = make_script({.room = 0});
  ours = scripted_stream(loop, script);
  BOOST_TEST(ours.set_options({.strict_tsocket = true, .max_read_ahead = 0}) == 0);
  Request<ssize_t> writing = ours.write("blocked");
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  loop.run_until_idle();
  script->input = std::string(50, 'x') + "\nrest";
  script->write_error = ECONNRESET;
  script->events->on_writable();
  BOOST_TEST(text_of(value_of(line).body()) == std::string(50, 'x'));
  BOOST_TEST(error_of(writing) == ECONNRESET);
  BOOST_TEST(script->input == "rest");
}

BOOST_FIXTURE_TEST_CASE(strict_tsocket_leaves_a_waiting_message_to_its_own_event_at_a_break, StreamFixture) {
  const auto script = make_script({.room = 0});
  ours = scripted_stream(loop, script);
  BOOST_TEST(ours.set_options({.strict_tsocket = true, .max_read_ahead = 0}) == 0);
  Request<ssize_t> writing = ours.write("blocked");
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  loop.run_until_idle();
  script->input = std::string(50, 'x') + '\n';
  script->events->on_broken(EPIPE);
  BOOST_TEST(line.transferred() == 0U);
  BOOST_TEST(writing.is_in_progress());
  while (line.is_in_progress()) {
    script->events->on_readable();
    loop.run_until_idle();
  }
  BOOST_TEST(text_of(value_of(line).body()) == std::string(50, 'x'));
  script->events->on_broken(EPIPE);
  BOOST_TEST(error_of(writing) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(StrictFixture,
                       strict_tsocket_serves_a_waiting_next_vector_read_before_a_blocked_write_fails,
                       data::make(sockets_with_half_close()), backend) {
  open_strict(backend);
  Bytes buffer(9);
  std::size_t asked = 0;
  Request<ssize_t> reading = ours.readv_pdu([&](VectorList& vectors) {
    if (asked < buffer.size()) vectors.add(std::span(buffer).subspan(asked, 3));
    asked += 3;
    return 0;
  });
  watch(reading);
  send_and_end("123456789");
  BOOST_TEST(value_of(reading) == 9);
  BOOST_TEST(text_of(buffer) == "123456789");
  check_served();
}

BOOST_DATA_TEST_CASE_F(StrictFixture, strict_tsocket_gives_a_read_that_is_cut_what_came_and_both_epipe,
                       data::make(sockets_with_half_close()), backend) {
  open_strict(backend);
  Bytes buffer(20);
  Request<ssize_t> reading = ours.read(buffer);
  send_and_end("123456789");
  check_cut(reading);
  BOOST_TEST(text_of(std::span(buffer).first(9)) == "123456789");
}

BOOST_DATA_TEST_CASE_F(StrictFixture, strict_tsocket_keeps_a_message_that_is_cut_unread_and_both_epipe,
                       data::make(sockets_with_half_close()), backend) {
  for (const bool is_line : {false, true}) {
    open_strict(backend);
    Request<Pdu> reading = is_line ? ours.readv_pdu(framing::line{.max_body = 100})
                                   : ours.readv_pdu(framing::u8{.max_body = 100});
    send_and_end(
        "\x19"
        "23456789");
    check_cut(reading);
    BOOST_TEST(take_text(ours, 9) ==
               "\x19"
               "23456789");
  }
}

BOOST_DATA_TEST_CASE_F(StrictFixture, strict_tsocket_gives_a_next_vector_read_that_is_cut_what_came,
                       data::make(sockets_with_half_close()), backend) {
  open_strict(backend);
  Bytes buffer(20);
  std::size_t asked = 0;
  Request<ssize_t> reading = ours.readv_pdu([&](VectorList& vectors) {
    vectors.add(std::span(buffer).subspan(asked, asked == 0 ? 4 : 16));
    asked += 4;
    return 0;
  });
  send_and_end("123456789");
  check_cut(reading);
  BOOST_TEST(text_of(std::span(buffer).first(9)) == "123456789");
}

BOOST_DATA_TEST_CASE_F(StrictFixture, strict_tsocket_lets_a_pump_take_everything_before_a_blocked_write_fails,
                       data::make(sockets_with_half_close()), backend) {
  open_strict(backend);
  auto [target, sink] = unix_pair();
  Request<PumpResult> pumping = pump(ours, target);
  const Bytes sent = pattern(backend.traits.at_most(200000));
  Request<ssize_t> sending = peer.write(sent);
  Request<void> ending = peer.shutdown_write();
  int err = 0;
  BOOST_TEST((take_all(sink, err) == sent));
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST(error_of(writing) == EPIPE);
  BOOST_TEST(error_of(sending) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE_F(StrictFixture,
                       strict_tsocket_fails_a_blocked_write_when_the_reader_that_was_in_front_goes,
                       data::make(sockets_with_half_close()), backend) {
  open_strict(backend);
  Request<ssize_t> reading = ours.readv_pdu([&reading](VectorList& vectors) {
    static std::byte place{};
    if (reading.transferred() != 0) {
      reading = {};
      return 0;
    }
    vectors.add(std::span(&place, 1));
    return 0;
  });
  send_and_end("123456789");
  BOOST_TEST(error_of(writing) == ECONNRESET);
  BOOST_TEST(!reading);
  check_quiet();
}

// ---- EPIPE is the peer's end and nothing else ----

BOOST_DATA_TEST_CASE_F(StreamFixture, fail_on_first_error_tells_a_clean_end_from_one_that_drops_unread_bytes,
                       data::make(sockets_with_half_close()), backend) {
  for (const bool is_read_ahead : {false, true}) {
    open(backend);
    if (is_read_ahead) preload(ours, peer, bytes_of("unread"));
    if (!is_read_ahead) BOOST_TEST(error_of(peer.write("unread")) == 0);
    BOOST_TEST(ours.set_options({.fail_on_first_error = true}) == 0);
    Request<void> watching = ours.monitor();
    BOOST_TEST(error_of(peer.shutdown_write()) == 0);
    BOOST_TEST(error_of(watching) == EPIPE);
    Bytes buffer(100);
    BOOST_TEST(error_of(ours.read_some(buffer)) == ECONNRESET);
  }
  open(backend);
  BOOST_TEST(ours.set_options({.fail_on_first_error = true}) == 0);
  Request<void> watching = ours.monitor();
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  BOOST_TEST(error_of(watching) == EPIPE);
  Bytes buffer(100);
  BOOST_TEST(error_of(ours.read_some(buffer)) == EPIPE);
}

BOOST_FIXTURE_TEST_CASE(strict_tsocket_does_not_tell_a_failed_write_to_readers_as_the_end, StreamFixture) {
  const auto script = make_script({.input = "unread", .room = 0, .write_error = EPIPE});
  ours = scripted_stream(loop, script);
  BOOST_TEST(ours.set_options({.strict_tsocket = true}) == 0);
  BOOST_TEST(error_of(ours.write("x")) == EPIPE);
  Bytes buffer(100);
  BOOST_TEST(error_of(ours.read_some(buffer)) == ECONNRESET);
  auto [target, sink] = unix_pair();
  int err = 0;
  Request<PumpResult> pumping = pump(ours, target);
  fetch(pumping, err);
  BOOST_TEST(err == ECONNRESET);
}

BOOST_AUTO_TEST_SUITE_END()
