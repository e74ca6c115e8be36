#include <algorithm>
#include <limits>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// Two writes of a queue, "abc" and "defg", on a scripted backend that was offered them.
struct TwoWritesFixture : StreamFixture {
  std::shared_ptr<ScriptedBackend::Script> script;
  Queue queue = Queue(loop);
  Request<ssize_t> first;
  Request<ssize_t> second;

  void begin(const ScriptedBackend::Script& plan) {
    script = make_script(plan);
    ours = scripted_stream(loop, script);
    first = ours.write(queue, "abc");
    second = ours.write(queue, "defg");
    loop.run_until_idle();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_write)

BOOST_DATA_TEST_CASE_F(StreamFixture, writev_sends_all_vectors_in_order, data::make(writing_paths()),
                       backend) {
  open(backend);
  const std::string big(3000, 'x');
  const auto vectors = vectors_of("", "ab", "", "cde", big, "", "f", "");
  const std::string expected = "abcde" + big + "f";
  Request<ssize_t> writing = ours.writev(vectors);
  BOOST_TEST(take_text(peer, expected.size()) == expected);
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(expected.size()));
  BOOST_TEST(writing.transferred() == expected.size());
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_null_c_string_is_nothing_to_write, data::make(writing_paths()),
                       backend) {
  open(backend);
  Queue queue(loop);
  const char* const none = nullptr;
  BOOST_TEST(error_of(ours.write(none)) == EINVAL);
  BOOST_TEST(error_of(ours.write(queue, none)) == EINVAL);
  BOOST_TEST(error_of(ours.write(nullptr)) == EINVAL);
  BOOST_TEST(error_of(ours.write(queue, nullptr)) == EINVAL);
  const char* const text = "text";
  Request<ssize_t> first = ours.write(queue, text);
  Request<ssize_t> second = ours.write(queue, "more");
  BOOST_TEST(take_text(peer, 8) == "textmore");
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_vector_array_is_copied_by_the_call, data::make(writing_paths()),
                       backend) {
  open(backend);
  std::vector<iovec> vectors;
  for (const char* text : {"ab", "cd", "ef"}) vectors.push_back(vectors_of(text)[0]);
  Request<ssize_t> writing = ours.writev(vectors);
  vectors.assign(3, iovec{nullptr, 99});
  BOOST_TEST(take_text(peer, 6) == "abcdef");
  BOOST_TEST(value_of(writing) == 6);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, writev_takes_as_many_vectors_as_a_call_may_have,
                       data::make(writing_paths()), backend) {
  open(backend);
  // Small and large vectors alternate, so that some are copied together and others are not.
  const std::size_t usual = backend.traits.max_transfer < 100 ? 8 : 1100;
  const std::size_t large = std::min(usual, backend.traits.longest_write / (max_vectors / 2) - 1);
  const Bytes sent = pattern(max_vectors / 2 * (1 + large));
  std::vector<iovec> vectors;
  for (std::size_t at = 0; at < sent.size(); at += 1 + large) {
    vectors.push_back(make_vector(std::span(sent).subspan(at, 1)));
    vectors.push_back(make_vector(std::span(sent).subspan(at + 1, large)));
  }
  BOOST_TEST(vectors.size() == max_vectors);
  Request<ssize_t> writing = ours.writev(vectors);
  BOOST_TEST((take(peer, sent.size()) == sent));
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(sent.size()));
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_write_larger_than_all_buffers_goes_on_as_the_peer_reads,
                       data::make(paths_with(
                           [](const BackendTraits& traits) {
                             return traits.fills && traits.max_transfer > 100 && traits.takes_parts();
                           },
                           writing_paths())),
                       backend) {
  open(backend);
  Request<ssize_t> writing = block_writing(ours);
  const std::size_t first = writing.transferred();
  BOOST_TEST(first < blocked_bytes().size());
  BOOST_TEST(ours.queued_bytes() == blocked_bytes().size() - first);
  BOOST_TEST((take(peer, blocked_bytes().size()) == blocked_bytes()));
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(blocked_bytes().size()));
  BOOST_TEST(ours.queued_bytes() == 0U);
}

