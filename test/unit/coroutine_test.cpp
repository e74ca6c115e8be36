#include "tsock/coroutine.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tsock/request_set.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(coroutine)

namespace {

/// Says when the frame that it stands in is destroyed.
struct Witness {
  explicit Witness(int& destroyed) : count(&destroyed) {}
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() { ++*count; }
  int* count;
};

Task<int> twice(Request<int> request) {
  auto [value, err] = co_await request;
  if (err != 0) co_return Failure{err};
  co_return 2 * value;
}

Task<int> sum(Request<int> one, Request<int> two) {
  const auto [first, first_error] = co_await twice(std::move(one));
  if (first_error != 0) co_return Failure{first_error};
  const auto [second, second_error] = co_await twice(std::move(two));
  if (second_error != 0) co_return Failure{second_error};
  co_return first + second;
}

Task<> wait_in(Loop& loop, int& destroyed, std::string& story) {
  const Witness witness(destroyed);
  const auto [err] = co_await loop.sleep(10s);
  story += error_name(err);
}

Task<> throw_after(Loop& loop, std::chrono::nanoseconds duration) {
  co_await loop.sleep(duration);
  throw std::runtime_error("thrown by a task");
}

Task<int> catch_it(Loop& loop) {
  try {
    co_await throw_after(loop, 0ms);
  } catch (const std::runtime_error&) {
    co_return 1;
  }
  co_return 0;
}

/// A server of one stream: what a client sends in messages comes back, a cut message is dropped, the stream
/// ends in order. Once by callbacks, once by a coroutine.
class CallbackEcho {
 public:
  static Request<void> serve(Stream stream) {
    Loop& loop = stream.loop();
    return make_request<Session>(loop, std::move(stream));
  }

 private:
  class Session final : public Operation<void> {
   public:
    explicit Session(Stream stream) : stream_(std::move(stream)) {}
    void start() override { read_next(); }

   private:
    void read_next() {
      reading_ = stream_.readv_pdu(framing::u32be{.max_body = 100});
      reading_.set_callback([this](Request<Pdu>& request) {
        int err = 0;
        pdu_ = request.recv(err);
        if (err != 0) return end();
        writing_ = stream_.writev(pdu_.vector());
        then(writing_, [this] { read_next(); });
      });
    }
    void end() {
      ending_ = stream_.disconnect();
      then(ending_, [this] { done(); });
    }

    Stream stream_;
    Pdu pdu_;
    Request<Pdu> reading_;
    Request<ssize_t> writing_;
    Request<void> ending_;
  };
};

class CoroutineEcho {
 public:
  static Request<void> serve(Stream stream) {
    Loop& loop = stream.loop();
    return start(loop, session(std::move(stream)));
  }

 private:
  static Task<> session(Stream stream) {
    for (;;) {
      const auto [pdu, err] = co_await stream.readv_pdu(framing::u32be{.max_body = 100});
      if (err != 0) break;
      const auto [size, write_error] = co_await stream.writev(pdu.vector());
      if (write_error != 0) co_return;
    }
    co_await stream.disconnect();
  }
};

struct CoroutineFixture : LoopFixture {
  int destroyed = 0;
  std::string story;

  template <class Echo>
  void check_echo() {
    auto [client, served] = memory_pair();
    auto serving = Echo::serve(std::move(served));
    for (const std::string_view text : {"one", "", "three"}) {
      auto writing = client.write_pdu(framing::u32be{}, text);
      auto reading = client.readv_pdu(framing::u32be{});
      int err = 0;
      const Pdu back = fetch(reading, err);
      BOOST_TEST(err == 0);
      BOOST_TEST(back.text() == text);
    }
    auto halves = client.shutdown_write();
    BOOST_TEST(error_of(halves) == 0);
    BOOST_TEST(error_of(serving) == 0);
    auto end = client.readv_pdu(framing::u32be{});
    BOOST_TEST(error_of(end) == EPIPE);
  }

  template <class Echo>
  void check_refusal_and_end() {
    auto [client, served] = memory_pair();
    auto serving = Echo::serve(std::move(served));
    auto writing = client.write(std::string_view("\0\0\1\0long", 8));
    BOOST_TEST(run_until([&] { return serving.transferred() == 0 && !writing.is_in_progress(); }));
    auto end = client.readv_pdu(framing::u32be{});
    client.shutdown_write().detach();
    BOOST_TEST(error_of(end) == EPIPE);
    BOOST_TEST(error_of(serving) == 0);
  }

