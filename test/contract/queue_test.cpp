#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

std::string message(std::size_t number) {
  return "message " + std::to_string(number) + std::string(number % 7, '.') + '\n';
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_queue)

BOOST_DATA_TEST_CASE_F(StreamFixture, many_writes_and_many_messages_keep_their_order,
                       data::make(all_backends()), backend) {
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

BOOST_DATA_TEST_CASE_F(StreamFixture, writes_complete_in_the_order_of_the_queue, data::make(all_backends()),
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

BOOST_DATA_TEST_CASE_F(StreamFixture, a_direct_write_beside_queued_ones_is_ebusy, data::make(all_backends()),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> queued = ours.write(queue, "queued");
  BOOST_TEST(error_of(ours.write("direct")) == EBUSY);
  BOOST_TEST(take_text(peer, 6) == "queued");
  BOOST_TEST(error_of(queued) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_queued_write_beside_a_direct_one_is_ebusy, data::make(all_backends()),
                       backend) {
  open(backend);
  Queue queue(loop);
  Request<ssize_t> direct = ours.write("direct");
  BOOST_TEST(error_of(ours.write(queue, "queued")) == EBUSY);
  BOOST_TEST(queue.length() == 0U);
  BOOST_TEST(take_text(peer, 6) == "direct");
  BOOST_TEST(error_of(direct) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, writes_of_two_queues_at_once_are_ebusy, data::make(all_backends()),
                       backend) {
  open(backend);
  Queue one(loop);
  Queue two(loop);
  Request<ssize_t> first = ours.write(one, "first");
  BOOST_TEST(error_of(ours.write(two, "second")) == EBUSY);
  BOOST_TEST(take_text(peer, 5) == "first");
  BOOST_TEST(error_of(first) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_direct_read_beside_a_queued_one_is_ebusy, data::make(all_backends()),
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
                       data::make(all_backends()), backend) {
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
                       data::make(all_backends()), backend) {
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
                       data::make(all_backends()), backend) {
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
                       data::make(all_backends()), backend) {
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

BOOST_DATA_TEST_CASE_F(StreamFixture, destroying_an_entry_lets_the_next_one_run, data::make(all_backends()),
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
                       data::make(all_backends()), backend) {
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
                       data::make(all_backends()), backend) {
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
                       data::make(all_backends()), backend) {
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
                       data::make(all_backends()), backend) {
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

BOOST_AUTO_TEST_SUITE_END()
