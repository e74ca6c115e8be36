#include "tsock/operation.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "core/loop/pool.hpp"
#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(operation)

namespace {

/// Ends inside `start()`.
class AtOnce : public Operation<std::string> {
 public:
  AtOnce(std::string value, int err) : value_(std::move(value)), err_(err) {}
  void start() override {
    if (!error(err_)) done(std::move(value_));
  }

 private:
  std::string value_;
  int err_;
};

/// A call over a stream: sends a request, reads the reply of the same size.
class EchoCall : public Operation<std::string> {
 public:
  static constexpr const char* name = "echo_call";
  EchoCall(Stream& stream, std::string_view text) : stream_(&stream), text_(text), reply_(text.size()) {}

  void start() override {
    sending_ = stream_->write(text_);
    sending_.set_callback([this](Request<ssize_t>& sent) {
      int err = 0;
      sent.recv(err);
      if (error(err)) return;
      progress(text_.size());
      receiving_ = stream_->read(reply_);
      receiving_.set_callback([this](Request<ssize_t>& received) {
        int read_error = 0;
        received.recv(read_error);
        if (!error(read_error)) done(tsock::test::text_of(reply_));
      });
    });
  }

 private:
  Stream* stream_;
  std::string text_;
  std::vector<std::byte> reply_;
  Request<ssize_t> sending_;
  Request<ssize_t> receiving_;
};

/// Tells the test what becomes of it; its child is a sleep.
class Parent : public Operation<void> {
 public:
  Parent(std::string& story, std::chrono::nanoseconds duration) : story_(&story), duration_(duration) {}
  ~Parent() override { *story_ += "destroyed "; }
  void start() override {
    child_ = loop().sleep(duration_);
    child_.set_callback([this](auto&) {
      *story_ += "child ";
      done();
    });
  }
  void cleanup(Outcome outcome, int err) noexcept override {
    *story_ += outcome == Outcome::done ? "done " : outcome == Outcome::failed ? "failed " : "abandoned ";
    if (err != 0) *story_ += std::string(error_name(err)) + " ";
  }

 private:
  std::string* story_;
  std::chrono::nanoseconds duration_;
  Request<void> child_;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_function_that_makes_an_operation_passes_on_the_line_of_its_caller, LoopFixture) {
  const CallSite site = CallSite::at("caller.cpp", 7);
  auto request = make_request<AtOnce>({loop, site}, "value", 0);
  BOOST_TEST(request.state()->site().file() == site.file());
  BOOST_TEST(request.state()->site().line() == 7U);
}

BOOST_FIXTURE_TEST_CASE(ending_inside_start_still_completes_from_the_loop, LoopFixture) {
  auto good = make_request<AtOnce>(loop, "value", 0);
  auto bad = make_request<AtOnce>(loop, "value", EPERM);
  int calls = 0;
  good.set_callback([&](auto&) { ++calls; });
  BOOST_TEST(good.is_in_progress());
  BOOST_TEST(bad.is_in_progress());
  BOOST_TEST(calls == 0);
  int err = -1;
  BOOST_TEST(fetch(good, err) == "value");
  BOOST_TEST(err == 0);
  BOOST_TEST(calls == 1);
  BOOST_TEST(fetch(bad, err).empty());
  BOOST_TEST(err == EPERM);
}

BOOST_FIXTURE_TEST_CASE(a_call_is_made_of_child_requests, LoopFixture) {
  auto [client, server] = unix_pair();
  auto call = make_request<EchoCall>(loop, client, "ping");
  BOOST_TEST(loop.metrics().in_progress == 2U);
  std::array<std::byte, 4> heard{};
  auto reading = server.read(heard);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(run_until([&] { return call.transferred() == 4; }));
  auto replying = server.write(heard);
  int err = -1;
  BOOST_TEST(fetch(call, err) == "ping");
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(replying) == 0);
}

BOOST_FIXTURE_TEST_CASE(destroying_a_call_abandons_its_children_at_once, LoopFixture) {
  auto [client, server] = unix_pair();
  auto call = make_request<EchoCall>(loop, client, "ping");
  call = {};
  BOOST_TEST(loop.metrics().in_progress == 0U);
  // Nothing of it was sent, and the stream is free for the next.
  auto next = client.write("next");
  BOOST_TEST(error_of(next) == 0);
  int err = 0;
  BOOST_TEST(server.pending_bytes(err) == 4U);
}

