#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::UniqueSocket;

BOOST_AUTO_TEST_SUITE(tsock_cat_measure)

class EchoServer {
 public:
  explicit EchoServer(const std::string& address = "tcp-listen://127.0.0.1:0")
      : cat_({"-k", "--announce", address, "echo:"}), address_(cat_.listening()) {}
  const std::string& address() const { return address_; }

 private:
  Cat cat_;
  std::string address_;
};

// ---- --ping ----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(ping_shows_quantiles_and_a_histogram) {
  const EchoServer server;
  const CatOutcome outcome = run({"--ping", "20", server.address()});
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(outcome.output.starts_with("20 answers to 20 messages of 64 bytes\nmin "), outcome.output);
  for (const char* part : {", median ", ", p90 ", ", p99 ", ", max ", "\n<= ", "#"})
    BOOST_TEST(contains(outcome.output, part), outcome.output);
}

BOOST_AUTO_TEST_CASE(ping_in_json_has_the_same_in_order) {
  const EchoServer server;
  const CatOutcome outcome = run({"--ping", "20", "--json", "--ping-text", "hello", server.address()});
  BOOST_TEST(outcome.output == "");
  const auto ping = event_named(outcome.error, "ping");
  BOOST_TEST(ping.at("sent") == 20);
  BOOST_TEST(ping.at("received") == 20);
  BOOST_TEST(ping.at("message_size") == 5);
  double last = 0;
  for (const char* name : {"min", "median", "p90", "p99", "max"}) {
    BOOST_TEST(ping.at(name).get<double>() >= last);
    last = ping.at(name).get<double>();
  }
  int sum = 0;
  for (const auto& row : ping.at("histogram")) sum += row.at("count").get<int>();
  BOOST_TEST(sum == 20);
  const auto closed = event_named(outcome.error, "closed");
  BOOST_TEST(closed.at("sent") == 100);
  BOOST_TEST(closed.at("received") == 100);
}

BOOST_DATA_TEST_CASE(ping_knows_messages_and_datagrams, boost::unit_test::data::make({"pdu", "datagrams"}),
                     kind) {
  const bool has_pdu = std::string_view(kind) == "pdu";
  const EchoServer server(has_pdu ? "tcp-listen://127.0.0.1:0" : "udp-listen://127.0.0.1:0");
  std::vector<std::string> words{"--ping", "5", server.address()};
  if (has_pdu) words.insert(words.begin(), {"--pdu", "u32be"});
  const CatOutcome outcome = run(words);
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(
      contains(outcome.output, "5 answers to 5 messages of " + std::string(has_pdu ? "68" : "64") + " bytes"),
      outcome.output);
}

BOOST_AUTO_TEST_CASE(ping_of_a_peer_that_says_nothing_is_4) {
  Cat server({"--announce", "tcp-listen://127.0.0.1:0", "discard:"});
  const CatOutcome outcome = run({"--ping", "3", "-i", "50ms", server.listening()});
  BOOST_TEST(outcome.status == 4);
  BOOST_TEST(contains(outcome.error, "no answer in 50 ms (-i)"), outcome.error);
  BOOST_TEST(contains(outcome.output, "0 answers to 1 messages"), outcome.output);
}

BOOST_AUTO_TEST_CASE(ping_of_a_peer_that_is_no_echo_says_so) {
  Cat server({"--announce", "tcp-listen://127.0.0.1:0", "zero:"});
  const CatOutcome outcome = run({"--ping", "3", server.listening()});
  BOOST_TEST(outcome.status == 5);
  BOOST_TEST(contains(outcome.error, "the peer is no echo"), outcome.error);
}

// ---- --bench, --rate -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bench_sends_for_a_time_and_says_how_fast) {
  Cat server({"--announce", "--stats", "tcp-listen://127.0.0.1:0", "discard:"});
  const CatOutcome outcome = run({"--bench", "100ms", "--json", server.listening()});
  BOOST_TEST(outcome.status == 0, outcome.error);
  const auto bench = event_named(outcome.error, "bench");
  BOOST_TEST(bench.at("seconds").get<double>() == 0.1);
  BOOST_TEST(bench.at("sent").get<std::uint64_t>() > 0U);
  BOOST_TEST(bench.at("rate").get<double>() == bench.at("sent").get<double>() / 0.1,
             boost::test_tools::tolerance(0.01));
  BOOST_TEST(event_named(outcome.error, "closed").at("sent") >= bench.at("sent"));
}

