#include "tsock/request.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;
using tsock::test::text_of;

BOOST_AUTO_TEST_SUITE(request)

BOOST_AUTO_TEST_CASE(without_an_operation_everything_is_harmless) {
  Request<int> request;
  int err = 0;
  BOOST_TEST(!request);
  BOOST_TEST(!request.is_in_progress());
  BOOST_TEST(request.recv(err) == -1);
  BOOST_TEST(err == EIO);
  BOOST_TEST(!request.is_error(err));
  BOOST_TEST(err == 0);
  BOOST_TEST(request.transferred() == 0U);
  BOOST_TEST(!request.cancel());
  BOOST_TEST(!request.wait(err));
  BOOST_TEST(err == EIO);
  request.set_callback([](auto&) { BOOST_ERROR("called"); });
  request.clear_callback();
  request.set_timeout(1ns);
  request.clear_deadline();
  Request<int> other = std::move(request);
  other = Request<int>();
  std::move(other).detach([](auto&) { BOOST_ERROR("called"); });
}

BOOST_FIXTURE_TEST_CASE(completes_exactly_once_and_only_from_the_loop, LoopFixture) {
  int calls = 0;
  auto request = loop.sleep(0ns);
  request.set_callback([&](Request<void>& self) {
    ++calls;
    BOOST_TEST(!self.is_in_progress());
  });
  BOOST_TEST(request.is_in_progress());
  BOOST_TEST(calls == 0);
  loop.run();
  BOOST_TEST(calls == 1);
  loop.run();
  loop.run_until_idle();
  BOOST_TEST(calls == 1);
}

BOOST_FIXTURE_TEST_CASE(errors_that_are_known_at_once_arrive_through_the_request_too, LoopFixture) {
  auto [a, b] = memory_pair();
  const auto expect = [this](auto started, int wanted) {
    int calls = 0;
    started.set_callback([&calls](auto&) { ++calls; });
    BOOST_TEST(started.is_in_progress());
    BOOST_TEST(calls == 0);
    int err = -1;
    BOOST_TEST(!started.is_error(err));
    loop.run_until_idle();
    BOOST_TEST(calls == 1);
    BOOST_TEST(started.is_error(err));
    BOOST_TEST(err == wanted);
    started.recv(err);
    BOOST_TEST(err == wanted);
  };
  expect(a.readv({}), EINVAL);
  expect(a.writev({}), EINVAL);
  expect(a.readv_pdu(framing::u32be{.max_body = 1, .includes_header = false, .min_body = 2}), EINVAL);
  expect(loop.signal(SIGKILL), EINVAL);
  expect(Stream::connect(loop, Address()), EINVAL);
  Stream gone = std::move(a);
  expect(a.write("x"), ENOTCONN);
}

BOOST_FIXTURE_TEST_CASE(recv_gives_the_result_once, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  remote.operation->done(7);
  int err = -1;
  BOOST_TEST(fetch(request, err) == 7);
  BOOST_TEST(err == 0);
  BOOST_TEST(request.recv(err) == -1);
  BOOST_TEST(err == EIO);
}

