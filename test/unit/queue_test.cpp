#include "tsock/queue.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(queue)

namespace {

/// A queue of operations that end when the test says so.
struct QueueFixture : LoopFixture {
  struct Entry {
    Remote<int> remote;
    Request<int> request;
    bool started = false;
  };

  /// Adds an entry; `entries` keep their places.
  Entry& submit() {
    entries.push_back(std::make_unique<Entry>());
    Entry& entry = *entries.back();
    entry.request = queue->submit([this, &entry] {
      entry.started = true;
      order += name_of(entry);
      return make_manual(loop, entry.remote);
    });
    return entry;
  }
  std::string name_of(const Entry& entry) const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].get() == &entry) return std::to_string(i);
    }
    return "?";
  }

  std::string order;
  std::optional<Queue> queue{std::in_place, loop, "test"};
  std::vector<std::unique_ptr<Entry>> entries;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_new_queue_runs_is_empty_and_has_its_name, QueueFixture) {
  BOOST_TEST(queue->running());
  BOOST_TEST(queue->length() == 0U);
  BOOST_TEST(queue->name() == "test");
  BOOST_TEST(&queue->loop() == &loop);
  Queue moved = std::move(*queue);
  BOOST_TEST(moved.name() == "test");
  *queue = std::move(moved);
  BOOST_TEST(queue->name() == "test");
}

BOOST_FIXTURE_TEST_CASE(a_null_name_is_no_name, QueueFixture) {
  const char* const no_name = nullptr;
  BOOST_TEST(Queue(loop, no_name).name().empty());
  BOOST_TEST(Queue(loop, nullptr).name().empty());
  BOOST_TEST(Queue(loop).name() == "queue");
  BOOST_TEST(Queue(loop, std::string("of a string")).name() == "of a string");
}

BOOST_AUTO_TEST_CASE(an_empty_front_is_harmless) {
  Queue none;
  none.stop();
  none.start();
  BOOST_TEST(!none.running());
  BOOST_TEST(none.length() == 0U);
  BOOST_TEST(none.name().empty());
  BOOST_TEST(!none.wait());
  BOOST_TEST(!none.submit([]() -> Request<int> { return {}; }));
  QueueHold hold;
  hold.release();
  BOOST_TEST(!hold);
}

