// tsock-cat as its users see it, as a process: bytes, ends, servers, addresses, and other programs as peers.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include "support/tsock_cat.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "support/port_apart.hpp"
#include "support/system.hpp"

using namespace tsock::test::cat;
using tsock::Address;
using tsock::UniqueSocket;
using tsock::test::finish_all;
using tsock::test::has_program;
using tsock::test::port_apart;
using tsock::test::Process;
using tsock::test::TemporaryFolder;

BOOST_AUTO_TEST_SUITE(tsock_cat)

// ---- bytes and the end of a direction --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bytes_go_both_ways_and_both_ends_are_clean) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"tcp://" + server.listening()});
  client.write("question");
  server.wait_for_output("question");
  server.write("answer");
  client.wait_for_output("answer");
  client.close_input();
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.output() == "question");
  BOOST_TEST(client.output() == "answer");
  BOOST_TEST(client.error() == "");
}

BOOST_AUTO_TEST_CASE(after_the_end_of_its_input_it_still_waits_for_the_answer) {
  Cat server({"-l", "127.0.0.1", "0", "--announce", "-v"});
  Cat client({server.listening()});
  client.write("question");
  client.close_input();
  server.error_line("tsock-cat: remote side ended");
  server.write("late answer");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "late answer");
}

BOOST_AUTO_TEST_CASE(after_the_end_of_the_peer_it_still_sends) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"-v", server.listening()});
  server.write("all I have");
  server.close_input();
  client.error_line("tsock-cat: remote side ended");
  client.write("and this is mine");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "and this is mine");
  BOOST_TEST(client.output() == "all I have");
}

BOOST_AUTO_TEST_CASE(the_reader_of_its_output_sees_the_end_when_the_peer_ends) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({server.listening()});
  server.write("x");
  server.close_input();
  client.wait_for_end_of_output();
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.wait() == 0);
}

BOOST_AUTO_TEST_CASE(no_shutdown_keeps_the_sending_side_open) {
  Cat server({"-l", "127.0.0.1", "0", "--announce", "-v"});
  Cat client({"-v", "--no-shutdown", server.listening()});
  client.write("x");
  client.close_input();
  client.error_line("tsock-cat: local side ended");
  server.wait_for_output("x");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  const auto local = server.error().find("local side ended");
  const auto remote = server.error().find("remote side ended");
  BOOST_TEST(local < remote, server.error());  // the client ended only when the server had
}

BOOST_AUTO_TEST_CASE(exit_on_peer_eof_does_not_wait_for_the_input) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--exit-on-peer-eof", server.listening()});
  server.write("bye");
  server.close_input();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "bye");
  BOOST_TEST(server.wait() == 0);
}

BOOST_AUTO_TEST_CASE(quit_after_limits_the_wait_for_the_answer) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"-q", "20ms", server.listening()});
  client.write("anybody there?");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(contains(client.error(), "ended by -q"));
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "anybody there?");
}

BOOST_AUTO_TEST_CASE(send_only_ends_when_everything_is_sent) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--send-only", server.listening()});
  client.write("one way");
  BOOST_TEST(client.finish() == 0);
  server.wait_for_output("one way");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.output() == "");
}

BOOST_AUTO_TEST_CASE(send_only_to_a_peer_that_talks_loses_nothing) {
  const std::string text(1500000, 'x');
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--send-only", server.listening()});
  server.write(std::string(300000, 'y'));
  client.write(text);
  client.close_input();
  server.wait_for_output(text);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST((server.output() == text));
}

BOOST_AUTO_TEST_CASE(receive_only_reads_no_input_and_ends_with_the_peer) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--recv-only", server.listening()});
  client.write("not sent");
  server.write("taken");
  server.close_input();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "taken");
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "");
}

BOOST_DATA_TEST_CASE(many_bytes_go_both_ways_at_once,
                     boost::unit_test::data::make({"tcp-listen://127.0.0.1:0", "unix-listen://",
                                                   "unix-abstract-listen://tsock-cat-test-"}),
                     listen) {
  const TemporaryFolder folder;
  std::string where = listen;
  if (where.starts_with("unix-abstract") && tsock::test::uses_posix_alone()) return;
  if (where == "unix-listen://") where += folder.file("s");
  if (where.ends_with('-')) where += std::to_string(::getpid());
  const std::string there = many_bytes(5 << 20);
  const std::string back = many_bytes((5 << 20) + 1);
  Cat server({where, "--announce"});
  server.write(back);
  server.close_input();
  Cat client({server.listening()});
  client.write(there);
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST((server.output() == there));
  BOOST_TEST((client.output() == back));
}

