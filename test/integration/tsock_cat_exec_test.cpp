// tsock-cat with exec:, a program for each connection, with other programs as peers.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;
using tsock::test::has_program;
using tsock::test::Process;
using tsock::test::TemporaryFolder;

BOOST_AUTO_TEST_SUITE(tsock_cat_exec)

BOOST_AUTO_TEST_CASE(a_program_answers_and_ends_with_its_input) {
  Cat server({"-v", "--announce", "-l", "127.0.0.1", "0", "exec:cat"});
  const CatOutcome client = run({server.listening()}, "there and back");
  BOOST_TEST(client.status == 0);
  BOOST_TEST(client.output == "there and back");
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(contains(server.error(), "exec:cat ended with status 0"), server.error());
}

BOOST_AUTO_TEST_CASE(much_goes_through_a_program) {
  const std::string bytes = many_bytes(std::size_t{3} << 20);
  Cat server({"--announce", "-l", "127.0.0.1", "0", "exec:cat"});
  const CatOutcome client = run({server.listening()}, bytes);
  BOOST_TEST(client.status == 0);
  BOOST_TEST((client.output == bytes));
  BOOST_TEST(server.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_program_that_ends_first_ends_the_connection) {
  Cat server({"-v", "--announce", "-l", "127.0.0.1", "0", "exec:sh -c 'echo $((6 * 7)); exit 3'"});
  Cat client({server.listening()});
  client.wait_for_end_of_output();
  BOOST_TEST(client.output() == "42\n");
  // The client has not ended its side yet.
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(contains(server.error(), "ended with status 3"), server.error());
  BOOST_TEST(client.finish() == 0);
}

BOOST_AUTO_TEST_CASE(each_client_has_a_program_of_its_own) {
  Cat server({"-k", "--announce", "-l", "127.0.0.1", "0", "exec:sh -c 'read word; echo $word from $$'"});
  const std::string address = server.listening();
  const CatOutcome first = run({address}, "one\n");
  const CatOutcome second = run({address}, "two\n");
  BOOST_TEST(contains(first.output, "one from "));
  BOOST_TEST(contains(second.output, "two from "));
  BOOST_TEST(first.output.substr(3) != second.output.substr(3));
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_program_that_cannot_be_started_is_7_and_named) {
  Cat server({"--announce", "-l", "127.0.0.1", "0", "exec:/no/such/program"});
  const CatOutcome client = run({server.listening()});
  BOOST_TEST(server.wait() == 7);
  BOOST_TEST(contains(server.error(), "start /no/such/program"), server.error());
  Cat other({"-k", "--announce", "-l", "127.0.0.1", "0", "exec:/no/such/program"});
  const std::string address = other.listening();
  for (int i = 0; i < 2; ++i) run({address});
  other.wait_for_error("start /no/such/program");
  other.kill(SIGTERM);
  BOOST_TEST(other.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_signal_that_ends_a_program_is_told_as_json) {
  Cat server({"-v", "--json", "--announce", "-l", "127.0.0.1", "0", "exec:sh -c 'kill -9 $$'"});
  server.wait_for_error("\"listening\"");
  const std::string address = event_named(server.error(), "listening").at("address");
  run({address});
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(event_named(server.error(), "exited").at("signal") == 9);
}

BOOST_AUTO_TEST_CASE(words_are_quoted_as_for_a_shell) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"(exec:printf %s| a 'b c' "d e" f\ g)", "a|b c|d e|f g|"},
      {R"(exec:printf %s| 'a"\b' "c'\d\"\\" '' \' $HOME *)", R"(a"\b|c'\d"\||'|$HOME|*|)"},
      {R"(exec:printf %s| pre'fi'x"ed")", "prefixed|"}};
  for (const auto& [address, expected] : cases) {
    Cat server({"--announce", "-l", "127.0.0.1", "0", address});
    BOOST_TEST(run({server.listening()}).output == expected);
    BOOST_TEST(server.wait() == 0);
  }
  for (const char* wrong : {"exec:", "exec:   ", "exec:'a", "exec:\"a", "exec:a\\", "exec:'' a"})
    expect_wrong_command_line({wrong, "tcp://127.0.0.1:1"});
}

BOOST_AUTO_TEST_CASE(other_programs_talk_to_a_program) {
  for (const std::string program : {"socat", "ncat", "nc.openbsd"}) {
    if (!has_program(program)) {
      BOOST_TEST_MESSAGE("skipped: there is no " << program);
      continue;
    }
    Cat server({"--announce", "-l", "127.0.0.1", "0", "exec:tr a-z A-Z"});
    const std::string port = port_of(server.listening());
    std::vector<std::string> words{program, "127.0.0.1", port};
    if (program == "socat") words = {"socat", "-t10", "-", "TCP:127.0.0.1:" + port};
    if (program == "nc.openbsd") words = {program, "-N", "127.0.0.1", port};
    Process client(words);
    client.write("shout\n");
    client.finish();
    BOOST_TEST(client.output() == "SHOUT\n");
    BOOST_TEST(server.wait() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_program_talks_to_a_server) {
  Cat server({"-l", "127.0.0.1", "0", "--announce"});
  Cat client({"exec:sh -c 'echo hello; read word; echo got $word'", "tcp://" + server.listening()});
  server.wait_for_output("hello\n");
  server.write("it\n");
  server.wait_for_output("got it\n");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
