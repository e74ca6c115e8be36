// What Stream, Datagram and Listener have in common as objects.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <tsock/datagram_backend.hpp>
#include <tsock/listener_backend.hpp>
#include <tsock/memory_datagram.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "contract/scripted_backend.hpp"
#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"
#include "support/syscall_injector.hpp"

using namespace tsock;
using tsock::test::FailNthAllocation;
using tsock::test::LoopFixture;

namespace {

class SilentDatagrams final : public DatagramBackend {
 public:
  void attach(DatagramEvents& /*events*/) noexcept override {}
  std::size_t try_receive(std::span<DatagramSlot> /*slots*/, int& err) noexcept override {
    err = EAGAIN;
    return 0;
  }
  std::size_t try_send(std::span<const DatagramMessage> /*messages*/, int& err) noexcept override {
    err = EAGAIN;
    return 0;
  }
  int try_disconnect() noexcept override { return 0; }
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return Readiness::later; }
};

class SilentListener final : public ListenerBackend {
 public:
  void attach(ListenerEvents& /*events*/) noexcept override {}
  int try_accept(std::unique_ptr<StreamBackend>& /*stream*/) noexcept override { return EAGAIN; }
  Readiness want_acceptable() noexcept override { return Readiness::later; }
  [[nodiscard]] Address local_address() const noexcept override { return {}; }
};

// A front that gets no memory throws, and the backend is still there; the next try makes it.
template <class Front, class Backend>
void check_construction(std::unique_ptr<Backend> backend) {
  LoopFixture fixture;
  Backend* const before = backend.get();
  unsigned failures = 0;
  std::optional<Front> front;
  for (std::size_t n = 0; !front; ++n) {
    BOOST_TEST_REQUIRE(n < 100U);
    const FailNthAllocation failing(n);
    try {
      front.emplace(fixture.loop, std::move(backend));
    } catch (const std::bad_alloc&) {
      ++failures;
      BOOST_TEST(backend.get() == before);
    }
  }
  BOOST_TEST(!backend);
  BOOST_TEST(failures > 0U);
}

// The front's loop outlives a move, and not the Loop.
template <class Front>
void check_loop_of(Front made, LoopFixture& fixture) {
  BOOST_CHECK_THROW(static_cast<void>(Front().loop()), std::logic_error);
  BOOST_TEST(&made.loop() == &fixture.loop);
  Front moved(std::move(made));
  // NOLINTBEGIN(bugprone-use-after-move): what is left is what is tested
  BOOST_TEST(&made.loop() == &fixture.loop);
  BOOST_TEST(&moved.loop() == &fixture.loop);
  Front assigned;
  assigned = std::move(moved);
  BOOST_TEST(&moved.loop() == &fixture.loop);
  moved = std::move(assigned);
  BOOST_TEST(static_cast<bool>(moved));
  BOOST_TEST(!assigned);
  // NOLINTEND(bugprone-use-after-move)
}

}  // namespace

BOOST_AUTO_TEST_SUITE(front)

BOOST_AUTO_TEST_CASE(a_stream_that_gets_no_memory_leaves_its_backend_to_the_caller,
                     *boost::unit_test::precondition(test::allocations_can_fail)) {
  const auto script = test::make_script({});
  check_construction<Stream>(std::unique_ptr<StreamBackend>(std::make_unique<test::ScriptedBackend>(script)));
}

BOOST_AUTO_TEST_CASE(a_datagram_socket_that_gets_no_memory_leaves_its_backend_to_the_caller,
                     *boost::unit_test::precondition(test::allocations_can_fail)) {
  check_construction<Datagram>(std::unique_ptr<DatagramBackend>(std::make_unique<SilentDatagrams>()));
}

BOOST_AUTO_TEST_CASE(a_listener_that_gets_no_memory_leaves_its_backend_to_the_caller,
                     *boost::unit_test::precondition(test::allocations_can_fail)) {
  check_construction<Listener>(std::unique_ptr<ListenerBackend>(std::make_unique<SilentListener>()));
}

BOOST_FIXTURE_TEST_CASE(a_moved_from_stream_knows_its_loop, LoopFixture) {
  auto pair = memory_stream_pair(loop);
  check_loop_of(std::move(pair.first), *this);
}

BOOST_FIXTURE_TEST_CASE(a_moved_from_datagram_socket_knows_its_loop, LoopFixture) {
  auto pair = memory_datagram_pair(loop);
  check_loop_of(std::move(pair.first), *this);
}

BOOST_FIXTURE_TEST_CASE(a_moved_from_listener_knows_its_loop, LoopFixture) {
  check_loop_of(Listener(loop, std::make_unique<SilentListener>()), *this);
}

BOOST_FIXTURE_TEST_CASE(a_moved_from_listener_accepts_with_enotconn, LoopFixture) {
  Listener listener(loop, std::make_unique<SilentListener>());
  const Listener moved = std::move(listener);
  Request<Stream> accepting = listener.accept();  // NOLINT(bugprone-use-after-move)
  BOOST_TEST(accepting.is_in_progress());
  BOOST_TEST(error_of(accepting) == ENOTCONN);
}

BOOST_AUTO_TEST_CASE(a_listener_that_is_moved_after_its_loop_leaves_no_loop_behind) {
  auto loop = std::make_unique<Loop>();
  Listener listener(*loop, std::make_unique<SilentListener>());
  loop.reset();
  const Listener moved = std::move(listener);
  // NOLINTNEXTLINE(bugprone-use-after-move)
  BOOST_CHECK_THROW(static_cast<void>(listener.loop()), std::logic_error);
}

BOOST_AUTO_TEST_SUITE_END()
