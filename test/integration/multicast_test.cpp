// Multicast on this host alone: over the loopback interface, and over others with a ttl of 0.
#include <ifaddrs.h>

#include <memory>
#include <optional>

#include "support/descriptors.hpp"
#include "support/kernel_datagrams.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

// "Administratively scoped", RFC 2365, and source-specific, RFC 4607.
constexpr const char* any_source_group = "239.255.77.1";
constexpr const char* other_group = "239.255.77.2";
constexpr const char* source_group = "232.1.77.1";
constexpr const char* group_v6 = "ff12::77:1";

struct Multicast : KernelDatagrams {
  unsigned loopback = ::if_nametoindex("lo");

  /// Hears a group at a port of its own; bound to the group, so that it hears what was joined alone.
  [[nodiscard]] Datagram hearer(const char* group, const DatagramOptions& options = {}) {
    return open(inet(group), {}, options);
  }
  [[nodiscard]] DatagramOptions over(unsigned interface_index) const {
    DatagramOptions options;
    options.multicast_interface = interface_index;
    return options;
  }
  /// An interface other than the loopback with multicast and an address of the family.
  [[nodiscard]] static std::optional<unsigned> other_interface(int family) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return std::nullopt;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
      const unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
      if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != family) continue;
      if ((one->ifa_flags & wanted) == wanted && (one->ifa_flags & IFF_LOOPBACK) == 0)
        return ::if_nametoindex(one->ifa_name);
    }
    return std::nullopt;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(multicast, Multicast)

BOOST_AUTO_TEST_CASE(a_group_is_heard_from_joining_to_leaving) {
  Datagram ours = hearer(any_source_group);
  Datagram peer = open(loopback_v4(), {}, over(loopback));
  const Address group = ours.local_address();
  send(peer, "too early", group);
  BOOST_TEST(is_silent(ours));
  BOOST_TEST_REQUIRE(ours.join_multicast(group, loopback) == 0);
  send(peer, "hello", group);
  const ReceivedDatagram datagram = value_of(ours.recvfrom());
  BOOST_TEST(text_of(datagram.bytes()) == "hello");
  BOOST_TEST(datagram.source() == peer.local_address());
  BOOST_TEST(ours.leave_multicast(group, loopback) == 0);
  send(peer, "too late", group);
  BOOST_TEST(is_silent(ours));
}

BOOST_AUTO_TEST_CASE(several_sockets_hear_one_group_each) {
  const DatagramOptions shared{.reuse_address = true};
  Datagram first = hearer(any_source_group, shared);
  Datagram second = open(first.local_address(), {}, shared);
  const Address group = first.local_address();
  BOOST_TEST_REQUIRE(first.join_multicast(group, loopback) == 0);
  BOOST_TEST_REQUIRE(second.join_multicast(group, loopback) == 0);
  Datagram peer = open(loopback_v4(), {}, over(loopback));
  send(peer, "hello both", group);
  BOOST_TEST(take(first) == "hello both");
  BOOST_TEST(take(second) == "hello both");
}

BOOST_AUTO_TEST_CASE(a_connected_socket_sends_to_its_group) {
  Datagram ours = hearer(any_source_group);
  BOOST_TEST_REQUIRE(ours.join_multicast(ours.local_address(), loopback) == 0);
  Datagram peer = open(loopback_v4(), ours.local_address(), over(loopback));
  send(peer, "hello");
  BOOST_TEST(take(ours) == "hello");
}

BOOST_AUTO_TEST_CASE(of_a_source_specific_group_one_source_is_heard) {
  Datagram ours = hearer(source_group);
  const Address group = ours.local_address();
  Datagram wanted = open(inet("127.0.0.1"), {}, over(loopback));
  Datagram unwanted = open(inet("127.0.0.2"), {}, over(loopback));
  BOOST_TEST_REQUIRE(ours.join_multicast(group, loopback, wanted.local_address()) == 0);
  send(unwanted, "not heard", group);
  send(wanted, "heard", group);
  BOOST_TEST(take(ours) == "heard");
  BOOST_TEST(is_silent(ours));
  // A second source beside it.
  BOOST_TEST_REQUIRE(ours.join_multicast(group, loopback, unwanted.local_address()) == 0);
  send(unwanted, "heard too", group);
  BOOST_TEST(take(ours) == "heard too");
  BOOST_TEST(ours.leave_multicast(group, loopback, wanted.local_address()) == 0);
  send(wanted, "no more", group);
  BOOST_TEST(is_silent(ours));
}

