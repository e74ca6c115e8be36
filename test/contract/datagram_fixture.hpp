#pragma once

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "contract/datagram_backends.hpp"
#include "support/loop_fixture.hpp"
#include "support/platform.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

/// Two datagram sockets: `ours` is tested, `peer` does what the test wants.
struct DatagramFixture : LoopFixture {
  Datagram ours;
  Datagram peer;
  Address to_peer;
  Address to_ours;
  DatagramTraits traits;

  // A datagram that nobody takes must not end the process.
  DatagramFixture() { let_sigpipe_end_us(); }

  /// \return false when the machine has no such sockets; the reason is told.
  bool open(const DatagramKind& kind, const DatagramOptions& options = {}) {
    if (std::string_view(kind.name) == "udp v6" && !has_ipv6()) {
      BOOST_TEST_MESSAGE("skipped: the machine has no ::1");
      return false;
    }
    traits = kind.traits;
    DatagramEnds ends = kind.make(loop, options);
    ours = std::move(ends.ours);
    peer = std::move(ends.peer);
    to_peer = ends.to_peer;
    to_ours = ends.to_ours;
    return true;
  }

  /// The result of a request that must succeed.
  template <class T>
  T value_of(Request<T>& request) {
    int err = 0;
    T value = fetch(request, err);
    BOOST_TEST(err == 0);
    return value;
  }
  template <class T>
  T value_of(Request<T>&& request) {
    Request<T> moved = std::move(request);
    return value_of(moved);
  }

  template <class Bytes>
  [[nodiscard]] Request<ssize_t> send(const Bytes& bytes) {
    return ours.sendto(bytes, to_peer);
  }
  template <class Bytes>
  [[nodiscard]] Request<ssize_t> send(Queue& queue, const Bytes& bytes) {
    return ours.sendto(queue, bytes, to_peer);
  }
  /// The peer sends, one after the other.
  void peer_sends(std::string_view text) { BOOST_TEST(error_of(peer.sendto(text, to_ours)) == 0); }

  /// Has the peer send texts and waits until all of them can be received at once. At most ten: unix sockets
  /// have room for no more.
  void deliver(const std::vector<std::string>& texts);

  [[nodiscard]] std::string take_text(Datagram& at) { return text_of(value_of(at.recvfrom()).bytes()); }
  /// Takes datagrams until none is there.
  [[nodiscard]] std::vector<std::string> take_waiting(Datagram& at) {
    std::vector<std::string> texts;
    for (;;) {
      Request<ReceivedDatagram> receiving = at.recvfrom();
      loop.run_until_idle();
      if (receiving.is_in_progress()) return texts;
      texts.push_back(text_of(value_of(receiving).bytes()));
    }
  }

  /// Sends until a send has to wait, and gives that one. Only over backends that block.
  Request<ssize_t> block_sending(std::vector<std::string>& sent);

  /// Runs the loop for a while in which nothing should happen, and fails when it was busy.
  void check_quiet(std::chrono::milliseconds time = std::chrono::milliseconds(50)) {
    loop.run_until_idle();
    const std::uint64_t events = loop.metrics().events;
    const Request<void> pause = loop.sleep(time);
    unsigned turns = 0;
    while (pause.is_in_progress()) {
      loop.run_once();
      ++turns;
    }
    // One that has to ask again does so every few milliseconds, not in every turn.
    const auto asked = traits.polls ? static_cast<unsigned>(time.count()) : 0U;
    BOOST_TEST(loop.metrics().events - events <= 8U + asked);
    BOOST_TEST(turns <= 16U + 2 * asked);
  }
};

/// "0", "1", ...
[[nodiscard]] std::vector<std::string> numbered(std::size_t count);

}  // namespace tsock::test