BOOST_AUTO_TEST_CASE(crlf_replaces_line_ends_of_the_input_only) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"-C", server.listening()});
  client.write("a\nb\r\nc\n");
  server.write("x\n");
  client.close_input();
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.output() == "a\r\nb\r\nc\r\n");
  BOOST_TEST(client.output() == "x\n");
}

// ---- servers ---------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(without_keep_open_a_second_client_is_refused) {
  Cat server({"-l", "127.0.0.1", "0", "--announce", "-v"});
  const std::string address = server.listening();
  Cat first({address});
  server.error_line("tsock-cat: accepted");
  BOOST_TEST(run({address}).status == 2);
  BOOST_TEST(finish_all(first, server) == 0);
}

BOOST_AUTO_TEST_CASE(keep_open_shows_what_all_clients_send_and_sends_its_input_to_all) {
  Cat server({"-lk", "127.0.0.1", "0", "--announce", "-v"});
  const std::string address = server.listening();
  Cat first({address});
  Cat second({address});
  Cat third({address});
  for (int i = 0; i < 3; ++i) server.error_line("tsock-cat: ");
  first.write("from first.");
  second.write("from second.");
  third.write("from third.");
  for (const char* text : {"from first.", "from second.", "from third."}) server.wait_for_output(text);
  server.write("to all");
  for (Cat* client : {&first, &second, &third}) client->wait_for_output("to all");
  server.close_input();
  BOOST_TEST(finish_all(first, second, third) == 0);
  BOOST_TEST(run({address}, "after all").status == 0);
  server.wait_for_output("after all");
  server.kill(SIGINT);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(the_input_of_a_server_waits_for_a_client) {
  Cat server({"-lk", "127.0.0.1", "0", "--announce"});
  server.write("whoever comes first");
  server.close_input();
  const CatOutcome client = run({server.listening()});
  BOOST_TEST(client.status == 0);
  BOOST_TEST(client.output == "whoever comes first");
}

BOOST_AUTO_TEST_CASE(one_failing_client_is_not_the_end_of_a_server) {
  Cat server({"-lk", "127.0.0.1", "0", "--announce", "-v"});
  const std::string address = server.listening();
  {
    int err = 0;
    const Address remote = Address::parse(address, err);
    UniqueSocket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_TEST_REQUIRE(::connect(client.get(), remote.sockaddr_pointer(),
                                 static_cast<socklen_t>(remote.sockaddr_length())) == 0);
    server.error_line("tsock-cat: accepted");
    reset_connection(client);
  }
  BOOST_TEST(contains(server.error_line("tsock-cat: closed after "), "ECONNRESET"));
  Cat next({address});
  next.write("still there?");
  server.wait_for_output("still there?");
}

BOOST_AUTO_TEST_CASE(max_conns_lets_further_clients_wait) {
  Cat server({"-lk", "--max-conns", "1", "127.0.0.1", "0", "--announce", "--exit-on-peer-eof"});
  const std::string address = server.listening();
  Cat first({address});
  first.write("1");
  server.wait_for_output("1");
  Cat second({address});
  second.write("2");
  second.close_input();
  // The first is served again before the second is, although the second is there already.
  first.write("3");
  server.wait_for_output("13");
  first.close_input();
  server.wait_for_output("132");
}

BOOST_AUTO_TEST_CASE(a_relay_joins_tcp_and_unix_for_many_clients) {
  const TemporaryFolder folder;
  Cat server({"-lkU", folder.file("s"), "--announce"});
  server.listening();
  Cat relay({"-k", "tcp-listen://127.0.0.1:0", "unix://" + folder.file("s"), "--announce"});
  const std::string address = relay.listening();
  Cat first({address});
  first.write("a");
  server.wait_for_output("a");
  Cat second({address});
  second.write("b");
  server.wait_for_output("ab");
  server.write("to both");
  first.wait_for_output("to both");
  second.wait_for_output("to both");
  server.close_input();
  BOOST_TEST(finish_all(first, second) == 0);
}

BOOST_AUTO_TEST_CASE(a_relay_passes_half_close_on) {
  const TemporaryFolder folder;
  Cat server({"-lU", folder.file("s"), "--announce", "-v"});
  server.listening();
  Cat relay({"tcp-listen://127.0.0.1:0", "unix:" + folder.file("s"), "--announce"});
  Cat client({relay.listening()});
  client.write("question");
  client.close_input();
  server.error_line("tsock-cat: remote side ended");
  server.write("answer");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(relay.finish() == 0);
  BOOST_TEST(server.output() == "question");
  BOOST_TEST(client.output() == "answer");
}

BOOST_AUTO_TEST_CASE(two_listeners_are_joined) {
  Cat relay({"tcp-listen://127.0.0.1:0", "tcp-listen://127.0.0.1:0", "--announce"});
  const std::string one = relay.listening();
  const std::string other = relay.listening();
  Cat left({one});
  Cat right({other});
  left.write("l");
  right.write("r");
  BOOST_TEST(finish_all(left, right, relay) == 0);
  BOOST_TEST(left.output() == "r");
  BOOST_TEST(right.output() == "l");
}

// Also while the other listener still waits, when nobody would read what the second client sends.
BOOST_AUTO_TEST_CASE(each_of_two_listeners_takes_one_client) {
  Cat relay({"tcp-listen://127.0.0.1:0", "tcp-listen://127.0.0.1:0", "--announce", "-v"});
  const std::string one = relay.listening();
  const std::string other = relay.listening();
  Cat left({one});
  relay.error_line("tsock-cat: accepted");
  BOOST_TEST(run({"--max-time", "10", one}).status == 2);
  Cat right({other});
  relay.error_line("tsock-cat: accepted");
  BOOST_TEST(run({"--max-time", "10", other}).status == 2);
  left.write("l");
  BOOST_TEST(finish_all(left, right, relay) == 0);
  BOOST_TEST(right.output() == "l");
}

BOOST_AUTO_TEST_CASE(the_announced_address_can_be_connected_to) {
  const TemporaryFolder folder;
  for (const std::string& listen :
       {std::string("tcp-listen://:0"), std::string("tcp-listen://[::1]:0"),
        "unix-listen://" + folder.file("s"), "unix-abstract-listen://t-" + std::to_string(::getpid())}) {
    if (listen.starts_with("unix-abstract") && tsock::test::uses_posix_alone()) continue;
    Cat server({listen, "--announce"});
    std::string address = server.listening();
    BOOST_TEST(!address.ends_with(":0"));
    Cat client({address});
    client.write("x");
    BOOST_TEST(finish_all(client, server) == 0, listen);
    BOOST_TEST(server.output() == "x");
  }
}

// ---- unix sockets ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_dead_socket_file_is_replaced_and_a_live_one_is_not) {
  const TemporaryFolder folder;
  const std::string path = folder.file("s");
  {
    int err = 0;
    const RawListener dead(Address::unix_from_path(path, err));
  }
  BOOST_TEST(run({"-lU", path, "--unlink", "fail"}).status == 3);
  Cat server({"-lkU", path, "--announce", "--mode", "0600"});
  server.listening();
  struct stat status {};
  BOOST_TEST_REQUIRE(::stat(path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777U) == 0600U);
  const CatOutcome second = run({"-lU", path});
  BOOST_TEST(second.status == 3);
  BOOST_TEST(contains(second.error, "EADDRINUSE"), second.error);

  Cat usurper({"-lU", path, "--unlink", "force", "--announce"});
  usurper.listening();
  usurper.close_input();
  BOOST_TEST(run({"-U", path}, "x").status == 0);
  BOOST_TEST(usurper.wait() == 0);
  BOOST_TEST(usurper.output() == "x");
}