  template <class Echo>
  void check_destroy_cancel_and_deadline() {
    for (const int way : {0, 1, 2}) {
      auto [client, served] = memory_pair();
      auto serving = Echo::serve(std::move(served));
      loop.run_until_idle();
      if (way == 0) serving = {};
      if (way == 1) {
        serving.cancel();
        client.shutdown_write().detach();
        const int err = error_of(serving);
        BOOST_TEST((err == ECANCELED || err == 0));
      }
      if (way == 2) {
        serving.set_timeout(1ms);
        BOOST_TEST(error_of(serving) == ETIMEDOUT);
      }
      auto end = client.readv_pdu(framing::u32be{});
      const int err = error_of(end);
      BOOST_TEST((err == EPIPE || err == ECONNRESET));
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(both_echo_servers_send_messages_back, CoroutineFixture) {
  check_echo<CallbackEcho>();
  check_echo<CoroutineEcho>();
}

BOOST_FIXTURE_TEST_CASE(both_echo_servers_end_in_order_behind_a_message_they_refuse, CoroutineFixture) {
  check_refusal_and_end<CallbackEcho>();
  check_refusal_and_end<CoroutineEcho>();
}

BOOST_FIXTURE_TEST_CASE(both_echo_servers_can_be_destroyed_cancelled_and_timed_out, CoroutineFixture) {
  check_destroy_cancel_and_deadline<CallbackEcho>();
  check_destroy_cancel_and_deadline<CoroutineEcho>();
}

BOOST_FIXTURE_TEST_CASE(a_task_awaits_requests_and_tasks_and_gives_a_value, CoroutineFixture) {
  Remote<int> one;
  Remote<int> two;
  auto request = start(loop, sum(make_manual(loop, one), make_manual(loop, two)));
  one.operation->done(3);
  BOOST_TEST(run_until([&] { return one.operation == nullptr; }));
  BOOST_TEST(request.is_in_progress());
  two.operation->done(4);
  wait_for(request);
  const auto [value, err] = request.recv();
  BOOST_TEST(err == 0);
  BOOST_TEST(value == 14);
}

BOOST_FIXTURE_TEST_CASE(a_failure_inside_ends_the_task_with_it, CoroutineFixture) {
  Remote<int> one;
  Remote<int> two;
  auto request = start(loop, sum(make_manual(loop, one), make_manual(loop, two)));
  one.operation->error(EACCES);
  BOOST_TEST(error_of(request) == EACCES);
}

BOOST_FIXTURE_TEST_CASE(destroying_the_request_abandons_what_the_task_waits_for, CoroutineFixture) {
  auto request = start(loop, wait_in(loop, destroyed, story));
  request = {};
  BOOST_TEST(destroyed == 1);
  BOOST_TEST(loop.metrics().in_progress == 0U);
  BOOST_TEST(story == "");
}

BOOST_FIXTURE_TEST_CASE(a_task_that_never_started_is_destroyed_with_its_arguments, CoroutineFixture) {
  {
    Remote<int> remote;
    const Task<int> task = twice(make_manual(loop, remote));
    BOOST_TEST(remote.destroyed == 0);
  }
  BOOST_TEST(loop.metrics().in_progress == 0U);
}

BOOST_FIXTURE_TEST_CASE(cancelling_is_seen_where_the_task_waits, CoroutineFixture) {
  auto request = start(loop, wait_in(loop, destroyed, story));
  request.cancel();
  BOOST_TEST(error_of(request) == 0);  // the task has ended by itself
  BOOST_TEST(story == "ECANCELED");
  BOOST_TEST(destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(a_deadline_ends_the_task_where_it_waits, CoroutineFixture) {
  auto request = start(loop, wait_in(loop, destroyed, story));
  request.set_timeout(1ms);
  BOOST_TEST(error_of(request) == ETIMEDOUT);
  BOOST_TEST(story == "");
  BOOST_TEST(destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(a_request_in_a_task_has_its_own_timeout, CoroutineFixture) {
  const auto waits = [](Loop& on) -> Task<int> {
    const auto [err] = co_await with_timeout(on.sleep(10s), 1ms);
    co_return err;
  };
  auto request = start(loop, waits(loop));
  int err = 0;
  BOOST_TEST(fetch(request, err) == ETIMEDOUT);
}

BOOST_FIXTURE_TEST_CASE(code_of_a_task_may_destroy_the_task, CoroutineFixture) {
  std::optional<Request<void>> request;
  const auto ends_itself = [](Loop& on, std::optional<Request<void>>& own, int& count,
                              std::string& said) -> Task<> {
    const Witness witness(count);
    co_await on.sleep(0ms);
    own.reset();
    said += "still here ";
    co_await on.sleep(0ms);
    said += "never";
  };
  request.emplace(start(loop, ends_itself(loop, request, destroyed, story)));
  BOOST_TEST(run_until([&] { return destroyed == 1; }));
  loop.run_until_idle();
  BOOST_TEST(story == "still here ");
  // In its last step.
  const auto ends_with_it = [](Loop& on, std::optional<Request<void>>& own, int& count) -> Task<> {
    const Witness witness(count);
    co_await on.sleep(0ms);
    own.reset();
  };
  request.emplace(start(loop, ends_with_it(loop, request, destroyed)));
  BOOST_TEST(run_until([&] { return destroyed == 2; }));
}

BOOST_FIXTURE_TEST_CASE(an_exception_of_a_task_comes_out_of_the_loop, CoroutineFixture) {
  auto request = start(loop, throw_after(loop, 0ms));
  BOOST_CHECK_THROW(loop.run(), std::runtime_error);
  BOOST_TEST(error_of(request) == EIO);
}

BOOST_FIXTURE_TEST_CASE(an_exception_of_an_awaited_task_is_thrown_where_it_is_awaited, CoroutineFixture) {
  auto request = start(loop, catch_it(loop));
  int err = 0;
  BOOST_TEST(fetch(request, err) == 1);
}

BOOST_FIXTURE_TEST_CASE(awaiting_what_can_never_complete_gives_an_error_at_once, CoroutineFixture) {
  const auto awaits_nothing = []() -> Task<int> {
    const auto [size, err] = co_await Request<ssize_t>();
    co_return err;
  };
  auto request = start(loop, awaits_nothing());
  int err = 0;
  BOOST_TEST(fetch(request, err) == EIO);
  auto empty = start(loop, Task<>());
  BOOST_TEST(error_of(empty) == EINVAL);
}

BOOST_FIXTURE_TEST_CASE(a_task_ends_with_its_loop, CoroutineFixture) {
  Request<void> request;
  {
    Loop own;
    request = start(own, wait_in(own, destroyed, story));
  }
  BOOST_TEST(destroyed == 1);
  BOOST_TEST(story == "");
  const auto [err] = request.recv();
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_SUITE_END()
