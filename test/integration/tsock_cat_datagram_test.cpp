// tsock-cat with datagrams: boundaries, ends, one connection of each sender, addresses and options.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/raw_datagram.hpp"
#include "support/system.hpp"
#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::Address;
using tsock::test::RawDatagram;
using tsock::test::TemporaryFolder;

namespace {

// Ends a server that would go on for ever.
int terminate(Cat& cat) {
  cat.kill(SIGTERM);
  return cat.wait();
}

std::string udp(const RawDatagram& socket) { return "udp://" + socket.address().to_string(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_datagram)

// ---- both ways, and the end ------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(datagrams_go_both_ways_and_it_ends_when_nothing_comes_any_more,
                     boost::unit_test::data::make({"udp-listen://127.0.0.1:0", "udp-listen://[::1]:0",
                                                   "udp-listen://:0", "unix-dgram-listen://",
                                                   "unix-abstract-dgram-listen://tsock-cat-test-"}),
                     listen) {
  const TemporaryFolder folder;
  std::string where = listen;
  // Without abstract names a client has no address.
  if (where.starts_with("unix") && tsock::test::uses_posix_alone()) return;
  if (where.starts_with("unix-abstract")) where += std::to_string(::getpid());
  if (where.starts_with("unix-dgram")) where += folder.file("s");
  Cat server({"--announce", "-q", "20ms", where});
  std::string address = server.listening();
  if (where == "udp-listen://:0") address = "udp://127.0.0.1:" + port_of(address);
  Cat client({"-q", "20ms", address});
  client.write("question");
  server.wait_for_output("question");
  server.write("answer");
  client.wait_for_output("answer");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "question");
  BOOST_TEST(client.output() == "answer");
  BOOST_TEST(client.error() == "");  // with -q no note
}

BOOST_AUTO_TEST_CASE(netcats_words_are_understood,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-lu", "127.0.0.1", "0"},
        {"-luU", folder.file("s")},
        {"-luU", "@tsock-cat-test-words-" + std::to_string(::getpid())}}) {
    Cat server([&] {
      auto all = words;
      all.insert(all.end(), {"--announce", "-q", "20ms"});
      return all;
    }());
    const std::string address = server.listening();
    std::vector<std::string> client_words{"-u", "-q", "20ms", "127.0.0.1", port_of(address)};
    if (words.size() == 2) client_words = {"-uU", "-q", "20ms", words.back()};
    Cat client(client_words);
    client.write("x");
    server.wait_for_output("x");
    BOOST_TEST(client.finish() == 0);
    BOOST_TEST(server.finish() == 0);
  }
}

BOOST_AUTO_TEST_CASE(traffic_puts_the_end_off) {
  const RawDatagram peer;
  Cat client({"-v", "-q", "300ms", udp(peer)});
  client.write("x");
  const Address source = peer.receive().source;
  client.close_input();
  client.wait_for_error("local side ended");
  // Altogether more than the limit; each of these comes within it unless the machine stands still.
  std::string sent;
  for (char c = 'a'; c < 'k'; ++c) {
    peer.send(std::string(1, c), source);
    sent += c;
    client.wait_for_output(sent);
  }
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == sent);
}

