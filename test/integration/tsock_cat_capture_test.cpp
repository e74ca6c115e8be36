#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::test::has_program;
using tsock::test::Process;
using tsock::test::TemporaryFolder;

BOOST_AUTO_TEST_SUITE(tsock_cat_capture)

struct Capture {
  std::string text;    // what tcpdump prints
  std::string errors;  // of tcpdump
};

// tcpdump checks lengths and checksums, and puts sequence numbers in relation.
Capture read_capture(const std::string& file) {
  Process program({"tcpdump", "-nn", "-v", "-A", "-r", file});
  BOOST_TEST(program.finish() == 0);
  return {program.output(), program.error()};
}

bool is_sound(const Capture& capture) {
  // Whole words of tcpdump: a checksum may well be 0x3bad.
  for (const char* fault : {"incorrect", "bad cksum", "[bad", "bad-len", "truncated"}) {
    if (contains(capture.text, fault)) return false;
  }
  return !contains(capture.errors, "truncated");
}

BOOST_AUTO_TEST_CASE(a_connection_is_shown_with_its_addresses_and_bytes) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"--announce", "tcp-listen://127.0.0.1:0", "echo:"});
  const std::string address = server.listening();
  BOOST_TEST(run({"--dump", file, address}, "hello world").status == 0);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text);
  const std::string port = port_of(address);
  BOOST_TEST(contains(capture.text, " > 127.0.0.1." + port + ": Flags [S]"), capture.text);
  BOOST_TEST(contains(capture.text, "127.0.0.1." + port + " > 127.0.0.1."), capture.text);
  BOOST_TEST(contains(capture.text, "seq 1:12, ack 1"), capture.text);
  BOOST_TEST(contains(capture.text, "Flags [F.]"), capture.text);
  BOOST_TEST(contains(capture.text, "hello world"), capture.text);
}

BOOST_AUTO_TEST_CASE(many_bytes_are_cut_into_packets_in_order) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"--announce", "tcp-listen://127.0.0.1:0", "discard:"});
  BOOST_TEST(run({"--dump", file, server.listening()}, many_bytes(300000)).status == 0);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text.substr(0, 2000));
  BOOST_TEST(contains(capture.text, "seq 300001"), capture.text.substr(0, 2000));  // of the end
}

BOOST_AUTO_TEST_CASE(datagrams_are_packets_of_udp) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"-k", "--announce", "udp-listen://127.0.0.1:0", "echo:"});
  const std::string port = port_of(server.listening());
  BOOST_TEST(run({"-W", "1", "--dump", file, "-u", "127.0.0.1", port}, "question").status == 0);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text);
  BOOST_TEST(contains(capture.text, " > 127.0.0.1." + port + ": UDP, length 8"), capture.text);
  BOOST_TEST(contains(capture.text, "127.0.0.1." + port + " > 127.0.0.1."), capture.text);
}

BOOST_AUTO_TEST_CASE(ipv6_is_ipv6) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"--announce", "tcp-listen://[::1]:0", "echo:"});
  const std::string address = server.listening();
  BOOST_TEST(run({"--dump", file, address}, "hello").status == 0);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text);
  BOOST_TEST(contains(capture.text, "::1." + port_of(address) + " > ::1."), capture.text);
}

BOOST_AUTO_TEST_CASE(a_unix_socket_has_made_up_addresses) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"--announce", "unix-listen:" + folder.file("socket"), "echo:"});
  BOOST_TEST(run({"--dump", file, server.listening()}, "hello").status == 0);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text);
  BOOST_TEST(contains(capture.text, "127.0.0.1.1 > 127.0.0.2.1: Flags [S]"), capture.text);
  BOOST_TEST(contains(content_of(file), "socket"));  // the comment
}

BOOST_AUTO_TEST_CASE(clients_of_a_server_are_connections_of_their_own) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"-k", "--announce", "--dump", file, "tcp-listen://127.0.0.1:0"});
  const std::string address = server.listening();
  server.close_input();
  for (const char* text : {"one", "two"}) BOOST_TEST(run({address}, text).status == 0);
  server.wait_for_output("onetwo");
  server.kill(SIGTERM);
  BOOST_TEST(server.finish() == 130);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text);
  BOOST_TEST(contains(capture.text, "one"));
  BOOST_TEST(contains(capture.text, "two"));
  // Who has connected begins.
  BOOST_TEST(contains(capture.text, " > 127.0.0.1." + port_of(address) + ": Flags [S]"), capture.text);
  BOOST_TEST(contains(capture.text, "127.0.0.1." + port_of(address) + " > 127.0.0.1."), capture.text);
}

BOOST_AUTO_TEST_CASE(of_an_accepted_connection_the_peer_begins) {
  if (!has_program("tcpdump")) return;
  const TemporaryFolder folder;
  const std::string file = folder.file("x.pcapng");
  Cat server({"--announce", "--dump", file, "tcp-listen://127.0.0.1:0", "echo:"});
  const std::string address = server.listening();
  BOOST_TEST(run({address}, "hello").status == 0);
  BOOST_TEST(server.finish() == 0);
  const Capture capture = read_capture(file);
  BOOST_TEST(is_sound(capture), capture.text);
  BOOST_TEST(contains(capture.text, " > 127.0.0.1." + port_of(address) + ": Flags [S]"), capture.text);
  BOOST_TEST(contains(capture.text, "127.0.0.1." + port_of(address) + " > 127.0.0.1."), capture.text);
}

BOOST_AUTO_TEST_CASE(a_capture_that_cannot_be_written_is_7) {
  Cat server({"-k", "--announce", "tcp-listen://127.0.0.1:0", "echo:"});
  const std::string address = server.listening();
  const TemporaryFolder folder;
  BOOST_TEST(run({"--dump", folder.file("no/x.pcapng"), address}, "x").status == 7);
  BOOST_TEST(::symlink("/dev/full", folder.file("full.pcapng").c_str()) == 0);
  const CatOutcome outcome = run({"--dump", folder.file("full.pcapng"), address}, "x");
  BOOST_TEST(outcome.status == 7);
  BOOST_TEST(contains(outcome.error, "ENOSPC"), outcome.error);
  BOOST_TEST(run({"--hex", "--dump", folder.file("x.pcapng"), address}).status == 1);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
