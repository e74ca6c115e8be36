// What a pump does when there is no memory.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <memory>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"
#include "support/syscall_injector.hpp"

using namespace tsock;
using tsock::test::FailNthAllocation;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::StreamKind;

BOOST_AUTO_TEST_SUITE(pump_memory, *boost::unit_test::precondition(tsock::test::allocations_can_fail))

// Each allocation in turn, in a loop of its own whose pool holds nothing yet.
BOOST_AUTO_TEST_CASE(without_memory_a_pump_ends_with_enomem_and_another_one_goes_on_where_it_stopped) {
  for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::memory}) {
    unsigned failures = 0;
    for (std::size_t n = 0;; ++n) {
      LoopFixture fixture;
      auto [feed, source] = fixture.stream_pair(kind);
      auto [target, sink] = fixture.stream_pair(kind);
      const std::vector<std::byte> sent = pattern(300000);
      std::vector<std::byte> received(sent.size());
      auto writing = feed.write(sent);
      auto reading = sink.read(received);
      Request<PumpResult> pumping;
      bool was_injected = false;
      {
        const FailNthAllocation failing(n);
        try {
          pumping = pump(source, target);
          fixture.loop.run_until_idle();
        } catch (const std::bad_alloc&) {
          // The call itself may throw, the loop must not.
          BOOST_TEST(!pumping);
        }
        was_injected = failing.was_injected();
      }
      if (pumping && !pumping.is_in_progress()) {
        ++failures;
        int err = 0;
        pumping.recv(err);
        BOOST_TEST(err == ENOMEM);
      }
      if (!pumping || !pumping.is_in_progress()) pumping = pump(source, target);
      BOOST_TEST(fixture.error_of(reading) == 0);
      BOOST_TEST((received == sent));
      BOOST_TEST(fixture.error_of(writing) == 0);
      pumping = {};
      if (!was_injected) break;
    }
    BOOST_TEST(failures != 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
