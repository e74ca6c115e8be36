#include <optional>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

std::string message(std::size_t number) {
  return "message " + std::to_string(number) + std::string(number % 7, '.') + '\n';
}

/// Two reads of a queue whose messages, "one" and "two", are in the stream's memory already.
struct TwoReadsFixture : StreamFixture {
  Queue queue = Queue(loop);
  Request<Pdu> first;
  Request<Pdu> second;

  void start_reads() {
    first = ours.readv_pdu(queue, framing::line{});
    second = ours.readv_pdu(queue, framing::line{});
  }
  void open_and_preload(const Backend& backend) {
    open(backend);
    preload(ours, peer, bytes_of("one\ntwo\n"));
  }
  void check_held_back(Request<Pdu>& reading) {
    BOOST_TEST(reading.is_in_progress());
    BOOST_TEST(reading.transferred() == 0U);
  }
  void check_result(Request<Pdu>& reading, std::string_view text) {
    BOOST_TEST(text_of(value_of(reading).body()) == text);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_queue)

BOOST_DATA_TEST_CASE_F(StreamFixture, many_writes_and_many_messages_keep_their_order,
                       data::make(writing_paths()), backend) {
  open(backend);
  constexpr std::size_t count = 200;
  Queue out(loop, "out");
  Queue in(loop, "in");
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back(message(i));
  std::vector<Request<ssize_t>> writes;
  std::vector<Request<Pdu>> reads;
  for (std::size_t i = 0; i < count; ++i) {
    reads.push_back(peer.readv_pdu(in, framing::line{}));
    writes.push_back(ours.write(out, texts[i]));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Pdu pdu = value_of(reads[i]);
    BOOST_TEST(text_of(pdu.bytes()) == texts[i]);
    BOOST_TEST(value_of(writes[i]) == static_cast<ssize_t>(texts[i].size()));
  }
  BOOST_TEST(out.length() == 0U);
  BOOST_TEST(in.length() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, writes_complete_in_the_order_of_the_queue, data::make(writing_paths()),
                       backend) {
  open(backend);
  Queue queue(loop);
  std::string order;
  std::vector<Request<ssize_t>> writes;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    writes.push_back(ours.write(queue, "12345"));
    writes.back().set_callback([&order, name](Request<ssize_t>& request) {
      int err = 0;
      request.recv(err);
      if (err == 0) order += name;
    });
  }
  BOOST_TEST(queue.length() == 4U);
  take(peer, 20);
  BOOST_TEST(run_until([&] { return order.size() == 4; }));
  BOOST_TEST(order == "abcd");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_direct_write_beside_queued_ones_is_ebusy, data::make(writing_paths()),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> queued = ours.write(queue, "queued");
  BOOST_TEST(error_of(ours.write("direct")) == EBUSY);
  BOOST_TEST(take_text(peer, 6) == "queued");
  BOOST_TEST(error_of(queued) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_queued_write_beside_a_direct_one_is_ebusy,
                       data::make(writing_paths()), backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> direct = ours.write("direct");
  BOOST_TEST(error_of(ours.write(queue, "queued")) == EBUSY);
  BOOST_TEST(queue.length() == 0U);
  BOOST_TEST(take_text(peer, 6) == "direct");
  BOOST_TEST(error_of(direct) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, writes_of_two_queues_at_once_are_ebusy, data::make(writing_paths()),
                       backend) {
  open(backend);
  Queue one(loop);
  Queue two(loop);
  Request<ssize_t> first = ours.write(one, "first");
  BOOST_TEST(error_of(ours.write(two, "second")) == EBUSY);
  BOOST_TEST(take_text(peer, 5) == "first");
  BOOST_TEST(error_of(first) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_direct_read_beside_a_queued_one_is_ebusy, data::make(reading_paths()),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<Pdu> queued = ours.readv_pdu(queue, framing::line{});
  Bytes buffer(1);
  BOOST_TEST(error_of(ours.read(buffer)) == EBUSY);
  Request<ssize_t> writing = peer.write("line\n");
  BOOST_TEST(text_of(value_of(queued).body()) == "line");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, one_queue_can_order_a_reply_behind_the_request_it_answers,
                       data::make(paths()), backend) {
  open(backend);
  Queue queue(loop);
  Request<Pdu> request = ours.readv_pdu(queue, framing::line{});
  Request<ssize_t> reply = ours.write(queue, "reply\n");
  loop.run_until_idle();
  int err = 0;
  BOOST_TEST(peer.pending_bytes(err) == 0U);
  Request<ssize_t> writing = peer.write("request\n");
  BOOST_TEST(text_of(value_of(request).body()) == "request");
  BOOST_TEST(take_text(peer, 6) == "reply\n");
  BOOST_TEST(error_of(reply) == 0);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_stopped_queue_starts_nothing_until_it_is_started,
                       data::make(writing_paths()), backend) {
  open(backend);
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> writing = ours.write(queue, "abc");
  Bytes buffer(3);
  Request<ssize_t> reading = peer.read(buffer);
  loop.run_until_idle();
  BOOST_TEST(reading.transferred() == 0U);
  BOOST_TEST(writing.is_in_progress());
  queue.start();
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_queue_that_is_destroyed_ends_what_waits_and_lets_go_on_what_runs,
                       data::make(reading_paths()), backend) {
  open(backend);
  Bytes buffer(1);
  Request<Pdu> running;
  Request<Pdu> waiting;
  {
    Queue queue(loop);
    running = ours.readv_pdu(queue, framing::line{});
    waiting = ours.readv_pdu(queue, framing::line{});
  }
  BOOST_TEST(error_of(waiting) == ECANCELED);
  BOOST_TEST(running.is_in_progress());
  Request<ssize_t> writing = peer.write("line\n");
  BOOST_TEST(text_of(value_of(running).body()) == "line");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_read_that_waits_in_a_queue_fails_like_those_before_it,
                       data::make(reading_paths()), backend) {
  open(backend);
  Queue queue(loop);
  std::vector<Request<Pdu>> reads;
  for (int i = 0; i < 4; ++i) reads.push_back(ours.readv_pdu(queue, framing::line{}));
  Request<ssize_t> writing = peer.write("line\nbroken off");
  BOOST_TEST(error_of(reads[0]) == 0);
  BOOST_TEST(run_until([&] { return reads[1].transferred() == 10; }));
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  for (std::size_t i = 1; i < reads.size(); ++i) {
    BOOST_TEST(error_of(reads[i]) == EPIPE);
    BOOST_TEST(reads[i].transferred() == 10U);
  }
}

BOOST_DATA_TEST_CASE_F(StreamFixture, destroying_an_entry_lets_the_next_one_run, data::make(reading_paths()),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<Pdu> first = ours.readv_pdu(queue, framing::line{});
  Request<Pdu> second = ours.readv_pdu(queue, framing::line{});
  Request<Pdu> third = ours.readv_pdu(queue, framing::line{});
  Request<ssize_t> writing = peer.write("o");
  reach(first, 1);
  BOOST_TEST(error_of(writing) == 0);
  second = {};
  first = {};
  BOOST_TEST(queue.length() == 1U);
  writing = peer.write("ne\n");
  BOOST_TEST(text_of(value_of(third).body()) == "one");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_read_destroyed_when_finished_goes_to_the_next_entry,
                       data::make(reading_paths()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("one\ntwo\n"));
  Queue queue(loop);
  Request<Pdu> first = ours.readv_pdu(queue, framing::line{});
  Request<Pdu> second = ours.readv_pdu(queue, framing::line{});
  first = {};
  BOOST_TEST(text_of(value_of(second).body()) == "one");
  BOOST_TEST(text_of(value_of(ours.readv_pdu(framing::line{})).body()) == "two");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, disconnect_while_something_waits_in_a_queue_is_ebusy,
                       data::make(writing_paths()), backend) {
  open(backend);
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> waiting = ours.write(queue, "abc");
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  BOOST_TEST(ours.is_open());
  waiting = {};
  BOOST_TEST(error_of(ours.disconnect()) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, abort_ends_everything_in_its_queues_with_econnaborted,
                       data::make(paths()), backend) {
  open(backend);
  Queue queue(loop);
  Request<Pdu> reading = ours.readv_pdu(queue, framing::line{});
  std::vector<Request<ssize_t>> writes;
  writes.push_back(ours.write(queue, "a"));
  Request<void> ending = ours.shutdown_write(queue);
  writes.push_back(ours.write(queue, "b"));
  writes.push_back(ours.write(queue, "c"));
  ours.abort();
  BOOST_TEST(error_of(reading) == ECONNABORTED);
  BOOST_TEST(error_of(ending) == ECONNABORTED);
  for (Request<ssize_t>& writing : writes) BOOST_TEST(error_of(writing) == ECONNABORTED);
  BOOST_TEST(queue.length() == 0U);
  BOOST_TEST(ours.queued_bytes() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, abort_with_a_write_in_flight_ends_all_behind_it_with_econnaborted,
                       data::make(writing_paths()), backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> first = ours.write(queue, "a");
  Request<void> ending = ours.shutdown_write(queue);
  Request<ssize_t> last = ours.write(queue, "b");
  ours.abort();
  BOOST_TEST(error_of(first) == ECONNABORTED);
  BOOST_TEST(error_of(ending) == ECONNABORTED);
  BOOST_TEST(error_of(last) == ECONNABORTED);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, stop_holds_back_writes_behind_a_blocked_one,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.fills; },
                                             writing_paths())),
                       backend) {
  open(backend);
  Queue queue(loop);
  const Bytes large = blocking_bytes();
  fill_with_blocking_bytes(ours);
  Request<ssize_t> blocked = ours.write(queue, large);
  std::vector<Request<ssize_t>> behind;
  for (const char* text : {"1", "2", "3"}) behind.push_back(ours.write(queue, text));
  loop.run_until_idle();
  queue.stop();
  take_what_fills(peer);
  BOOST_TEST((take(peer, large.size()) == large));
  BOOST_TEST(error_of(blocked) == 0);
  loop.run_until_idle();
  for (const Request<ssize_t>& writing : behind) BOOST_TEST(writing.is_in_progress());
  BOOST_TEST(queue.length() == 3U);
  BOOST_TEST(ours.queued_bytes() == 3U);
  // What only waits is in nobody's way.
  Request<ssize_t> direct = ours.write("direct");
  BOOST_TEST(take_text(peer, 6) == "direct");
  BOOST_TEST(error_of(direct) == 0);
  behind[1] = {};
  queue.start();
  BOOST_TEST(take_text(peer, 2) == "13");
  BOOST_TEST(error_of(behind[0]) == 0);
  BOOST_TEST(error_of(behind[2]) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_queue_that_goes_ends_writes_behind_a_blocked_one,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.fills; },
                                             writing_paths())),
                       backend) {
  open(backend);
  std::optional<Queue> queue(std::in_place, loop);
  const Bytes large = blocking_bytes();
  fill_with_blocking_bytes(ours);
  Request<ssize_t> blocked = ours.write(*queue, large);
  Request<ssize_t> second = ours.write(*queue, "second");
  Request<ssize_t> third = ours.write(*queue, "third");
  loop.run_until_idle();
  queue.reset();
  BOOST_TEST(error_of(second) == ECANCELED);
  BOOST_TEST(error_of(third) == ECANCELED);
  take_what_fills(peer);
  BOOST_TEST((take(peer, large.size()) == large));
  BOOST_TEST(error_of(blocked) == 0);
  Request<ssize_t> direct = ours.write("direct");
  BOOST_TEST(take_text(peer, 6) == "direct");
  BOOST_TEST(error_of(direct) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_queue_that_goes_at_once_lets_the_first_write_go_on_alone,
                       data::make(writing_paths()), backend) {
  open(backend);
  std::optional<Queue> queue(std::in_place, loop);
  Request<ssize_t> first = ours.write(*queue, "first");
  Request<ssize_t> second = ours.write(*queue, "second");
  queue.reset();
  BOOST_TEST(take_text(peer, 5) == "first");
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == ECANCELED);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, start_and_stop_in_one_turn_start_nothing, data::make(paths()),
                       backend) {
  open(backend);
  preload(ours, peer, bytes_of("one\ntwo\n"));
  Queue out(loop);
  Queue in(loop);
  out.stop();
  in.stop();
  Request<ssize_t> writing = ours.write(out, "abc");
  Request<Pdu> reading = ours.readv_pdu(in, framing::line{});
  for (int i = 0; i < 3; ++i) {
    out.start();
    in.start();
    out.stop();
    in.stop();
    loop.run_until_idle();
    BOOST_TEST(writing.is_in_progress());
    BOOST_TEST(reading.is_in_progress());
    BOOST_TEST(reading.transferred() == 0U);
  }
  int err = 0;
  BOOST_TEST(peer.pending_bytes(err) == 0U);
  BOOST_TEST(text_of(value_of(ours.readv_pdu(framing::line{})).body()) == "one");
  in.start();
  out.start();
  BOOST_TEST(text_of(value_of(reading).body()) == "two");
  BOOST_TEST(take_text(peer, 3) == "abc");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(TwoReadsFixture, stop_in_the_callback_of_an_entry_holds_back_the_one_behind_it,
                       data::make(paths()), backend) {
  open_and_preload(backend);
  start_reads();
  Request<ssize_t> third = ours.write(queue, "third");
  const auto stop = [&](auto&) { queue.stop(); };
  first.set_callback(stop);
  loop.run_until_idle();
  BOOST_TEST(!first.is_in_progress());
  check_held_back(second);
  second.set_callback(stop);
  queue.start();
  check_result(second, "two");
  loop.run_until_idle();
  int err = 0;
  BOOST_TEST(peer.pending_bytes(err) == 0U);
  BOOST_TEST(third.is_in_progress());
  queue.start();
  BOOST_TEST(take_text(peer, 5) == "third");
  BOOST_TEST(error_of(third) == 0);
}

BOOST_DATA_TEST_CASE_F(TwoReadsFixture, stop_holds_back_an_entry_whose_turn_came_in_the_same_turn,
                       data::make(reading_paths()), backend) {
  open_and_preload(backend);
  Queue other(loop);
  Request<QueueHold> stopper = other.wait();
  stopper.set_callback([&](auto&) { queue.stop(); });
  start_reads();
  loop.run_until_idle();
  BOOST_TEST(!stopper.is_in_progress());
  check_held_back(first);
  check_held_back(second);
  second.set_timeout(std::chrono::nanoseconds(0));  // a deadline goes on
  BOOST_TEST(error_of(second) == ETIMEDOUT);
  check_held_back(first);
  queue.start();
  check_result(first, "one");
}

BOOST_DATA_TEST_CASE_F(TwoReadsFixture, stop_leaves_alone_an_entry_whose_work_began_in_the_same_turn,
                       data::make(reading_paths()), backend) {
  open_and_preload(backend);
  start_reads();
  Queue other(loop);
  Request<QueueHold> stopper = other.wait();
  stopper.set_callback([&](auto&) { queue.stop(); });
  loop.run_until_idle();
  BOOST_TEST(!first.is_in_progress());
  check_held_back(second);
  check_result(first, "one");
  queue.start();
  check_result(second, "two");
}

BOOST_DATA_TEST_CASE_F(TwoReadsFixture, a_read_whose_work_has_begun_goes_on_when_the_queue_is_stopped,
                       data::make(reading_paths()), backend) {
  open(backend);
  start_reads();
  loop.run_until_idle();
  queue.stop();
  Request<ssize_t> writing = peer.write("one\ntwo\n");
  check_result(first, "one");
  loop.run_until_idle();
  check_held_back(second);
  queue.start();
  check_result(second, "two");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, stop_holds_back_the_end_of_the_sending_side,
                       data::make(writing_paths()), backend) {
  if (!backend.traits.half_closes_alone()) return;
  open(backend);
  Queue queue(loop);
  Request<ssize_t> writing = ours.write(queue, "last");
  Request<void> ending = ours.shutdown_write(queue);
  writing.set_callback([&](auto&) { queue.stop(); });
  BOOST_TEST(take_text(peer, 4) == "last");
  BOOST_TEST(error_of(writing) == 0);
  loop.run_until_idle();
  BOOST_TEST(ending.is_in_progress());
  BOOST_TEST(error_of(ours.disconnect()) == EBUSY);
  queue.start();
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, stop_leaves_writes_alone_that_an_end_of_the_sending_side_waits_for,
                       data::make(writing_paths()), backend) {
  if (!backend.traits.half_closes_alone()) return;
  open(backend);
  Queue queue(loop);
  Request<ssize_t> first = ours.write(queue, "first");
  Request<ssize_t> second = ours.write(queue, "second");
  Request<void> ending = ours.shutdown_write();
  queue.stop();
  BOOST_TEST(take_text(peer, 11) == "firstsecond");
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, what_stop_held_back_ends_with_its_stream, data::make(writing_paths()),
                       backend) {
  for (const bool destroyed : {false, true}) {
    open(backend);
    Queue queue(loop);
    Request<ssize_t> first = ours.write(queue, "first");
    Request<ssize_t> second = ours.write(queue, "second");
    queue.stop();
    if (destroyed) {
      ours = {};
    } else {
      ours.abort();
    }
    BOOST_TEST(error_of(first) == (destroyed ? ECANCELED : ECONNABORTED));
    BOOST_TEST(error_of(second) == (destroyed ? ECANCELED : ECONNABORTED));
    queue.start();
    queue.stop();
    BOOST_TEST(queue.length() == 0U);
  }
}

BOOST_FIXTURE_TEST_CASE(a_write_that_was_offered_goes_on_when_the_queue_is_stopped, StreamFixture) {
  const auto script = make_script({.room = 0});
  Stream stream = scripted_stream(loop, script);
  Queue queue(loop);
  Request<ssize_t> first = stream.write(queue, "first");
  Request<ssize_t> second = stream.write(queue, "second");
  loop.run_until_idle();
  queue.stop();
  script->room = 100;
  script->events->on_writable();
  BOOST_TEST(error_of(first) == 0);
  loop.run_until_idle();
  BOOST_TEST(script->output == "first");
  BOOST_TEST(second.is_in_progress());
  queue.start();
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(script->output == "firstsecond");
}

BOOST_FIXTURE_TEST_CASE(a_queue_outlives_a_stream_whose_writes_have_failed_and_were_not_delivered,
                        StreamFixture) {
  const auto script = make_script({.room = 0, .write_error = EIO});
  std::optional<Stream> stream(scripted_stream(loop, script));
  Queue queue(loop);
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 3; ++i) writes.push_back(stream->write(queue, "x"));
  writes[1].cancel();
  stream.reset();
  queue.stop();
  queue.start();
  queue.stop();
  for (auto& writing : writes) BOOST_TEST(error_of(writing) == ECANCELED);
  BOOST_TEST(queue.length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(very_many_writes_of_a_broken_stream_fail_without_recursion, StreamFixture) {
  const auto script = make_script({.room = 0, .write_error = EPIPE});
  Stream stream = scripted_stream(loop, script);
  BOOST_TEST(error_of(stream.write("x")) == EPIPE);
  Queue queue(loop);
  queue.stop();
  std::size_t failed = 0;
  for (std::size_t i = 0; i < 100'000; ++i)
    stream.write(queue, "x").detach([&](Request<ssize_t>& writing) {
      int err = 0;
      writing.recv(err);
      if (err == EPIPE) ++failed;
    });
  queue.start();
  loop.run();
  BOOST_TEST(failed == 100'000U);
  BOOST_TEST(queue.length() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
