// What tsock-cat writes beside the payload, and its messages.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
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

BOOST_AUTO_TEST_SUITE(tsock_cat_report)

// ---- transcript and report -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(hex_shows_both_directions_on_standard_error_only) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--hex", server.listening()});
  client.write("0123456789abcdef!\n");
  server.wait_for_output("!\n");
  server.write("ok");
  client.wait_for_output("ok");
  client.close_input();
  BOOST_TEST(finish_all(server, client) == 0);
  BOOST_TEST(client.output() == "ok");
  BOOST_TEST(client.error() ==
             "> 00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
             "> 00000010  21 0a                                             |!.|\n"
             "< 00000000  6f 6b                                             |ok|\n");
}

BOOST_AUTO_TEST_CASE(dump_writes_the_transcript_to_a_file) {
  const TemporaryFolder folder;
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--text", "--dump", folder.file("log"), server.listening()});
  client.write("a\tb\n\x01");
  BOOST_TEST(finish_all(client, server) == 0);
  BOOST_TEST(client.error() == "");
  BOOST_TEST(content_of(folder.file("log")) == "> a\\tb\\n\n> \\x01\n");
}

BOOST_AUTO_TEST_CASE(the_time_line_has_the_first_byte_and_the_end_of_each_side) {
  Cat server({"--announce", "-v", "tcp-listen://127.0.0.1:0"});
  Cat client({"-v", server.listening()});
  client.write("question");
  server.wait_for_output("question");
  server.write("answer");
  client.wait_for_output("answer");
  BOOST_TEST(finish_all(client, server) == 0);
  for (const Cat* cat : {&client, &server}) {
    for (const std::string side : {"local", "remote"}) {
      const auto first = cat->error().find("tsock-cat: first byte from the " + side + " side, after ");
      const auto end = cat->error().find("tsock-cat: " + side + " side ended, after ");
      BOOST_TEST(first < end, cat->error());
      BOOST_TEST(end != std::string::npos, cat->error());
    }
  }
  // Nothing came: no first byte.
  Cat silent({"--announce", "--json", "tcp-listen://127.0.0.1:0"});
  silent.wait_for_error("\n");
  silent.close_input();
  BOOST_TEST(run({event_named(silent.error(), "listening").at("address")}, "x").status == 0);
  BOOST_TEST(silent.wait() == 0);
  std::vector<std::string> sides;
  for (const auto& event : events_of(silent.error())) {
    if (event.at("event") == "first_byte" && event.at("seconds") >= 0.0) sides.push_back(event.at("side"));
  }
  BOOST_TEST(sides == std::vector<std::string>{"remote"}, boost::test_tools::per_element());
}

// Of two sockets the system may move the bytes: nobody here has seen them.
BOOST_DATA_TEST_CASE(a_relay_of_much_counts_and_keeps_every_byte,
                     boost::unit_test::data::make({"--stats", "-v", "--hex"}), option) {
  const std::size_t size = std::size_t{std::string(option) == "--hex" ? 1U : 20U} << 20;
  const std::string there = many_bytes(size);
  const std::string back = many_bytes(size + 1);
  Cat server({"--announce", "tcp-listen://127.0.0.1:0"});
  std::vector<std::string> words{"--announce", option, "tcp-listen://127.0.0.1:0", server.listening()};
  if (words[1] == "--hex") words.insert(words.begin(), {"--dump", "/dev/null"});
  Cat relay(words);
  Cat client({relay.listening()});
  client.write(there);
  server.write(back);
  BOOST_TEST(finish_all(client, server) == 0);
  BOOST_TEST(relay.wait() == 0);
  BOOST_TEST((server.output() == there));
  BOOST_TEST((client.output() == back));
  const std::string in = std::to_string(there.size());
  const std::string out = std::to_string(back.size());
  if (words[0] == "--announce") {
    BOOST_TEST(contains(relay.error(), in + " bytes"), relay.error());
    BOOST_TEST(contains(relay.error(), out + " bytes"), relay.error());
  }
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_reached_is_reported_with_its_addresses) {
  std::string port;
  {
    const RawListener listener;
    port = port_of(listener.address());
  }
  const CatOutcome outcome = run({"-4", "tcp://localhost:" + port});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(contains(outcome.error,
                      "connect to tcp://localhost:" + port + " at 127.0.0.1:" + port + ": ECONNREFUSED"),
             outcome.error);
  const auto error = event_named(run({"--json", "-4", "tcp://localhost:" + port}).error, "error");
  BOOST_TEST(error.at("address") == "127.0.0.1:" + port);
  // Of an address that the user has written it would be said twice.
  BOOST_TEST(!contains(run({"tcp://127.0.0.1:" + port}).error, " at "));
}

BOOST_AUTO_TEST_CASE(timestamps_precede_the_lines) {
  const CatOutcome outcome = run({"--timestamps", "unix:///nonexistent/socket"});
  BOOST_TEST(outcome.error.substr(0, 2) == "20");
  BOOST_TEST(outcome.error.find(" tsock-cat: connect") == std::string("2026-01-01 00:00:00.000").size());
}