BOOST_FIXTURE_TEST_CASE(a_childs_error_can_be_the_calls_error, LoopFixture) {
  auto [client, server] = unix_pair();
  server = {};
  auto call = make_request<EchoCall>(loop, client, "ping");
  int err = 0;
  BOOST_TEST(fetch(call, err).empty());
  BOOST_TEST(err == EPIPE);
}

BOOST_FIXTURE_TEST_CASE(cleanup_runs_once_then_the_destructor_then_the_callback, LoopFixture) {
  std::string story;
  const auto run = [&](std::chrono::nanoseconds duration, auto act) {
    story.clear();
    auto request = make_request<Parent>(loop, story, duration);
    request.set_callback([&](auto&) { story += "callback"; });
    act(request);
    loop.run();
    return story;
  };
  BOOST_TEST(run(0ns, [](auto&) {}) == "child done destroyed callback");
  BOOST_TEST(run(1h, [](auto& request) { request.cancel(); }) == "failed ECANCELED destroyed callback");
  BOOST_TEST(run(1h, [](auto& request) { request = {}; }) == "abandoned destroyed ");
  story.clear();
  auto request = make_request<Parent>(loop, story, 1h);
  request.set_timeout(0ns);
  BOOST_TEST(error_of(request) == ETIMEDOUT);
  BOOST_TEST(story == "failed ETIMEDOUT destroyed ");
}

BOOST_FIXTURE_TEST_CASE(destroyed_between_its_end_and_its_delivery_it_was_abandoned, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  remote.operation->done(1);
  BOOST_TEST(remote.outcomes.empty());
  request = {};
  BOOST_TEST((remote.outcomes == std::vector<Outcome>{Outcome::abandoned}));
  BOOST_TEST(remote.destroyed == 1);
}

BOOST_FIXTURE_TEST_CASE(the_first_end_wins, LoopFixture) {
  Remote<int> done_first;
  auto first = make_manual(loop, done_first);
  done_first.operation->done(1);
  done_first.operation->done(2);
  done_first.operation->error(EPERM);
  BOOST_TEST(!done_first.operation->is_in_progress());
  first.set_timeout(0ns);
  first.cancel();
  int err = -1;
  BOOST_TEST(fetch(first, err) == 1);
  BOOST_TEST(err == 0);
  BOOST_TEST((done_first.outcomes == std::vector<Outcome>{Outcome::done}));
  BOOST_TEST(done_first.cleanup_error == 0);

  Remote<int> error_first;
  auto second = make_manual(loop, error_first);
  error_first.operation->error(EPERM);
  error_first.operation->done(2);
  error_first.operation->error(EIO);
  BOOST_TEST(fetch(second, err) == -1);
  BOOST_TEST(err == EPERM);
  BOOST_TEST((error_first.outcomes == std::vector<Outcome>{Outcome::failed}));
  BOOST_TEST(error_first.cleanup_error == EPERM);
}

BOOST_FIXTURE_TEST_CASE(the_reason_of_an_error_is_that_of_the_request, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  BOOST_TEST(!remote.operation->error(0, "nothing"));
  BOOST_TEST(remote.operation->error(EIO, std::string("in words")));
  remote.operation->error(EPERM, "too late");
  BOOST_TEST(error_of(request) == EIO);
  BOOST_TEST(request.reason() == "in words");
}

BOOST_FIXTURE_TEST_CASE(an_operation_in_a_queue_keeps_its_reason, LoopFixture) {
  Queue queue(loop, "queue");
  Remote<int> remote;
  auto request = queue.submit([&] { return make_manual(loop, remote); });
  loop.run_until_idle();
  BOOST_TEST_REQUIRE(remote.operation != nullptr);
  remote.operation->error(EIO, "in words");
  BOOST_TEST(error_of(request) == EIO);
  BOOST_TEST(request.reason() == "in words");
}

