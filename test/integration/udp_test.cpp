// UDP over the kernel's loopback: addresses, options, errors that the network reports.
#include <fcntl.h>
#include <linux/netlink.h>

#include <optional>

#include "support/descriptors.hpp"
#include "support/kernel_datagrams.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

BOOST_FIXTURE_TEST_SUITE(udp, KernelDatagrams)

// ---- addresses ----

BOOST_AUTO_TEST_CASE(an_unconnected_socket_hears_everybody_and_answers_each) {
  Datagram server = open(inet("0.0.0.0"));
  const std::uint16_t port = server.local_address().port().value_or(0);
  BOOST_TEST(port != 0);
  BOOST_TEST(server.remote_address().is_empty());
  Datagram first = open(loopback_v4());
  Datagram second = open(inet("127.0.0.2"));
  for (Datagram* client : {&first, &second}) {
    send(*client, "hello", loopback_v4(port));
    const ReceivedDatagram datagram = value_of(server.recvfrom());
    BOOST_TEST(datagram.source() == client->local_address());
    send(server, "welcome", datagram.source());
    BOOST_TEST(take(*client) == "welcome");
  }
}

BOOST_AUTO_TEST_CASE(a_connected_socket_hears_its_remote_alone) {
  Datagram remote = open(loopback_v4());
  Datagram stranger = open(loopback_v4());
  Datagram ours = open(loopback_v4(), remote.local_address());
  BOOST_TEST(ours.remote_address() == remote.local_address());
  send(stranger, "not for you", ours.local_address());
  send(remote, "for you", ours.local_address());
  BOOST_TEST(take(ours) == "for you");
  BOOST_TEST(is_silent(ours));
  send(ours, "answer");
  BOOST_TEST(take(remote) == "answer");
}

// tsocket: not bound when the local address says nothing; the kernel chooses then.
BOOST_AUTO_TEST_CASE(a_local_address_that_says_nothing_is_left_to_the_kernel) {
  Datagram remote = open(loopback_v4());
  for (const Address& local : {inet("0.0.0.0"), inet("::"), Address()}) {
    Datagram ours = open(local, remote.local_address());
    BOOST_TEST(ours.local_address().ip_string(err) == "127.0.0.1");
    send(ours, "hello");
    BOOST_TEST(take(remote) == "hello");
  }
}

// A.9, 7140.
BOOST_AUTO_TEST_CASE(an_unspecific_local_address_follows_the_family_of_the_remote) {
  Datagram v4 = open(loopback_v4());
  Datagram from_any6 = open(inet("::"), v4.local_address());
  BOOST_TEST(from_any6.local_address().is_ipv4());
  send(from_any6, "by ipv4");
  BOOST_TEST(take(v4) == "by ipv4");
  // The port is kept.
  const std::uint16_t port = nobody().port().value_or(0);
  const Datagram with_port = open(inet("::", port), v4.local_address());
  BOOST_TEST(with_port.local_address().is_ipv4());
  BOOST_TEST(with_port.local_address().port().value_or(0) == port);
  if (!has_ipv6()) return;
  Datagram v6 = open(loopback_v6());
  Datagram from_any4 = open(inet("0.0.0.0"), v6.local_address());
  BOOST_TEST(from_any4.local_address().is_ipv6());
  send(from_any4, "by ipv6");
  BOOST_TEST(take(v6) == "by ipv6");
}

BOOST_AUTO_TEST_CASE(addresses_that_do_not_fit_are_einval) {
  const Address path = Address::unix_from_path("/tmp/x", err);
  BOOST_TEST(open_error({}) == EINVAL);
  BOOST_TEST(open_error(path) == EINVAL);
  BOOST_TEST(open_error(loopback_v4(), path) == EINVAL);
  BOOST_TEST(open_error({}, path) == EINVAL);
  BOOST_TEST(open_error(loopback_v4(), loopback_v6(9)) == EINVAL);
  BOOST_TEST(open_error(loopback_v6(), loopback_v4(9)) == EINVAL);
  BOOST_TEST(open_error(inet("192.0.2.250")) == EADDRNOTAVAIL);
}

