// What the kernel tells of a received datagram: on request, and only then.
#include <linux/sockios.h>
#include <unistd.h>

#include <chrono>

#include "support/descriptors.hpp"
#include "support/kernel_datagrams.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

constexpr DatagramOptions asked{.receive_info = true};

void set_option(const Datagram& datagram, int level, int name, int value) {
  BOOST_TEST_REQUIRE(::setsockopt(datagram.native_handle(), level, name, &value, sizeof(value)) == 0);
}

// The clock may be set while the test runs; a day is enough to tell it from nonsense.
bool is_now(const std::optional<std::chrono::system_clock::time_point>& time) {
  if (!time) return false;
  const auto distance = std::chrono::system_clock::now() - *time;
  return distance > -std::chrono::hours(24) && distance < std::chrono::hours(24);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(datagram_metadata, KernelDatagrams)

BOOST_AUTO_TEST_CASE(without_being_asked_nothing_is_told) {
  Datagram ours = open(inet("0.0.0.0"));
  Datagram peer = open(loopback_v4());
  const Address to = loopback_v4(ours.local_address().port().value_or(0));
  send(peer, "one", to);
  BOOST_TEST(value_of(ours.recvfrom()).info() == nullptr);
  std::array<std::byte, 8> buffer{};
  send(peer, "two", to);
  BOOST_TEST(!value_of(ours.recvfrom(buffer)).info.has_value());
}

BOOST_AUTO_TEST_CASE(ipv4_tells_destination_interface_ttl_ecn_and_time) {
  Datagram ours = open(inet("0.0.0.0"), {}, asked);
  Datagram peer = open(loopback_v4(), {}, {.ttl = 17});
  const std::uint16_t port = ours.local_address().port().value_or(0);
  for (const char* destination : {"127.0.0.1", "127.0.0.2"}) {
    for (const int tos : {0, 1, 2, 3, 0xb8 | 1}) {
      set_option(peer, IPPROTO_IP, IP_TOS, tos);
      send(peer, "hello", inet(destination, port));
      const ReceivedDatagram datagram = value_of(ours.recvfrom());
      BOOST_TEST_REQUIRE(datagram.info() != nullptr);
      const DatagramInfo& info = *datagram.info();
      BOOST_TEST(info.destination.ip_string(err) == destination);
      BOOST_TEST(info.interface_index.value_or(0) == ::if_nametoindex("lo"));
      BOOST_TEST(info.ttl.value_or(0) == 17);
      BOOST_TEST(info.ecn.value_or(-1) == (tos & 3));
      BOOST_TEST(is_now(info.timestamp));
      BOOST_TEST(!info.credentials.has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(ipv6_tells_the_same) {
  if (lacks_ipv6()) return;
  Datagram ours = open(inet("::"), {}, asked);
  Datagram peer = open(loopback_v6(), {}, {.ttl = 18});
  set_option(peer, IPPROTO_IPV6, IPV6_TCLASS, 2);
  send(peer, "hello", loopback_v6(ours.local_address().port().value_or(0)));
  const ReceivedDatagram datagram = value_of(ours.recvfrom());
  BOOST_TEST_REQUIRE(datagram.info() != nullptr);
  const DatagramInfo& info = *datagram.info();
  BOOST_TEST(info.destination.ip_string(err) == "::1");
  BOOST_TEST(info.interface_index.value_or(0) == ::if_nametoindex("lo"));
  BOOST_TEST(info.ttl.value_or(0) == 18);
  BOOST_TEST(info.ecn.value_or(-1) == 2);
  BOOST_TEST(is_now(info.timestamp));
}

BOOST_AUTO_TEST_CASE(a_socket_of_both_families_tells_it_of_both) {
  if (lacks_ipv6()) return;
  DatagramOptions options = asked;
  options.v6only = false;
  Datagram ours = open(inet("::"), {}, options);
  const std::uint16_t port = ours.local_address().port().value_or(0);
  Datagram v4 = open(loopback_v4(), {}, {.ttl = 19});
  set_option(v4, IPPROTO_IP, IP_TOS, 1);
  send(v4, "hello", loopback_v4(port));
  const ReceivedDatagram by_v4 = value_of(ours.recvfrom());
  BOOST_TEST_REQUIRE(by_v4.info() != nullptr);
  // As the sender, so that a reply can be sent from it.
  BOOST_TEST(by_v4.source().is_v4_mapped());
  BOOST_TEST(by_v4.info()->destination.ip_string(err) == "::ffff:127.0.0.1");
  BOOST_TEST(by_v4.info()->interface_index.value_or(0) == ::if_nametoindex("lo"));
  BOOST_TEST(by_v4.info()->ttl.value_or(0) == 19);
  BOOST_TEST(by_v4.info()->ecn.value_or(-1) == 1);
  Datagram v6 = open(loopback_v6());
  send(v6, "hello", loopback_v6(port));
  const ReceivedDatagram by_v6 = value_of(ours.recvfrom());
  BOOST_TEST_REQUIRE(by_v6.info() != nullptr);
  BOOST_TEST(by_v6.info()->destination.ip_string(err) == "::1");
}

BOOST_AUTO_TEST_CASE(every_form_of_receiving_gives_it_and_giving_back_keeps_it) {
  Datagram ours = open(inet("0.0.0.0"), {}, asked);
  Datagram peer = open(loopback_v4());
  const std::uint16_t port = ours.local_address().port().value_or(0);
  const std::vector<std::string> texts = number_texts(8);
  for (std::size_t i = 0; i < texts.size(); ++i)
    send(peer, texts[i], inet(i % 2 == 0 ? "127.0.0.1" : "127.0.0.2", port));
  const auto expect = [this](std::span<const std::byte> bytes, const DatagramInfo* info) {
    BOOST_TEST_REQUIRE(info != nullptr);
    const int number = std::stoi(text_of(bytes));
    BOOST_TEST(info->destination.ip_string(err) == (number % 2 == 0 ? "127.0.0.1" : "127.0.0.2"));
    BOOST_TEST(info->ttl.has_value());
  };
  const ReceivedDatagram first = value_of(ours.recvfrom());
  expect(first.bytes(), first.info());
  std::array<std::byte, 8> buffer{};
  const ReceivedInto into = value_of(ours.recvfrom(buffer));
  expect(std::span(buffer).first(into.size), into.info ? &*into.info : nullptr);
  { const Request<ReceivedDatagram> abandoned = ours.recvfrom(); }
  { const Request<ReceivedInto> abandoned = ours.recvfrom(buffer); }
  { const Request<ReceivedInto> abandoned = ours.recvfrom(std::span<std::byte>()); }
  { const Request<std::vector<ReceivedDatagram>> abandoned = ours.recv_many(3); }
  const ReceivedInto again = value_of(ours.recvfrom(buffer));
  BOOST_TEST(text_of(std::span(buffer).first(again.size)) == "2");
  expect(std::span(buffer).first(again.size), again.info ? &*again.info : nullptr);
  std::size_t rest = 0;
  while (rest < 5) {
    const auto datagrams = value_of(ours.recv_many(2));
    for (const ReceivedDatagram& datagram : datagrams) expect(datagram.bytes(), datagram.info());
    rest += datagrams.size();
  }
}

BOOST_AUTO_TEST_CASE(what_was_told_lives_with_the_datagram) {
  ReceivedDatagram kept;
  {
    Datagram ours = open(loopback_v4(), {}, asked);
    Datagram peer = open(loopback_v4());
    send(peer, "kept", ours.local_address());
    kept = value_of(ours.recvfrom());
  }
  const DatagramInfo* const info = kept.info();
  const ReceivedDatagram moved = std::move(kept);
  BOOST_TEST(moved.info() == info);
  BOOST_TEST(moved.info()->destination.ip_string(err) == "127.0.0.1");
  BOOST_TEST(text_of(moved.bytes()) == "kept");
  BOOST_TEST(kept.info() == nullptr);
  BOOST_TEST(kept.source().is_empty());
}

BOOST_AUTO_TEST_CASE(unix_sockets_tell_who_sent_it_and_when,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  auto [left, right] = Datagram::socketpair(loop, asked, err);
  BOOST_TEST_REQUIRE(err == 0);
  send(left, "hello");
  const ReceivedDatagram datagram = value_of(right.recvfrom());
  BOOST_TEST_REQUIRE(datagram.info() != nullptr);
  const DatagramInfo& info = *datagram.info();
  BOOST_TEST_REQUIRE(info.credentials.has_value());
  BOOST_TEST(info.credentials->pid.value_or(0) == ::getpid());
  BOOST_TEST(info.credentials->uid == ::geteuid());
  BOOST_TEST(info.credentials->gid == ::getegid());
  BOOST_TEST(is_now(info.timestamp));
  BOOST_TEST(info.destination.is_empty());
  BOOST_TEST(!info.ttl.has_value());
}

BOOST_AUTO_TEST_CASE(an_adopted_socket_tells_it_too) {
  UniqueSocket fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const Address any = loopback_v4();
  BOOST_TEST_REQUIRE(
      ::bind(fd.get(), any.sockaddr_pointer(), static_cast<socklen_t>(any.sockaddr_length())) == 0);
  Datagram ours = Datagram::adopt(loop, fd, asked, err);
  BOOST_TEST_REQUIRE(err == 0);
  Datagram peer = open(loopback_v4());
  send(peer, "hello", ours.local_address());
  const ReceivedDatagram datagram = value_of(ours.recvfrom());
  BOOST_TEST_REQUIRE(datagram.info() != nullptr);
  BOOST_TEST(datagram.info()->destination.ip_string(err) == "127.0.0.1");
}

BOOST_AUTO_TEST_SUITE_END()