BOOST_FIXTURE_TEST_CASE(error_zero_is_no_error, LoopFixture) {
  Remote<int> remote;
  auto request = make_manual(loop, remote);
  BOOST_TEST(!remote.operation->error(0));
  BOOST_TEST(remote.operation->is_in_progress());
  BOOST_TEST(remote.operation->error(EIO));
  BOOST_TEST(error_of(request) == EIO);
}

BOOST_FIXTURE_TEST_CASE(progress_is_what_the_caller_sees_as_transferred, LoopFixture) {
  Remote<void> remote;
  auto request = make_manual(loop, remote);
  remote.operation->progress(10);
  BOOST_TEST(request.transferred() == 10U);
  remote.operation->progress(5);
  remote.operation->error(EIO);
  BOOST_TEST(error_of(request) == EIO);
  BOOST_TEST(request.transferred() == 15U);
}

BOOST_FIXTURE_TEST_CASE(an_operation_knows_its_loop, LoopFixture) {
  Remote<void> remote;
  auto request = make_manual(loop, remote);
  BOOST_TEST(&remote.operation->loop() == &loop);
}

namespace {

/// Cannot stop half way: remembers the wish.
class Stubborn : public Operation<int> {
 public:
  void start() override {
    working_ = loop().sleep(1ms);
    working_.set_callback([this](auto&) { done(cancelled_ ? 2 : 1); });
  }
  void cancel() override { cancelled_ = true; }

 private:
  Request<void> working_;
  bool cancelled_ = false;
};

/// Passes the wish on to a child.
class PassingOn : public Operation<void> {
 public:
  void start() override {
    child_ = loop().sleep(1h);
    child_.set_callback([this](Request<void>& child) {
      int err = 0;
      child.recv(err);
      error(err + 1000);
    });
  }
  void cancel() override { child_.cancel(); }

