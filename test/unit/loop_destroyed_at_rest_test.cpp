// A trace function destroys the Loop while it does not run, or before a stop lets it go on: no turn comes
// that could end it.
#include <uv.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>

#include "support/counting_memory.hpp"
#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::CountingMemory;
using tsock::test::loopback_v4;

BOOST_AUTO_TEST_SUITE(loop_destroyed_at_rest)

namespace {

/// A Loop and one object of each kind that comes from it.
struct RestingLoop {
  RestingLoop(uv_loop_t* borrowed, CountingMemory& memory) {
    const LoopOptions options{.memory = &memory};
    loop = borrowed == nullptr ? std::make_unique<Loop>(options) : std::make_unique<Loop>(borrowed, options);
    loop->set_logger(nullptr);
    int err = 0;
    std::tie(left, right) = Stream::socketpair(*loop, err);
    BOOST_TEST_REQUIRE(err == 0);
    std::tie(near, far) = Datagram::socketpair(*loop, err);
    BOOST_TEST_REQUIRE(err == 0);
    listener = Listener::tcp(*loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    queue = Queue(*loop);
  }
  RestingLoop(const RestingLoop&) = delete;
  RestingLoop& operator=(const RestingLoop&) = delete;
  ~RestingLoop() = default;

  void destroy_at(TraceKind kind) {
    loop->set_trace([this, kind](const TraceEvent& event) {
      if (event.kind == kind) loop.reset();
    });
  }
  void expect_ended() const {
    BOOST_TEST(loop == nullptr);
    BOOST_TEST(!left.is_open());
    BOOST_TEST(!near.is_open());
  }

  std::unique_ptr<Loop> loop;
  std::array<std::byte, 4> buffer{};
  Stream left, right;
  Datagram near, far;
  Listener listener;
  Queue queue;
};

/// Runs a case with a loop of its own and with a borrowed one; afterwards nothing is left of either.
template <class Case>
void for_both_loops(Case run_case) {
  CountingMemory memory;
  BOOST_TEST_CONTEXT("with a loop of its own") {
    {
      RestingLoop world(nullptr, memory);
      run_case(world);
    }
    BOOST_TEST(memory.out.empty());
  }
  BOOST_TEST_CONTEXT("with a borrowed loop") {
    uv_loop_t borrowed;
    BOOST_TEST_REQUIRE(uv_loop_init(&borrowed) == 0);
    {
      RestingLoop world(&borrowed, memory);
      run_case(world);
    }
    uv_run(&borrowed, UV_RUN_DEFAULT);
    BOOST_TEST(uv_loop_close(&borrowed) == 0);
    BOOST_TEST(memory.out.empty());
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_that_is_destroyed_ends_it) {
  using Step = std::pair<TraceKind, std::function<void(RestingLoop&)>>;
  const std::array<Step, 4> steps{{
      {TraceKind::started, [](RestingLoop& world) { const auto reading = world.left.read(world.buffer); }},
      {TraceKind::finished, [](RestingLoop& world) { const auto writing = world.left.write(""); }},
      {TraceKind::cancelled, [](RestingLoop& world) { world.left.read(world.buffer).cancel(); }},
      // The request itself is in its end; another one follows.
      {TraceKind::abandoned,
       [](RestingLoop& world) {
         auto other = world.near.recvfrom();
         static_cast<void>(world.left.read(world.buffer));
         other.set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
         BOOST_TEST(other.is_in_progress());
       }},
  }};
  for (const auto& [kind, begin] : steps) {
    BOOST_TEST_CONTEXT(trace_kind_name(kind)) {
      for_both_loops([told = kind, &run = begin](RestingLoop& world) {
        world.destroy_at(told);
        run(world);
        world.expect_ended();
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(an_object_that_is_destroyed_ends_it) {
  using Destroy = std::pair<std::string_view, std::function<void(RestingLoop&)>>;
  const std::array<Destroy, 4> ways{{
      {"Stream", [](RestingLoop& world) { world.right = Stream(); }},
      {"Datagram", [](RestingLoop& world) { world.far = Datagram(); }},
      {"Listener", [](RestingLoop& world) { world.listener = Listener(); }},
      {"Queue", [](RestingLoop& world) { world.queue = Queue(); }},
  }};
  for (const auto& [name, destroy] : ways) {
    BOOST_TEST_CONTEXT(name) {
      for_both_loops([&run = destroy](RestingLoop& world) {
        world.destroy_at(TraceKind::started);
        const auto reading = world.left.read(world.buffer);
        BOOST_TEST(world.loop == nullptr);
        BOOST_TEST(reading.is_in_progress());
        BOOST_TEST(world.left.is_open());
        run(world);
        BOOST_TEST(!reading.is_in_progress());
        world.expect_ended();
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(a_run_that_a_stop_has_left_ends_it) {
  CountingMemory memory;
  {
    RestingLoop world(nullptr, memory);
    world.loop->set_trace([&world](const TraceEvent& event) {
      if (event.kind != TraceKind::started || world.loop == nullptr) return;
      world.loop->stop();
      world.loop.reset();
    });
    Request<ssize_t> reading;
    Loop& own = *world.loop;
    own.post([&] { reading = world.left.read(world.buffer); });
    own.run();
    BOOST_TEST(!reading.is_in_progress());
    world.expect_ended();
  }
  BOOST_TEST(memory.out.empty());
}

BOOST_AUTO_TEST_SUITE_END()