BOOST_FIXTURE_TEST_CASE(recv_in_progress_gives_eio_and_takes_nothing, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  int err = 0;
  BOOST_TEST(request.recv(err) == -1);
  BOOST_TEST(err == EIO);
  remote.operation->done(7);
  BOOST_TEST(request.recv(err) == -1);  // finished, but not delivered
  BOOST_TEST(err == EIO);
  BOOST_TEST(fetch(request, err) == 7);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(a_failed_recv_gives_minus_one_for_counts_and_empty_for_others, LoopFixture) {
  const auto failed = [this]<class T>(T /*tag*/) {
    Remote<T> remote;
    auto request = make_manual(loop, remote);
    remote.operation->error(EPERM);
    int err = 0;
    T value = fetch(request, err);
    BOOST_TEST(err == EPERM);
    return value;
  };
  BOOST_TEST(failed(int{}) == -1);
  BOOST_TEST(failed(ssize_t{}) == -1);
  BOOST_TEST(failed(std::uint32_t{}) == 0U);
  BOOST_TEST(failed(true) == false);
  BOOST_TEST(failed(std::string("x")).empty());
  BOOST_TEST(failed(std::unique_ptr<int>()).get() == nullptr);
  BOOST_TEST(!failed(Stream()).is_open());
  BOOST_TEST(failed(Pdu()).empty());
}

BOOST_FIXTURE_TEST_CASE(results_may_be_move_only_and_are_released_when_not_fetched, LoopFixture) {
  const auto value = std::make_shared<int>(5);
  {
    Remote<std::unique_ptr<std::shared_ptr<int>>> remote;
    auto request = make_manual(loop, remote);
    remote.operation->done(std::make_unique<std::shared_ptr<int>>(value));
    int err = 0;
    BOOST_TEST(**fetch(request, err) == 5);

    auto unfetched = make_manual(loop, remote);
    remote.operation->done(std::make_unique<std::shared_ptr<int>>(value));
    wait_for(unfetched);
    BOOST_TEST(value.use_count() == 2);
  }
  BOOST_TEST(value.use_count() == 1);
}

BOOST_FIXTURE_TEST_CASE(the_callback_gets_the_handle_wherever_it_was_moved, LoopFixture) {
  auto first = loop.sleep(0ns);
  const Request<void>* seen = nullptr;
  first.set_callback([&](Request<void>& self) { seen = &self; });
  auto second = std::make_unique<Request<void>>(std::move(first));
  Request<void> third;
  third = std::move(*second);
  second.reset();
  BOOST_TEST(!first.is_in_progress());
  loop.run();
  BOOST_TEST(seen == &third);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_is_assigned_to_itself_goes_on, LoopFixture) {
  auto request = loop.sleep(0ns);
  bool called = false;
  request.set_callback([&](auto&) { called = true; });
  auto& same = request;
  request = std::move(same);
  BOOST_TEST(request.is_in_progress());
  loop.run();
  BOOST_TEST(called);
}

BOOST_FIXTURE_TEST_CASE(the_handle_may_move_away_in_its_own_callback, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  std::vector<Request<int>> kept;
  request.set_callback([&](Request<int>& self) { kept.push_back(std::move(self)); });
  remote.operation->done(3);
  loop.run();
  BOOST_TEST_REQUIRE(kept.size() == 1U);
  BOOST_TEST(!request);
  int err = -1;
  BOOST_TEST(kept.front().recv(err) == 3);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(the_request_may_be_assigned_anew_in_its_own_callback, LoopFixture) {
  struct Ticker {
    Loop& loop;
    int left;
    Request<void> waiting = {};
    void next() {
      waiting = loop.sleep(0ns);
      waiting.set_callback([this](Request<void>&) {
        if (--left != 0) next();
      });
    }
  };
  Ticker ticker{loop, 5};
  ticker.next();
  loop.run();
  BOOST_TEST(ticker.left == 0);
  BOOST_TEST(!ticker.waiting.is_in_progress());
}

BOOST_FIXTURE_TEST_CASE(destroyed_in_its_own_callback_its_captures_live_to_the_callbacks_end, LoopFixture) {
  auto request = std::make_unique<Request<void>>(loop.sleep(0ns));
  const auto text = std::make_shared<std::string>("captured");
  std::string after;
  request->set_callback([&request, &after, copy = text](Request<void>&) {
    request.reset();
    after = *copy;
  });
  loop.run();
  BOOST_TEST(after == "captured");
  BOOST_TEST(text.use_count() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_callback_can_be_replaced_and_taken_away, LoopFixture) {
  std::string calls;
  auto replaced = loop.sleep(0ns);
  replaced.set_callback([&](auto&) { calls += "old"; });
  replaced.set_callback([&](auto&) { calls += "new"; });
  auto cleared = loop.sleep(0ns);
  cleared.set_callback([&](auto&) { calls += "cleared"; });
  cleared.clear_callback();
  loop.run();
  BOOST_TEST(calls == "new");
  BOOST_TEST(!cleared.is_in_progress());
  int err = -1;
  cleared.recv(err);
  BOOST_TEST(err == 0);
}

BOOST_FIXTURE_TEST_CASE(a_callback_set_in_the_callback_runs_later_with_the_result_still_there, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  std::string calls;
  int value = 0;
  request.set_callback([&](Request<int>& self) {
    self.set_callback([&](Request<int>& again) {
      int err = 0;
      calls += "second";
      value = again.recv(err);
    });
    calls += "first ";
  });
  remote.operation->done(4);
  loop.run();
  BOOST_TEST(calls == "first second");
  BOOST_TEST(value == 4);
}

BOOST_FIXTURE_TEST_CASE(a_callback_set_after_completion_runs_on_the_next_turn, LoopFixture) {
  auto request = loop.sleep(0ns);
  loop.run();
  int calls = 0;
  request.set_callback([&](auto&) { ++calls; });
  BOOST_TEST(calls == 0);
  loop.run();
  BOOST_TEST(calls == 1);

  // Not when the handle goes, the callback is taken away or the result was fetched.
  auto gone = loop.sleep(0ns);
  auto cleared = loop.sleep(0ns);
  auto fetched = loop.sleep(0ns);
  loop.run();
  gone.set_callback([&](auto&) { ++calls; });
  gone = {};
  cleared.set_callback([&](auto&) { ++calls; });
  cleared.clear_callback();
  int err = 0;
  fetched.recv(err);
  fetched.set_callback([&](auto&) { ++calls; });
  loop.run();
  BOOST_TEST(calls == 1);
}

BOOST_FIXTURE_TEST_CASE(a_callback_set_after_recv_is_destroyed_at_once_and_never_runs, LoopFixture) {
  auto request = loop.sleep(0ns);
  BOOST_TEST(error_of(request) == 0);
  const auto captured = std::make_shared<int>(0);
  for (int i = 0; i < 2; ++i) {
    request.set_callback([captured](auto&) { BOOST_ERROR("called"); });
    BOOST_TEST(captured.use_count() == 1);
  }
  loop.run_until_idle();

  auto inside = loop.sleep(0ns);
  inside.set_callback([&](Request<void>& self) {
    int err = 0;
    self.recv(err);
    self.set_callback([captured](auto&) { BOOST_ERROR("called"); });
    BOOST_TEST(captured.use_count() == 1);
  });
  loop.run_until_idle();
}

BOOST_FIXTURE_TEST_CASE(destroying_is_silence_and_the_next_read_gets_the_bytes, LoopFixture) {
  auto [a, b] = unix_pair();
  auto buffer = std::make_unique<std::array<std::byte, 8>>();
  auto reading = std::make_unique<Request<ssize_t>>(b.read(*buffer));
  reading->set_callback([](auto&) { BOOST_ERROR("called after the request was destroyed"); });
  auto first = a.write("four");
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(run_until([&] { return reading->transferred() == 4; }));
  BOOST_TEST(reading->is_in_progress());
  reading.reset();
  buffer.reset();  // the address sanitizer sees it when anybody still writes here
  auto second = a.write("more");
  BOOST_TEST(error_of(second) == 0);
  std::array<std::byte, 8> all{};
  auto again = b.read(all);
  BOOST_TEST(error_of(again) == 0);
  BOOST_TEST(text_of(all) == "fourmore");
}

BOOST_FIXTURE_TEST_CASE(cancel_completes_once_with_ecanceled_from_the_loop, LoopFixture) {
  auto [a, b] = memory_pair();
  std::array<std::byte, 4> buffer{};
  auto reading = b.read(buffer);
  int calls = 0;
  reading.set_callback([&](auto&) { ++calls; });
  BOOST_TEST(reading.cancel());
  BOOST_TEST(calls == 0);
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(reading.cancel());
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(calls == 1);
  BOOST_TEST(!reading.cancel());
}

BOOST_FIXTURE_TEST_CASE(a_cancel_that_comes_too_late_leaves_the_success, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  remote.operation->done(1);
  BOOST_TEST(request.cancel());
  int err = -1;
  BOOST_TEST(fetch(request, err) == 1);
  BOOST_TEST(err == 0);
  BOOST_TEST(remote.cancels == 0);
}

BOOST_FIXTURE_TEST_CASE(the_three_ways_to_end_early_are_kept_apart, LoopFixture) {
  std::vector<std::string> calls;
  const auto note = [&calls](const char* name) {
    return [&calls, name](Request<void>& self) {
      int err = 0;
      self.recv(err);
      calls.push_back(std::string(name) + " " + std::string(error_name(err)));
    };
  };
  std::vector<Remote<void>> remotes(4);
  auto cancelled = make_manual(loop, remotes[0]);
  auto timed_out = make_manual(loop, remotes[1]);
  auto abandoned = make_manual(loop, remotes[2]);
  auto both = make_manual(loop, remotes[3]);
  cancelled.set_callback(note("cancelled"));
  timed_out.set_callback(note("timed out"));
  abandoned.set_callback(note("abandoned"));
  both.set_callback(note("both"));
  timed_out.set_timeout(1ms);
  abandoned.set_timeout(1ms);
  both.set_timeout(0ns);
  cancelled.cancel();
  both.cancel();  // before the deadline is looked at
  abandoned = {};
  loop.run();
  BOOST_TEST(
      (calls == std::vector<std::string>{"cancelled ECANCELED", "both ECANCELED", "timed out ETIMEDOUT"}));
}

BOOST_FIXTURE_TEST_CASE(one_that_is_due_is_silent_when_another_callback_destroys_it, LoopFixture) {
  auto first = loop.sleep(0ns);
  auto second = loop.sleep(0ns);
  second.set_callback([](auto&) { BOOST_ERROR("called after it was destroyed"); });
  first.set_callback([&](auto&) { second = {}; });
  loop.run();
  BOOST_TEST(!second);
}

BOOST_FIXTURE_TEST_CASE(callbacks_run_in_the_order_of_the_completions, LoopFixture) {
  std::vector<Remote<void>> remotes(3);
  std::vector<Request<void>> requests;
  std::string order;
  for (std::size_t i = 0; i < remotes.size(); ++i) {
    requests.push_back(make_manual(loop, remotes[i]));
    requests.back().set_callback([&order, i](auto&) { order += std::to_string(i); });
  }
  remotes[1].operation->done();
  remotes[2].operation->error(EIO);
  remotes[0].operation->done();
  loop.run();
  BOOST_TEST(order == "120");
}

BOOST_FIXTURE_TEST_CASE(captures_of_any_size_and_move_only_ones_are_kept_and_released, LoopFixture) {
  std::array<std::byte, 4096> large{};
  large.back() = std::byte{42};
  int sum = 0;
  const auto shared = std::make_shared<int>(1);
  auto big = loop.sleep(0ns);
  big.set_callback([large, &sum, shared](auto&) { sum += static_cast<int>(large.back()) + *shared; });
  auto unique = loop.sleep(0ns);
  unique.set_callback([value = std::make_unique<int>(100), &sum](auto&) { sum += *value; });
  auto abandoned = loop.sleep(1h);
  abandoned.set_callback([large, shared](auto&) { static_cast<void>(large); });
  auto replaced = loop.sleep(0ns);
  replaced.set_callback([shared](auto&) {});
  BOOST_TEST(shared.use_count() == 4);
  replaced.set_callback([](auto&) {});
  BOOST_TEST(shared.use_count() == 3);
  abandoned = {};
  BOOST_TEST(shared.use_count() == 2);
  loop.run();
  BOOST_TEST(sum == 143);
  BOOST_TEST(shared.use_count() == 1);
}

namespace {

// The common shape of a session: its callback keeps it alive, and it owns the request.
struct Session {
  explicit Session(Loop& loop) : waiting(loop.sleep(1h)) {}
  Request<void> waiting;
  std::array<char, 64> padding{};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_callback_that_alone_owns_its_request_may_be_replaced, LoopFixture) {
  for (const bool delivered : {false, true}) {
    auto owner = std::make_shared<Request<void>>(loop.sleep(delivered ? 0ns : 1h));
    if (delivered) wait_for(*owner);
    Request<void>* const request = owner.get();
    request->set_callback([owner](auto&) {});
    const std::weak_ptr<Request<void>> watched = std::exchange(owner, nullptr);
    // The request goes in this call.
    request->set_callback([](auto&) {});
    BOOST_TEST(watched.expired());
  }
}

BOOST_FIXTURE_TEST_CASE(a_callback_may_own_what_owns_its_request, LoopFixture) {
  const auto start = [this] {
    const auto session = std::make_shared<Session>(loop);
    session->waiting.set_callback([session, text = std::string(64, 'x')](auto&) {});
    return std::weak_ptr<Session>(session);
  };
  const auto cleared = start();
  cleared.lock()->waiting.clear_callback();
  BOOST_TEST(cleared.expired());

  const auto replaced = start();
  replaced.lock()->waiting.set_callback([](auto&) {});
  BOOST_TEST(replaced.expired());

  const auto reset = start();
  reset.lock()->waiting = {};
  BOOST_TEST(reset.expired());

  const auto called = start();
  called.lock()->waiting.cancel();
  loop.run();
  BOOST_TEST(called.expired());

  // Nobody else holds it when the old callback goes: the request goes inside the call that it got.
  const auto alone = start();
  Request<void>& waiting = alone.lock()->waiting;
  waiting.clear_callback();
  BOOST_TEST(alone.expired());
  const auto alone_replaced = start();
  Request<void>& replacing = alone_replaced.lock()->waiting;
  replacing.set_callback([](auto&) { BOOST_ERROR("called"); });
  BOOST_TEST(alone_replaced.expired());
  loop.run();
}

BOOST_FIXTURE_TEST_CASE(detach_hands_the_request_to_the_loop, LoopFixture) {
  int calls = 0;
  const auto shared = std::make_shared<int>(0);
  Remote<int> remote;
  make_manual(loop, remote).detach([&calls, shared](Request<int>& self) {
    int err = -1;
    calls += self.recv(err);
    BOOST_TEST(err == 0);
  });
  Remote<int> dropped;
  make_manual(loop, dropped).detach();
  BOOST_TEST(loop.metrics().in_progress == 2U);
  remote.operation->done(9);
  dropped.operation->done(1);
  loop.run();
  BOOST_TEST(calls == 9);
  BOOST_TEST(shared.use_count() == 1);
  BOOST_TEST(dropped.destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(a_detached_request_can_be_taken_back_in_its_function, LoopFixture) {
  Request<int> kept;
  Remote<int> remote;
  make_manual(loop, remote).detach([&](Request<int>& self) { kept = std::move(self); });
  remote.operation->done(2);
  loop.run();
  int err = -1;
  BOOST_TEST(kept.recv(err) == 2);
}

BOOST_FIXTURE_TEST_CASE(detach_works_at_every_point_of_a_requests_life, LoopFixture) {
  std::string calls;
  auto over = loop.sleep(0ns);
  auto in_callback = loop.sleep(0ns);
  auto fetched = loop.sleep(0ns);
  in_callback.set_callback(
      [&](Request<void>& self) { std::move(self).detach([&](auto&) { calls += "in_callback "; }); });
  loop.run();
  std::move(over).detach([&](auto&) { calls += "over"; });
  int err = 0;
  fetched.recv(err);
  std::move(fetched).detach([&](auto&) { calls += "fetched"; });  // there is nothing left to tell
  loop.run();
  BOOST_TEST(calls == "in_callback over");
}

BOOST_FIXTURE_TEST_CASE(transferred_counts_the_bytes_also_after_the_end, LoopFixture) {
  auto [a, b] = unix_pair();
  std::array<std::byte, 10> buffer{};
  auto reading = b.read(buffer);
  auto writing = a.write("1234567");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(writing.transferred() == 7U);
  BOOST_TEST(run_until([&] { return reading.transferred() == 7; }));
  a = {};
  BOOST_TEST(error_of(reading) == EPIPE);
  BOOST_TEST(reading.transferred() == 7U);
  auto clean = b.read(buffer);
  BOOST_TEST(error_of(clean) == EPIPE);
  BOOST_TEST(clean.transferred() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_a_callback_throws_comes_out_of_run_and_the_others_come_later, LoopFixture) {
  std::string calls;
  auto before = loop.sleep(0ns);
  auto thrower = loop.sleep(0ns);
  auto after = loop.sleep(0ns);
  before.set_callback([&](auto&) { calls += "before "; });
  thrower.set_callback([](auto&) { throw std::runtime_error("from the callback"); });
  after.set_callback([&](auto&) { calls += "after"; });
  BOOST_CHECK_EXCEPTION(loop.run(), std::runtime_error,
                        [](const auto& error) { return error.what() == std::string("from the callback"); });
  BOOST_TEST(calls == "before ");
  BOOST_TEST(!thrower.is_in_progress());
  loop.run();
  BOOST_TEST(calls == "before after");
}

BOOST_FIXTURE_TEST_CASE(a_throwing_callback_comes_out_of_every_way_to_run, LoopFixture) {
  const auto thrower = [this] { loop.sleep(0ns).detach([](auto&) { throw std::runtime_error("thrown"); }); };
  int err = 0;
  thrower();
  BOOST_CHECK_THROW(loop.run_once(), std::runtime_error);
  thrower();
  BOOST_CHECK_THROW(loop.run_until_idle(), std::runtime_error);
  thrower();
  auto waiting = loop.sleep(1ms);
  BOOST_CHECK_THROW(waiting.wait(err), std::runtime_error);
  BOOST_TEST(waiting.wait(err));
}

BOOST_FIXTURE_TEST_CASE(wait_runs_the_loop_until_the_request_is_over, LoopFixture) {
  auto shorter = loop.sleep(1ms);
  auto longer = loop.sleep(1h);
  int err = -1;
  BOOST_TEST(shorter.wait(err));
  BOOST_TEST(err == 0);
  BOOST_TEST(longer.is_in_progress());
  BOOST_TEST(shorter.wait(err));
}

BOOST_FIXTURE_TEST_CASE(wait_inside_the_loop_gives_edeadlk, LoopFixture) {
  auto longer = loop.sleep(1h);
  int seen = 0;
  const auto try_it = [&] {
    int err = 0;
    BOOST_TEST(!longer.wait(err));
    BOOST_TEST(err == EDEADLK);
    ++seen;
  };
  loop.sleep(0ns).detach([&](auto&) { try_it(); });
  loop.run_until_idle();
  loop.post(try_it);
  BOOST_TEST(run_until([&] { return seen == 2; }));
  longer.cancel();
  BOOST_TEST(error_of(longer) == ECANCELED);
}

BOOST_FIXTURE_TEST_CASE(wait_ends_with_ecanceled_when_the_loop_is_stopped, LoopFixture) {
  auto longer = loop.sleep(1h);
  int err = 0;
  loop.stop();
  BOOST_TEST(!longer.wait(err));
  BOOST_TEST(err == ECANCELED);
  loop.sleep(0ns).detach([&](auto&) { loop.stop(); });
  BOOST_TEST(!longer.wait(err));
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(longer.is_in_progress());
  auto shorter = loop.sleep(0ns);
  BOOST_TEST(shorter.wait(err));  // the stop was used up
}

namespace {

/// Fails after its base has been made.
struct Unmakeable : detail::RequestState {
  Unmakeable(detail::LoopCore& core, CallSite site) : RequestState(core, site) {
    throw std::runtime_error("unmakeable");
  }
  [[nodiscard]] const char* name() const noexcept override { return "unmakeable"; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_state_whose_constructor_throws_is_no_request_in_progress, LoopFixture) {
  BOOST_CHECK_THROW(detail::make_state<Unmakeable>(loop.core(), CallSite::current()), std::runtime_error);
  BOOST_TEST(loop.metrics().in_progress == 0U);
  loop.run();
}

BOOST_AUTO_TEST_SUITE_END()