BOOST_AUTO_TEST_CASE(a_v6_socket_is_v6only_unless_told_otherwise) {
  if (lacks_ipv6()) return;
  Datagram only = open(inet("::"));
  BOOST_TEST(socket_option(only.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
  // So the port of ipv4 is free.
  const Datagram beside = open(inet("0.0.0.0", only.local_address().port().value_or(0)));
  Datagram both = open(inet("::"), {}, {.v6only = false});
  Datagram client = open(loopback_v4());
  send(client, "by ipv4", loopback_v4(both.local_address().port().value_or(0)));
  const ReceivedDatagram datagram = value_of(both.recvfrom());
  BOOST_TEST(text_of(datagram.bytes()) == "by ipv4");
  BOOST_TEST(datagram.source().is_v4_mapped());
  send(both, "answer", datagram.source());
  BOOST_TEST(take(client) == "answer");
}

// tsocket sets SO_REUSEADDR whenever there is a port: on Linux two sockets share it then.
BOOST_AUTO_TEST_CASE(a_port_is_shared_only_when_both_say_so) {
  const Datagram first = open(loopback_v4());
  BOOST_TEST(open_error(first.local_address()) == EADDRINUSE);
  BOOST_TEST(open_error(first.local_address(), {}, {.reuse_address = true}) == EADDRINUSE);
  for (const DatagramOptions& options :
       {DatagramOptions{.reuse_address = true}, DatagramOptions{.reuse_port = true}}) {
    const Datagram one = open(loopback_v4(), {}, options);
    const Datagram other = open(one.local_address(), {}, options);
    BOOST_TEST(one.local_address() == other.local_address());
  }
}

BOOST_AUTO_TEST_CASE(options_reach_the_socket) {
  const Datagram datagram = open(loopback_v4(), {},
                                 {.broadcast = true,
                                  .receive_buffer = 20000,
                                  .send_buffer = 30000,
                                  .ttl = 17,
                                  .multicast_ttl = 3,
                                  .multicast_loop = false});
  const int fd = datagram.native_handle();
  BOOST_TEST(is_close_on_exec(fd));
  BOOST_TEST(is_non_blocking(fd));
  BOOST_TEST(socket_option(fd, SOL_SOCKET, SO_BROADCAST) == 1);
  // The kernel doubles them.
  BOOST_TEST(socket_option(fd, SOL_SOCKET, SO_RCVBUF) == 40000);
  BOOST_TEST(socket_option(fd, SOL_SOCKET, SO_SNDBUF) == 60000);
  BOOST_TEST(socket_option(fd, IPPROTO_IP, IP_TTL) == 17);
  BOOST_TEST(socket_option(fd, IPPROTO_IP, IP_MULTICAST_TTL) == 3);
  BOOST_TEST(socket_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP) == 0);
  const Datagram plain = open(loopback_v4());
  for (const int name : {SO_BROADCAST, SO_REUSEADDR, SO_REUSEPORT, SO_TIMESTAMPNS})
    BOOST_TEST(socket_option(plain.native_handle(), SOL_SOCKET, name) == 0);
  for (const int name : {IP_RECVERR, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS})
    BOOST_TEST(socket_option(plain.native_handle(), IPPROTO_IP, name) == 0);
  if (!has_ipv6()) return;
  const Datagram v6 = open(loopback_v6(), {}, {.ttl = 18, .multicast_ttl = 4, .multicast_loop = false});
  BOOST_TEST(socket_option(v6.native_handle(), IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 18);
  BOOST_TEST(socket_option(v6.native_handle(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS) == 4);
  BOOST_TEST(socket_option(v6.native_handle(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP) == 0);
  BOOST_TEST(open_error(loopback_v4(), {}, {.ttl = 1000}) == EINVAL);
}

BOOST_AUTO_TEST_CASE(broadcasts_need_the_option) {
  Datagram hearer = open(inet("0.0.0.0"));
  const Address everybody = inet("127.255.255.255", hearer.local_address().port().value_or(0));
  Datagram without = open(loopback_v4());
  BOOST_TEST(error_of(without.sendto("hello", everybody)) == EACCES);
  send(without, "the socket is well", hearer.local_address().with_port(*everybody.port(), err));
  BOOST_TEST(take(hearer) == "the socket is well");
  Datagram with = open(loopback_v4(), {}, {.broadcast = true});
  send(with, "hello everybody", everybody);
  BOOST_TEST(take(hearer) == "hello everybody");
  BOOST_TEST(open_error(loopback_v6(), {}, {.broadcast = true}) == EINVAL);
}

// ---- errors that the network reports ----

BOOST_AUTO_TEST_CASE(a_connected_socket_tells_a_refusal_once_to_whoever_comes_next) {
  const Address closed = nobody();
  Datagram ours = open(loopback_v4(), closed);
  send(ours, "anybody?");
  BOOST_TEST(error_of(ours.recvfrom()) == ECONNREFUSED);
  BOOST_TEST(is_silent(ours));
  send(ours, "anybody?");
  BOOST_TEST(error_of(ours.sendto("met by the refusal")) == ECONNREFUSED);
  // Somebody is there now, and all is well.
  Datagram peer = open(closed);
  send(ours, "there you are");
  BOOST_TEST(take(peer) == "there you are");
  send(peer, "here I am", ours.local_address());
  BOOST_TEST(take(ours) == "here I am");
}

BOOST_AUTO_TEST_CASE(every_form_of_receiving_hears_a_refusal) {
  Datagram ours = open(loopback_v4(), nobody());
  std::array<std::byte, 8> buffer{};
  send(ours, "anybody?");
  BOOST_TEST(error_of(ours.recvfrom(buffer)) == ECONNREFUSED);
  send(ours, "anybody?");
  BOOST_TEST(error_of(ours.recv_many(5)) == ECONNREFUSED);
  Request<ReceivedDatagram> waiting = ours.recvfrom();
  loop.run_until_idle();
  send(ours, "anybody?");
  BOOST_TEST(error_of(waiting) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(a_refusal_that_nobody_asks_for_keeps_nobody_busy_and_waits) {
  Datagram ours = open(loopback_v4(), nobody());
  // So that the socket is watched.
  BOOST_TEST(is_silent(ours));
  send(ours, "anybody?");
  check_quiet();
  BOOST_TEST(error_of(ours.recvfrom()) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(an_unconnected_socket_hears_of_no_refusal) {
  Datagram ours = open(loopback_v4());
  Datagram peer = open(loopback_v4());
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  for (int i = 0; i < 3; ++i) send(ours, "anybody?", nobody());
  check_quiet();
  BOOST_TEST(receiving.is_in_progress());
  send(peer, "I am", ours.local_address());
  BOOST_TEST(text_of(value_of(receiving).bytes()) == "I am");
}

BOOST_AUTO_TEST_CASE(an_unconnected_socket_that_wants_icmp_errors_hears_each_once,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  for (const bool connected : {false, true}) {
    const Address closed = nobody();
    Datagram ours = open(loopback_v4(), connected ? closed : Address(), {.icmp_errors = true});
    Datagram peer = open(loopback_v4());
    Request<ReceivedDatagram> receiving = ours.recvfrom();
    loop.run_until_idle();
    send(ours, "anybody?", connected ? Address() : closed);
    BOOST_TEST(error_of(receiving) == ECONNREFUSED);
    check_quiet();
    BOOST_TEST(is_silent(ours));
    check_quiet();
    if (connected) continue;
    send(ours, "hello", peer.local_address());
    BOOST_TEST(take(peer) == "hello");
    send(peer, "hello too", ours.local_address());
    BOOST_TEST(take(ours) == "hello too");
  }
}

BOOST_AUTO_TEST_CASE(a_refusal_ends_one_send_of_a_queue_at_most_and_no_other_receiver_is_harmed,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Datagram ours = open(loopback_v4(), {}, {.icmp_errors = true});
  Datagram peer = open(loopback_v4());
  const Address closed = nobody();
  Queue queue(loop);
  std::vector<Request<ssize_t>> sends;
  const std::vector<std::string> texts = number_texts(12);
  for (std::size_t i = 0; i < texts.size(); ++i)
    sends.push_back(ours.sendto(queue, texts[i], i % 3 == 0 ? closed : peer.local_address()));
  unsigned refused = 0;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const int error = error_of(sends[i]);
    BOOST_TEST((error == 0 || error == ECONNREFUSED));
    if (error != 0) ++refused;
    if (error == 0 && i % 3 != 0) expected.push_back(texts[i]);
  }
  // As many as were provoked, at most.
  BOOST_TEST(refused <= 4U);
  std::vector<std::string> got;
  while (got.size() < expected.size()) got.push_back(take(peer));
  BOOST_TEST(got == expected, boost::test_tools::per_element());
  BOOST_TEST(is_silent(peer));
  check_quiet();
  BOOST_TEST(ours.is_open());
}

// ---- what does not fit ----

BOOST_AUTO_TEST_CASE(a_receive_queue_that_overruns_is_counted,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Datagram ours = open(loopback_v4(), {}, {.receive_buffer = 4096});
  Datagram peer = open(loopback_v4());
  BOOST_TEST(ours.dropped() == 0U);
  constexpr std::size_t sent = 200;
  const std::vector<std::byte> bytes(500);
  for (std::size_t i = 0; i < sent; ++i) BOOST_TEST(error_of(peer.sendto(bytes, ours.local_address())) == 0);
  std::size_t received = 0;
  for (Request<ReceivedDatagram> receiving = ours.recvfrom();; receiving = ours.recvfrom()) {
    loop.run_until_idle();
    if (receiving.is_in_progress()) break;
    ++received;
  }
  BOOST_TEST(received != 0U);
  BOOST_TEST(ours.dropped() != 0U);
  BOOST_TEST(received + ours.dropped() == sent);
  BOOST_TEST(peer.dropped() == 0U);
}

BOOST_AUTO_TEST_CASE(what_the_kernel_dropped_is_told_after_the_socket_is_closed,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Datagram peer = open(loopback_v4());
  const std::vector<std::byte> bytes(500);
  for (const char* end : {"disconnect", "interrupted disconnect", "loop"}) {
    BOOST_TEST_CONTEXT(end) {
      std::optional<Loop> own(std::in_place);
      Datagram ours = Datagram::udp(*own, loopback_v4(), {}, {.receive_buffer = 4096}, err);
      BOOST_TEST_REQUIRE(err == 0);
      for (int i = 0; i < 200; ++i) BOOST_TEST(error_of(peer.sendto(bytes, ours.local_address())) == 0);
      const std::uint64_t dropped = ours.dropped();
      BOOST_TEST(dropped != 0U);
      if (end != std::string_view("loop")) {
        Request<void> disconnecting = ours.disconnect();
        BOOST_TEST(ours.dropped() == dropped);
        if (end == std::string_view("disconnect")) own->run_until_idle();
        disconnecting = {};
        BOOST_TEST(!ours.is_open());
        BOOST_TEST(ours.dropped() == dropped);
      }
      own.reset();
      BOOST_TEST(ours.dropped() == dropped);
    }
  }
}

// A.9, 9184: one without bytes must not stand in the way of those behind it.
BOOST_AUTO_TEST_CASE(datagrams_without_bytes_come_and_do_not_block) {
  Datagram ours = open(loopback_v4());
  Datagram peer = open(loopback_v4());
  const int fd = peer.native_handle();
  const Address to = ours.local_address();
  for (const std::size_t size : {0U, 10U, 0U, 0U, 3U}) {
    BOOST_TEST_REQUIRE(::sendto(fd, "0123456789", size, 0, to.sockaddr_pointer(),
                                static_cast<socklen_t>(to.sockaddr_length())) == static_cast<ssize_t>(size));
  }
  for (const char* text : {"", "0123456789", "", "", "012"}) BOOST_TEST(take(ours) == text);
}

// A.9, 7115 and 11714: a size that the kernel tells beforehand is that of another datagram.
BOOST_AUTO_TEST_CASE(sizes_that_vary_wildly_come_whole) {
  Datagram ours = open(loopback_v4());
  Datagram peer = open(loopback_v4());
  Queue queue(loop);
  const std::vector<std::size_t> sizes{1, 60000, 0, 2048, 2049, 65507, 7};
  std::vector<std::vector<std::byte>> sent;
  for (const std::size_t size : sizes) sent.push_back(pattern(size, static_cast<unsigned>(size)));
  for (const auto& bytes : sent) peer.sendto(queue, bytes, ours.local_address()).detach();
  for (const auto& bytes : sent) BOOST_TEST((value_of(ours.recvfrom()).copy() == bytes));
}

// ---- adopting ----

BOOST_AUTO_TEST_CASE(only_datagram_sockets_of_known_families_are_adopted) {
  const auto error_of_adopting = [this](UniqueSocket fd) {
    const int number = fd.get();
    int failure = 0;
    const Datagram datagram = Datagram::adopt(loop, fd, {}, failure);
    BOOST_TEST(!datagram.is_open());
    BOOST_TEST(fd.get() == number);
    return failure;
  };
  BOOST_TEST(error_of_adopting(UniqueSocket()) == EBADF);
  BOOST_TEST(error_of_adopting(raw_socket(AF_INET, SOCK_STREAM)) == EPROTOTYPE);
  BOOST_TEST(error_of_adopting(raw_socket(AF_UNIX, SOCK_STREAM)) == EPROTOTYPE);
  BOOST_TEST(error_of_adopting(raw_socket(AF_UNIX, SOCK_SEQPACKET)) == EPROTOTYPE);
  BOOST_TEST(error_of_adopting(UniqueSocket(::open("/dev/null", O_RDWR | O_CLOEXEC))) == ENOTSOCK);
  UniqueSocket netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (netlink) BOOST_TEST(error_of_adopting(std::move(netlink)) == EAFNOSUPPORT);
}

BOOST_AUTO_TEST_CASE(an_adopted_socket_is_made_fit) {
  UniqueSocket fd(::socket(AF_INET, SOCK_DGRAM, 0));
  const Address any = loopback_v4();
  BOOST_TEST_REQUIRE(
      ::bind(fd.get(), any.sockaddr_pointer(), static_cast<socklen_t>(any.sockaddr_length())) == 0);
  Datagram ours = Datagram::adopt(loop, fd, {.ttl = 9}, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(!fd);
  BOOST_TEST(is_non_blocking(ours.native_handle()));
  BOOST_TEST(is_close_on_exec(ours.native_handle()));
  BOOST_TEST(ours.native_handle() >= 3);
  BOOST_TEST(socket_option(ours.native_handle(), IPPROTO_IP, IP_TTL) == 9);
  BOOST_TEST(ours.remote_address().is_empty());
  Datagram peer = open(loopback_v4(), ours.local_address());
  send(peer, "hello");
  BOOST_TEST(take(ours) == "hello");
  BOOST_TEST(error_of(ours.sendto("to whom?")) == EDESTADDRREQ);
}

// Its error queue is none of ours, but it must not keep the loop busy.
BOOST_AUTO_TEST_CASE(an_adopted_socket_may_have_an_error_queue,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  UniqueSocket fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  BOOST_TEST_REQUIRE(::setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) == 0);
  Datagram ours = Datagram::adopt(loop, fd, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<ReceivedDatagram> receiving = ours.recvfrom();
  loop.run_until_idle();
  send(ours, "anybody?", nobody());
  BOOST_TEST(error_of(receiving) == ECONNREFUSED);
  receiving = ours.recvfrom();
  check_quiet();
  BOOST_TEST(receiving.is_in_progress());
}

BOOST_AUTO_TEST_SUITE_END()
