// tsock-cat with datagrams against other programs, both ways.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "support/port_apart.hpp"
#include "support/raw_datagram.hpp"
#include "support/system.hpp"
#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::test::has_program;
using tsock::test::port_apart;
using tsock::test::Process;
using tsock::test::RawDatagram;
using tsock::test::TemporaryFolder;

namespace {

struct Family {
  std::string name;  // as socat has it
  std::string host;
};

const std::vector<Family> families{{"UDP4", "127.0.0.1"}, {"UDP6", "[::1]"}};

// Question and answer; then the end of input at both. Other programs may need a signal to end.
void converse(Cat& cat, Process& other, bool cat_asks) {
  Process& asks = cat_asks ? static_cast<Process&>(cat) : other;
  Process& answers = cat_asks ? other : static_cast<Process&>(cat);
  asks.write("question");
  answers.wait_for_output("question");
  answers.write("answer");
  asks.wait_for_output("answer");
  BOOST_TEST(cat.finish() == 0, cat.error());
  BOOST_TEST(cat.output() == (cat_asks ? "answer" : "question"));
  other.kill(SIGTERM);
  other.wait();
}

std::string unbracketed(const std::string& host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_datagram_peers)

BOOST_AUTO_TEST_CASE(clients_of_other_programs_are_served_over_udp) {
  for (const Family& family : families) {
    for (const std::string program : {"socat", "ncat", "nc.openbsd"}) {
      if (!has_program(program)) continue;
      Cat server({"--announce", "-q", "20ms", "udp-listen://" + family.host + ":0"});
      const std::string port = port_of(server.listening());
      std::vector<std::string> words{program, "-u", unbracketed(family.host), port};
      if (program == "socat") words = {"socat", "-", family.name + ":" + family.host + ":" + port};
      Process client(words);
      converse(server, client, false);
    }
  }
}

BOOST_AUTO_TEST_CASE(servers_of_other_programs_are_understood_over_udp) {
  for (const Family& family : families) {
    for (const std::string program : {"socat", "ncat"}) {
      if (!has_program(program)) continue;
      const std::string host = unbracketed(family.host);
      const std::string port = std::to_string(port_apart());
      std::vector<std::string> words{"ncat", "-ulv", host, port};
      if (program == "socat") {
        words = {"socat", "-d", "-d", "-", family.name + "-LISTEN:" + port + ",bind=" + family.host};
      }
      Process server(words);
      server.wait_for_error(program == "socat" ? "listening on" : "Listening on");
      Cat client({"-q", "20ms", "udp://" + family.host + ":" + port});
      converse(client, server, true);
    }
  }
}

BOOST_AUTO_TEST_CASE(clients_of_other_programs_are_served_over_unix_datagrams) {
  const TemporaryFolder folder;
  for (const std::string program : {"socat", "ncat", "nc.openbsd"}) {
    if (!has_program(program)) continue;
    const std::string path = folder.file(program);
    Cat server({"--announce", "-q", "20ms", "unix-dgram-listen:" + path});
    server.listening();
    std::vector<std::string> words{program, "-uU", path};
    if (program == "socat") words = {"socat", "-", "UNIX-SENDTO:" + path + ",bind=" + folder.file("client")};
    Process client(words);
    converse(server, client, false);
  }
}

BOOST_AUTO_TEST_CASE(servers_of_other_programs_are_understood_over_unix_datagrams,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const TemporaryFolder folder;
  for (const std::string program : {"socat", "ncat"}) {
    if (!has_program(program)) continue;
    const std::string path = folder.file(program);
    std::vector<std::string> words{"ncat", "-ulvU", path};
    if (program == "socat") words = {"socat", "-d", "-d", "-", "UNIX-RECVFROM:" + path};
    Process server(words);
    server.wait_for_error(program == "socat" ? "receiving on" : "Listening on");
    Cat client({"-q", "20ms", "unix-dgram:" + path});
    converse(client, server, true);
  }
}

BOOST_AUTO_TEST_CASE(abstract_names_are_those_of_other_programs,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  if (!has_program("socat")) return;
  const std::string name = "tsock-cat-test-peers-" + std::to_string(::getpid());
  {
    Cat server({"--announce", "-q", "20ms", "unix-abstract-dgram-listen:" + name});
    server.listening();
    Process client({"socat", "-", "ABSTRACT-SENDTO:" + name + ",bind=" + name + "-client"});
    converse(server, client, false);
  }
  Process server({"socat", "-d", "-d", "-", "ABSTRACT-RECVFROM:" + name});
  server.wait_for_error("receiving on");
  Cat client({"-q", "20ms", "unix-abstract-dgram:" + name});
  converse(client, server, true);
}

BOOST_AUTO_TEST_CASE(broadcasts_go_both_ways_with_socat) {
  if (!has_program("socat")) return;
  {
    Cat server({"--announce", "-q", "20ms", "udp-listen://0.0.0.0:0"});
    const std::string port = port_of(server.listening());
    Process client({"socat", "-", "UDP4-DATAGRAM:127.255.255.255:" + port + ",broadcast"});
    converse(server, client, false);
  }
  const std::string port = std::to_string(port_apart());
  Process server({"socat", "-d", "-d", "-", "UDP4-RECVFROM:" + port});
  server.wait_for_error("receiving on");
  Cat client({"-b", "-q", "20ms", "udp://127.255.255.255:" + port});
  converse(client, server, true);
}

BOOST_AUTO_TEST_CASE(groups_are_shared_with_socat) {
  if (!has_program("socat")) return;
  {
    Cat server({"--announce", "-q", "20ms", "--mcast", "239.255.43.31%lo", "udp-listen://:0"});
    const std::string port = port_of(server.listening());
    Process client({"socat", "-", "UDP4-DATAGRAM:239.255.43.31:" + port + ",ip-multicast-if=127.0.0.1"});
    converse(server, client, false);
  }
  const std::string port = std::to_string(port_apart());
  Process server({"socat", "-d", "-d", "-", "UDP4-RECVFROM:" + port + ",ip-add-membership=239.255.43.31:lo"});
  server.wait_for_error("receiving on");
  Cat client({"--mcast-if", "lo", "-q", "20ms", "udp://239.255.43.31:" + port});
  converse(client, server, true);
}

BOOST_AUTO_TEST_CASE(empty_datagrams_of_other_programs_are_no_end) {
  if (!has_program("socat")) return;
  Cat server({"-k", "--announce", "--text", "udp-listen://127.0.0.1:0"});
  const std::string port = port_of(server.listening());
  // socat's shut-null sends an empty datagram when its input ends.
  Process first({"socat", "-u", "-", "UDP4-SENDTO:127.0.0.1:" + port + ",shut-null"});
  first.write("one");
  server.wait_for_output("one");
  BOOST_TEST(first.finish() == 0);
  server.wait_for_error("(empty datagram)");
  Process second({"socat", "-u", "-", "UDP4-SENDTO:127.0.0.1:" + port});
  second.write("two");
  server.wait_for_output("onetwo");
  BOOST_TEST(second.finish() == 0);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