BOOST_DATA_TEST_CASE_F(
    StreamFixture, both_directions_can_be_busy_at_once,
    data::make(paths_with([](const BackendTraits& traits) { return traits.max_transfer > 100; })), backend) {
  open(backend);
  const std::size_t size = backend.traits.at_most(std::size_t{3} << 20);
  const Bytes there = pattern(size, 1);
  const Bytes back = pattern(size, 2);
  Bytes got_there(there.size());
  Bytes got_back(back.size());
  Request<ssize_t> write_ours = ours.write(there);
  Request<ssize_t> write_peer = peer.write(back);
  Request<ssize_t> read_ours = ours.read(got_back);
  Request<ssize_t> read_peer = peer.read(got_there);
  BOOST_TEST(error_of(write_ours) == 0);
  BOOST_TEST(error_of(write_peer) == 0);
  BOOST_TEST(error_of(read_ours) == 0);
  BOOST_TEST(error_of(read_peer) == 0);
  BOOST_TEST((got_there == there));
  BOOST_TEST((got_back == back));
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_write_never_completes_inside_the_call_that_starts_it,
                       data::make(writing_paths()), backend) {
  open(backend);
  bool called = false;
  Request<ssize_t> writing = ours.write("x");
  writing.set_callback([&](Request<ssize_t>&) { called = true; });
  BOOST_TEST(!called);
  BOOST_TEST(writing.is_in_progress());
  BOOST_TEST(take_text(peer, 1) == "x");
  BOOST_TEST(value_of(writing) == 1);
  BOOST_TEST(called);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_second_write_while_one_is_in_flight_is_ebusy_and_harms_nothing,
                       data::make(writing_paths()), backend) {
  open(backend);
  Request<ssize_t> first = ours.write("first");
  BOOST_TEST(error_of(ours.write("second")) == EBUSY);
  BOOST_TEST(take_text(peer, 5) == "first");
  BOOST_TEST(error_of(first) == 0);
  Request<ssize_t> third = ours.write("third");
  BOOST_TEST(take_text(peer, 5) == "third");
  BOOST_TEST(error_of(third) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_a_layer_has_not_passed_on_yet_is_not_complete, StreamFixture) {
  const auto script = make_script({.flush_result = EAGAIN});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing = ours.write("abc");
  loop.run_until_idle();
  BOOST_TEST(script->output == "abc");
  BOOST_TEST(writing.is_in_progress());
  BOOST_TEST(writing.transferred() == 3U);
  script->flush_result = 0;
  script->events->on_writable();
  BOOST_TEST(value_of(writing) == 3);
}

BOOST_FIXTURE_TEST_CASE(a_layer_that_cannot_pass_bytes_on_fails_the_write, StreamFixture) {
  const auto script = make_script({.flush_result = EIO});
  ours = scripted_stream(loop, script);
  BOOST_TEST(error_of(ours.write("abc")) == EIO);
  BOOST_TEST(error_of(ours.write("abc")) == EIO);
}

BOOST_FIXTURE_TEST_CASE(a_write_that_was_taken_with_a_part_of_the_next_one_waits_for_its_flush,
                        TwoWritesFixture) {
  begin({.most_per_write = 5, .short_is_final = true, .flush_result = EAGAIN});
  BOOST_TEST(script->output == "abcde");
  BOOST_TEST(first.is_in_progress());
  BOOST_TEST(first.transferred() == 3U);
  BOOST_TEST(second.transferred() == 2U);
  // What was taken has left; what follows has not.
  script->flush_result = 0;
  script->most_per_write = 0;
  script->events->on_writable();
  BOOST_TEST(value_of(first) == 3);
  BOOST_TEST(second.is_in_progress());
  script->most_per_write = std::string::npos;
  script->events->on_writable();
  BOOST_TEST(value_of(second) == 4);
  BOOST_TEST(script->output == "abcdefg");
}

BOOST_FIXTURE_TEST_CASE(the_error_of_a_flush_reaches_the_write_that_it_belongs_to, TwoWritesFixture) {
  for (const bool late : {false, true}) {
    begin({.most_per_write = 5, .short_is_final = true, .flush_result = late ? EAGAIN : ENOSPC});
    if (late) {
      script->flush_result = ENOSPC;
      script->events->on_writable();
    }
    BOOST_TEST(error_of(first) == ENOSPC);
    BOOST_TEST(error_of(second) == ENOSPC);
    BOOST_TEST(script->output == "abcde");
    ours = Stream();
  }
}

BOOST_FIXTURE_TEST_CASE(the_error_of_what_follows_is_not_that_of_a_write_that_left, TwoWritesFixture) {
  begin({.most_per_write = 5, .short_is_final = true, .flush_result = EAGAIN});
  script->flush_result = 0;
  script->room = 0;
  script->write_error = ENOSPC;
  script->events->on_writable();
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == ENOSPC);
}