BOOST_AUTO_TEST_CASE(a_received_multicast_tells_its_group_interface_and_ttl) {
  Datagram ours = hearer(any_source_group, {.receive_info = true});
  const Address group = ours.local_address();
  BOOST_TEST_REQUIRE(ours.join_multicast(group, loopback) == 0);
  DatagramOptions options = over(loopback);
  options.multicast_ttl = 5;
  options.ttl = 99;
  Datagram peer = open(loopback_v4(), {}, options);
  send(peer, "hello", group);
  const ReceivedDatagram datagram = value_of(ours.recvfrom());
  BOOST_TEST_REQUIRE(datagram.info() != nullptr);
  BOOST_TEST(datagram.info()->destination.ip_string(err) == any_source_group);
  BOOST_TEST(datagram.info()->interface_index.value_or(0) == loopback);
  BOOST_TEST(datagram.info()->ttl.value_or(0) == 5);
}

BOOST_AUTO_TEST_CASE(this_host_hears_its_own_unless_multicast_loop_is_off) {
  const std::optional<unsigned> interface_index = other_interface(AF_INET);
  if (!interface_index) {
    BOOST_TEST_MESSAGE("skipped: no interface with multicast beside the loopback");
    return;
  }
  Datagram ours = hearer(any_source_group);
  const Address group = ours.local_address();
  BOOST_TEST_REQUIRE(ours.join_multicast(group, *interface_index) == 0);
  for (const bool loop_on : {true, false}) {
    DatagramOptions options = over(*interface_index);
    // Does not leave the host.
    options.multicast_ttl = 0;
    options.multicast_loop = loop_on;
    Datagram peer = open(inet("0.0.0.0"), {}, options);
    send(peer, "hello", group);
    if (loop_on) BOOST_TEST(take(ours) == "hello");
    BOOST_TEST(is_silent(ours));
  }
}

// Not over the loopback, which carries no multicast of ipv6.
BOOST_AUTO_TEST_CASE(groups_of_ipv6) {
  const std::optional<unsigned> interface_index = other_interface(AF_INET6);
  if (!interface_index) {
    BOOST_TEST_MESSAGE("skipped: no interface with multicast and ipv6 beside the loopback");
    return;
  }
  Datagram ours = open(inet("::"), {}, {.receive_info = true});
  const std::string end =
      "%" + std::to_string(*interface_index) + "]:" + std::to_string(ours.local_address().port().value_or(0));
  const Address group = Address::parse("[" + std::string(group_v6) + end, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST_REQUIRE(ours.join_multicast(group, *interface_index) == 0);
  for (const bool loop_on : {true, false}) {
    DatagramOptions options = over(*interface_index);
    // Does not leave the host.
    options.multicast_ttl = 0;
    options.multicast_loop = loop_on;
    Datagram peer = open(inet("::"), {}, options);
    send(peer, "hello", group);
    if (loop_on) {
      const ReceivedDatagram datagram = value_of(ours.recvfrom());
      BOOST_TEST(text_of(datagram.bytes()) == "hello");
      BOOST_TEST_REQUIRE(datagram.info() != nullptr);
      BOOST_TEST(datagram.info()->destination.is_multicast());
      BOOST_TEST(datagram.info()->interface_index.value_or(0) == *interface_index);
      BOOST_TEST(datagram.info()->ttl.value_or(-1) == 0);
    }
    BOOST_TEST(is_silent(ours));
  }
  BOOST_TEST(ours.leave_multicast(group, *interface_index) == 0);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_joined_or_left) {
  Datagram ours = open(inet("0.0.0.0"));
  const Address group = inet(any_source_group);
  BOOST_TEST(ours.join_multicast(inet("127.0.0.1"), loopback) == EINVAL);
  BOOST_TEST(ours.join_multicast(inet(group_v6), loopback) == EINVAL);
  BOOST_TEST(ours.join_multicast(Address::unix_from_path("/x", err), loopback) == EINVAL);
  BOOST_TEST(ours.join_multicast({}, loopback) == EINVAL);
  BOOST_TEST(ours.join_multicast(group, loopback, inet("::1")) == EINVAL);
  BOOST_TEST(ours.join_multicast(group, 1U << 30U) == ENODEV);
  BOOST_TEST(ours.join_multicast(group, loopback) == 0);
  BOOST_TEST(ours.join_multicast(group, loopback) == EADDRINUSE);
  BOOST_TEST(ours.leave_multicast(inet(other_group), loopback) == EADDRNOTAVAIL);
  BOOST_TEST(ours.leave_multicast(group, loopback) == 0);
  BOOST_TEST(ours.leave_multicast(group, loopback) == EADDRNOTAVAIL);
  auto [left, right] = memory_datagram_pair(loop);
  BOOST_TEST(left.join_multicast(group) == ENOTSUP);
  BOOST_TEST(left.leave_multicast(group) == ENOTSUP);
  auto [one, other] = Datagram::socketpair(loop, err);
  BOOST_TEST(one.join_multicast(group) == EINVAL);
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(ours.join_multicast(group, loopback) == ENOTCONN);
  BOOST_TEST(Datagram().join_multicast(group) == ENOTCONN);
}

BOOST_AUTO_TEST_SUITE_END()