BOOST_AUTO_TEST_CASE(json_tells_the_life_of_a_connection_in_order) {
  Cat server({"--json", "--stats", "--hex", "-l", "127.0.0.1", "0"});
  server.error_line("");  // listening, announced or not
  const std::string address = events_of(server.error()).front().at("address");
  server.close_input();
  BOOST_TEST(run({address}, "12345").status == 0);
  BOOST_TEST(server.wait() == 0);

  std::vector<std::string> names;
  for (const auto& event : events_of(server.error())) {
    BOOST_TEST(event.at("schema") == 1);
    BOOST_TEST(event.at("time").get<std::string>().ends_with("Z"));
    names.push_back(event.at("event"));
  }
  BOOST_TEST_REQUIRE(names.size() >= 8U);
  BOOST_TEST(names[0] == "listening");
  BOOST_TEST(names[1] == "connected");
  BOOST_TEST(std::count(names.begin(), names.end(), "eof") == 2);
  BOOST_TEST(std::count(names.begin(), names.end(), "shutdown") >= 1);
  BOOST_TEST(names[names.size() - 2] == "closed");
  BOOST_TEST(names.back() == "stats");
  BOOST_TEST(event_named(server.error(), "data").at("hex") == "3132333435");
  BOOST_TEST(event_named(server.error(), "connected").at("how") == "accept");
  const auto statistics = event_named(server.error(), "stats");
  BOOST_TEST(statistics.at("received") == 5);
  BOOST_TEST(statistics.at("final") == true);
}

BOOST_AUTO_TEST_CASE(json_also_tells_a_wrong_command_line) {
  const CatOutcome outcome = run({"--json", "--nonsense"});
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(event_named(outcome.error, "error").at("code") == 1);
}

BOOST_AUTO_TEST_CASE(stats_count_what_went_through_also_while_it_runs) {
  Cat server({"-l", "127.0.0.1", "0", "--announce", "--stats=20ms"});
  Cat client({server.listening()});
  client.write("12345");
  client.close_input();
  while (!server.error_line("out ").starts_with("0 bytes, 0 B/s; in 5 bytes")) {
  }
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_shows_requests_and_counters) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({server.listening()});
  client.write("12345");
  server.wait_for_output("12345");
  server.kill(SIGUSR1);
  server.error_line("loop: ");
  BOOST_TEST(server.error_line("bytes: ").starts_with("0 out, 5 in"));
  BOOST_TEST(contains(server.error(), "pump"), server.error());
  server.kill(SIGUSR1);  // and again
  server.error_line("bytes: ");
  BOOST_TEST(finish_all(client, server) == 0);
}

BOOST_AUTO_TEST_CASE(trace_names_requests) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"--trace", server.listening()});
  BOOST_TEST(finish_all(client, server) == 0);
  BOOST_TEST(contains(client.error(), " connect"), client.error());
  BOOST_TEST(contains(client.error(), " delivered"), client.error());
}

// ---- messages --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(pdu_frames_lines_and_prints_messages) {
  Cat server({"--pdu", "u16be", "-l", "127.0.0.1", "0", "--announce"});
  Cat client({server.listening()});
  server.write("hello\n\nlast without end");
  client.write(std::string("\0\3abc\0\0", 7));
  server.wait_for_output("0\n");
  client.close_input();
  BOOST_TEST(finish_all(server, client) == 0);
  BOOST_TEST(server.output() == "3 616263\n0\n");
  BOOST_TEST((client.output() == std::string("\0\5hello\0\0\0\20last without end", 27)));
}

BOOST_AUTO_TEST_CASE(pdu_lines_are_printed_as_text) {
  Cat server({"--pdu", "crlf", "-l", "127.0.0.1", "0", "--announce"});
  Cat client({server.listening()});
  server.write("EHLO\n");
  client.write("220 hi\r\n");
  client.close_input();
  BOOST_TEST(finish_all(server, client) == 0);
  BOOST_TEST(server.output() == "220 hi\n");
  BOOST_TEST(client.output() == "EHLO\r\n");
}

BOOST_AUTO_TEST_CASE(a_cut_message_and_one_that_is_too_long_are_told) {
  Cat server({"--pdu", "u32be", "-l", "127.0.0.1", "0", "--announce"});
  // The sender hears of the reset, or has left before it.
  run({"--send-only", server.listening()}, std::string_view("\0\0\0\5ab", 6));
  BOOST_TEST(server.wait() == 5);
  BOOST_TEST(contains(server.error(), "ended inside a message, after 6 bytes"), server.error());

  Cat strict({"--pdu", "u32be", "--max-pdu", "3", "-l", "127.0.0.1", "0", "--announce"});
  Cat client({strict.listening()});
  client.write(std::string_view("\0\0\0\4abcd", 8));
  BOOST_TEST(strict.wait() == 5);
  BOOST_TEST(contains(strict.error(), "EMSGSIZE"), strict.error());
}

BOOST_AUTO_TEST_SUITE_END()

#endif