 private:
  Request<void> child_;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_operation_may_decide_what_a_cancel_means, LoopFixture) {
  auto stubborn = make_request<Stubborn>(loop);
  BOOST_TEST(stubborn.cancel());
  int err = -1;
  BOOST_TEST(fetch(stubborn, err) == 2);
  BOOST_TEST(err == 0);

  auto passing = make_request<PassingOn>(loop);
  BOOST_TEST(passing.cancel());
  BOOST_TEST(error_of(passing) == ECANCELED + 1000);

  // A deadline is no wish.
  auto timed = make_request<Stubborn>(loop);
  timed.set_timeout(0ns);
  BOOST_TEST(error_of(timed) == ETIMEDOUT);
}

BOOST_FIXTURE_TEST_CASE(the_operations_request_may_be_destroyed_in_its_childs_callback, LoopFixture) {
  struct Outer : Operation<void> {
    explicit Outer(Request<void>*& handle) : handle_(&handle) {}
    void start() override {
      child_ = loop().sleep(0ns);
      child_.set_callback([this, text = std::string(100, 'x')](auto&) {
        **handle_ = {};  // destroys this operation, the child and what follows no more
        BOOST_TEST(text.size() == 100U);
      });
    }
    Request<void>** handle_;
    Request<void> child_;
  };
  Request<void> request;
  Request<void>* handle = &request;
  request = make_request<Outer>(loop, handle);
  request.set_callback([](auto&) { BOOST_ERROR("called after it was destroyed"); });
  loop.run();
  BOOST_TEST(!request);
  BOOST_TEST(loop.metrics().in_progress == 0U);
}

BOOST_FIXTURE_TEST_CASE(the_operations_request_may_be_destroyed_in_its_cleanup_or_destructor, LoopFixture) {
  struct Suicidal : Operation<void> {
    Suicidal(Request<void>*& handle, bool in_cleanup) : handle_(&handle), in_cleanup_(in_cleanup) {}
    ~Suicidal() override {
      if (!in_cleanup_) **handle_ = {};
    }
    void start() override { done(); }
    void cleanup(Outcome /*outcome*/, int /*err*/) noexcept override {
      if (in_cleanup_) **handle_ = {};
    }
    Request<void>** handle_;
    bool in_cleanup_;
  };
  for (const bool in_cleanup : {false, true}) {
    Request<void> request;
    Request<void>* handle = &request;
    request = make_request<Suicidal>(loop, handle, in_cleanup);
    request.set_callback([](auto&) { BOOST_ERROR("called after it was destroyed"); });
    loop.run();
    BOOST_TEST(!request);
  }
}

BOOST_FIXTURE_TEST_CASE(operations_nest, LoopFixture) {
  struct Nested : Operation<int> {
    explicit Nested(int depth) : depth_(depth) {}
    void start() override {
      if (depth_ == 0) return done(0);
      inner_ = make_request<Nested>(loop(), depth_ - 1);
      inner_.set_callback([this](Request<int>& inner) {
        int err = 0;
        const int value = inner.recv(err);
        if (!error(err)) done(value + 1);
      });
    }
    int depth_;
    Request<int> inner_;
  };
  auto request = make_request<Nested>(loop, 50);
  BOOST_TEST(loop.metrics().in_progress == 51U);
  int err = -1;
  BOOST_TEST(fetch(request, err) == 50);

  auto abandoned = make_request<Nested>(loop, 50);
  abandoned = {};
  BOOST_TEST(loop.metrics().in_progress == 0U);
}

BOOST_FIXTURE_TEST_CASE(an_exception_from_constructor_or_start_comes_out_of_make_request, LoopFixture) {
  struct ThrowsInConstructor : Operation<void> {
    ThrowsInConstructor() { throw std::runtime_error("constructor"); }
    void start() override {}
  };
  struct ThrowsInStart : Operation<void> {
    explicit ThrowsInStart(int& cleanups) : cleanups_(&cleanups) {}
    void start() override { throw std::runtime_error("start"); }
    void cleanup(Outcome outcome, int /*err*/) noexcept override {
      if (outcome == Outcome::abandoned) ++*cleanups_;
    }
    int* cleanups_;
  };
  int cleanups = 0;
  BOOST_CHECK_THROW(static_cast<void>(make_request<ThrowsInConstructor>(loop)), std::runtime_error);
  BOOST_CHECK_THROW(static_cast<void>(make_request<ThrowsInStart>(loop, cleanups)), std::runtime_error);
  BOOST_TEST(cleanups == 1);
  BOOST_TEST(loop.metrics().in_progress == 0U);
  // Requests made afterwards are nobody's children.
  auto after = loop.sleep(1h);
  BOOST_TEST(dump().find("\n  #") != std::string::npos);
  BOOST_TEST(dump().find("\n    #") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_detached_operation_lives_until_its_end, LoopFixture) {
  std::string story;
  make_request<Parent>(loop, story, 1ms).detach([&](auto&) { story += "callback"; });
  BOOST_TEST(story.empty());
  loop.run();
  BOOST_TEST(story == "child done destroyed callback");
}

BOOST_FIXTURE_TEST_CASE(an_operation_of_any_size_gives_its_memory_back, LoopFixture) {
  const std::size_t before = loop.core().live_blocks();
  const auto run = [this]<std::size_t size>(std::integral_constant<std::size_t, size>) {
    class Sized : public Operation<const void*> {
     public:
      void start() override { done(bytes_.data()); }

     private:
      std::array<std::byte, size> bytes_{};
    };
    std::array<const void*, 2> places{};
    for (const void*& place : places) {
      int err = 0;
      Request<const void*> request = make_request<Sized>(loop);
      place = fetch(request, err);
      BOOST_TEST(err == 0);
    }
    BOOST_TEST((places[0] == places[1] || detail::Pool::passes_through()));
  };
  run(std::integral_constant<std::size_t, 1>());
  run(std::integral_constant<std::size_t, 1000>());
  run(std::integral_constant<std::size_t, 3000>());
  // Around the largest size that is kept in a byte.
  run(std::integral_constant<std::size_t, 3800>());
  run(std::integral_constant<std::size_t, 3900>());
  run(std::integral_constant<std::size_t, 4000>());
  run(std::integral_constant<std::size_t, 5000>());
  run(std::integral_constant<std::size_t, 100000>());
  BOOST_TEST(loop.core().live_blocks() == before);
}

BOOST_AUTO_TEST_SUITE_END()
