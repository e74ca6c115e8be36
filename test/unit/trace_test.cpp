#include "tsock/trace.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(trace)

namespace {

struct TraceFixture : LoopFixture {
  TraceFixture() {
    loop.set_trace([this](const TraceEvent& event) {
      events.push_back(event);
      text += std::string(event.name) + ":" + std::string(trace_kind_name(event.kind));
      if (event.error != 0) text += "=" + std::string(error_name(event.error));
      text += " ";
    });
  }
  ~TraceFixture() { loop.set_trace({}); }
  std::vector<TraceEvent> events;
  std::string text;
};

/// Has one child.
struct Family : Operation<void> {
  static constexpr const char* name = "family";
  void start() override {
    child_ = loop().sleep(0ns);
    child_.set_callback([this](auto&) {
      second_ = loop().sleep(0ns);
      second_.set_callback([this](auto&) { done(); });
    });
  }
  Request<void> child_;
  Request<void> second_;
};

struct Middle : Operation<void> {
  static constexpr const char* name = "middle";
  void start() override {
    child_ = loop().sleep(1h);
    done_ = loop().sleep(0ns);
  }
  Request<void> child_;
  Request<void> done_;
};

struct Outer : Operation<void> {
  static constexpr const char* name = "outer";
  void start() override { child_ = make_request<Middle>(loop()); }
  Request<void> child_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_kind_has_a_name) {
  BOOST_TEST(trace_kind_name(TraceKind::started) == "started");
  BOOST_TEST(trace_kind_name(TraceKind::finished) == "finished");
  BOOST_TEST(trace_kind_name(TraceKind::delivered) == "delivered");
  BOOST_TEST(trace_kind_name(TraceKind::abandoned) == "abandoned");
  BOOST_TEST(trace_kind_name(TraceKind::cancelled) == "cancelled");
}

BOOST_FIXTURE_TEST_CASE(a_request_is_started_finished_and_delivered, TraceFixture) {
  auto request = loop.sleep(0ns);
  BOOST_TEST(text == "sleep:started sleep:finished ");
  request.set_callback([this](auto&) { text += "callback "; });
  loop.run();
  BOOST_TEST(text == "sleep:started sleep:finished sleep:delivered callback ");
  BOOST_TEST(events[0].id == events[2].id);
}

BOOST_FIXTURE_TEST_CASE(cancelling_destroying_and_timing_out_are_seen_apart, TraceFixture) {
  auto cancelled = loop.sleep(1h);
  auto abandoned = loop.sleep(1h);
  Remote<void> remote;
  auto timed_out = make_manual(loop, remote);
  text.clear();
  cancelled.cancel();
  cancelled.cancel();  // too late to be anything
  BOOST_TEST(text == "sleep:cancelled sleep:finished=ECANCELED ");
  text.clear();
  abandoned = {};
  BOOST_TEST(text == "sleep:abandoned ");
  text.clear();
  loop.run_until_idle();
  BOOST_TEST(text == "sleep:delivered=ECANCELED ");
  text.clear();
  timed_out.set_timeout(0ns);
  loop.run();
  BOOST_TEST(text == "manual:finished=ETIMEDOUT manual:delivered=ETIMEDOUT ");
}

BOOST_FIXTURE_TEST_CASE(an_ended_request_that_goes_is_no_event, TraceFixture) {
  auto request = loop.sleep(0ns);
  loop.run();
  text.clear();
  request = {};
  BOOST_TEST(text.empty());
}

BOOST_FIXTURE_TEST_CASE(events_tell_the_callers_place_and_the_bytes, TraceFixture) {
  auto [a, b] = unix_pair();
  events.clear();
  auto request = a.write("12345");
  const std::uint32_t line = __LINE__ - 1;
  BOOST_TEST(error_of(request) == 0);
  BOOST_TEST_REQUIRE(!events.empty());
  BOOST_TEST(std::string(events.front().site.file()).ends_with("trace_test.cpp"));
  BOOST_TEST(events.front().site.line() == line);
  bool finished = false;
  for (const TraceEvent& event : events) {
    if (event.kind != TraceKind::finished || event.id != events.front().id) continue;
    finished = true;
    BOOST_TEST(std::string(event.name) == "writev");
    BOOST_TEST(event.transferred == 5U);
  }
  BOOST_TEST(finished);
}

BOOST_FIXTURE_TEST_CASE(messages_that_are_there_at_once_and_their_answers_are_seen_as_others_are,
                        TraceFixture) {
  auto [ours, peer] = unix_pair();
  Queue replies(loop);
  int answered = 0;
  Request<Pdu> reading;
  const std::function<void()> next = [&, &stream = ours] {
    reading = stream.readv_pdu(framing::u8{});
    reading.set_callback([&](Request<Pdu>& request) {
      int err = 0;
      Pdu pdu = request.recv(err);
      const auto vector = pdu.vector();
      stream.writev(replies, vector).detach([held = std::move(pdu)](auto&) {});
      if (++answered < 3) next();
    });
  };
  next();
  auto sending = peer.write(std::string_view("\1a\1b\1c"));
  loop.run_until_idle();
  BOOST_TEST(answered == 3);
  const auto count = [this](std::string_view name, TraceKind kind) {
    return std::count_if(events.begin(), events.end(), [&](const TraceEvent& event) {
      return event.name == name && event.kind == kind &&
             (kind != TraceKind::finished || event.transferred >= 2);
    });
  };
  for (const TraceKind kind : {TraceKind::started, TraceKind::finished, TraceKind::delivered}) {
    BOOST_TEST(count("readv_pdu", kind) == 3);
    BOOST_TEST(count("writev", kind) == 4);  // with what was sent
  }
}

BOOST_FIXTURE_TEST_CASE(children_name_their_parent_and_others_do_not, TraceFixture) {
  auto request = make_request<Family>(loop);
  auto stranger = loop.sleep(0ns);
  loop.run();
  const std::uint64_t parent = events.front().id;
  unsigned children = 0;
  unsigned roots = 0;
  for (const TraceEvent& event : events) {
    if (event.kind != TraceKind::started) continue;
    event.parent_id == parent ? ++children : ++roots;
  }
  BOOST_TEST(children == 2U);  // also the one that was started in a child's callback
  BOOST_TEST(roots == 2U);
}

BOOST_FIXTURE_TEST_CASE(after_an_exception_in_a_childs_callback_new_requests_are_nobodys_children,
                        TraceFixture) {
  struct Thrower : Operation<void> {
    void start() override {
      child_ = loop().sleep(0ns);
      child_.set_callback([](auto&) { throw std::runtime_error("thrown"); });
    }
    Request<void> child_;
  };
  auto request = make_request<Thrower>(loop);
  BOOST_CHECK_THROW(loop.run_until_idle(), std::runtime_error);
  auto after = loop.sleep(0ns);
  BOOST_TEST(std::string(events.back().name) == "sleep");
  BOOST_TEST(events.back().parent_id == 0U);
}

BOOST_FIXTURE_TEST_CASE(an_empty_function_ends_the_trace, TraceFixture) {
  loop.set_trace({});
  auto request = loop.sleep(0ns);
  loop.run();
  BOOST_TEST(events.empty());
}

BOOST_AUTO_TEST_CASE(what_the_function_throws_comes_out_of_run_and_the_request_goes_on) {
  for (const TraceKind kind : {TraceKind::started, TraceKind::finished, TraceKind::delivered,
                               TraceKind::abandoned, TraceKind::cancelled}) {
    BOOST_TEST_CONTEXT(trace_kind_name(kind)) {
      LoopFixture fixture;
      Loop& loop = fixture.loop;
      loop.set_trace([kind](const TraceEvent& event) {
        if (event.kind == kind) throw std::runtime_error("traced");
      });
      auto abandoned = loop.sleep(1h);
      abandoned = {};
      auto cancelled = loop.sleep(1h);
      int called = 0;
      cancelled.set_callback([&](auto&) { ++called; });
      cancelled.cancel();
      auto [a, b] = fixture.unix_pair();
      auto writing = a.write("1");
      writing.set_callback([&](auto&) { ++called; });
      BOOST_CHECK_THROW(loop.run(), std::runtime_error);
      loop.set_trace({});
      loop.run();
      BOOST_TEST(called == 2);
      BOOST_TEST(loop.metrics().in_progress == 0U);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_function_that_ends_the_trace_is_there_until_it_returns, LoopFixture) {
  auto token = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = token;
  int calls = 0;
  bool is_there = false;
  loop.set_trace([&, token = std::move(token)](const TraceEvent&) {
    ++calls;
    loop.set_trace({});
    is_there = !watch.expired();
  });
  auto request = loop.sleep(0ns);
  loop.run();
  BOOST_TEST(calls == 1);
  BOOST_TEST(is_there);
  BOOST_TEST(watch.expired());
}

// Loop::dump()

BOOST_FIXTURE_TEST_CASE(an_idle_loop_dumps_one_line, LoopFixture) {
  BOOST_TEST(dump() == "loop: 0 requests in progress, 0 deadlines\n");
}

BOOST_FIXTURE_TEST_CASE(a_dump_shows_name_place_age_and_bytes, LoopFixture) {
  auto [a, b] = unix_pair();
  std::array<std::byte, 10> buffer{};
  auto reading = b.read(buffer);
  const int line = __LINE__ - 1;
  auto writing = a.write("1234567");
  BOOST_TEST(run_until([&] { return reading.transferred() == 7; }));
  auto aging = loop.sleep(5ms);
  BOOST_TEST(error_of(aging) == 0);
  const std::string text = dump();
  BOOST_TEST(text.starts_with("loop: 1 request in progress, 0 deadlines\n"), text);
  BOOST_TEST(text.find("trace_test.cpp:" + std::to_string(line) + " age ") != std::string::npos, text);
  BOOST_TEST(text.find(" readv ") != std::string::npos, text);
  BOOST_TEST(text.find(" 7 bytes") != std::string::npos, text);
  const std::size_t age = text.find(" age ");
  BOOST_TEST(std::stoul(text.substr(age + 5)) >= 4U, text);
  BOOST_TEST(text.find("finished") == std::string::npos, text);
}

BOOST_FIXTURE_TEST_CASE(a_dump_shows_peer_queue_and_what_waits_in_it, LoopFixture) {
  auto [a, b] = tcp_pair();
  auto [c, d] = memory_pair();
  Queue queue(loop, "replies");
  auto blocked = c.write(queue, "no reader");
  auto waiting = a.write(queue, "waits");
  std::array<std::byte, 1> byte{};
  auto reading = a.read(byte);
  const std::string text = dump();
  const auto line_of = [&text](const std::string& what) {
    const std::size_t at = text.find(what);
    if (at == std::string::npos) return std::string();
    const std::size_t begin = text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
  };
  BOOST_TEST(line_of(" readv ").find("peer " + a.remote_address().string()) != std::string::npos, text);
  BOOST_TEST(line_of("\"replies\" waiting").find("peer " + a.remote_address().string()) != std::string::npos,
             text);
  BOOST_TEST(!line_of("queue \"replies\"\n").empty(), text);  // the started one
}

BOOST_FIXTURE_TEST_CASE(a_dump_shows_children_below_their_parents_and_deadlines_and_ends, LoopFixture) {
  auto before = loop.sleep(1h);
  auto request = make_request<Outer>(loop);
  auto after = loop.sleep(1h);
  std::string shape;
  const std::string text = dump();
  for (std::size_t at = text.find('\n') + 1; at < text.size(); at = text.find('\n', at) + 1) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    const std::size_t hash = line.find('#');
    const std::size_t name = line.find(' ', hash) + 1;
    shape += std::to_string(hash / 2) + line.substr(name, line.find(' ', name) - name);
    if (line.find(", finished") != std::string::npos) shape += "!";
    shape += " ";
  }
  BOOST_TEST(shape == "1sleep 1outer 2middle 3sleep 3sleep! 1sleep ", text);
  BOOST_TEST(text.starts_with("loop: 6 requests in progress, 3 deadlines\n"), text);
}

BOOST_AUTO_TEST_SUITE_END()
