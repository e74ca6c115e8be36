// How tsock-cat ends when something goes wrong, and what it says then.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::Address;
using tsock::UniqueSocket;
using tsock::test::finish_all;
using tsock::test::has_program;
using tsock::test::Process;
using tsock::test::TemporaryFolder;

BOOST_AUTO_TEST_SUITE(tsock_cat_exit)

// ---- exit codes ------------------------------------------------------------------------------------------

const std::vector<std::vector<std::string>> wrong_command_lines{
    {},
    {"--no-such-option", "127.0.0.1", "1"},
    {"127.0.0.1"},
    {"127.0.0.1", "http80"},
    {"127.0.0.1", "65536"},
    {"tcp://127.0.0.1:0"},
    {"tcp://::1:80"},
    {"a", "1", "b"},
    {"tcp://a:1", "tcp://b:1", "tcp://c:1"},
    {"-", "-"},
    {"-l"},
    {"-k", "127.0.0.1", "1"},
    {"-4", "-6", "localhost", "1"},
    {"-w", "5 minutes", "a", "1"},
    {"--stats=often", "a", "1"},
    {"--mode", "rw", "-lU", "x"},
    {"--unlink", "maybe", "-lU", "x"},
    {"--pdu", "u64", "a", "1"},
    {"--send-only", "--recv-only", "a", "1"},
    {"-s", "localhost", "a", "1"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_command_lines.size()), index) {
  expect_wrong_command_line(wrong_command_lines[index]);
}

BOOST_AUTO_TEST_CASE(help_and_version_go_to_standard_output) {
  for (const char* word : {"-h", "-V"}) {
    const CatOutcome outcome = run({word});
    BOOST_TEST(outcome.status == 0);
    BOOST_TEST(contains(outcome.output, "tsock-cat"));
    BOOST_TEST(outcome.error == "");
  }
}

BOOST_AUTO_TEST_CASE(a_refused_connection_is_2_and_named) {
  std::string address;
  {
    const RawListener listener;
    address = listener.address();
  }
  const CatOutcome tcp = run({address});
  BOOST_TEST(tcp.status == 2);
  BOOST_TEST(contains(tcp.error, "ECONNREFUSED"), tcp.error);
  const CatOutcome unix_socket = run({"unix:///nonexistent/socket"});
  BOOST_TEST(unix_socket.status == 2);
  BOOST_TEST(contains(unix_socket.error, "ENOENT"), unix_socket.error);
}

BOOST_AUTO_TEST_CASE(a_name_that_is_not_resolved_is_2_and_told_apart) {
  const CatOutcome outcome = run({"-n", "localhost", "80"});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(contains(outcome.error, "resolve localhost"), outcome.error);
}

BOOST_AUTO_TEST_CASE(a_connect_timeout_is_4_and_named) {
  const TemporaryFolder folder;
  const std::string path = folder.file("s");
  int err = 0;
  const Address address = Address::unix_from_path(path, err);
  const RawListener full(address, 0);
  std::vector<UniqueSocket> waiting;  // until the backlog is full
  for (bool room = true; room;) {
    UniqueSocket fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    room = ::connect(fd.get(), address.sockaddr_pointer(),
                     static_cast<socklen_t>(address.sockaddr_length())) == 0;
    waiting.push_back(std::move(fd));
  }
  const CatOutcome outcome = run({"--json", "-w", "50ms", "-U", path});
  BOOST_TEST(outcome.status == 4);
  const auto event = event_named(outcome.error, "error");
  BOOST_TEST(event.at("limit") == "connect");
  BOOST_TEST(event.at("code") == 4);
}

BOOST_AUTO_TEST_CASE(an_idle_timeout_is_4_and_named) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--json", "-i", "50ms", server.listening()});
  client.write("x");
  BOOST_TEST(client.wait() == 4);
  BOOST_TEST(event_named(client.error(), "error").at("limit") == "idle");
}

BOOST_AUTO_TEST_CASE(the_total_limit_is_4_and_named) {
  Cat server({"--json", "--max-time", "50ms", "-l", "127.0.0.1", "0"});
  BOOST_TEST(server.wait() == 4);
  BOOST_TEST(event_named(server.error(), "error").at("limit") == "total");
}

