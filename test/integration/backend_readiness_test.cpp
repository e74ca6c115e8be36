// What a datagram or listener backend answers when it is asked to wait.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <deque>
#include <memory>
#include <tsock/datagram_backend.hpp>
#include <tsock/listener_backend.hpp>
#include <utility>

#include "contract/scripted_backend.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// What happens at each call, and what is answered in between.
struct Script {
  std::deque<int> results;  ///< of calls: 0 or an errno value; EAGAIN when there is none left
  Readiness answer = Readiness::later;
  unsigned calls = 0;
  unsigned waits = 0;
  ListenerEvents* events = nullptr;

  int call() {
    ++calls;
    if (results.empty()) return EAGAIN;
    const int result = results.front();
    results.pop_front();
    return result;
  }
  Readiness wait() {
    ++waits;
    return results.empty() ? Readiness::later : answer;
  }
};

class ScriptedDatagrams final : public DatagramBackend {
 public:
  explicit ScriptedDatagrams(Script& script) : script_(&script) {}
  void attach(DatagramEvents& /*events*/) noexcept override {}
  std::size_t try_receive(std::span<DatagramSlot> slots, int& err) noexcept override {
    err = script_->call();
    if (err != 0) return 0;
    slots[0].size = 0;
    return 1;
  }
  std::size_t try_send(std::span<const DatagramMessage> /*messages*/, int& err) noexcept override {
    err = script_->call();
    return err == 0 ? 1 : 0;
  }
  int try_disconnect() noexcept override { return script_->call(); }
  Readiness want_readable() noexcept override { return script_->wait(); }
  Readiness want_writable() noexcept override { return script_->wait(); }

 private:
  Script* script_;
};

class ScriptedListener final : public ListenerBackend {
 public:
  explicit ScriptedListener(Script& script) : script_(&script) {}
  void attach(ListenerEvents& events) noexcept override { script_->events = &events; }
  int try_accept(std::unique_ptr<StreamBackend>& stream) noexcept override {
    const int err = script_->call();
    if (err == 0) stream = std::make_unique<ScriptedBackend>(make_script({}));
    return err;
  }
  Readiness want_acceptable() noexcept override { return script_->wait(); }
  [[nodiscard]] Address local_address() const noexcept override { return {}; }

 private:
  Script* script_;
};

struct Readinesses : LoopFixture {
  Script script;

  Datagram datagram() {
    std::unique_ptr<DatagramBackend> backend = std::make_unique<ScriptedDatagrams>(script);
    return {loop, std::move(backend)};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(backend_readiness, Readinesses)

BOOST_AUTO_TEST_CASE(a_receiver_is_served_by_a_backend_that_has_something_already) {
  script = {.results = {0}, .answer = Readiness::now};
  Datagram socket = datagram();
  Request<ReceivedDatagram> receiving = socket.recvfrom();
  BOOST_TEST(script.calls == 1U);  // not even a turn later
  BOOST_TEST(error_of(receiving) == 0);
}

BOOST_AUTO_TEST_CASE(a_receiver_asks_a_backend_that_says_now_in_vain_a_few_times_a_turn) {
  for (const Readiness answer : {Readiness::now, Readiness::next_turn}) {
    script = {.results = std::deque<int>(40, EAGAIN), .answer = answer};
    script.results.push_back(0);
    Datagram socket = datagram();
    Request<ReceivedDatagram> receiving = socket.recvfrom();
    unsigned most_in_turn = script.calls;
    while (receiving.is_in_progress()) {
      const unsigned before = script.calls;
      loop.run_once();
      most_in_turn = std::max(most_in_turn, script.calls - before);
    }
    BOOST_TEST(script.calls == 41U);
    BOOST_TEST(most_in_turn <= 8U);
    BOOST_TEST(error_of(receiving) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_send_goes_on_where_the_backend_says_that_another_call_is_worth_it) {
  for (const Readiness answer : {Readiness::now, Readiness::next_turn}) {
    script = {.results = {EAGAIN, EAGAIN, 0}, .answer = answer};
    Datagram socket = datagram();
    Request<ssize_t> sending = socket.sendto("x");
    BOOST_TEST(error_of(sending) == 0);
    BOOST_TEST(script.calls == 3U);
    BOOST_TEST(script.waits == 2U);
  }
}

BOOST_AUTO_TEST_CASE(a_receiver_and_a_send_go_on_in_the_same_turns) {
  script = {.results = {EAGAIN, EAGAIN, EAGAIN, EAGAIN, 0, 0}, .answer = Readiness::next_turn};
  Datagram socket = datagram();
  Request<ReceivedDatagram> receiving = socket.recvfrom();
  Request<ssize_t> sending = socket.sendto("x");
  BOOST_TEST(error_of(receiving) == 0);
  BOOST_TEST(error_of(sending) == 0);
}

BOOST_AUTO_TEST_CASE(a_disconnect_goes_on_where_the_backend_says_that_another_call_is_worth_it) {
  script = {.results = {EAGAIN, EAGAIN, 0}, .answer = Readiness::now};
  Datagram socket = datagram();
  Request<void> closing = socket.disconnect();
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(script.calls == 3U);
}

BOOST_AUTO_TEST_CASE(a_listener_accepts_what_its_backend_has_already) {
  for (const Readiness answer : {Readiness::now, Readiness::next_turn}) {
    script = {.results = {EAGAIN, EAGAIN, 0}, .answer = answer};
    std::unique_ptr<ListenerBackend> backend = std::make_unique<ScriptedListener>(script);
    Listener listener(loop, std::move(backend));
    Request<Stream> accepting = listener.accept();
    BOOST_TEST(error_of(accepting) == 0);
    BOOST_TEST(script.calls == 3U);
  }
}

// Neither by an accept that comes meanwhile, nor because of an event that is none.
BOOST_AUTO_TEST_CASE(a_listener_that_pauses_leaves_its_backend_alone) {
  script = {.results = {EMFILE, 0}, .answer = Readiness::now};
  std::unique_ptr<ListenerBackend> backend = std::make_unique<ScriptedListener>(script);
  Listener listener(loop, std::move(backend));
  Request<Stream> accepting = listener.accept();
  BOOST_TEST_REQUIRE(run_until([&] { return listener.is_paused(); }));
  BOOST_TEST(script.calls == 1U);
  const unsigned waits = script.waits;
  accepting = {};
  accepting = listener.accept();
  BOOST_TEST(script.waits == waits);
  script.events->on_acceptable();
  BOOST_TEST(script.calls == 1U);
  BOOST_TEST(error_of(accepting) == 0);
  BOOST_TEST(script.calls == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