BOOST_AUTO_TEST_CASE(the_socket_file_goes_with_the_server) {
  const TemporaryFolder folder;
  Cat server({"-lU", folder.file("s"), "--announce"});
  server.listening();
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
  struct stat status {};
  BOOST_TEST(::stat(folder.file("s").c_str(), &status) == -1);
}

BOOST_AUTO_TEST_CASE(only_a_socket_is_ever_replaced) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("precious")) << "data";
  BOOST_TEST(run({"-lU", folder.file("precious"), "--unlink", "force"}).status == 3);
  BOOST_TEST(content_of(folder.file("precious")) == "data");
}

// ---- addresses -------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(files_are_sent_and_written) {
  const TemporaryFolder folder;
  const std::string bytes = many_bytes(300000);
  std::ofstream(folder.file("in"), std::ios::binary) << bytes;
  Cat server({"tcp-listen://127.0.0.1:0", "file:" + folder.file("out") + "?mode=w", "--announce"});
  Cat client({"file:" + folder.file("in"), server.listening()});
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST((content_of(folder.file("out")) == bytes));
}

BOOST_AUTO_TEST_CASE(source_port_and_address_family_are_obeyed) {
  const std::string port = std::to_string(port_apart());
  Cat server({"-4", "-l", "0", "--announce", "-v"});
  const std::string address = server.listening();
  BOOST_TEST(address.starts_with("0.0.0.0:"));
  Cat client({"-4", "-s", "127.0.0.1", "-p", port, "localhost", port_of(address)});
  BOOST_TEST(server.error_line("tsock-cat: accepted on ").ends_with("127.0.0.1:" + port));
  BOOST_TEST(finish_all(client, server) == 0);
}

// ---- other programs --------------------------------------------------------------------------------------