BOOST_AUTO_TEST_CASE(a_reset_is_5_and_what_came_before_is_not_lost) {
  const RawListener listener;
  Cat client({listener.address()});
  client.write("x");
  UniqueSocket peer = listener.accept();
  char byte = 0;
  BOOST_TEST_REQUIRE(::read(peer.get(), &byte, 1) == 1);
  BOOST_TEST_REQUIRE(::write(peer.get(), "last words", 10) == 10);
  client.wait_for_output("last words");
  reset_connection(peer);
  BOOST_TEST(client.wait() == 5);
  BOOST_TEST(contains(client.error(), "ECONNRESET"), client.error());
}

BOOST_AUTO_TEST_CASE(a_relay_whose_one_side_is_reset_resets_the_other_one) {
  for (const bool by_server : {false, true}) {
    const RawListener server;
    Cat relay({"--announce", "tcp-listen://127.0.0.1:0", "tcp://" + server.address()});
    int err = 0;
    const Address address = Address::parse(relay.listening(), err);
    UniqueSocket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_TEST_REQUIRE(::connect(client.get(), address.sockaddr_pointer(),
                                 static_cast<socklen_t>(address.sockaddr_length())) == 0);
    UniqueSocket peer = server.accept();
    UniqueSocket& from = by_server ? peer : client;
    const UniqueSocket& to = by_server ? client : peer;
    BOOST_TEST_REQUIRE(::write(from.get(), "half", 4) == 4);
    std::array<char, 8> bytes{};
    BOOST_TEST(::recv(to.get(), bytes.data(), 4, MSG_WAITALL) == 4);
    reset_connection(from);
    BOOST_TEST(::recv(to.get(), bytes.data(), bytes.size(), 0) == -1);
    BOOST_TEST(errno == ECONNRESET);
    BOOST_TEST(relay.wait() == 5);
  }
}

BOOST_AUTO_TEST_CASE(a_broken_pipe_is_5_and_the_last_words_are_read) {
  const TemporaryFolder folder;
  int err = 0;
  const RawListener listener(Address::unix_from_path(folder.file("s"), err));
  Cat client({"-v", "-U", folder.file("s")});
  UniqueSocket peer = listener.accept();
  BOOST_TEST_REQUIRE(::write(peer.get(), "go away", 7) == 7);
  peer.reset();
  client.error_line("tsock-cat: remote side ended");
  client.write("are you there?");
  BOOST_TEST(client.wait() == 5);
  BOOST_TEST(client.output() == "go away");
  BOOST_TEST(contains(client.error(), "EPIPE"), client.error());
}

BOOST_AUTO_TEST_CASE(a_failing_bind_is_3_for_listeners_and_for_the_source_address) {
  const RawListener listener;
  const std::string port = port_of(listener.address());
  const CatOutcome listening = run({"-l", "127.0.0.1", port});
  BOOST_TEST(listening.status == 3);
  BOOST_TEST(contains(listening.error, "EADDRINUSE"), listening.error);
  const CatOutcome source = run({"-s", "192.0.2.1", "127.0.0.1", port});
  BOOST_TEST(source.status == 3);
  BOOST_TEST(contains(source.error, "192.0.2.1"), source.error);
}

BOOST_AUTO_TEST_CASE(a_reader_that_went_away_is_7) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({server.listening()});
  client.close_output();
  server.write("nobody reads this");
  BOOST_TEST(client.wait() == 7);
  BOOST_TEST(contains(client.error(), "EPIPE"), client.error());
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_opened_are_7) {
  const RawListener listener;
  const TemporaryFolder folder;
  BOOST_TEST(run({"file:" + folder.file("missing"), listener.address()}).status == 7);
  BOOST_TEST(run({"fd:99", listener.address()}).status == 7);
  BOOST_TEST(run({"--dump", folder.file("no/such/folder"), listener.address()}).status == 7);
}

BOOST_AUTO_TEST_CASE(a_transcript_that_takes_no_more_is_7) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--text", "--dump", "/dev/full", server.listening()});
  client.write("hello");
  BOOST_TEST(client.wait() == 7);
  BOOST_TEST(contains(client.error(), "/dev/full"), client.error());
  BOOST_TEST(contains(client.error(), "ENOSPC"), client.error());
}

