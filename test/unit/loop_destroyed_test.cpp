// A callback of any kind destroys the Loop, and then goes on with what was made on it.
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/resource.h>
#include <uv.h>

#include <any>
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/manual_operation.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::loopback_v4;
using tsock::test::make_manual;
using tsock::test::Remote;

BOOST_AUTO_TEST_SUITE(loop_destroyed)

namespace {

/// A Loop, what was made on it, and how it ends.
struct World {
  explicit World(uv_loop_t* borrowed)
      : loop(borrowed == nullptr ? std::make_unique<Loop>() : std::make_unique<Loop>(borrowed)) {
    loop->set_logger(nullptr);
    int err = 0;
    std::tie(left, right) = Stream::socketpair(*loop, err);
    std::tie(near, far) = Datagram::socketpair(*loop, err);
    BOOST_TEST(err == 0);
    queue = Queue(*loop);
    listener = Listener::tcp(*loop, loopback_v4(), {}, err);
    BOOST_TEST(err == 0);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() = default;

  /// For a callback that is called once. What is begun afterwards must be over at once, and nothing of it be
  /// called.
  void end() {
    BOOST_TEST(loop != nullptr);
    loop.reset();
    begin_after_the_end();
  }
  /// For code that may be called more than once, or that must not begin anything.
  void end_once() { loop.reset(); }

  template <class T>
  void expect_over(Request<T> request) {
    if (!request) return;  // on an object that the case has replaced by an empty one
    BOOST_TEST(!request.is_in_progress());
    request.set_callback([held = token](Request<T>&) { BOOST_ERROR("called after the loop went"); });
    int err = 0;
    static_cast<void>(request.is_error(err));
    BOOST_TEST(err == ECANCELED);
    kept.emplace_back(std::make_shared<Request<T>>(std::move(request)));
  }
  void begin_after_the_end() {
    const std::array<iovec, 1> vectors{make_vector(std::span(buffer))};
    const auto next = [held = token](VectorList&) {
      BOOST_ERROR("called after the loop went");
      return EIO;
    };
    const auto make = [this, held = token] {
      BOOST_ERROR("called after the loop went");
      return left.read(buffer);
    };
    expect_over(left.read(buffer));
    expect_over(left.read_some(buffer));
    expect_over(left.readv_pdu(framing::u32be{}));
    expect_over(left.readv_pdu(queue, framing::line{}));
    expect_over(left.readv_pdu(next));
    expect_over(left.readv_pdu(queue, next));
    expect_over(left.write("x"));
    expect_over(left.write(queue, "x"));
    expect_over(left.write(std::string("owned")));
    expect_over(left.writev(vectors));
    expect_over(left.monitor());
    expect_over(left.shutdown_write());
    expect_over(left.shutdown_write(queue));
    expect_over(left.disconnect());
    expect_over(pump(left, right));
    expect_over(near.recvfrom());
    expect_over(near.recvfrom(std::span(buffer)));
    expect_over(near.recv_many(3));
    expect_over(near.sendto("x"));
    expect_over(near.sendto(queue, "x"));
    expect_over(near.disconnect());
    expect_over(queue.wait());
    expect_over(queue.submit(make));
    expect_over(listener.accept());
    Remote<int> remote;
    expect_over(make_manual(queue.loop(), remote));
    BOOST_TEST(remote.destroyed == 0);
    expect_over(left.loop().sleep(0ns));
    expect_over(left.loop().signal(SIGUSR1));
    expect_over(Stream::connect(near.loop(), loopback_v4(1)));
    expect_over(resolve(near.loop(), "127.0.0.1", "http"));
    const std::array<OutgoingDatagram, 1> list{OutgoingDatagram{std::as_bytes(std::span("x")), {}}};
    expect_over(far.send_many(list));
    right.write("detached").detach([](auto&) { BOOST_ERROR("called after the loop went"); });
    for_each_accept(listener, [](Stream) { BOOST_ERROR("called after the loop went"); });
    expect_over(std::move(right).disconnect());
    const Stream moved = std::move(left);
    BOOST_TEST(!left.read(buffer));
    const Datagram moved_datagram = std::move(near);
    BOOST_TEST(!near.recvfrom());
  }

  std::unique_ptr<Loop> loop;
  std::shared_ptr<int> token = std::make_shared<int>(0);
  std::array<std::byte, 4> buffer{};
  Stream left;
  Stream right;
  Datagram near;
  Datagram far;
  Queue queue;
  Listener listener;
  std::vector<std::any> kept;  // whatever a case needs as long as all that
};

/// Something that ends the Loop when it goes.
struct EndsLoop {
  explicit EndsLoop(World& owner) noexcept : world(&owner) {}
  EndsLoop(EndsLoop&& other) noexcept : world(std::exchange(other.world, nullptr)) {}
  EndsLoop(const EndsLoop&) = delete;
  EndsLoop& operator=(const EndsLoop&) = delete;
  EndsLoop& operator=(EndsLoop&&) = delete;
  ~EndsLoop() {
    if (world != nullptr) world->end();
  }
  World* world;
};

/// Runs a case for each way to run, with a loop of its own and with a borrowed one. The case gives what has
/// to live meanwhile.
template <class Prepare>
void for_each_way(Prepare prepare) {
  using Way = std::pair<std::string_view, std::function<void(World&)>>;
  const std::array<Way, 3> ways{{{"run", [](World& world) { world.loop->run(); }},
                                 {"run_once",
                                  [](World& world) {
                                    while (world.loop != nullptr && world.loop->run_once()) {
                                    }
                                  }},
                                 {"wait", [](World& world) {
                                    int err = 0;
                                    auto waiting = world.loop->sleep(1h);
                                    static_cast<void>(waiting.wait(err));
                                    waiting.recv(err);
                                    BOOST_TEST(err == ECANCELED);
                                  }}}};
  const auto run_case = [&](uv_loop_t* borrowed, const auto& way) {
    World world(borrowed);
    const std::weak_ptr<int> token = world.token;
    // An hour that would keep it going, if the case did not end it.
    auto other = world.loop->sleep(1h);
    other.set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
    [[maybe_unused]] const auto held = prepare(world);
    way(world);
    BOOST_TEST(world.loop == nullptr);
    BOOST_TEST(!other.is_in_progress());
    world.token.reset();
    BOOST_TEST(token.expired());
  };
  const auto with_borrowed = [&](const auto& way) {
    uv_loop_t borrowed;
    BOOST_TEST_REQUIRE(uv_loop_init(&borrowed) == 0);
    run_case(&borrowed, way);
    uv_run(&borrowed, UV_RUN_DEFAULT);
    BOOST_TEST(uv_loop_close(&borrowed) == 0);
  };
  for (const auto& [name, way] : ways) {
    BOOST_TEST_CONTEXT(name << " with a loop of its own") { run_case(nullptr, way); }
    BOOST_TEST_CONTEXT(name << " with a borrowed loop") { with_borrowed(way); }
  }
  BOOST_TEST_CONTEXT("uv_run() of the application") {
    with_borrowed([](World& world) { uv_run(world.loop->native_handle(), UV_RUN_DEFAULT); });
  }
}

/// The Loop ends in the completion of the request that `begin(world)` gives.
template <class Begin>
void ends_in_completion(Begin begin) {
  for_each_way([&](World& world) {
    auto request = begin(world);
    auto held = std::make_shared<decltype(request)>(std::move(request));
    held->set_callback([&world](auto&) { world.end(); });
    return held;
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(in_the_completion_of_a_timer) {
  ends_in_completion([](World& world) { return world.loop->sleep(1ms); });
  ends_in_completion([](World& world) { return world.loop->sleep(0ns); });
}

BOOST_AUTO_TEST_CASE(when_a_deadline_has_come) {
  ends_in_completion([](World& world) {
    auto request = world.left.read(world.buffer);
    request.set_timeout(1ms);
    return request;
  });
}

BOOST_AUTO_TEST_CASE(when_a_request_was_cancelled) {
  ends_in_completion([](World& world) {
    auto request = world.left.read(world.buffer);
    request.cancel();
    return request;
  });
}

BOOST_AUTO_TEST_CASE(when_a_datagram_came_or_left) {
  const auto send = [](World& world) { world.far.sendto("x").detach(); };
  ends_in_completion([](World& world) { return world.near.sendto("x"); });
  ends_in_completion([](World& world) { return world.near.sendto(world.queue, "x"); });
  ends_in_completion([&](World& world) {
    send(world);
    return world.near.recvfrom();
  });
  ends_in_completion([&](World& world) {
    send(world);
    send(world);
    return world.near.recvfrom(std::span(world.buffer));
  });
  ends_in_completion([&](World& world) {
    send(world);
    send(world);
    return world.near.recv_many(1);
  });
  ends_in_completion([](World& world) { return world.near.disconnect(); });
}

BOOST_AUTO_TEST_CASE(when_a_datagram_came_in_memory) {
  ends_in_completion([](World& world) {
    std::tie(world.near, world.far) = memory_datagram_pair(*world.loop);
    return world.near.sendto("x");
  });
  ends_in_completion([](World& world) {
    std::tie(world.near, world.far) = memory_datagram_pair(*world.loop);
    world.far.sendto("x").detach();
    return world.near.recvfrom();
  });
}

BOOST_AUTO_TEST_CASE(when_a_lookup_is_over) {
  ends_in_completion([](World& world) { return resolve(*world.loop, "127.0.0.1", "80"); });
  ends_in_completion([](World& world) { return resolve(*world.loop, "127.0.0.1", "http"); });
}

BOOST_AUTO_TEST_CASE(when_a_host_was_connected_to_or_not) {
  for (const bool listens : {true, false}) {
    ends_in_completion([listens](World& world) {
      const std::string port = std::to_string(world.listener.local_address().port().value_or(0));
      if (!listens) world.listener = Listener();
      return connect_to_host(*world.loop, "127.0.0.1", port);
    });
  }
}

BOOST_AUTO_TEST_CASE(in_a_watermark_function) {
  for_each_way([](World& world) {
    world.left.set_watermarks({.high = 100, .low = 10}, [&world](Watermark) { world.end(); });
    auto bytes = std::make_shared<std::string>(100000, 'x');
    auto writing = std::make_shared<Request<ssize_t>>(world.left.write(*bytes));
    return std::make_pair(bytes, writing);
  });
}

BOOST_AUTO_TEST_CASE(in_a_pause_callback_and_when_accepting_goes_on) {
  // Without a descriptor to be had the listener pauses.
  struct NoDescriptors {
    NoDescriptors() {
      ::getrlimit(RLIMIT_NOFILE, &before);
      rlimit none = before;
      none.rlim_cur = 0;
      ::setrlimit(RLIMIT_NOFILE, &none);
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
    rlimit before{};
  };
  for (const bool goes_on : {false, true}) {
    for_each_way([goes_on](World& world) {
      auto none = std::make_shared<std::unique_ptr<NoDescriptors>>();
      auto connecting =
          std::make_shared<Request<Stream>>(Stream::connect(*world.loop, world.listener.local_address()));
      *none = std::make_unique<NoDescriptors>();
      world.listener.set_pause_callback([&world, none, goes_on](int) {
        none->reset();
        if (!goes_on) world.end();
      });
      auto accepting = std::make_shared<Request<Stream>>(world.listener.accept());
      accepting->set_callback([&world](auto&) { world.end(); });
      return std::make_pair(connecting, accepting);
    });
  }
}

BOOST_AUTO_TEST_CASE(in_a_function_of_for_each_accept) {
  for_each_way([](World& world) {
    auto connecting =
        std::make_shared<Request<Stream>>(Stream::connect(*world.loop, world.listener.local_address()));
    for_each_accept(world.listener, [&world, token = world.token](Stream) { world.end(); });
    return connecting;
  });
}

BOOST_AUTO_TEST_CASE(in_the_destructor_of_what_a_callback_captured) {
  // Behind the callback, when it is replaced or taken away in another one, and with its request.
  for_each_way([](World& world) {
    auto request = std::make_shared<Request<void>>(world.loop->sleep(1ms));
    request->set_callback([ends = EndsLoop(world)](auto&) {});
    return request;
  });
  for (const int how : {0, 1, 2, 3}) {
    for_each_way([how](World& world) {
      auto victim = std::make_shared<Request<void>>(world.loop->sleep(1h));
      victim->set_callback([ends = EndsLoop(world)](auto&) {});
      auto request = std::make_shared<Request<void>>(world.loop->sleep(1ms));
      request->set_callback([how, victim](auto&) {
        if (how == 0) victim->set_callback([](auto&) {});
        if (how == 1) victim->clear_callback();
        if (how == 2) *victim = {};
        if (how == 3) std::move(*victim).detach([](auto&) {});
      });
      return std::make_pair(victim, request);
    });
  }
}

BOOST_AUTO_TEST_CASE(in_the_destructor_of_what_other_functions_captured) {
  for_each_way([](World& world) {
    world.loop->post([ends = EndsLoop(world)] {});
    return 0;
  });
  for_each_way([](World& world) {
    auto reading = std::make_shared<Request<ssize_t>>(
        world.left.readv_pdu([ends = EndsLoop(world)](VectorList&) { return EIO; }));
    return reading;
  });
  for_each_way([](World& world) {
    return std::make_shared<Request<ssize_t>>(
        world.queue.submit([&world, ends = EndsLoop(world)] { return world.left.write("x"); }));
  });
  for_each_way([](World& world) {
    world.left.set_watermarks({.high = 1, .low = 0},
                              [ends = std::make_shared<EndsLoop>(world)](Watermark) {});
    world.loop->post([&world] { world.left.set_watermarks({}, {}); });
    return 0;
  });
  for_each_way([](World& world) {
    int err = 0;
    const auto streams = std::make_shared<std::pair<Stream, Stream>>(Stream::socketpair(*world.loop, err));
    streams->first.set_watermarks({.high = 1, .low = 0},
                                  [ends = std::make_shared<EndsLoop>(world)](Watermark) {});
    world.loop->post([streams] { streams->first = Stream(); });
    return streams;
  });
  for_each_way([](World& world) {
    world.listener.set_pause_callback([ends = std::make_shared<EndsLoop>(world)](int) {});
    world.loop->post([&world] { world.listener = Listener(); });
    return 0;
  });
}

BOOST_AUTO_TEST_CASE(in_steps_and_destructor_of_an_operation) {
  enum class Step : std::uint8_t { child, cleanup, destructor };
  struct Ending : Operation<int> {
    Ending(World& owner, Step when) : world(&owner), step(when) {}
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    ~Ending() override {
      if (step == Step::destructor) world->end();
    }
    void start() override {
      child = loop().sleep(1ms);
      child.set_callback([this](auto&) {
        if (step == Step::child) {
          world->end();  // of a detached one this is gone now
        } else {
          done(5);
        }
      });
    }
    void cleanup(Outcome /*outcome*/, int /*err*/) noexcept override {
      if (step == Step::cleanup) world->end();
    }
    World* world;
    Step step;
    Request<void> child;
  };
  for (const Step step : {Step::child, Step::cleanup, Step::destructor}) {
    for_each_way([step](World& world) {
      auto request = std::make_shared<Request<int>>(make_request<Ending>(*world.loop, world, step));
      request->set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
      return request;
    });
    for_each_way([step](World& world) {
      make_request<Ending>(*world.loop, world, step).detach([](auto&) {
        BOOST_ERROR("called after the loop went");
      });
      return 0;
    });
    if (step == Step::child) continue;
    // Abandoned.
    for_each_way([step](World& world) {
      auto request = std::make_shared<Request<int>>(make_request<Ending>(*world.loop, world, step));
      world.loop->post([request] { *request = {}; });
      return request;
    });
  }
}

BOOST_AUTO_TEST_CASE(in_the_callback_of_an_operation_that_its_own_cleanup_detached) {
  struct Detaching : Operation<int> {
    Detaching(World& owner, Request<int>& request) : world(&owner), own(&request) {}
    void start() override { done(5); }
    void cleanup(Outcome /*outcome*/, int /*err*/) noexcept override {
      std::move(*own).detach([owner = world](auto&) { owner->end(); });
    }
    World* world;
    Request<int>* own;
  };
  for (const bool has_callback : {false, true}) {
    for_each_way([has_callback](World& world) {
      auto request = std::make_shared<Request<int>>();
      *request = make_request<Detaching>(*world.loop, world, *request);
      if (has_callback) request->set_callback([](auto&) { BOOST_ERROR("a callback that was replaced"); });
      return request;
    });
  }
}

BOOST_AUTO_TEST_CASE(in_the_callback_of_a_detached_request_that_was_given_another_one) {
  for_each_way([](World& world) {
    world.loop->sleep(1ms).detach([&world](Request<void>& request) {
      request.set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
      world.end();
    });
    return 0;
  });
}

BOOST_AUTO_TEST_CASE(in_completion_and_on_data_of_a_pump) {
  for (const bool on_data : {false, true}) {
    for_each_way([on_data](World& world) {
      int err = 0;
      auto other = std::make_shared<std::pair<Stream, Stream>>(Stream::socketpair(*world.loop, err));
      world.left.write("bytes").detach();
      world.left.shutdown_write().detach();
      PumpOptions options;
      if (on_data) options.on_data = [&world](auto) { world.end(); };
      auto pumping = std::make_shared<Request<PumpResult>>(pump(world.right, other->first, options));
      pumping->set_callback([&world](auto&) { world.end(); });
      return std::make_pair(other, pumping);
    });
  }
}

BOOST_AUTO_TEST_CASE(in_the_completion_of_monitor_disconnect_and_shutdown) {
  ends_in_completion([](World& world) {
    world.loop->post([&world] { world.right = Stream(); });
    return world.left.monitor();
  });
  ends_in_completion([](World& world) { return world.left.disconnect(); });
  ends_in_completion([](World& world) { return world.left.shutdown_write(); });
  ends_in_completion([](World& world) {
    auto [left, right] = Stream::socketpair(*world.loop, *std::make_unique<int>(0));
    world.kept.emplace_back(std::make_shared<Stream>(std::move(right)));
    return std::move(left).disconnect();
  });
}

BOOST_AUTO_TEST_CASE(when_the_turn_in_a_queue_has_come) {
  ends_in_completion([](World& world) { return world.queue.wait(); });
  ends_in_completion(
      [](World& world) { return world.queue.submit([&world] { return world.left.write("x"); }); });
  for_each_way([](World& world) {
    return std::make_shared<Request<ssize_t>>(world.queue.submit([&world] {
      world.end();
      return Request<ssize_t>();
    }));
  });
  // Those behind a hold, whose captures go with the loop.
  for_each_way([](World& world) {
    auto behind = std::make_shared<Request<ssize_t>>(world.left.write(world.queue, "x"));
    auto turn = std::make_shared<Request<QueueHold>>(world.queue.wait());
    turn->set_callback([&world](auto& request) {
      int err = 0;
      const QueueHold hold = request.recv(err);
      world.end();
    });
    auto late = std::make_shared<Request<ssize_t>>(world.left.write(world.queue, "y"));
    late->set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
    return std::make_tuple(behind, turn, late);
  });
}

BOOST_AUTO_TEST_CASE(in_a_function_that_another_thread_posted) {
  for_each_way([](World& world) {
    return std::make_shared<std::jthread>(
        [&world, loop = world.loop.get()] { loop->post([&world] { world.end(); }); });
  });
}

BOOST_AUTO_TEST_CASE(when_a_file_was_read_or_written) {
  const tsock::test::TempDirectory directory;
  const std::string path = directory / "file";
  const auto open = [&path](World& world) {
    int err = 0;
    world.left = open_file(*world.loop, path.c_str(), FileMode::write, err);
    BOOST_TEST(err == 0);
  };
  ends_in_completion([&](World& world) {
    open(world);
    return world.left.write("text");
  });
  ends_in_completion([&](World& world) {
    int err = 0;
    world.left = open_file(*world.loop, path.c_str(), FileMode::read, err);
    return world.left.read(world.buffer);
  });
  ends_in_completion([&](World& world) {
    open(world);
    return world.left.disconnect();
  });
}

// A trace function runs in the middle of a step, which goes on; the end comes behind it.
BOOST_AUTO_TEST_CASE(in_a_trace_function) {
  for (const TraceKind kind : {TraceKind::started, TraceKind::finished, TraceKind::delivered,
                               TraceKind::abandoned, TraceKind::cancelled}) {
    unsigned hits = 0;
    for (const std::string_view name : {"readv", "readv_pdu", "writev", "sleep", "signal", "recvfrom",
                                        "sendto", "accept", "connect", "queue_wait", "manual", "pump"}) {
      BOOST_TEST_CONTEXT(trace_kind_name(kind) << " of " << name) {
        for_each_way([&hits, kind, name](World& world) {
          struct Requests {
            Request<ssize_t> reading, writing, sending;
            Request<Pdu> pdu;
            Request<int> signal;
            Request<ReceivedDatagram> receiving;
            Request<Stream> accepting, connecting;
            Request<QueueHold> turn;
            Request<int> manual;
            Request<PumpResult> pumping;
            Request<void> sleeping;
            Remote<int> remote;
            std::pair<Stream, Stream> others, relay;
          };
          auto all = std::make_shared<Requests>();
          // What has to be there first, and no request is seen of.
          int err = 0;
          all->others = Stream::socketpair(*world.loop, err);
          all->relay = Stream::socketpair(*world.loop, err);
          BOOST_TEST(err == 0);
          world.loop->signal(SIGUSR2).detach();
          // Not every kind of request comes to every step.
          world.loop->sleep(10ms).detach([&world](auto&) { world.end_once(); });
          world.loop->set_trace([&world, &hits, kind, name](const TraceEvent& event) {
            if (world.loop == nullptr || event.kind != kind || event.name != name) return;
            ++hits;
            world.end_once();
          });
          world.loop->post([&world, all, kind] {
            // Nothing is begun once it is gone, as the program would know.
            const auto begin = [&](auto& place, auto make) {
              if (world.loop == nullptr) return;
              place = make();
              if (kind == TraceKind::cancelled && place) place.cancel();
              if (kind == TraceKind::abandoned) place = {};
            };
            begin(all->reading, [&] { return world.left.read(world.buffer); });
            begin(all->writing, [&] { return world.right.write("\1234"); });
            begin(all->pdu, [&] { return all->others.first.readv_pdu(framing::u8{}); });
            begin(all->sending, [&] { return world.near.sendto("x"); });
            if (world.loop != nullptr) all->others.second.write(std::string("\3abc")).detach();
            begin(all->signal, [&] { return world.loop->signal(SIGUSR2); });
            begin(all->receiving, [&] { return world.far.recvfrom(); });
            begin(all->accepting, [&] { return world.listener.accept(); });
            begin(all->connecting,
                  [&] { return Stream::connect(*world.loop, world.listener.local_address()); });
            begin(all->turn, [&] { return world.queue.wait(); });
            begin(all->manual, [&] { return make_manual(*world.loop, all->remote); });
            begin(all->sleeping, [&] { return world.loop->sleep(1ms); });
            begin(all->pumping, [&] { return pump(all->relay.first, all->relay.second); });
            if (all->manual) all->remote.operation->done(1);
            all->pumping.cancel();
            ::raise(SIGUSR2);
          });
          return all;
        });
      }
    }
    BOOST_TEST(hits > 12U, trace_kind_name(kind) << " came " << hits << " times");
  }
}

namespace {

class EndingSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit EndingSink(World& world) noexcept : world_(&world) {}

 private:
  void sink_it_(const spdlog::details::log_msg& /*message*/) override { world_->end_once(); }
  void flush_() override {}
  World* world_;
};

}  // namespace

// The listener's message about a pause.
BOOST_AUTO_TEST_CASE(in_a_sink_of_the_logger) {
  for_each_way([](World& world) {
    world.loop->set_logger(std::make_shared<spdlog::logger>("ends", std::make_shared<EndingSink>(world)));
    auto connecting =
        std::make_shared<Request<Stream>>(Stream::connect(*world.loop, world.listener.local_address()));
    auto before = std::make_shared<rlimit>();
    ::getrlimit(RLIMIT_NOFILE, before.get());
    rlimit none = *before;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
    world.listener.set_pause_callback([](int) { BOOST_ERROR("called after the loop went"); });
    auto accepting = std::make_shared<Request<Stream>>(world.listener.accept());
    accepting->set_callback([](auto&) { BOOST_ERROR("called after the loop went"); });
    const auto restore =
        std::shared_ptr<void>(nullptr, [before](void*) { ::setrlimit(RLIMIT_NOFILE, before.get()); });
    return std::make_tuple(connecting, accepting, restore);
  });
}

// The Loop goes in the middle of a step, which goes on.
BOOST_AUTO_TEST_CASE(what_was_moved_from_behind_the_end_knows_no_loop) {
  World world(nullptr);
  Stream stream;
  Datagram socket;
  Listener listener;
  world.loop->set_trace([&](const TraceEvent&) {
    if (world.loop == nullptr) return;
    world.end_once();
    stream = std::move(world.left);
    socket = std::move(world.near);
    listener = std::move(world.listener);
    BOOST_TEST(!world.left.read(world.buffer));
    BOOST_TEST(!world.near.recvfrom());
    BOOST_TEST(!world.listener.accept());
  });
  Request<ssize_t> writing;
  Loop& own = *world.loop;
  own.post([&] { writing = world.right.write("x"); });
  own.run();
  BOOST_TEST(world.loop == nullptr);
}

// A posted function that no run takes goes with the Loop, and what it captured uses the Loop's objects.
BOOST_AUTO_TEST_CASE(what_begins_in_the_destructor_of_a_function_that_was_not_run_is_over) {
  World world(nullptr);
  bool called = false;
  world.loop->post([last = std::shared_ptr<void>(nullptr, [&](void*) {
                      called = true;
                      const Listener listener = std::move(world.listener);
                      BOOST_TEST(!world.listener.accept());
                      world.listener = Listener();
                      world.begin_after_the_end();
                    })] {});
  world.end_once();
  BOOST_TEST(called);
}

BOOST_AUTO_TEST_SUITE_END()
