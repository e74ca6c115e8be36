// Datagrams that leave from a local address of the sender's choice, on sockets that are bound to all of them.
#include "support/kernel_datagrams.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

constexpr DatagramOptions asked{.receive_info = true};

DatagramOptions both_families() {
  DatagramOptions options = asked;
  options.v6only = false;
  return options;
}

std::string ip_of(const Address& address) {
  int ignored = 0;
  return address.ip_string(ignored);
}

struct FromFixture : KernelDatagrams {
  /// Who sent the next datagram, without its port.
  std::string sender_at(Datagram& at) { return ip_of(value_of(at.recvfrom()).source()); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(datagram_from, FromFixture)

BOOST_AUTO_TEST_CASE(an_answer_leaves_from_the_address_that_was_asked) {
  Datagram server = open(inet("0.0.0.0"), {}, asked);
  const std::uint16_t port = server.local_address().port().value_or(0);
  Queue queue(loop);
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.3.2.1"}) {
    // A connected socket hears nobody else.
    Datagram client = open(loopback_v4(), inet(address, port));
    for (int form = 0; form < 7; ++form) {
      send(client, "question");
      const ReceivedDatagram question = value_of(server.recvfrom());
      BOOST_TEST_REQUIRE(question.info() != nullptr);
      BOOST_TEST(ip_of(question.info()->reply_from.address()) == address);
      const SendFrom& from = question.info()->reply_from;
      const std::string_view text = "answer";
      const auto bytes = std::as_bytes(std::span(text));
      const iovec vector = make_vector(bytes);
      const std::span<const iovec> vectors(&vector, 1);
      const Address& to = question.source();
      Request<ssize_t> sending = form == 0   ? server.sendto(text, to, from)
                                 : form == 1 ? server.sendto(bytes, to, from)
                                 : form == 2 ? server.sendto(vectors, to, from)
                                 : form == 3 ? server.sendto(queue, text, to, from)
                                 : form == 4 ? server.sendto(queue, bytes, to, from)
                                 : form == 5 ? server.sendto(queue, vectors, to, question.info()->destination)
                                             : server.sendto(text, to, question.info()->destination);
      BOOST_TEST(value_of(sending) == 6);
      BOOST_TEST(take(client) == "answer");
    }
  }
}

BOOST_AUTO_TEST_CASE(without_one_the_route_decides) {
  Datagram server = open(inet("0.0.0.0"), {}, asked);
  Datagram client = open(loopback_v4());
  BOOST_TEST(error_of(server.sendto("x", client.local_address(), SendFrom())) == 0);
  BOOST_TEST(sender_at(client) == "127.0.0.1");
  for (const Address& none : {Address(), inet("0.0.0.0"), inet("224.0.0.1"), inet("255.255.255.255")}) {
    BOOST_TEST(SendFrom(none).is_empty());
    BOOST_TEST(error_of(server.sendto("x", client.local_address(), none)) == 0);
    BOOST_TEST(sender_at(client) == "127.0.0.1");
  }
}

BOOST_AUTO_TEST_CASE(sends_of_one_turn_keep_each_its_own) {
  Datagram server = open(inet("0.0.0.0"));
  Datagram client = open(loopback_v4());
  Queue queue(loop);
  const Address to = client.local_address();
  std::vector<Request<ssize_t>> sends;
  std::vector<std::string> expected;
  // Equal sizes, which the kernel may be asked to cut from one: only those of one sender.
  const std::vector<const char*> addresses{"127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3",
                                           "127.0.0.2", "",          "",          "127.0.0.3"};
  for (const char* address : addresses) {
    sends.push_back(*address != '\0' ? server.sendto(queue, "same size", to, inet(address))
                                     : server.sendto(queue, "same size", to));
    expected.emplace_back(*address != '\0' ? address : "127.0.0.1");
  }
  for (auto& sending : sends) BOOST_TEST(error_of(sending) == 0);
  std::vector<std::string> got;
  for (std::size_t i = 0; i < expected.size(); ++i) got.push_back(sender_at(client));
  BOOST_TEST(got == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(send_many_has_one_for_each_and_the_kernel_cuts_what_has_the_same) {
  Datagram client = open(loopback_v4(), {}, {.receive_buffer = 1 << 20});
  for (const bool offload : {true, false}) {
    DatagramOptions options;
    options.send_offload = offload;
    Datagram server = open(inet("0.0.0.0"), {}, options);
    const std::vector<std::string> texts = number_texts(200);
    std::vector<OutgoingDatagram> list = outgoing(texts, client.local_address());
    const auto address_of = [](std::size_t i) { return i / 50 % 2 == 0 ? "127.0.0.2" : "127.0.0.3"; };
    for (std::size_t i = 0; i < list.size(); ++i) list[i].from = inet(address_of(i));
    BOOST_TEST(value_of(server.send_many(list)) == 200);
    for (std::size_t i = 0; i < list.size(); ++i) {
      const ReceivedDatagram datagram = value_of(client.recvfrom());
      BOOST_TEST(text_of(datagram.bytes()) == texts[i]);
      BOOST_TEST(ip_of(datagram.source()) == address_of(i));
    }
  }
}

BOOST_AUTO_TEST_CASE(ipv6_answers_from_the_address_that_was_asked) {
  if (lacks_ipv6()) return;
  Datagram server = open(inet("::"), {}, asked);
  const std::uint16_t port = server.local_address().port().value_or(0);
  Datagram client = open(loopback_v6(), loopback_v6(port));
  send(client, "question");
  const ReceivedDatagram question = value_of(server.recvfrom());
  BOOST_TEST(ip_of(question.info()->reply_from.address()) == "::1");
  BOOST_TEST(error_of(server.sendto("answer", question.source(), question.info()->reply_from)) == 0);
  BOOST_TEST(take(client) == "answer");
  const unsigned loopback = ::if_nametoindex("lo");
  BOOST_TEST(error_of(server.sendto("by it", question.source(), SendFrom(loopback_v6(), loopback))) == 0);
  BOOST_TEST(take(client) == "by it");
}

BOOST_AUTO_TEST_CASE(a_socket_of_both_families_answers_both_from_the_address_that_was_asked) {
  if (lacks_ipv6()) return;
  Datagram server = open(inet("::"), {}, both_families());
  const std::uint16_t port = server.local_address().port().value_or(0);
  for (const char* address : {"127.0.0.1", "127.0.0.2", "::1"}) {
    Datagram client = open(address[0] == ':' ? loopback_v6() : loopback_v4(), inet(address, port));
    send(client, "question");
    const ReceivedDatagram question = value_of(server.recvfrom());
    const DatagramInfo& info = *question.info();
    const std::string expected = (address[0] == ':' ? "" : "::ffff:") + std::string(address);
    BOOST_TEST(ip_of(info.destination) == expected);
    BOOST_TEST(ip_of(info.reply_from.address()) == expected);
    BOOST_TEST(error_of(server.sendto("answer", question.source(), info.reply_from)) == 0);
    BOOST_TEST(take(client) == "answer");
    BOOST_TEST(error_of(server.sendto("again", question.source(), info.destination)) == 0);
    BOOST_TEST(take(client) == "again");
    const SendFrom by_interface({}, info.interface_index.value_or(0));
    BOOST_TEST(error_of(server.sendto("by it", question.source(), by_interface)) == 0);
    if (std::string_view(address) != "127.0.0.2") BOOST_TEST(take(client) == "by it");
  }
}

BOOST_AUTO_TEST_CASE(an_answer_to_a_broadcast_or_a_group_leaves_from_the_interface) {
  Datagram server = open(inet("0.0.0.0"), {}, asked);
  const unsigned loopback = ::if_nametoindex("lo");
  BOOST_TEST_REQUIRE(server.join_multicast(inet("239.255.7.7"), loopback) == 0);
  Datagram client = open(loopback_v4(), {}, {.broadcast = true, .multicast_interface = loopback});
  const std::uint16_t port = server.local_address().port().value_or(0);
  for (const char* destination : {"127.255.255.255", "239.255.7.7"}) {
    send(client, "question", inet(destination, port));
    const ReceivedDatagram question = value_of(server.recvfrom());
    BOOST_TEST(ip_of(question.info()->destination) == destination);
    BOOST_TEST(ip_of(question.info()->reply_from.address()) == "127.0.0.1");
    BOOST_TEST(error_of(server.sendto("answer", question.source(), question.info()->reply_from)) == 0);
    BOOST_TEST(take(client) == "answer");
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_from_is_refused_and_ends_nothing) {
  Datagram server = open(inet("0.0.0.0"));
  Datagram client = open(loopback_v4());
  const Address to = client.local_address();
  BOOST_TEST(error_of(server.sendto("x", to, inet("::1"))) == EINVAL);
  BOOST_TEST(error_of(server.sendto("x", to, Address::unix_from_path("/x", err))) == EINVAL);
  BOOST_TEST(error_of(server.sendto("x", to, inet("198.51.100.7"))) != 0);
  BOOST_TEST(error_of(server.sendto("x", to, SendFrom({}, 1U << 30U))) != 0);
  std::vector<OutgoingDatagram> list = outgoing({"1", "2"}, to);
  list[1].from = inet("::1");
  BOOST_TEST(error_of(server.send_many(list)) == EINVAL);
  BOOST_TEST(is_silent(client));
  BOOST_TEST(error_of(server.sendto("y", to, inet("127.0.0.9"))) == 0);
  BOOST_TEST(sender_at(client) == "127.0.0.9");
  if (has_ipv6()) {
    Datagram both = open(inet("::"), {}, both_families());
    const Address mapped = inet("::ffff:127.0.0.1", *to.port());
    BOOST_TEST(error_of(both.sendto("x", mapped, inet("::1"))) == EINVAL);
    BOOST_TEST(error_of(both.sendto("x", loopback_v6(1), inet("::ffff:127.0.0.1"))) == EINVAL);
    BOOST_TEST(error_of(both.sendto("x", mapped, inet("127.0.0.1"))) == EINVAL);
    // The kernel refuses what it was asked for: it was asked.
    const Datagram there = open(loopback_v6());
    const Address local = there.local_address();
    BOOST_TEST(error_of(both.sendto("x", local, inet("2001:db8::7"))) != 0);
    BOOST_TEST(error_of(both.sendto("x", local, SendFrom({}, 1U << 30U))) != 0);
    BOOST_TEST(error_of(both.sendto("x", local, inet("::1"))) == 0);
  }
}

BOOST_AUTO_TEST_CASE(sockets_without_local_addresses_say_enotsup) {
  auto [left, right] = Datagram::socketpair(loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(error_of(left.sendto("x", {}, inet("127.0.0.1"))) == ENOTSUP);
  BOOST_TEST(error_of(left.sendto("x", {}, SendFrom())) == 0);
  BOOST_TEST(take(right) == "x");
  auto [here, there] = memory_datagram_pair(loop, {});
  BOOST_TEST(error_of(here.sendto("x", {}, SendFrom({}, 1))) == ENOTSUP);
  BOOST_TEST(error_of(here.sendto("x", {}, SendFrom())) == 0);
  BOOST_TEST(take(there) == "x");
  std::vector<OutgoingDatagram> list = outgoing({"1"});
  list[0].from = inet("127.0.0.1");
  BOOST_TEST(error_of(here.send_many(list)) == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(a_place_to_send_from_is_a_value) {
  const SendFrom from(inet("127.0.0.2", 80), 3);
  BOOST_TEST(from.address().to_string() == "127.0.0.2:0");
  BOOST_TEST(from.interface_index() == 3U);
  BOOST_TEST((from == SendFrom(inet("127.0.0.2", 9), 3)));
  BOOST_TEST((from != SendFrom(inet("127.0.0.2"))));
  BOOST_TEST((from.hash() == SendFrom(inet("127.0.0.2"), 3).hash()));
  const SendFrom local(inet("fe80::1%7"));
  BOOST_TEST(local.interface_index() == 7U);
  BOOST_TEST(local.address().to_string() == "[fe80::1%7]:0");
  BOOST_TEST(SendFrom().is_empty());
  BOOST_TEST(SendFrom().address().is_empty());
  BOOST_TEST(!SendFrom(Address::unix_unnamed()).is_valid());
}

BOOST_AUTO_TEST_SUITE_END()