BOOST_DATA_TEST_CASE(rate_holds_back_what_is_sent_and_what_is_received,
                     boost::unit_test::data::make({true, false}), sends) {
  const EchoServer server;
  const auto began = std::chrono::steady_clock::now();
  Cat sink({"--announce", "tcp-listen://127.0.0.1:0", "discard:"});
  const CatOutcome outcome =
      run({"--rate", "1k", sends ? sink.listening() : server.address()}, std::string(500, 'x'));
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST((std::chrono::steady_clock::now() - began > std::chrono::milliseconds(400)));
  if (!sends) BOOST_TEST(outcome.output == std::string(500, 'x'));
}

// ---- how much --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_question_with_one_answer_ends_at_once_with_it_and_without_a_note) {
  const EchoServer server("udp-listen://127.0.0.1:0");
  const CatOutcome outcome = run({"-W", "1", server.address()}, "question");
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.output == "question");
  BOOST_TEST(outcome.error == "");
}

BOOST_AUTO_TEST_CASE(with_W_it_ends_also_while_its_input_is_open) {
  const EchoServer server("udp-listen://127.0.0.1:0");
  Cat client({"-W", "2", "--pdu", "line", server.address()});
  client.write("one\ntwo\nthree\n");
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "one\ntwo\n");
}

BOOST_AUTO_TEST_CASE(W_counts_messages_of_a_stream) {
  const EchoServer server;
  Cat client({"-W", "2", "--pdu", "line", server.address()});
  client.write("one\ntwo\nthree\n");
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "one\ntwo\n");
}

BOOST_AUTO_TEST_CASE(the_note_about_half_close_does_not_come_where_q_says_when_to_end) {
  const EchoServer server("udp-listen://127.0.0.1:0");
  const CatOutcome outcome = run({"-q", "300ms", server.address()}, "x");
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(outcome.output == "x");
  BOOST_TEST(outcome.error == "");
}

BOOST_AUTO_TEST_CASE(read_exact_takes_so_many_bytes_and_no_more) {
  Cat server({"-k", "--announce", "tcp-listen://127.0.0.1:0", "zero:"});
  Cat client({"--read-exact", "100000", server.listening()});
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == std::string(100000, '\0'));
}

BOOST_AUTO_TEST_CASE(fewer_bytes_than_read_exact_are_5_and_counted) {
  const EchoServer server;
  const CatOutcome outcome = run({"--read-exact", "10", server.address()}, "hello");
  BOOST_TEST(outcome.status == 5);
  BOOST_TEST(outcome.output == "hello");
  BOOST_TEST(contains(outcome.error, "ended after 5 of 10 bytes"), outcome.error);
}

BOOST_AUTO_TEST_CASE(version_with_v_tells_the_parts) {
  const CatOutcome outcome = run({"--version", "-v"});
  BOOST_TEST(contains(outcome.output, "\nbuilt with: "), outcome.output);
  BOOST_TEST(outcome.status == 0);
  BOOST_TEST(contains(outcome.output, "\nparts: tcp udp unix"), outcome.output);
}

const std::vector<std::vector<std::string>> wrong_measures{
    {"--ping", "0", "a", "1"},
    {"--ping", "3", "-l", "1", "-k"},
    {"--ping-text", "x", "a", "1"},
    {"--ping", "3", "--bench", "1", "a", "1"},
    {"--bench", "0", "a", "1"},
    {"--bench", "1", "tcp://a:1", "echo:"},
    {"--rate", "fast", "a", "1"},
    {"--rate", "0", "a", "1"},
    {"--rate", "1", "-k", "-l", "1"},
    {"-W", "1", "a", "1"},
    {"--read-exact", "1", "-u", "a", "1"},
    {"--once", "-k", "-l", "1"},
    {"--once", "a", "1"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_measures.size()), index) {
  expect_wrong_command_line(wrong_measures[index]);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
