#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

/// For tests over datagram sockets of the kernel.
struct KernelDatagrams : LoopFixture {
  int err = 0;

  [[nodiscard]] static Address inet(const char* text, std::uint16_t port = 0) {
    int ignored = 0;
    return Address::inet_from_strings("ip", text, port, ignored);
  }
  /// A port of 127.0.0.1 on which nobody is.
  [[nodiscard]] Address nobody() { return open(loopback_v4()).local_address(); }
  /// A UDP socket; the test fails when it cannot be made.
  [[nodiscard]] Datagram open(const Address& local, const Address& remote = {},
                              const DatagramOptions& options = {}) {
    int failure = 0;
    Datagram datagram = Datagram::udp(loop, local, remote, options, failure);
    BOOST_TEST_REQUIRE(failure == 0, "udp: " << error_name(failure));
    return datagram;
  }
  /// The error of opening one.
  [[nodiscard]] int open_error(const Address& local, const Address& remote = {},
                               const DatagramOptions& options = {}) {
    int failure = 0;
    const Datagram datagram = Datagram::udp(loop, local, remote, options, failure);
    BOOST_TEST(datagram.is_open() == (failure == 0));
    return failure;
  }

  [[nodiscard]] static bool lacks_ipv6() {
    if (has_ipv6()) return false;
    BOOST_TEST_MESSAGE("skipped: the machine has no ::1");
    return true;
  }

  template <class T>
  T value_of(Request<T>& request) {
    int failure = 0;
    T value = fetch(request, failure);
    BOOST_TEST(failure == 0, "failed with " << error_name(failure));
    return value;
  }
  template <class T>
  T value_of(Request<T>&& request) {
    Request<T> moved = std::move(request);
    return value_of(moved);
  }
  void send(Datagram& from, std::string_view text, const Address& to = {}) {
    BOOST_TEST(error_of(from.sendto(text, to)) == 0);
  }
  [[nodiscard]] std::string take(Datagram& at) { return text_of(value_of(at.recvfrom()).bytes()); }
  /// Whether nothing waits at the socket. What came over the loopback is there when its sender is told.
  [[nodiscard]] bool is_silent(Datagram& at) {
    const Request<ReceivedDatagram> receiving = at.recvfrom();
    loop.run_until_idle();
    return receiving.is_in_progress();
  }
  /// Runs the loop for a while in which nothing should happen, and fails when it was busy.
  void check_quiet() {
    loop.run_until_idle();
    const std::uint64_t events = loop.metrics().events;
    const Request<void> pause = loop.sleep(std::chrono::milliseconds(20));
    while (pause.is_in_progress()) loop.run_once();
    BOOST_TEST(loop.metrics().events - events <= 8U);
  }
};

/// Datagrams to one receiver.
[[nodiscard]] inline std::vector<OutgoingDatagram> outgoing(const std::vector<std::string>& texts,
                                                            const Address& destination = {}) {
  std::vector<OutgoingDatagram> list;
  for (const std::string& text : texts) list.push_back({std::as_bytes(std::span(text)), destination});
  return list;
}
[[nodiscard]] inline std::vector<std::string> texts_of(const std::vector<ReceivedDatagram>& datagrams) {
  std::vector<std::string> texts;
  for (const ReceivedDatagram& datagram : datagrams) texts.push_back(text_of(datagram.bytes()));
  return texts;
}
/// "0", "1", ...
[[nodiscard]] inline std::vector<std::string> number_texts(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back(std::to_string(i));
  return texts;
}

}  // namespace tsock::test
