// Datagrams over a network that loses. test/network/check makes one and runs these in two roles; without it
// they have nothing to do.
#include <cstdlib>
#include <set>

#include "support/kernel_datagrams.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

constexpr std::uint16_t echo_port = 7000;
constexpr std::uint16_t group_port = 7001;
constexpr const char* any_source_group = "239.255.77.7";
constexpr const char* source_group = "232.1.77.7";

struct Network : KernelDatagrams {
  const Address peer_address = inet("10.77.0.2", echo_port);

  [[nodiscard]] static bool has_role(std::string_view wanted) {
    const char* const role = std::getenv("TSOCK_NETWORK_ROLE");
    if (role != nullptr && role == wanted) return true;
    BOOST_TEST_MESSAGE("skipped: test/network/check runs it");
    return false;
  }
  /// Asks until the answer comes. \return how often it had to.
  std::size_t ask(Datagram& socket, const std::string& question, const Address& to) {
    const auto end = Clock::now() + guard_time;
    for (std::size_t tries = 1;; ++tries) {
      BOOST_TEST_REQUIRE((Clock::now() < end));
      auto sending = socket.sendto(question, to);
      static_cast<void>(error_of(sending));
      for (;;) {
        auto receiving = socket.recvfrom();
        receiving.set_timeout(20ms);
        int failure = 0;
        const ReceivedDatagram answer = fetch(receiving, failure);
        if (failure != 0) break;
        heard.insert(text_of(answer.bytes()));
        if (text_of(answer.bytes()) == question) return tries;
      }
    }
  }
  std::set<std::string> heard;
};

/// Answers what a socket hears, by another one.
struct Echo {
  Datagram& hearer;
  Datagram& speaker;
  Queue queue{speaker.loop(), "answers"};
  Request<ReceivedDatagram> hearing = {};
  bool ended = false;
  void next() {
    hearing = hearer.recvfrom();
    hearing.set_callback([this](Request<ReceivedDatagram>& request) {
      int failure = 0;
      ReceivedDatagram datagram = request.recv(failure);
      if (failure == 0) {
        ended = ended || text_of(datagram.bytes()) == "end";
        const auto bytes = std::as_const(datagram).bytes();
        speaker.sendto(queue, bytes, datagram.source()).detach([kept = std::move(datagram)](auto&) {});
      }
      next();
    });
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(network, Network)

BOOST_AUTO_TEST_CASE(peer) {
  if (!has_role("peer")) return;
  const unsigned interface_index = ::if_nametoindex("far");
  Datagram plain = open(peer_address);
  Datagram group = open(inet(any_source_group, group_port));
  Datagram specific = open(inet(source_group, group_port));
  BOOST_TEST_REQUIRE(group.join_multicast(group.local_address(), interface_index) == 0);
  BOOST_TEST_REQUIRE(specific.join_multicast(specific.local_address(), interface_index, inet("10.77.0.1")) ==
                     0);
  Echo echo{plain, plain};
  Echo group_echo{group, plain};
  Echo specific_echo{specific, plain};
  for (Echo* one : {&echo, &group_echo, &specific_echo}) one->next();
  const Request<void> guard = loop.sleep(3 * guard_time);
  while (!echo.ended && guard.is_in_progress()) loop.run_once();
  BOOST_TEST(echo.ended);
  loop.run_until_idle();
}

BOOST_AUTO_TEST_CASE(everything_is_answered_in_the_end) {
  if (!has_role("asker")) return;
  Datagram ours = open(inet("10.77.0.1"), peer_address);
  // Until it is there.
  ask(ours, "hello", {});
  constexpr std::size_t questions = 200;
  std::size_t tries = 0;
  for (std::size_t i = 0; i < questions; ++i) tries += ask(ours, "question " + std::to_string(i), {});
  BOOST_TEST_MESSAGE(questions << " questions were asked " << tries << " times");
  // With a fifth lost on the way, that every question came through at once is one case in 10^19.
  BOOST_TEST(tries > questions);
}

BOOST_AUTO_TEST_CASE(groups_are_heard_from_the_sources_that_were_joined) {
  if (!has_role("asker")) return;
  DatagramOptions options;
  options.multicast_interface = ::if_nametoindex("near");
  Datagram wanted = open(inet("10.77.0.1"), {}, options);
  Datagram unwanted = open(inet("10.77.0.3"), {}, options);
  ask(unwanted, "any source", inet(any_source_group, group_port));
  ask(wanted, "this source", inet(source_group, group_port));
  // What comes behind it on the same way is answered, so this one was not heard.
  for (int i = 0; i < 20; ++i) send(unwanted, "another source", inet(source_group, group_port));
  ask(unwanted, "any source, again", inet(any_source_group, group_port));
  BOOST_TEST(!heard.contains("another source"));
}

BOOST_AUTO_TEST_CASE(the_end) {
  if (!has_role("asker")) return;
  Datagram ours = open(inet("10.77.0.1"), peer_address);
  // Whether the answer comes or the peer has gone before: both mean that it heard.
  for (int tries = 0; tries < 100; ++tries) {
    send(ours, "end");
    auto receiving = ours.recvfrom();
    receiving.set_timeout(20ms);
    const int failure = error_of(receiving);
    if (failure == 0 || failure == ECONNREFUSED) return;
  }
  BOOST_ERROR("the peer does not hear");
}

BOOST_AUTO_TEST_SUITE_END()