BOOST_FIXTURE_TEST_CASE(small_writes_of_a_turn_leave_in_one_call, StreamFixture) {
  struct Counter final : StreamBackend {
    std::vector<std::size_t>* calls;
    explicit Counter(std::vector<std::size_t>& out) : calls(&out) {}
    void attach(StreamEvents&) noexcept override {}
    ssize_t try_readv(std::span<const iovec>, int& err) noexcept override {
      err = EAGAIN;
      return -1;
    }
    ssize_t try_writev(std::span<const iovec> vectors, int&) noexcept override {
      std::size_t sum = 0;
      for (const iovec& vector : vectors) sum += vector.iov_len;
      calls->push_back(sum);
      return static_cast<ssize_t>(sum);
    }
    int try_shutdown_write() noexcept override { return 0; }
    int try_disconnect(Linger& /*linger*/) noexcept override { return 0; }
    void abort() noexcept override {}
    Readiness want_readable() noexcept override { return Readiness::later; }
    Readiness want_writable() noexcept override { return Readiness::later; }
    void want_broken() noexcept override {}
    std::size_t pending_bytes(int&) noexcept override { return 0; }
  };
  std::vector<std::size_t> calls;
  ours = Stream(loop, std::make_unique<Counter>(calls));
  Queue queue(loop);
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 100; ++i) writes.push_back(ours.write(queue, "abc"));
  for (Request<ssize_t>& write : writes) BOOST_TEST(error_of(write) == 0);
  BOOST_TEST(calls.size() == 1U);
  BOOST_TEST(calls.at(0) == 300U);
}

// ---- queued bytes and watermarks ----