BOOST_AUTO_TEST_CASE(it_does_not_end_before_a_slow_reader_has_taken_what_came) {
  Cat server({"--announce", "-v", "-q", "0", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer;
  const std::string bytes = many_bytes(60000);
  server.close_input();
  // The pipe holds one of them and a little: the reader, who waits for standard error first, has taken none.
  server.kill(SIGSTOP);  // both are there when it looks
  for (int i = 0; i < 2; ++i) peer.send(bytes, to);
  server.kill(SIGCONT);
  server.wait_for_output(bytes + bytes);
  BOOST_TEST(server.wait() == 0);
}

BOOST_AUTO_TEST_CASE(send_only_ends_when_everything_is_sent) {
  const RawDatagram peer;
  const CatOutcome outcome = run({"--send-only", udp(peer)}, "one way");
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.error == "");
  BOOST_TEST(peer.receive().text == "one way");
}

BOOST_AUTO_TEST_CASE(receive_only_goes_on_after_the_end_of_input) {
  Cat server({"--announce", "--recv-only", "-v", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer;
  server.close_input();
  for (const char* text : {"one", "two"}) {
    peer.send(text, to);
    server.wait_for_output(text);
  }
  BOOST_TEST(terminate(server) == 130);
  BOOST_TEST(!contains(server.error(), "half-closed"));
}

BOOST_AUTO_TEST_CASE(a_refused_datagram_is_5_and_named) {
  std::string address;
  {
    const RawDatagram gone;
    address = udp(gone);
  }
  Cat client({address});
  client.write("x");
  BOOST_TEST(client.wait() == 5);
  BOOST_TEST(contains(client.error(), "ECONNREFUSED"), client.error());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_is_2_and_what_cannot_be_bound_is_3) {
  const RawDatagram other;
  BOOST_TEST(run({"unix-dgram:///nonexistent/socket"}).status == 2);
  BOOST_TEST(run({"udp://255.255.255.255:9"}, "x").status == 2);  // not without -b
  BOOST_TEST(run({"-lu", "127.0.0.1", port_of(other.address().to_string())}).status == 3);
  BOOST_TEST(run({"unix-dgram-listen:///nonexistent/socket"}).status == 3);
  BOOST_TEST(run({"-s", "127.0.0.1", "-p", port_of(other.address().to_string()), udp(other)}).status == 3);
}

BOOST_AUTO_TEST_CASE(it_sends_from_the_address_that_was_asked_for) {
  const RawDatagram peer;
  std::string port;
  {
    const RawDatagram reserve;
    port = port_of(reserve.address().to_string());
  }
  BOOST_TEST(run({"--send-only", "-s", "127.0.0.1", "-p", port, udp(peer)}, "x").status == 0);
  BOOST_TEST(peer.receive().source.to_string() == "127.0.0.1:" + port);
}

BOOST_AUTO_TEST_CASE(it_tries_again_until_the_socket_is_there,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const TemporaryFolder folder;
  Cat client(
      {"-v", "--retry", "500", "--retry-delay", "20ms", "--send-only", "unix-dgram:" + folder.file("s")});
  client.write("x");
  client.error_line("tsock-cat: connect to ");
  const RawDatagram peer(RawDatagram::path(folder.file("s")));
  BOOST_TEST(peer.receive().text == "x");
  BOOST_TEST(client.finish() == 0);
}

// ---- boundaries ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(one_read_of_input_is_one_datagram) {
  const RawDatagram peer;
  Cat client({"-q", "0", udp(peer)});
  for (const char* text : {"one", "two", "three"}) {
    client.write(text);
    BOOST_TEST(peer.receive().text == text);
  }
  BOOST_TEST(client.finish() == 0);
}

BOOST_AUTO_TEST_CASE(max_datagram_cuts_what_is_longer) {
  const RawDatagram peer;
  const std::string bytes = many_bytes(2500);
  BOOST_TEST(run({"--max-datagram", "1000", "--send-only", udp(peer)}, bytes).status == 0);
  std::string joined;
  while (joined.size() < bytes.size()) {
    const std::string text = peer.receive().text;
    BOOST_TEST(text.size() <= 1000U);
    joined += text;
  }
  BOOST_TEST((joined == bytes));
}

BOOST_AUTO_TEST_CASE(line_ends_that_grow_still_fit_a_datagram) {
  const RawDatagram peer;
  BOOST_TEST(run({"-C", "--max-datagram", "4", "--send-only", udp(peer)}, "\n\n\n\n").status == 0);
  std::string joined;
  while (joined.size() < 8) {
    const std::string text = peer.receive().text;
    BOOST_TEST(text.size() <= 4U);
    joined += text;
  }
  BOOST_TEST(joined == "\r\n\r\n\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(with_pdu_a_line_is_a_datagram_also_an_empty_one) {
  const RawDatagram peer;
  Cat client({"--pdu", "line", "-q", "0", udp(peer)});
  client.write("one\n\nthree\nlast");
  BOOST_TEST(peer.receive().text == "one");
  BOOST_TEST(peer.receive().text == "");
  const auto third = peer.receive();
  BOOST_TEST(third.text == "three");
  for (const char* text : {"a", "", "c\n"}) peer.send(text, third.source);
  client.wait_for_output("a\n\nc\n\n");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(peer.receive().text == "last");
}

BOOST_AUTO_TEST_CASE(with_a_binary_pdu_a_datagram_is_printed_as_its_size_and_bytes) {
  const RawDatagram peer;
  Cat client({"--pdu", "u16be", "-q", "0", udp(peer)});
  client.write("x\n");
  const auto received = peer.receive();
  BOOST_TEST(received.text == "x");
  peer.send("\x01\xff", received.source);
  peer.send("", received.source);
  client.wait_for_output("2 01ff\n0\n");
  BOOST_TEST(client.finish() == 0);
}

BOOST_AUTO_TEST_CASE(an_empty_datagram_is_not_an_end) {
  Cat server({"--announce", "--hex", "-q", "0", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer;
  for (const char* text : {"", "x", ""}) peer.send(text, to);
  peer.send("last", to);
  server.wait_for_output("xlast");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(contains(server.error(), "< (empty datagram)\n< 00000000  78"), server.error());
}

BOOST_AUTO_TEST_CASE(a_relay_between_datagrams_keeps_every_one_as_it_is,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const TemporaryFolder folder;
  const RawDatagram target(RawDatagram::path(folder.file("target")));
  Cat relay({"--announce", "udp-listen://127.0.0.1:0", "unix-dgram:" + folder.file("target")});
  const Address to = RawDatagram::parse(relay.listening());
  const RawDatagram client;
  const std::string large = many_bytes(60000);
  for (const std::string& text : {std::string("one"), std::string(), large}) {
    client.send(text, to);
    const auto received = target.receive();
    BOOST_TEST((received.text == text));
    target.send(text + "!", received.source);
    const auto answer = client.receive();
    BOOST_TEST((answer.text == text + "!"));
    BOOST_TEST(answer.source == to);
  }
  BOOST_TEST(terminate(relay) == 130);
}

BOOST_AUTO_TEST_CASE(between_a_stream_and_datagrams_pdu_keeps_messages) {
  const RawDatagram target;
  Cat relay({"-k", "--announce", "--pdu", "u16be", "-q", "0", "tcp-listen://127.0.0.1:0", udp(target)});
  Cat client({relay.listening()});
  client.write(std::string("\0\3one\0\0\0\5three", 14));
  BOOST_TEST(target.receive().text == "one");
  BOOST_TEST(target.receive().text == "");
  const auto third = target.receive();
  BOOST_TEST(third.text == "three");
  target.send("answer", third.source);
  target.send("", third.source);
  const std::string framed("\0\6answer\0\0", 10);
  client.wait_for_output(framed);
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(terminate(relay) == 130);
  BOOST_TEST((client.output() == framed));
}

BOOST_AUTO_TEST_CASE(a_relay_of_datagrams_to_a_stream_ends_after_the_stream) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat relay({"--announce", "-q", "20ms", "udp-listen://127.0.0.1:0", "tcp://" + server.listening()});
  const Address to = RawDatagram::parse(relay.listening());
  const RawDatagram client;
  client.send("question", to);
  server.wait_for_output("question");
  server.write("answer");
  server.close_input();
  BOOST_TEST(client.receive().text == "answer");
  BOOST_TEST(relay.wait() == 0);
  BOOST_TEST(server.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_datagram_that_is_too_long_is_named_and_left_out_and_the_status_is_5) {
  const RawDatagram peer;
  Cat client({"--pdu", "line", "-q", "0", udp(peer)});
  client.write(std::string(70000, 'x') + "\nshort\n");
  client.wait_for_error("a datagram of 70000 bytes was not sent: EMSGSIZE");
  BOOST_TEST(peer.receive().text == "short");
  BOOST_TEST(client.finish() == 5);
}

BOOST_AUTO_TEST_CASE(a_unix_datagram_that_udp_cannot_take_does_not_end_the_relay) {
  const TemporaryFolder folder;
  const RawDatagram target;
  Cat relay({"--announce", "unix-dgram-listen:" + folder.file("s"), udp(target)});
  const Address to = RawDatagram::parse(relay.listening());
  const RawDatagram client(RawDatagram::path(folder.file("client")));
  client.send(many_bytes(100000), to);
  client.send("short", to);
  BOOST_TEST(target.receive().text == "short");
  relay.wait_for_error("a datagram of 100000 bytes was not sent: EMSGSIZE");
  BOOST_TEST(terminate(relay) == 130);
}

// ---- one connection of each sender -----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(each_sender_gets_a_connection_of_its_own_in_a_relay) {
  Cat server({"-k", "-l", "127.0.0.1", "0", "--announce", "--json", "--text"});
  server.wait_for_error("listening");
  const std::string address = event_named(server.error(), "listening").at("address");
  Cat relay({"-k", "--announce", "-v", "udp-listen://127.0.0.1:0", "tcp://" + address});
  const Address to = RawDatagram::parse(relay.listening());
  const RawDatagram first;
  const RawDatagram second;
  first.send("first", to);
  second.send("second", to);
  server.wait_for_output("first");
  server.wait_for_output("second");
  server.write("to all");
  BOOST_TEST(first.receive().text == "to all");
  BOOST_TEST(second.receive().text == "to all");
  for (const RawDatagram* each : {&first, &second}) {
    BOOST_TEST(contains(relay.error(), "from " + each->address().to_string()), relay.error());
  }
  BOOST_TEST(terminate(relay) == 130);
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_CASE(with_k_all_senders_are_heard_and_input_goes_to_all_of_them) {
  Cat server({"-k", "--announce", "-v", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram first;
  const RawDatagram second;
  first.send("one", to);
  server.wait_for_output("one");
  second.send("two", to);
  server.wait_for_output("two");
  server.write("to all");
  BOOST_TEST(first.receive().text == "to all");
  BOOST_TEST(second.receive().text == "to all");
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_CASE(with_k_it_goes_on_after_the_end_of_input) {
  Cat server({"-k", "--announce", "-v", "-q", "0", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer;
  peer.send("one", to);
  server.wait_for_output("one");
  server.close_input();
  server.error_line("tsock-cat: closed after");
  peer.send("two", to);
  server.wait_for_output("two");
  server.error_line("tsock-cat: connection 2: closed after");
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_CASE(without_k_only_the_first_sender_is_heard) {
  Cat server({"--announce", "-q", "0", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram first;
  const RawDatagram second;
  first.send("one", to);
  server.wait_for_output("one");
  second.send("two", to);
  first.send("three", to);
  server.wait_for_output("onethree");
  server.write("answer");
  BOOST_TEST(first.receive().text == "answer");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "onethree");
}

BOOST_AUTO_TEST_CASE(the_idle_limit_ends_one_senders_connection) {
  Cat server({"-k", "--announce", "-v", "-i", "50ms", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer;
  for (const char* name : {"", "connection 2: "}) {
    peer.send("x", to);
    const std::string closed = server.error_line("tsock-cat: " + std::string(name) + "closed after");
    BOOST_TEST(contains(closed, "idle timeout"), closed);
  }
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_CASE(senders_above_the_limit_wait_for_a_place_with_what_they_sent) {
  Cat server({"-k", "--announce", "-v", "-i", "100ms", "--max-conns", "1", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram first;
  const RawDatagram second;
  first.send("one", to);
  server.wait_for_output("one");
  second.send("two", to);
  second.send("three", to);
  server.wait_for_output("onetwothree");
  const auto closed = server.error().find("closed after");
  const auto next = server.error().find("connection 2: accepted");
  BOOST_TEST(closed < next, server.error());
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_CASE(senders_above_the_backlog_are_not_heard_and_it_says_so) {
  Cat server(
      {"-k", "--announce", "--max-conns", "1", "--backlog", "1", "--stats", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram first;
  const RawDatagram second;
  const RawDatagram third;
  first.send("one", to);
  server.wait_for_output("one");
  second.send("two", to);
  third.send("three", to);
  server.wait_for_error("too many senders wait");
  first.send("four", to);
  server.wait_for_output("onefour");
  BOOST_TEST(terminate(server) == 130);
  // The one of the sender that waited for its turn, and the one above the backlog.
  BOOST_TEST(contains(server.error(), "dropped 2 datagrams"), server.error());
}

BOOST_AUTO_TEST_CASE(a_sender_without_an_address_is_heard_and_told_of) {
  const TemporaryFolder folder;
  Cat server({"--announce", "-q", "0", "unix-dgram-listen:" + folder.file("s")});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer(Address::unix_unnamed());
  peer.send("x", to);
  server.wait_for_output("x");
  server.write("nobody gets this");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(contains(server.error(), "the sender has no address to answer to"), server.error());
}

BOOST_AUTO_TEST_CASE(unix_datagrams_wait_for_a_slow_reader_and_none_is_lost,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const TemporaryFolder folder;
  Cat server({"--announce", "-q", "0", "unix-dgram-listen:" + folder.file("s")});
  const std::string address = server.listening();
  const std::string bytes = many_bytes(8 << 20);  // more than the pipe and every queue hold
  Cat client({"--send-only", "--max-datagram", "10000", address});
  client.write(bytes);
  client.close_input();
  server.wait_for_output(bytes.substr(bytes.size() - 1000));
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST((server.output() == bytes));
}

BOOST_AUTO_TEST_CASE(after_a_flood_it_goes_on_and_counts_what_was_lost) {
  const TemporaryFolder folder;
  const RawListener listener(RawDatagram::path(folder.file("s")));
  Cat relay({"--announce", "--stats", "udp-listen://127.0.0.1:0", "unix:" + folder.file("s")});
  const Address to = RawDatagram::parse(relay.listening());
  const RawDatagram peer;
  const std::string large = many_bytes(8000);
  const auto has_turned = [&relay] {
    relay.kill(SIGUSR1);
    relay.error_line("datagrams: ");
  };
  // Nobody takes what it passes on meanwhile: every queue behind it gets full.
  for (int i = 0; i < 100; ++i) {
    for (int n = 0; n < 40; ++n) peer.send(large, to);
    has_turned();
  }
  const tsock::UniqueSocket fd = listener.accept();
  std::string taken;
  for (const char* text : {"the end", "and on"}) {  // while the queues run empty, and afterwards
    for (int i = 0; i < 1000 && !taken.ends_with(text); ++i) {
      peer.send(text, to);
      has_turned();
      std::string piece(1 << 18, '\0');
      const auto size = ::recv(fd.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (size > 0) taken += piece.substr(0, static_cast<std::size_t>(size));
    }
    BOOST_TEST(taken.ends_with(text), text);
  }
  BOOST_TEST(terminate(relay) == 130);
  BOOST_TEST(contains(relay.error(), "; dropped "), relay.error());
}

// A connected socket hears only the address that it asked.
BOOST_AUTO_TEST_CASE(each_sender_is_answered_from_the_address_that_it_sent_to) {
  Cat server({"-k", "--announce", "-v", "udp-listen://:0"});
  const std::string port = port_of(server.listening());
  const RawDatagram one;
  std::string all;
  for (const char* address : {"127.0.0.1", "127.0.0.2", "127.4.4.4"}) {
    one.send(address, RawDatagram::parse(std::string(address) + ":" + port));
    server.wait_for_output(all += address);
  }
  server.write("answer");
  std::set<std::string> sources;
  for (int i = 0; i < 3; ++i) {
    const auto received = one.receive();
    BOOST_TEST(received.text == "answer");
    sources.insert(received.source.to_string());
  }
  const std::set<std::string> expected{"127.0.0.1:" + port, "127.0.0.2:" + port, "127.4.4.4:" + port};
  BOOST_TEST(sources == expected, boost::test_tools::per_element());
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_CASE(a_server_connected_to_its_first_sender_hears_nobody_else_and_notices_that_it_is_gone) {
  Cat server({"--connected", "--announce", "--stats", "udp-listen://:0"});
  const Address to = RawDatagram::parse("127.0.0.1:" + port_of(server.listening()));
  auto first = std::make_unique<RawDatagram>();
  first->send("first", to);
  server.wait_for_output("first");
  server.write("answer");
  const auto answer = first->receive();
  BOOST_TEST(answer.text == "answer");
  BOOST_TEST(answer.source.to_string() == to.to_string());
  // Its host refuses in the name of the server, which is no longer there for others.
  const RawDatagram other;
  BOOST_TEST(::connect(other.fd(), to.sockaddr_pointer(), static_cast<socklen_t>(to.sockaddr_length())) == 0);
  BOOST_TEST(::send(other.fd(), "x", 1, 0) == 1);
  char byte = 0;
  BOOST_TEST(::recv(other.fd(), &byte, 1, 0) == -1);
  BOOST_TEST(errno == ECONNREFUSED);
  first.reset();
  server.write("anybody?");
  BOOST_TEST(server.wait() == 5, server.error());
  BOOST_TEST(contains(server.error(), "ECONNREFUSED"), server.error());
  BOOST_TEST(server.output() == "first");
}

// The kernel would connect 127.0.0.1 to it.
BOOST_AUTO_TEST_CASE(
    a_sender_that_talks_to_another_address_is_heard_and_answered_without_being_connected_to) {
  Cat server({"--connected", "--announce", "-q", "0", "udp-listen://:0"});
  const Address to = RawDatagram::parse("127.0.0.2:" + port_of(server.listening()));
  const RawDatagram peer;
  peer.send("one", to);
  server.wait_for_output("one");
  peer.send("two", to);
  server.wait_for_output("onetwo");
  server.write("answer");
  BOOST_TEST(peer.receive().source.to_string() == to.to_string());
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(contains(server.error(), "--connected has no effect: the sender talks to another address"),
             server.error());
}

BOOST_AUTO_TEST_CASE(only_one_sender_can_be_connected_to) {
  expect_wrong_command_line({"--connected", "-k", "udp-listen://127.0.0.1:0"});
  expect_wrong_command_line({"--connected", "tcp://127.0.0.1:9"});
  expect_wrong_command_line({"--connected", "-b", "udp-listen://127.0.0.1:0"});
}

// Also without -k, where nobody else is accepted any more.
BOOST_DATA_TEST_CASE(what_the_kernel_lost_is_counted_to_the_last_one,
                     boost::unit_test::data::make({"-k", "-N"}), option) {
  if (tsock::test::uses_posix_alone()) return;
  Cat server({option, "--announce", "--stats", "--recv-only", "--json", "udp-listen://127.0.0.1:0"});
  server.wait_for_error("\n");
  const std::string address = event_named(server.error(), "listening").at("address");
  const Address to = RawDatagram::parse(address);
  const RawDatagram peer;
  std::uint64_t sent = 0;
  const auto send = [&](std::string_view text) {
    peer.send(text, to);
    ++sent;
  };
  send("begin.");
  server.wait_for_output("begin.");
  server.kill(SIGSTOP);
  const std::string large(8000, 'x');
  for (int i = 0; i < 1000; ++i) send(large);  // more than the socket has room for
  server.kill(SIGCONT);
  // Nothing more comes before the queue is empty: what is sent then has room.
  const auto drops = [port = to.port().value_or(0)] {
    std::istringstream lines(content_of("/proc/net/udp"));
    for (std::string row; std::getline(lines, row);) {
      std::istringstream words(row);
      const std::vector<std::string> columns{std::istream_iterator<std::string>(words), {}};
      if (columns.size() < 13 || columns[1].find(':') == std::string::npos) continue;
      if (std::stoul(columns[1].substr(columns[1].find(':') + 1), nullptr, 16) != port) continue;
      return std::pair(columns[4].ends_with(":00000000"), std::stoull(columns[12]));
    }
    return std::pair(true, 0ULL);
  };
  while (!drops().first) ::sched_yield();
  BOOST_TEST(drops().second > 0U);
  send("end.");
  server.wait_for_output("end.");
  const std::uint64_t lost = drops().second;
  BOOST_TEST(terminate(server) == 130);
  const nlohmann::json stats = event_named(server.error(), "stats");
  BOOST_TEST(stats.at("dropped").get<std::uint64_t>() >= lost);
  BOOST_TEST(stats.at("datagrams_received").get<std::uint64_t>() + stats.at("dropped").get<std::uint64_t>() ==
             sent);
}

BOOST_AUTO_TEST_CASE(undelivered_answers_are_reported_when_asked_for_and_nobody_else_suffers,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Cat server({"-k", "--announce", "-v", "--icmp-errors", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  {
    const RawDatagram gone;
    gone.send("one", to);
    server.wait_for_output("one");
  }
  server.write("to nobody");
  server.wait_for_error("a datagram was not delivered: ECONNREFUSED");
  const RawDatagram peer;
  peer.send("two", to);
  server.wait_for_output("two");
  BOOST_TEST(!contains(server.error(), "closed after"), server.error());
  BOOST_TEST(terminate(server) == 130);
}

// ---- unix paths ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_dead_path_is_replaced_a_live_one_is_not) {
  const TemporaryFolder folder;
  const std::string path = folder.file("s");
  { const RawDatagram dead(RawDatagram::path(path)); }
  Cat server({"--announce", "--recv-only", "unix-dgram-listen:" + path});
  const Address to = RawDatagram::parse(server.listening());
  const CatOutcome second = run({"unix-dgram-listen:" + path});
  BOOST_TEST(second.status == 3);
  BOOST_TEST(contains(second.error, "EADDRINUSE"), second.error);
  const RawDatagram peer(RawDatagram::path(folder.file("peer")));
  peer.send("still there", to);
  server.wait_for_output("still there");
  BOOST_TEST(terminate(server) == 130);
  BOOST_TEST(::access(path.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(unlink_says_what_becomes_of_a_path) {
  const TemporaryFolder folder;
  const std::string path = folder.file("s");
  { const RawDatagram dead(RawDatagram::path(path)); }
  BOOST_TEST(run({"--unlink=fail", "unix-dgram-listen:" + path}).status == 3);
  {
    const RawDatagram live(RawDatagram::path(folder.file("live")));
    Cat server({"--unlink=force", "--announce", "--recv-only", "unix-dgram-listen:" + folder.file("live")});
    server.listening();
    BOOST_TEST(terminate(server) == 130);
  }
  const std::string file = folder.file("file");
  std::ofstream(file) << "precious";
  for (const char* how : {"fail", "probe", "force"}) {
    BOOST_TEST(run({"--unlink", how, "unix-dgram-listen:" + file}).status == 3);
  }
  BOOST_TEST(content_of(file) == "precious");
}

BOOST_AUTO_TEST_CASE(the_mode_of_the_socket_is_what_was_asked_for) {
  const TemporaryFolder folder;
  const std::string path = folder.file("s");
  Cat server({"--announce", "--mode", "0620", "--group", std::to_string(::getgid()), "--recv-only",
              "unix-dgram-listen:" + path});
  server.listening();
  struct stat status {};
  BOOST_TEST_REQUIRE(::stat(path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777U) == 0620U);
  BOOST_TEST(status.st_gid == ::getgid());
  BOOST_TEST(terminate(server) == 130);
}

// ---- broadcast and multicast -----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(broadcasts_go_out_with_b_and_anybody_may_answer) {
  const RawDatagram peer(RawDatagram::parse("0.0.0.0:0"));
  const std::string address = "udp://127.255.255.255:" + port_of(peer.address().to_string());
  BOOST_TEST(run({address}, "x").status == 2);
  Cat client({"-b", "-v", "-q", "0", address});
  client.write("anybody?");
  const auto received = peer.receive();
  BOOST_TEST(received.text == "anybody?");
  const RawDatagram other;
  peer.send("me", received.source);
  client.wait_for_output("me");
  other.send(" and me", received.source);
  client.wait_for_output("me and me");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(contains(client.error(), "datagrams from 127.0.0.1:" + port_of(peer.address().to_string())));
  BOOST_TEST(contains(client.error(), "datagrams from " + other.address().to_string()), client.error());
}

BOOST_AUTO_TEST_CASE(a_relay_of_unix_datagrams_may_broadcast) {
  const TemporaryFolder folder;
  const RawDatagram peer(RawDatagram::parse("0.0.0.0:0"));
  Cat relay({"-b", "--announce", "unix-dgram-listen:" + folder.file("s"),
             "udp://127.255.255.255:" + port_of(peer.address().to_string())});
  const Address to = RawDatagram::parse(relay.listening());
  const RawDatagram client(RawDatagram::path(folder.file("client")));
  client.send("anybody?", to);
  BOOST_TEST(peer.receive().text == "anybody?");
  BOOST_TEST(terminate(relay) == 130);
}

// IPv6 and what leaves the host: test/network.
BOOST_AUTO_TEST_CASE(groups_are_sent_to_and_received_from) {
  Cat receiver({"--announce", "--recv-only", "--mcast", "239.255.43.21%lo", "udp-listen://:0"});
  const std::string port = port_of(receiver.listening());
  Cat sender({"--mcast-if", "lo", "-q", "0", "udp://239.255.43.21:" + port});
  sender.write("to the group");
  receiver.wait_for_output("to the group");
  BOOST_TEST(sender.finish() == 0);
  BOOST_TEST(terminate(receiver) == 130);
}

BOOST_AUTO_TEST_CASE(a_group_of_one_source_hears_nobody_else) {
  // The loopback network has any number of addresses.
  Cat receiver({"-k", "--announce", "--recv-only", "--mcast", "232.43.21.1%lo", "--mcast-source", "127.0.0.2",
                "udp-listen://:0"});
  const std::string address = "udp://232.43.21.1:" + port_of(receiver.listening());
  for (const auto& [source, text] :
       {std::pair("127.0.0.3", "not this"), std::pair("127.0.0.2", "but this")}) {
    BOOST_TEST(run({"--mcast-if", "lo", "-s", source, "--send-only", address}, text).status == 0);
  }
  receiver.wait_for_output("but this");
  BOOST_TEST(terminate(receiver) == 130);
  BOOST_TEST(receiver.output() == "but this");
}

BOOST_AUTO_TEST_CASE(several_hear_one_group_on_one_port) {
  Cat first({"--announce", "--recv-only", "--mcast", "239.255.43.23%lo", "udp-listen://:0"});
  const std::string port = port_of(first.listening());
  Cat second({"--announce", "--recv-only", "--mcast", "239.255.43.23%lo", "udp-listen://:" + port});
  second.listening();
  BOOST_TEST(run({"--mcast-if", "lo", "--send-only", "udp://239.255.43.23:" + port}, "both").status == 0);
  first.wait_for_output("both");
  second.wait_for_output("both");
  BOOST_TEST(terminate(first) == 130);
  BOOST_TEST(terminate(second) == 130);
}

BOOST_AUTO_TEST_CASE(the_ttl_of_what_is_sent_to_groups_is_what_was_asked_for) {
  const RawDatagram peer(RawDatagram::parse("0.0.0.0:0"));
  const int on = 1;
  BOOST_TEST_REQUIRE(::setsockopt(peer.fd(), IPPROTO_IP, IP_RECVTTL, &on, sizeof on) == 0);
  ip_mreqn membership{};
  membership.imr_multiaddr.s_addr = htonl(0xefff2b18);  // 239.255.43.24
  membership.imr_ifindex = 1;                           // lo
  BOOST_TEST_REQUIRE(::setsockopt(peer.fd(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof membership) ==
                     0);
  const std::string address = "udp://239.255.43.24:" + port_of(peer.address().to_string());
  BOOST_TEST(run({"--mcast-if", "lo", "--mcast-ttl", "7", "--send-only", address}, "x").status == 0);
  char byte = 0;
  iovec vector{&byte, 1};
  alignas(cmsghdr) char control[64];
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  BOOST_TEST_REQUIRE(::recvmsg(peer.fd(), &message, 0) == 1);
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  BOOST_TEST_REQUIRE(header != nullptr);
  BOOST_TEST(*reinterpret_cast<const int*>(CMSG_DATA(header)) == 7);
}

const std::vector<std::vector<std::string>> wrong_command_lines{
    {"--mcast", "10.0.0.1", "udp-listen://:1"},
    {"--mcast", "239.1.1.1%no-such-if", "udp-listen://:1"},
    {"--mcast-if", "no-such-if", "udp://239.1.1.1:1"},
    {"--mcast", "239.1.1.1", "tcp-listen://:1"},
    {"--mcast", "239.1.1.1", "--mcast", "ff15::1", "udp-listen://:1"},
    {"--mcast-source", "10.0.0.1", "udp-listen://:1"},
    {"--mcast-source", "somebody", "--mcast", "232.1.1.1", "udp-listen://:1"},
    {"--mcast-source", "::1", "--mcast", "232.1.1.1", "udp-listen://:1"},
    {"--mcast-ttl", "256", "udp://239.1.1.1:1"},
    {"-b", "tcp://127.0.0.1:1"},
    {"-b", "--mcast", "ff15::1", "udp-listen://:1"},
    {"--max-datagram", "0", "udp://127.0.0.1:1"},
    {"--pdu", "line", "udp-listen://:1", "udp://127.0.0.1:1"},
    {"udp://127.0.0.1:0"},
    {"udp://:1"},
    {"unix-dgram:"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_command_lines.size()), index) {
  const CatOutcome outcome = run(wrong_command_lines[index]);
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(contains(outcome.error, "tsock-cat: "), outcome.error);
}

// ---- transcript and report -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(json_tells_senders_and_counts_datagrams) {
  Cat server({"--json", "--text", "--stats", "-q", "0", "udp-listen://127.0.0.1:0"});
  server.wait_for_error("\n");
  const std::string address = event_named(server.error(), "listening").at("address");
  const RawDatagram peer;
  const std::string source = peer.address().to_string();
  for (const char* text : {"one", "", "three"}) peer.send(text, RawDatagram::parse(address));
  server.wait_for_output("onethree");
  server.write("answer");
  BOOST_TEST(peer.receive().text == "answer");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(event_named(server.error(), "connected").at("peer") == source);
  const auto data = event_named(server.error(), "data");
  BOOST_TEST(data.at("peer") == source);
  BOOST_TEST(data.at("hex") == "6f6e65");
  for (const char* name : {"closed", "stats"}) {
    const auto event = event_named(server.error(), name);
    BOOST_TEST(event.at("received") == 8);
    BOOST_TEST(event.at("datagrams_received") == 3);
    BOOST_TEST(event.at("sent") == 6);
    BOOST_TEST(event.at("datagrams_sent") == 1);
    BOOST_TEST(event.at("dropped") == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_transcript_file_has_a_line_for_each_datagram) {
  const TemporaryFolder folder;
  const RawDatagram peer;
  Cat client({"--text", "--dump", folder.file("dump"), "--pdu", "line", "-q", "0", udp(peer)});
  client.write("one\n\n");
  BOOST_TEST(peer.receive().text == "one");
  BOOST_TEST(peer.receive().text == "");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(content_of(folder.file("dump")) == "> one\n> (empty datagram)\n");
}

BOOST_AUTO_TEST_CASE(stats_while_running_and_the_dump_on_a_signal_know_datagrams) {
  Cat server({"-k", "--announce", "--stats=20ms", "--recv-only", "udp-listen://127.0.0.1:0"});
  const Address to = RawDatagram::parse(server.listening());
  const RawDatagram peer;
  peer.send("xyz", to);
  server.wait_for_error("in 3 bytes in 1 datagram");
  server.kill(SIGUSR1);
  server.wait_for_error("datagrams: 0 out, 1 in, 0 dropped");
  server.wait_for_error("receive from peer");
  BOOST_TEST(terminate(server) == 130);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