// Each is a client: it sends "question", ends its input, and prints what comes back.
BOOST_AUTO_TEST_CASE(clients_of_other_programs_are_served) {
  for (const std::string program : {"socat", "ncat", "nc.openbsd"}) {
    if (!has_program(program)) continue;
    Cat server({"-l", "127.0.0.1", "0", "--announce"});
    const std::string port = port_of(server.listening());
    std::vector<std::string> words{program, "127.0.0.1", port};
    if (program == "socat") words = {"socat", "-t10", "-", "TCP:127.0.0.1:" + port};
    if (program == "nc.openbsd") words.emplace_back("-N");
    Process client(words);
    client.write("question");
    client.close_input();
    server.wait_for_output("question");
    server.write("answer");
    BOOST_TEST(server.finish() == 0, program);
    BOOST_TEST(client.wait() == 0, program);
    BOOST_TEST(client.output() == "answer", program);
  }
}

BOOST_AUTO_TEST_CASE(servers_of_other_programs_are_understood) {
  const TemporaryFolder folder;
  for (const std::string program : {"socat", "ncat", "nc.openbsd"}) {
    if (!has_program(program)) continue;
    const std::string path = folder.file(program);
    std::vector<std::string> words{program, "-lU", path};
    if (program == "socat") words = {"socat", "-t10", "-", "UNIX-LISTEN:" + path};
    if (program == "nc.openbsd") words.emplace_back("-N");
    Process server(words);
    const std::string bytes = many_bytes(1 << 20);
    server.write(bytes);
    Cat client({"--retry", "500", "--retry-delay", "20ms", "-U", path});
    client.write("question");
    server.wait_for_output("question");
    client.wait_for_output(bytes);  // ncat drops what it has not sent when its peer ends
    BOOST_TEST(finish_all(client, server) == 0, program << client.error() << server.error());
    BOOST_TEST((client.output() == bytes), program);
  }
}

BOOST_AUTO_TEST_CASE(what_announce_prints_is_an_address_whatever_bytes_the_name_has) {
  const tsock::test::TemporaryFolder folder;
  const std::string pid = std::to_string(::getpid());
  for (const std::string& where :
       {"unix-listen:" + folder.file("a b%25%0A%22@%FF: "), "unix-listen:" + folder.file("c://d%09"),
        "unix-abstract-listen:@a%00%0A%25//" + pid, "unix-abstract-listen:%2F/" + pid}) {
    if (where.starts_with("unix-abstract") && tsock::test::uses_posix_alone()) continue;
    if (where.find("c://") != std::string::npos) ::mkdir(folder.file("c:").c_str(), 0700);
    Cat server({"--announce", "--recv-only", where});
    const std::string address = server.listening();
    BOOST_TEST_CONTEXT(address) {
      const CatOutcome client = run({address}, "hello");
      BOOST_TEST(client.status == 0, client.error);
      BOOST_TEST(server.finish() == 0);
      BOOST_TEST(server.output() == "hello");
    }
  }
}

// A relay has two descriptors for each client; the soft limit is raised.
BOOST_AUTO_TEST_CASE(hundreds_of_clients_are_relayed_at_once_in_one_process) {
  if (!has_program("bash")) return;
  constexpr std::size_t count = 300;
  Cat server({"-k", "--announce", "--backlog", "1000", "tcp-listen://127.0.0.1:0", "echo:"});
  const std::string target = server.listening();
  Process relay({"bash", "-c", "ulimit -Sn 64 && exec \"$@\"", "bash", executable(), "-k", "--announce",
                 "--backlog", "1000", "tcp-listen://127.0.0.1:0", target});
  int err = 0;
  const Address address = Address::parse(relay.error_line("listening "), err);
  BOOST_TEST_REQUIRE(err == 0);
  std::vector<UniqueSocket> clients;
  const auto echo = [](const UniqueSocket& client, std::size_t i) {
    const std::string text = std::to_string(i);
    BOOST_TEST(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(text.size()));
    std::string answer(text.size(), '\0');
    BOOST_TEST(::recv(client.get(), answer.data(), answer.size(), MSG_WAITALL) ==
               static_cast<ssize_t>(text.size()));
    BOOST_TEST(answer == text);
  };
  const timeval patience{Process::patience, 0};
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::setsockopt(clients.back().get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    BOOST_TEST_REQUIRE(::connect(clients.back().get(), address.sockaddr_pointer(),
                                 static_cast<socklen_t>(address.sockaddr_length())) == 0);
    echo(clients.back(), i);
  }
  for (std::size_t i = 0; i < count; ++i) echo(clients[i], count - i);
  relay.kill(SIGTERM);
  BOOST_TEST(relay.wait() == 130, relay.error());
}

BOOST_AUTO_TEST_SUITE_END()

#endif
