#include <functional>
#include <memory>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

// Anything may be destroyed or moved at any time, also in callbacks.

using namespace tsock;
using namespace tsock::test;

BOOST_AUTO_TEST_SUITE(stream_lifetime)

BOOST_DATA_TEST_CASE_F(StreamFixture, requests_of_a_destroyed_stream_end_with_ecanceled_on_the_next_turn,
                       data::make(all_backends()), backend) {
  open(backend);
  Queue queue(loop);
  Bytes buffer(4);
  int called = 0;
  const auto count = [&](auto&) { ++called; };
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> writing = ours.write("abc");
  Request<Pdu> waiting = ours.readv_pdu(queue, framing::line{});
  Request<void> watching = ours.monitor();
  Queue stopped(loop);
  stopped.stop();
  Request<ssize_t> queued = ours.write(stopped, "def");
  reading.set_callback(count);
  writing.set_callback(count);
  watching.set_callback(count);
  queued.set_callback(count);
  ours = Stream();
  BOOST_TEST(called == 0);
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(error_of(writing) == ECANCELED);
  BOOST_TEST(error_of(watching) == ECANCELED);
  BOOST_TEST(error_of(queued) == ECANCELED);
  // The queue found the reader's place taken.
  BOOST_TEST(error_of(waiting) == EBUSY);
  BOOST_TEST(called == 4);
  BOOST_TEST(queue.length() == 0U);
  BOOST_TEST(stopped.length() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, every_entry_of_a_queue_ends_when_its_stream_is_destroyed,
                       data::make(all_backends()), backend) {
  open(backend);
  Queue queue(loop);
  std::vector<Request<Pdu>> reads;
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 3; ++i) {
    reads.push_back(ours.readv_pdu(queue, framing::line{}));
    writes.push_back(ours.write(queue, "x"));
  }
  ours = Stream();
  for (Request<Pdu>& read : reads) BOOST_TEST(error_of(read) == ECANCELED);
  for (Request<ssize_t>& write : writes) BOOST_TEST(error_of(write) == ECANCELED);
  BOOST_TEST(queue.length() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, requests_go_on_when_their_stream_is_moved, data::make(all_backends()),
                       backend) {
  open(backend);
  Bytes buffer(3);
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> writing = ours.write("there");
  auto moved = std::make_unique<Stream>(std::move(ours));
  Stream again;
  again = std::move(*moved);
  moved.reset();
  BOOST_TEST(!ours.is_open());
  BOOST_TEST(again.is_open());
  BOOST_TEST(take_text(peer, 5) == "there");
  Request<ssize_t> back = peer.write("abc");
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(buffer) == "abc");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(back) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, requests_may_be_moved_while_they_are_in_progress,
                       data::make(reading_backends()), backend) {
  open(backend);
  Bytes buffer(3);
  std::vector<Request<ssize_t>> requests;
  const Request<ssize_t>* called_with = nullptr;
  requests.push_back(ours.read(buffer));
  requests[0].set_callback([&](Request<ssize_t>& request) { called_with = &request; });
  Request<ssize_t> writing = peer.write("abc");
  Request<ssize_t> moved = std::move(requests[0]);
  requests.clear();
  BOOST_TEST(value_of(moved) == 3);
  BOOST_TEST(called_with == &moved);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, assigning_a_stream_closes_the_one_that_was_there,
                       data::make(all_backends()), backend) {
  open(backend);
  auto other = backend.make(*this);
  ours = std::move(other.first);
  Bytes buffer(1);
  BOOST_TEST(error_of(peer.read(buffer)) == EPIPE);
  Request<ssize_t> writing = other.second.write("x");
  BOOST_TEST(take_text(ours, 1) == "x");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_callback_may_destroy_its_request_and_its_stream,
                       data::make(reading_backends()), backend) {
  enum class What { request, stream, both, other_end, everything };
  for (const What what : {What::request, What::stream, What::both, What::other_end, What::everything}) {
    BOOST_TEST_CONTEXT("what " << static_cast<int>(what)) {
      open(backend);
      Bytes buffer(3);
      auto reading = std::make_unique<Request<ssize_t>>(ours.read(buffer));
      auto writing = std::make_unique<Request<ssize_t>>(peer.write("abcdef"));
      bool called = false;
      reading->set_callback([&](Request<ssize_t>&) {
        called = true;
        if (what == What::request || what == What::both || what == What::everything) reading.reset();
        if (what == What::stream || what == What::both || what == What::everything) ours = Stream();
        if (what == What::other_end || what == What::everything) peer = Stream();
        if (what == What::everything) writing.reset();
      });
      BOOST_TEST(run_until([&] { return called; }));
      reading.reset();
      writing.reset();
      loop.run_until_idle();
    }
  }
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_callback_of_a_write_may_destroy_the_writes_behind_it,
                       data::make(writing_backends()), backend) {
  open(backend);
  Queue queue(loop);
  std::vector<std::unique_ptr<Request<ssize_t>>> writes;
  for (int i = 0; i < 4; ++i) writes.push_back(std::make_unique<Request<ssize_t>>(ours.write(queue, "abc")));
  bool called = false;
  writes[0]->set_callback([&](Request<ssize_t>&) {
    called = true;
    writes.clear();
  });
  Bytes buffer(3);
  Request<ssize_t> reading = peer.read(buffer);
  BOOST_TEST(run_until([&] { return called; }));
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(queue.length() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_failing_read_may_destroy_everything_that_fails_with_it,
                       data::make(reading_backends()), backend) {
  open(backend);
  Bytes buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  auto watching = std::make_unique<Request<void>>(ours.monitor());
  bool called = false;
  reading.set_callback([&](Request<ssize_t>&) {
    called = true;
    watching.reset();
    ours = Stream();
  });
  peer = Stream();
  BOOST_TEST(run_until([&] { return called; }));
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_detached_request_is_called_and_freed, data::make(reading_backends()),
                       backend) {
  open(backend);
  std::string received;
  Bytes buffer(3);
  ours.read(buffer).detach([&](Request<ssize_t>& request) {
    int err = 0;
    request.recv(err);
    received = text_of(buffer);
  });
  peer.write("abc").detach();
  BOOST_TEST(run_until([&] { return !received.empty(); }));
  BOOST_TEST(received == "abc");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, destroying_a_read_lets_go_of_the_callers_buffer_at_once,
                       data::make(reading_backends()), backend) {
  open(backend);
  for (int i = 0; i < 3; ++i) {
    auto buffer = std::make_unique<Bytes>(10);
    Request<ssize_t> reading = ours.read(*buffer);
    Request<ssize_t> writing = peer.write("a");
    reach(reading, static_cast<std::size_t>(i) + 1);
    BOOST_TEST(error_of(writing) == 0);
    reading = {};
    buffer.reset();
  }
  BOOST_TEST(take_text(ours, 3) == "aaa");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, destroying_a_write_lets_go_of_the_callers_buffer_at_once,
                       data::make(writing_backends()), backend) {
  open(backend);
  auto text = std::make_unique<std::string>("never sent");
  Request<ssize_t> writing = ours.write(*text);
  writing = {};
  text.reset();
  writing = ours.write("sent");
  BOOST_TEST(take_text(peer, 4) == "sent");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_stream_may_outlive_its_loop, data::make(reading_backends()),
                       backend) {
  auto other = std::make_unique<LoopFixture>();
  auto [left, right] = backend.make(*other);
  Bytes buffer(1);
  Request<ssize_t> reading = left.read(buffer);
  Request<void> watching = right.monitor();
  other->expects_leftovers = true;
  other.reset();
  BOOST_TEST(!reading.is_in_progress());
  int err = 0;
  reading.recv(err);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(!left.is_open());
  BOOST_TEST(left.pending_bytes(err) == 0U);
  BOOST_TEST(err == ENOTCONN);
  left.abort();
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_hundred_streams_talk_at_once, data::make(all_backends()), backend) {
  std::vector<std::pair<Stream, Stream>> pairs;
  for (int i = 0; i < 100; ++i) pairs.push_back(backend.make(*this));
  std::vector<Request<Pdu>> reads;
  std::vector<Request<ssize_t>> writes;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < pairs.size(); ++i) texts.push_back("stream " + std::to_string(i) + '\n');
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    writes.push_back(pairs[i].first.write(texts[i]));
    reads.push_back(pairs[i].second.readv_pdu(framing::line{}));
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    BOOST_TEST(text_of(value_of(reads[i]).bytes()) == texts[i]);
    BOOST_TEST(error_of(writes[i]) == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(destroying_a_stream_closes_its_backend_without_a_goodbye, StreamFixture) {
  const auto script = make_script({.disconnect_result = EAGAIN});
  ours = scripted_stream(loop, script);
  ours = Stream();
  BOOST_TEST(!script->alive);
  BOOST_TEST(script->disconnect_calls == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