BOOST_AUTO_TEST_CASE(a_reader_of_the_report_that_goes_away_does_not_end_the_transfer) {
  const std::vector<std::vector<std::string>> reports{
      {"-vv", "--hex"}, {"--json", "--hex"}, {"--json", "--trace"}, {"--stats=10ms"}};
  for (const auto& words : reports) {
    BOOST_TEST_CONTEXT(words.front() << " " << words.back()) {
      Cat server({"-l", "127.0.0.1", "0", "--announce"});
      std::vector<std::string> all{server.listening()};
      all.insert(all.end(), words.begin(), words.end());
      Cat client(all);
      client.close_error();
      const std::string bytes = many_bytes(300000);
      client.write(bytes);
      BOOST_TEST(finish_all(client, server) == 0);
      BOOST_TEST((server.output() == bytes));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_listener_announces_to_nobody_and_serves_all_the_same) {
  const TemporaryFolder folder;
  for (const char* form : {"--announce", "--json"}) {
    Cat server({form, "-lU", folder.file("s"), "--unlink", "force"});
    server.close_error();
    Cat client({"--retry", "1000", "--retry-delay", "10ms", "-U", folder.file("s")});
    client.write("hello");
    BOOST_TEST(finish_all(client, server) == 0);
    BOOST_TEST(server.output() == "hello");
  }
}

// What was attempted, on which address, what the system said; the server goes on.
BOOST_AUTO_TEST_CASE(a_session_that_fails_under_k_is_reported_without_v) {
  std::string nobody;
  {
    const RawListener listener;
    nobody = listener.address();
  }
  Cat server({"-k", "--announce", "tcp-listen://127.0.0.1:0", nobody});
  const std::string address = server.listening();
  for (const char* number : {"", "connection 2: "}) {
    BOOST_TEST(run({address}).status == 0);
    const std::string told = server.error_line(std::string("tsock-cat: ") + number + "closed after");
    BOOST_TEST(contains(told, "from 127.0.0.1:"), told);
    BOOST_TEST(contains(told, "connect to " + nobody), told);
    BOOST_TEST(contains(told, "ECONNREFUSED"), told);
  }
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_session_that_fails_under_k_is_reported_in_json) {
  std::string nobody;
  {
    const RawListener listener;
    nobody = listener.address();
  }
  Cat server({"-k", "--json", "tcp-listen://127.0.0.1:0", nobody});
  server.wait_for_error("\n");
  const std::string address = event_named(server.error(), "listening").at("address");
  BOOST_TEST(run({address}).status == 0);
  server.wait_for_error("\"closed\"");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
  const auto closed = event_named(server.error(), "closed");
  BOOST_TEST(closed.at("errno") == "ECONNREFUSED");
  BOOST_TEST(closed.at("code") == 2);
  BOOST_TEST(contains(closed.at("peer"), "127.0.0.1:"));
  BOOST_TEST(contains(closed.at("text"), nobody));
}

BOOST_AUTO_TEST_CASE(a_client_that_resets_is_reported_by_a_server_without_v) {
  for (const bool with_hub : {true, false}) {
    Cat target({"-k", "-l", "127.0.0.1", "0", "--announce"});
    std::vector<std::string> words{"-k", "--announce", "tcp-listen://127.0.0.1:0"};
    // Awaited in both cases: it catches signals before it says so.
    const std::string where = target.listening();
    if (!with_hub) words.push_back(where);
    Cat server(words);
    int err = 0;
    const Address address = Address::parse(server.listening(), err);
    BOOST_TEST_REQUIRE(err == 0);
    UniqueSocket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    BOOST_TEST_REQUIRE(::connect(client.get(), address.sockaddr_pointer(),
                                 static_cast<socklen_t>(address.sockaddr_length())) == 0);
    BOOST_TEST_REQUIRE(::write(client.get(), "x", 1) == 1);
    (with_hub ? server : target).wait_for_output("x");
    reset_connection(client);
    const std::string told = server.error_line("tsock-cat: closed after");
    BOOST_TEST(contains(told, "from 127.0.0.1:"), told);
    BOOST_TEST(contains(told, "ECONNRESET"), told);
    for (Cat* cat : {&server, &target}) {
      cat->kill(SIGTERM);
      BOOST_TEST(cat->wait() == 130);
    }
  }
}

BOOST_AUTO_TEST_CASE(retry_goes_on_until_somebody_listens) {
  const TemporaryFolder folder;
  Cat client({"--json", "--retry", "1000", "--retry-delay", "20ms", "-U", folder.file("s")});
  client.write("x");
  client.error_line(R"({"schema":1)");  // it connects
  client.error_line(R"({"schema":1)");  // nobody was there
  Cat server({"-lU", folder.file("s"), "--announce"});
  BOOST_TEST(finish_all(client, server) == 0);
  BOOST_TEST(server.output() == "x");
  BOOST_TEST(event_named(client.error(), "retry").at("errno") == "ENOENT");
  BOOST_TEST(run({"--retry", "2", "--retry-delay", "1ms", "-U", folder.file("none")}).status == 2);
}

BOOST_AUTO_TEST_CASE(interrupt_is_130_also_while_it_waits_for_a_client) {
  Cat server({"-l", "0", "--announce", "--stats"});
  server.listening();
  server.kill(SIGINT);
  BOOST_TEST(server.wait() == 130);
  BOOST_TEST(contains(server.error(), "out 0 bytes"), server.error());
}

// ---- bytes that were written ------------------------------------------------------------------------------

namespace {

// More than a peer takes that does not read: the rest stays on this side.
constexpr int small_buffer = 4096;
const std::string held_back = many_bytes(120000);

UniqueSocket connect_to(const std::string& text) {
  int err = 0;
  const Address address = Address::parse(text, err);
  UniqueSocket fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small_buffer, sizeof small_buffer);
  BOOST_TEST_REQUIRE(::connect(fd.get(), address.sockaddr_pointer(),
                               static_cast<socklen_t>(address.sockaddr_length())) == 0);
  return fd;
}

// Sends until there is no room: more than a tsock-cat takes whose output nobody reads.
void fill_up(const UniqueSocket& peer) {
  const std::string piece(65536, 'x');
  while (::send(peer.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) continue;
}

// Reads to the end. \return the last result of recv(2).
ssize_t read_all(const UniqueSocket& peer, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return got;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

BOOST_DATA_TEST_CASE(what_was_written_before_a_signal_arrives,
                     boost::unit_test::data::make({SIGINT, SIGTERM}), signum) {
  const RawListener listener;
  listener.limit_receive_buffer(small_buffer);
  Cat client({"-v", "--no-shutdown", "--linger", "1h", listener.address()});
  UniqueSocket peer = listener.accept();
  client.write(held_back);
  client.close_input();
  client.error_line("tsock-cat: local side ended");
  fill_up(peer);
  client.kill(signum);
  std::string text;
  BOOST_TEST(read_all(peer, text) == 0);
  BOOST_TEST((text == held_back));
  peer.reset();
  BOOST_TEST(client.wait() == 130);
}

BOOST_AUTO_TEST_CASE(what_a_hub_has_written_before_a_signal_arrives) {
  Cat server({"-k", "-v", "--announce", "--no-shutdown", "--linger", "1h", "-l", "127.0.0.1", "0"});
  UniqueSocket peer = connect_to(server.listening());
  server.write(held_back);
  server.close_input();
  server.error_line("tsock-cat: local side ended");
  fill_up(peer);
  server.kill(SIGTERM);
  std::string text;
  BOOST_TEST(read_all(peer, text) == 0);
  BOOST_TEST((text == held_back));
  peer.reset();
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_transfer_that_a_signal_cuts_ends_with_a_reset) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("big")) << many_bytes(32000000);
  const RawListener listener;
  listener.limit_receive_buffer(small_buffer);
  Cat client({"--json", "--stats=10ms", "--linger", "1h", "file:" + folder.file("big"), listener.address()});
  const UniqueSocket peer = listener.accept();
  // Until both buffers of the pump wait.
  client.wait_for_error(R"("queued":131072)");
  client.kill(SIGTERM);
  BOOST_TEST(client.wait() == 130);
  std::string text;
  BOOST_TEST(read_all(peer, text) == -1);
  BOOST_TEST(errno == ECONNRESET);
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_at_once) {
  const RawListener listener;
  listener.limit_receive_buffer(small_buffer);
  Cat client({"-v", "--no-shutdown", "--linger", "1h", listener.address()});
  const UniqueSocket peer = listener.accept();
  client.write(held_back);
  client.close_input();
  client.error_line("tsock-cat: local side ended");
  client.kill(SIGTERM);
  client.error_line("tsock-cat: terminated");
  client.kill(SIGTERM);
  BOOST_TEST(client.wait() == 130);
}

BOOST_AUTO_TEST_CASE(what_was_written_before_max_time_arrives) {
  const RawListener listener;
  listener.limit_receive_buffer(small_buffer);
  Cat client({"--max-time", "500ms", "--linger", "1h", listener.address()});
  client.write("written");
  UniqueSocket peer = listener.accept();
  fill_up(peer);
  std::string text;
  const ssize_t end = read_all(peer, text);
  BOOST_TEST((text.empty() || (end == 0 && text == "written")));
  peer.reset();
  BOOST_TEST(client.wait() == 4);
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_take_everything_in_time_is_5_and_told) {
  const RawListener listener;
  listener.limit_receive_buffer(small_buffer);
  Cat client({"-q", "10ms", "--linger", "50ms", listener.address()});
  const UniqueSocket peer = listener.accept();
  client.write(held_back);
  client.close_input();
  BOOST_TEST(client.wait() == 5);
  BOOST_TEST(contains(client.error(), "has not taken everything in time"), client.error());
}

BOOST_AUTO_TEST_CASE(a_peer_that_never_stops_sending_is_5_and_told) {
  const RawListener listener;
  listener.limit_receive_buffer(small_buffer);
  Cat client({"-v", "-q", "10ms", "--linger", "1h", listener.address()});
  const UniqueSocket peer = listener.accept();
  client.write(held_back);
  client.close_input();
  client.error_line("tsock-cat: local side ended");
  const timeval patience{Cat::patience, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const std::string piece(1 << 20, 'x');
  while (::send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) continue;
  BOOST_TEST(client.wait() == 5);
  BOOST_TEST(contains(client.error(), "the peer goes on sending"), client.error());
}

// ---- what it inherits ------------------------------------------------------------------------------------

const std::vector<std::vector<int>> missing_descriptors{{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}};

BOOST_DATA_TEST_CASE(a_transfer_goes_well_without_standard_descriptors,
                     boost::unit_test::data::xrange(missing_descriptors.size()), index) {
  const std::vector<int>& missing = missing_descriptors[index];
  const auto is_missing = [&missing](int fd) { return std::count(missing.begin(), missing.end(), fd) != 0; };
  Cat server({"--announce", "-l", "127.0.0.1", "0"});
  Cat client({server.listening()}, {.closed = missing});
  client.write("from client");
  server.write("from server");
  client.close_input();
  server.close_input();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == (is_missing(0) ? "" : "from client"));
  BOOST_TEST(client.output() == (is_missing(1) ? "" : "from server"));
  BOOST_TEST(client.error() == "");
}

// With standard error: nothing else tells where it listens, and when.
BOOST_DATA_TEST_CASE(a_server_without_standard_input_or_output_serves, boost::unit_test::data::xrange(3U),
                     index) {
  const std::vector<std::vector<int>> missing{{0}, {1}, {0, 1}};
  Cat server({"--announce", "-l", "127.0.0.1", "0"}, {.closed = missing[index]});
  Cat client({server.listening()});
  client.write("from client");
  server.close_input();
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == (index == 0 ? "from client" : ""));
}

BOOST_DATA_TEST_CASE(a_unix_server_without_standard_descriptors_serves,
                     boost::unit_test::data::xrange(missing_descriptors.size()), index) {
  const std::vector<int>& missing = missing_descriptors[index];
  const TemporaryFolder folder;
  for (const bool is_hub : {false, true}) {
    std::vector<std::string> words{"--announce", "-lU", folder.file("s")};
    if (is_hub) words.insert(words.begin(), "-k");
    Cat server(words, {.closed = missing});
    Cat client({"--retry", "1000", "--retry-delay", "10ms", "-U", folder.file("s")});
    client.write("from client");
    server.close_input();
    BOOST_TEST(client.finish() == 0);
    if (is_hub) server.kill(SIGTERM);
    BOOST_TEST(server.wait() == (is_hub ? 130 : 0));
    BOOST_TEST(server.output() == (std::count(missing.begin(), missing.end(), 1) == 0 ? "from client" : ""));
  }
}

BOOST_DATA_TEST_CASE(an_error_has_its_exit_code_without_standard_descriptors,
                     boost::unit_test::data::xrange(missing_descriptors.size()), index) {
  const TemporaryFolder folder;
  Cat refused({"-U", folder.file("nobody")}, {.closed = missing_descriptors[index]});
  BOOST_TEST(refused.finish() == 2);
  Cat wrong({"--no-such-option"}, {.closed = missing_descriptors[index]});
  BOOST_TEST(wrong.finish() == 1);
}

BOOST_DATA_TEST_CASE(a_signal_that_was_ignored_at_the_start_stays_ignored,
                     boost::unit_test::data::make({SIGINT, SIGTERM}), signum) {
  Cat server({"--announce", "-l", "127.0.0.1", "0"}, {.ignored = {signum}});
  Cat client({server.listening()});
  client.write("before ");
  server.wait_for_output("before ");
  server.kill(signum);
  client.write("after");
  client.close_input();
  server.close_input();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "before after");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
