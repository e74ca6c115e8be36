#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/tsock_cat.hpp"

using namespace tsock::test::cat;

BOOST_AUTO_TEST_SUITE(tsock_cat_addresses)

BOOST_AUTO_TEST_CASE(echo_gives_back_every_byte_and_ends_after_the_client) {
  Cat server({"-k", "--announce", "tcp-listen://127.0.0.1:0", "echo:"});
  const std::string address = server.listening();
  const std::string bytes = many_bytes(std::size_t{3} << 20);
  const CatOutcome outcome = run({address}, bytes);
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST((outcome.output == bytes));
}

BOOST_AUTO_TEST_CASE(echo_gives_back_datagrams_one_by_one_also_empty_ones) {
  Cat server({"-k", "--announce", "udp-listen://127.0.0.1:0", "echo:"});
  Cat client({"--pdu", "line", "-q", "500ms", server.listening()});
  client.write("one\n\nthree\n");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(client.output() == "one\n\nthree\n");
}

BOOST_AUTO_TEST_CASE(discard_takes_everything_and_says_nothing) {
  Cat server({"--announce", "--stats", "tcp-listen://127.0.0.1:0", "discard:"});
  const CatOutcome outcome = run({server.listening()}, many_bytes(100000));
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(outcome.output == "");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(contains(server.error(), "in 100000 bytes"), server.error());
}

BOOST_AUTO_TEST_CASE(zero_gives_zeros_for_as_long_as_it_is_asked) {
  Cat server({"-k", "--announce", "tcp-listen://127.0.0.1:0", "zero:"});
  Cat client({"--recv-only", "--max-time", "200ms", server.listening()});
  BOOST_TEST(client.finish() == 4);
  BOOST_TEST(client.output().size() > 0U);
  BOOST_TEST(client.output().find_first_not_of('\0') == std::string::npos);
}

// What fingers type.
BOOST_AUTO_TEST_CASE(slashes_may_be_left_out) {
  Cat server({"--announce", "tcp-listen:127.0.0.1:0", "echo:"});
  BOOST_TEST(run({"tcp:127.0.0.1:" + port_of(server.listening())}, "hello").output == "hello");
}

BOOST_AUTO_TEST_CASE(l_takes_host_and_port_in_one_word) {
  Cat server({"-l", "--announce", "127.0.0.1:0"});
  const std::string address = server.listening();
  BOOST_TEST(address.starts_with("127.0.0.1:"), address);
  server.close_input();
  BOOST_TEST(run({address}, "hello").status == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "hello");
}

BOOST_AUTO_TEST_CASE(the_time_of_stats_may_be_a_word_of_its_own) {
  Cat server({"--announce", "tcp-listen:127.0.0.1:0", "echo:"});
  const CatOutcome outcome = run({"--stats", "1h", server.listening()}, "hello");
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(outcome.output == "hello");
  BOOST_TEST(contains(outcome.error, "out 5 bytes"), outcome.error);
}

// Options and addresses of other programs, and what the one line has to name.
const std::vector<std::pair<std::vector<std::string>, std::string>> foreign{
    {{"-e", "/bin/cat", "-l", "80"}, "exec:"},
    {{"-c", "cat", "-l", "80"}, "exec:/bin/sh -c"},
    {{"--sh-exec", "cat", "-l", "80"}, "exec:/bin/sh -c"},
    {{"-x", "proxy:80", "a", "80"}, "--proxy"},
    {{"-X", "5", "a", "80"}, "--proxy"},
    {{"-o", "file", "a", "80"}, "--dump"},
    {{"--ssl", "a", "443"}, "tls://"},
    {{"--ssl-verify", "a", "443"}, "--insecure"},
    {{"--broker", "-l", "80"}, "-k"},
    {{"-r", "file", "a", "80"}, "--dump"},
    {{"-d", "a", "80"}, "--recv-only"},
    {{"-m", "3", "-l", "80"}, "--max-conns"},
    {{"TCP4-LISTEN:80,fork,reuseaddr", "STDIO"}, "tsock-cat -4 -k tcp-listen://:80"},
    {{"TCP:host:80", "-"}, "tsock-cat tcp://host:80"},
    {{"tcp4-listen:80", "-"}, "tsock-cat -4 tcp-listen://:80"},
    {{"OPENSSL:host:443,verify=0", "-"}, "tsock-cat --insecure tls://host:443"},
    {{"UNIX-LISTEN:/x,mode=0600,fork", "-"}, "tsock-cat --mode 0600 -k unix-listen:/x"},
    {{"PTY,link=/x", "-"}, "no terminals"},
    {{"tcp4:host:80", "-"}, "tsock-cat -4 tcp://host:80"},
    {{"udp6:[::1]:80"}, "tsock-cat -6 udp://[::1]:80"},
    {{"ssl://host:443"}, "tsock-cat tls://host:443"},
    {{"tcp6-listen://[::1]:80"}, "tsock-cat -6 tcp-listen://[::1]:80"},
    {{"EXEC:cat -n", "TCP:host:80"}, "tsock-cat 'exec:cat -n'"},
    {{"SYSTEM:echo \"a\" | cat"}, R"(tsock-cat 'exec:/bin/sh -c "echo \"a\" | cat"')"},
    {{"-c", "cat", "-l", "80"}, R"('exec:/bin/sh -c "COMMAND"')"},
};

BOOST_DATA_TEST_CASE(what_other_programs_call_otherwise_gets_one_line_with_ours,
                     boost::unit_test::data::xrange(foreign.size()), index) {
  const auto& [words, ours] = foreign[index];
  const CatOutcome outcome = run(words);
  BOOST_TEST(outcome.status == 1);
  const std::string line = outcome.error.substr(0, outcome.error.find('\n'));
  BOOST_TEST(contains(line, ours), outcome.error);
  BOOST_TEST(!contains(line, "The following argument"), outcome.error);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