BOOST_DATA_TEST_CASE_F(StreamFixture, queued_bytes_counts_what_has_not_left_queues_included,
                       data::make(writing_paths()), backend) {
  open(backend);
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> one = ours.write(queue, "abc");
  Request<ssize_t> two = ours.write(queue, "defgh");
  BOOST_TEST(ours.queued_bytes() == 8U);
  two = {};
  BOOST_TEST(ours.queued_bytes() == 3U);
  BOOST_TEST(one.cancel());
  BOOST_TEST(ours.queued_bytes() == 0U);
  BOOST_TEST(error_of(one) == ECANCELED);
  queue.start();
  Request<ssize_t> three = ours.write(queue, "xy");
  BOOST_TEST(ours.queued_bytes() == 2U);
  BOOST_TEST(take_text(peer, 2) == "xy");
  BOOST_TEST(error_of(three) == 0);
  BOOST_TEST(ours.queued_bytes() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, queued_bytes_counts_also_what_was_written_before_anybody_asked,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.fills; },
                                             writing_paths())),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> blocked = block_writing(ours);
  const std::size_t in_flight = blocked_bytes().size() - blocked.transferred();
  queue.stop();
  const Request<ssize_t> waiting = ours.write(queue, "abc");
  BOOST_TEST(ours.queued_bytes() == in_flight + 3);
  take_what_fills(peer);
  take(peer, blocked_bytes().size());
  BOOST_TEST(error_of(blocked) == 0);
  BOOST_TEST(ours.queued_bytes() == 3U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, watermarks_tell_high_once_and_low_once, data::make(writing_paths()),
                       backend) {
  open(backend);
  std::string told;
  ours.set_watermarks({.high = 10, .low = 4},
                      [&](Watermark mark) { told += mark == Watermark::high ? 'H' : 'L'; });
  Queue queue(loop);
  queue.stop();
  std::vector<Request<ssize_t>> writes;
  writes.push_back(ours.write(queue, "123456789"));
  loop.run_until_idle();
  BOOST_TEST(told.empty());
  writes.push_back(ours.write(queue, "0"));
  BOOST_TEST(told.empty());  // never inside a write
  loop.run_until_idle();
  BOOST_TEST(told == "H");
  writes.push_back(ours.write(queue, "more"));
  loop.run_until_idle();
  BOOST_TEST(told == "H");
  queue.start();
  BOOST_TEST(take_text(peer, 14) == "1234567890more");
  for (Request<ssize_t>& write : writes) BOOST_TEST(error_of(write) == 0);
  loop.run_until_idle();
  BOOST_TEST(told == "HL");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_low_mark_is_told_also_when_the_writes_were_cancelled,
                       data::make(writing_paths()), backend) {
  open(backend);
  std::string told;
  ours.set_watermarks({.high = 10, .low = 4},
                      [&](Watermark mark) { told += mark == Watermark::high ? 'H' : 'L'; });
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> write = ours.write(queue, "1234567890");
  loop.run_until_idle();
  write = {};
  loop.run_until_idle();
  BOOST_TEST(told == "HL");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_write_above_the_cap_is_enobufs_and_nothing_of_it_is_sent,
                       data::make(writing_paths()), backend) {
  open(backend);
  ours.set_watermarks({.high = 5, .low = 1, .cap = 10}, {});
  Queue queue(loop);
  queue.stop();
  Request<ssize_t> fits = ours.write(queue, "1234567890");
  Request<ssize_t> too_much = ours.write(queue, "x");
  queue.start();
  BOOST_TEST(error_of(too_much) == ENOBUFS);
  BOOST_TEST(take_text(peer, 10) == "1234567890");
  BOOST_TEST(error_of(fits) == 0);
  BOOST_TEST(error_of(ours.write("12345678901")) == ENOBUFS);
  Request<ssize_t> again = ours.write("yz");
  BOOST_TEST(take_text(peer, 2) == "yz");
  BOOST_TEST(error_of(again) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_watermark_function_may_destroy_the_stream,
                       data::make(writing_paths()), backend) {
  open(backend);
  bool called = false;
  ours.set_watermarks({.high = 1, .low = 0}, [&](Watermark) {
    called = true;
    ours = Stream();
  });
  Request<ssize_t> write = ours.write("abc");
  const int err = error_of(write);
  BOOST_TEST((err == 0 || err == ECANCELED));
  BOOST_TEST(called);
}

// ---- half-close ----

BOOST_DATA_TEST_CASE_F(
    StreamFixture, writing_goes_on_after_the_peer_has_ended_its_side,
    data::make(paths_with([](const BackendTraits& traits) { return traits.half_closes_alone(); })), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  Bytes buffer(1);
  BOOST_TEST(error_of(ours.read(buffer)) == EPIPE);
  for (int i = 0; i < 3; ++i) {
    Request<ssize_t> writing = ours.write("abc");
    BOOST_TEST(take_text(peer, 3) == "abc");
    BOOST_TEST(error_of(writing) == 0);
  }
}

BOOST_DATA_TEST_CASE_F(
    StreamFixture, reading_goes_on_after_ending_the_own_side,
    data::make(paths_with([](const BackendTraits& traits) { return traits.half_closes_alone(); })), backend) {
  open(backend);
  BOOST_TEST(error_of(ours.shutdown_write()) == 0);
  Request<ssize_t> writing = peer.write("abc");
  BOOST_TEST(take_text(ours, 3) == "abc");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(
    StreamFixture, a_write_after_shutdown_write_is_epipe,
    data::make(paths_with([](const BackendTraits& traits) { return traits.half_closes_alone(); },
                          writing_paths())),
    backend) {
  open(backend);
  Request<void> ending = ours.shutdown_write();
  BOOST_TEST(error_of(ours.write("x")) == EPIPE);
  BOOST_TEST(error_of(ending) == 0);
  BOOST_TEST(error_of(ours.write("x")) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, shutdown_write_waits_for_the_write_in_flight,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.half_close; },
                                             writing_paths())),
                       backend) {
  open(backend);
  const Bytes sent = pattern(backend.traits.max_transfer < 100 ? 100 : backend.traits.at_most(2000000));
  Request<ssize_t> writing = ours.write(sent);
  Request<void> ending = ours.shutdown_write();
  int err = 0;
  BOOST_TEST((take_all(peer, err) == sent));
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, shutdown_write_in_a_queue_waits_for_its_turn,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.half_close; },
                                             writing_paths())),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> one = ours.write(queue, "one");
  Request<ssize_t> two = ours.write(queue, "two");
  Request<void> ending = ours.shutdown_write(queue);
  Request<ssize_t> late = ours.write(queue, "late");
  int err = 0;
  BOOST_TEST(text_of(take_all(peer, err)) == "onetwo");
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(error_of(one) == 0);
  BOOST_TEST(error_of(two) == 0);
  BOOST_TEST(error_of(ending) == 0);
  BOOST_TEST(error_of(late) == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_shutdown_write_that_was_cancelled_leaves_the_side_open,
                       data::make(paths_with([](const BackendTraits& traits) { return traits.half_close; },
                                             writing_paths())),
                       backend) {
  open(backend);
  Request<void> ending = ours.shutdown_write();
  BOOST_TEST(ending.cancel());
  BOOST_TEST(error_of(ending) == ECANCELED);
  ending = ours.shutdown_write();
  ending = {};
  loop.run_until_idle();
  Request<ssize_t> writing = ours.write("abc");
  BOOST_TEST(take_text(peer, 3) == "abc");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture,
                       shutdown_write_where_there_is_no_half_close_is_enotsup_and_harms_nothing,
                       data::make(paths_with([](const BackendTraits& traits) { return !traits.half_close; },
                                             writing_paths())),
                       backend) {
  open(backend);
  BOOST_TEST(error_of(ours.shutdown_write()) == ENOTSUP);
  Request<ssize_t> writing = ours.write("abc");
  BOOST_TEST(take_text(peer, 3) == "abc");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