BOOST_FIXTURE_TEST_CASE(entries_start_one_after_the_other_in_their_order, QueueFixture) {
  for (int i = 0; i < 3; ++i) submit();
  BOOST_TEST(queue->length() == 3U);
  BOOST_TEST(order.empty());  // nothing runs inside submit()
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  entries[0]->remote.operation->done(10);
  loop.run_until_idle();
  BOOST_TEST(order == "01");
  BOOST_TEST(queue->length() == 2U);
  entries[1]->remote.operation->done(11);
  loop.run_until_idle();
  entries[2]->remote.operation->done(12);
  loop.run_until_idle();
  BOOST_TEST(order == "012");
  BOOST_TEST(queue->length() == 0U);
  for (int i = 0; i < 3; ++i) {
    int err = -1;
    BOOST_TEST(entries[static_cast<std::size_t>(i)]->request.recv(err) == 10 + i);
    BOOST_TEST(err == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(an_entry_leaves_when_it_completes_not_when_its_request_goes, QueueFixture) {
  submit();
  submit();
  loop.run_until_idle();
  entries[0]->remote.operation->done(1);
  loop.run_until_idle();
  BOOST_TEST(static_cast<bool>(entries[0]->request));  // still there, not even fetched
  BOOST_TEST(queue->length() == 1U);
  BOOST_TEST(entries[1]->started);
}

BOOST_FIXTURE_TEST_CASE(a_failed_entry_does_not_stop_the_queue, QueueFixture) {
  submit();
  submit();
  loop.run_until_idle();
  entries[0]->remote.operation->error(EPERM);
  BOOST_TEST(error_of(entries[0]->request) == EPERM);
  loop.run_until_idle();
  BOOST_TEST(entries[1]->started);
}

BOOST_FIXTURE_TEST_CASE(stop_lets_the_started_one_go_on_and_starts_no_other, QueueFixture) {
  submit();
  submit();
  loop.run_until_idle();
  queue->stop();
  BOOST_TEST(!queue->running());
  entries[0]->remote.operation->done(1);
  BOOST_TEST(error_of(entries[0]->request) == 0);
  submit();
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  BOOST_TEST(queue->length() == 2U);
  queue->start();
  BOOST_TEST(order == "0");  // not inside start()
  loop.run_until_idle();
  BOOST_TEST(order == "01");
  queue->start();  // a second start starts nothing
  loop.run_until_idle();
  BOOST_TEST(order == "01");
}

BOOST_FIXTURE_TEST_CASE(a_waiting_entry_can_be_cancelled_and_destroyed, QueueFixture) {
  for (int i = 0; i < 4; ++i) submit();
  loop.run_until_idle();
  BOOST_TEST(entries[1]->request.cancel());
  entries[2]->request = {};
  BOOST_TEST(error_of(entries[1]->request) == ECANCELED);
  BOOST_TEST(queue->length() == 2U);
  entries[0]->remote.operation->done(1);
  loop.run_until_idle();
  BOOST_TEST(order == "03");
}

BOOST_FIXTURE_TEST_CASE(a_running_entry_can_be_cancelled_and_destroyed, QueueFixture) {
  for (int i = 0; i < 3; ++i) submit();
  loop.run_until_idle();
  entries[0]->request.cancel();
  BOOST_TEST(entries[0]->remote.cancels == 1);  // the wish is passed on
  BOOST_TEST(error_of(entries[0]->request) == ECANCELED);
  loop.run_until_idle();
  BOOST_TEST(order == "01");
  entries[1]->request = {};
  BOOST_TEST((entries[1]->remote.outcomes == std::vector<Outcome>{Outcome::abandoned}));
  loop.run_until_idle();
  BOOST_TEST(order == "012");
}

BOOST_FIXTURE_TEST_CASE(deadlines_end_waiting_and_running_entries, QueueFixture) {
  for (int i = 0; i < 3; ++i) submit();
  loop.run_until_idle();
  entries[1]->request.set_timeout(0ns);
  BOOST_TEST(error_of(entries[1]->request) == ETIMEDOUT);
  entries[0]->request.set_timeout(0ns);
  BOOST_TEST(error_of(entries[0]->request) == ETIMEDOUT);
  BOOST_TEST((entries[0]->remote.outcomes == std::vector<Outcome>{Outcome::abandoned}));
  loop.run_until_idle();
  BOOST_TEST(order == "02");
}

BOOST_FIXTURE_TEST_CASE(when_the_queue_goes_waiting_entries_get_ecanceled_and_started_ones_go_on,
                        QueueFixture) {
  for (int i = 0; i < 3; ++i) submit();
  loop.run_until_idle();
  int calls = 0;
  entries[1]->request.set_callback([&](auto&) { ++calls; });
  queue.reset();
  BOOST_TEST(calls == 0);
  BOOST_TEST(entries[1]->request.is_in_progress());
  BOOST_TEST(error_of(entries[1]->request) == ECANCELED);
  BOOST_TEST(error_of(entries[2]->request) == ECANCELED);
  BOOST_TEST(calls == 1);
  BOOST_TEST(entries[0]->request.is_in_progress());
  entries[0]->remote.operation->done(6);
  int err = -1;
  BOOST_TEST(fetch(entries[0]->request, err) == 6);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(the_queue_may_go_in_the_callback_of_an_entry_and_in_submits_function, QueueFixture) {
  for (int i = 0; i < 3; ++i) submit();
  entries[0]->request.set_callback([&](auto&) { queue.reset(); });
  loop.run_until_idle();
  entries[0]->remote.operation->done(1);
  BOOST_TEST(error_of(entries[2]->request) == ECANCELED);
  BOOST_TEST(order == "01");  // the second started when the first was over, before its callback
  entries[1]->remote.operation->done(2);
  BOOST_TEST(error_of(entries[1]->request) == 0);

  queue.emplace(loop);
  Remote<int> remote;
  auto request = queue->submit([&] {
    queue.reset();
    return make_manual(loop, remote);
  });
  loop.run_until_idle();
  remote.operation->done(3);
  int err = -1;
  BOOST_TEST(fetch(request, err) == 3);
}

BOOST_FIXTURE_TEST_CASE(an_entry_may_be_destroyed_in_the_function_that_makes_it, QueueFixture) {
  Remote<int> remote;
  Request<int> request;
  request = queue->submit([&, text = std::string(100, 'x')] {
    request = {};
    BOOST_TEST(text.size() == 100U);
    return make_manual(loop, remote);
  });
  request.set_callback([](auto&) { BOOST_ERROR("called after it was destroyed"); });
  Entry& next = submit();
  loop.run_until_idle();
  BOOST_TEST(!request);
  BOOST_TEST((remote.outcomes == std::vector<Outcome>{Outcome::abandoned}));
  BOOST_TEST(next.started);
}

BOOST_FIXTURE_TEST_CASE(a_function_that_makes_nothing_or_throws_ends_its_entry_alone, QueueFixture) {
  auto thrower = queue->submit([]() -> Request<int> { throw std::runtime_error("thrown"); });
  auto nothing = queue->submit([]() -> Request<int> { return {}; });
  Entry& next = submit();
  BOOST_CHECK_THROW(loop.run_until_idle(), std::runtime_error);
  BOOST_TEST(error_of(thrower) == EIO);
  BOOST_TEST(error_of(nothing) == EINVAL);
  loop.run_until_idle();
  BOOST_TEST(next.started);
}

BOOST_FIXTURE_TEST_CASE(submit_takes_requests_without_a_value_and_move_only_functions, QueueFixture) {
  auto request = queue->submit([this, value = std::make_unique<int>(1)] { return loop.sleep(*value * 1ms); });
  BOOST_TEST(error_of(request) == 0);
  BOOST_TEST(queue->length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(entries_may_be_added_in_callbacks_of_entries, QueueFixture) {
  int left = 100;
  struct Adder {
    QueueFixture& fixture;
    int& left;
    void operator()(Request<void>& /*request*/) const {
      if (--left != 0)
        fixture.queue->submit([&loop = fixture.loop] { return loop.sleep(0ns); }).detach(*this);
    }
  };
  queue->submit([this] { return loop.sleep(0ns); }).detach(Adder{*this, left});
  loop.run();
  BOOST_TEST(left == 0);
}

BOOST_FIXTURE_TEST_CASE(wait_holds_the_queue_until_the_hold_is_released, QueueFixture) {
  submit();
  auto turn = queue->wait();
  submit();
  loop.run_until_idle();
  BOOST_TEST(turn.is_in_progress());
  BOOST_TEST(queue->length() == 3U);
  entries[0]->remote.operation->done(1);
  int err = -1;
  QueueHold hold = fetch(turn, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(static_cast<bool>(hold));
  BOOST_TEST(queue->length() == 2U);
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  QueueHold moved = std::move(hold);
  BOOST_TEST(!hold);
  moved.release();
  moved.release();
  BOOST_TEST(queue->length() == 1U);
  BOOST_TEST(order == "0");  // not inside release()
  loop.run_until_idle();
  BOOST_TEST(order == "01");
}

BOOST_FIXTURE_TEST_CASE(wait_on_an_empty_queue_completes_at_once_but_not_inside_the_call, QueueFixture) {
  auto turn = queue->wait();
  BOOST_TEST(turn.is_in_progress());
  loop.run_until_idle();
  BOOST_TEST(!turn.is_in_progress());
  turn = {};  // a hold that nobody fetched is released
  BOOST_TEST(queue->length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(waits_can_be_cancelled_timed_out_and_destroyed, QueueFixture) {
  auto holding = queue->wait();
  auto cancelled = queue->wait();
  auto timed_out = queue->wait();
  auto destroyed = queue->wait();
  submit();
  BOOST_TEST(queue->length() == 5U);
  cancelled.cancel();
  timed_out.set_timeout(0ns);
  destroyed = {};
  int err = 0;
  BOOST_TEST(!fetch(cancelled, err));
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(error_of(timed_out) == ETIMEDOUT);
  BOOST_TEST(queue->length() == 2U);
  // Destroyed while its turn has come but was not delivered.
  auto second = queue->wait();
  second = {};
  holding = {};
  loop.run_until_idle();
  BOOST_TEST(order == "0");
}

BOOST_FIXTURE_TEST_CASE(a_hold_outlives_its_queue, QueueFixture) {
  auto turn = queue->wait();
  int err = 0;
  QueueHold hold = fetch(turn, err);
  Entry& waiting = submit();
  queue.reset();
  BOOST_TEST(static_cast<bool>(hold));
  BOOST_TEST(error_of(waiting.request) == ECANCELED);
  hold = {};
  BOOST_TEST(!hold);

  queue.emplace(loop);
  auto undelivered = queue->wait();
  queue.reset();
  BOOST_TEST(static_cast<bool>(fetch(undelivered, err)));
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(assigning_a_queue_ends_the_old_one, QueueFixture) {
  submit();
  Entry& waiting = submit();
  loop.run_until_idle();
  *queue = Queue(loop, "other");
  BOOST_TEST(queue->name() == "other");
  BOOST_TEST(error_of(waiting.request) == ECANCELED);
  Entry& fresh = submit();
  loop.run_until_idle();
  BOOST_TEST(fresh.started);
}

BOOST_FIXTURE_TEST_CASE(one_queue_orders_the_writes_and_reads_of_several_streams, QueueFixture) {
  auto [a, b] = unix_pair();
  auto [c, d] = tcp_pair();
  std::vector<Request<ssize_t>> requests;
  std::string done;
  const auto add = [&](const char* name, Request<ssize_t> request) {
    requests.push_back(std::move(request));
    requests.back().set_callback([&done, name](Request<ssize_t>& self) {
      int err = 0;
      self.recv(err);
      done += name;
      BOOST_TEST(err == 0);
    });
  };
  // The write to `c` can start only when the peer of `b` has got its message.
  std::array<std::byte, 4> got{};
  add("1", a.write(*queue, "ping"));
  bool asked = false;
  add("2", b.readv_pdu(*queue, [&](VectorList& vectors) {
    if (!std::exchange(asked, true)) vectors.add(got);
    return 0;
  }));
  add("3", c.write(*queue, "x"));
  add("4", a.write(*queue, "y"));
  BOOST_TEST(queue->length() == 4U);
  BOOST_TEST(run_until([&] { return done.size() == 4; }));
  BOOST_TEST(done == "1234");
  BOOST_TEST(tsock::test::text_of(got) == "ping");
  BOOST_TEST(queue->length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_write_leaves_when_its_bytes_are_out_before_any_callback_runs, LoopFixture) {
  auto [ours, peer] = unix_pair();
  Queue queue(loop);
  std::vector<std::size_t> lengths;
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 3; ++i) {
    writes.push_back(ours.write(queue, "12345"));
    writes.back().set_callback([&](auto&) { lengths.push_back(queue.length()); });
  }
  auto behind = queue.wait();
  BOOST_TEST(queue.length() == 4U);
  loop.run_until_idle();
  // What comes behind them has had its turn, and holds the queue.
  BOOST_TEST(lengths == std::vector<std::size_t>({1, 1, 1}), boost::test_tools::per_element());
  int err = 0;
  const QueueHold hold = behind.recv(err);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_goes_takes_its_entries_and_leaves_the_others, QueueFixture) {
  auto [a, b] = memory_pair();
  auto [c, d] = memory_pair();
  auto first = a.write(*queue, "never read");
  auto second = c.write(*queue, "x");
  auto third = a.write(*queue, "waits");
  a = {};
  BOOST_TEST(error_of(first) == ECANCELED);
  BOOST_TEST(error_of(third) == ECANCELED);
  std::array<std::byte, 1> byte{};
  auto reading = d.read(byte);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(error_of(reading) == 0);
}

BOOST_FIXTURE_TEST_CASE(queue_entries_of_a_stream_that_fails_fail_one_after_the_other, QueueFixture) {
  auto [a, b] = unix_pair();
  b = {};
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 3; ++i) writes.push_back(a.write(*queue, "x"));
  for (auto& write : writes) BOOST_TEST(error_of(write) == EPIPE);
  BOOST_TEST(queue->length() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_stopped_queue_calls_no_function_and_gives_no_hold, QueueFixture) {
  submit();
  queue->stop();  // its turn came in this turn
  loop.run_until_idle();
  BOOST_TEST(order.empty());
  queue->start();
  queue->stop();
  loop.run_until_idle();
  BOOST_TEST(order.empty());
  queue->start();
  auto turn = queue->wait();
  submit();
  entries[0]->request.set_callback([&](auto&) { queue->stop(); });
  loop.run_until_idle();
  entries[0]->remote.operation->done(1);
  loop.run_until_idle();
  BOOST_TEST(turn.is_in_progress());
  BOOST_TEST(queue->length() == 2U);
  queue->start();
  int err = -1;
  QueueHold hold = fetch(turn, err);
  BOOST_TEST(err == 0);
  hold.release();
  queue->stop();
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  queue->start();
  loop.run_until_idle();
  BOOST_TEST(order == "01");
}

BOOST_FIXTURE_TEST_CASE(what_a_stopped_queue_has_held_back_can_be_cancelled_timed_out_and_destroyed,
                        QueueFixture) {
  auto cancelled = queue->wait();
  queue->stop();
  auto timed_out = queue->wait();
  cancelled.cancel();
  queue->start();
  timed_out.set_timeout(0ns);
  queue->stop();
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  BOOST_TEST(error_of(timed_out) == ETIMEDOUT);
  auto destroyed = queue->wait();
  queue->start();
  queue->stop();
  destroyed = {};
  BOOST_TEST(queue->length() == 0U);
  auto last = queue->wait();
  queue->start();
  queue->stop();
  queue.reset();
  BOOST_TEST(error_of(last) == ECANCELED);
}

BOOST_FIXTURE_TEST_CASE(a_function_whose_request_was_fetched_already_ends_its_entry_alone, QueueFixture) {
  Request<void> over = loop.sleep(0ns);
  BOOST_TEST(error_of(over) == 0);
  auto stale = queue->submit([&] { return std::move(over); });
  BOOST_TEST(error_of(stale) == EINVAL);
  Request<void> unfetched = loop.sleep(0ns);
  loop.run_until_idle();
  auto late = queue->submit([&] { return std::move(unfetched); });
  BOOST_TEST(error_of(late) == 0);
  Entry& next = submit();
  loop.run_until_idle();
  BOOST_TEST(next.started);
}
BOOST_FIXTURE_TEST_CASE(a_block_takes_its_place_at_once_and_holds_until_it_is_released, QueueFixture) {
  submit();
  QueueHold block = queue->block();
  submit();
  BOOST_TEST(static_cast<bool>(block));
  BOOST_TEST(queue->length() == 3U);
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  entries[0]->remote.operation->done(1);
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  QueueHold moved = std::move(block);
  BOOST_TEST(!block);
  queue->stop();
  queue->start();
  loop.run_until_idle();
  BOOST_TEST(order == "0");
  moved.release();
  BOOST_TEST(!moved);
  loop.run_until_idle();
  BOOST_TEST(order == "01");
  BOOST_TEST(!Queue().block());
}

BOOST_FIXTURE_TEST_CASE(a_block_may_go_before_its_turn_and_outlive_its_queue, QueueFixture) {
  submit();
  QueueHold waiting = queue->block();
  submit();
  waiting = {};
  BOOST_TEST(queue->length() == 2U);
  QueueHold behind = queue->block();
  Entry& last = submit();
  queue.reset();
  BOOST_TEST(error_of(last.request) == ECANCELED);
  behind.release();

  queue.emplace(loop);
  QueueHold first = queue->block();
  Entry& held = submit();
  loop.run_until_idle();
  queue.reset();
  BOOST_TEST(error_of(held.request) == ECANCELED);
  first = {};
}

BOOST_FIXTURE_TEST_CASE(a_block_keeps_no_loop_from_ending, QueueFixture) {
  const QueueHold block = queue->block();
  loop.run();
  BOOST_TEST(queue->length() == 1U);
}
BOOST_AUTO_TEST_SUITE_END()
