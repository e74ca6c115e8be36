// npa:// and npa-listen:// of tsock-cat: with each other, and with peers that do not keep to NPA.
#if defined(TSOCK_WITH_TSOCK_CAT) && defined(TSOCK_WITH_NPA)

#include <sys/stat.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "support/npa_fixture.hpp"
#include "support/system.hpp"
#include "support/tsock_cat.hpp"
#include "support/words.hpp"

using namespace tsock::test::cat;
using tsock::test::finish_all;
using tsock::test::npa_request;
using tsock::test::TemporaryFolder;
using tsock::test::text_of;

namespace {

using tsock::test::Words;
using tsock::test::operator+;

// A folder for pipes, and the ADDRESSes of one of them.
struct Pipe {
  TemporaryFolder folder;
  std::string directory = folder.file(".").substr(0, folder.file(".").size() - 2);

  [[nodiscard]] std::string connects(const std::string& name = "OurPipe") const {
    return "npa://" + directory + "?pipe=" + name;
  }
  [[nodiscard]] std::string listens(const std::string& name = "OurPipe") const {
    return "npa-listen://" + directory + "?pipe=" + name;
  }
  [[nodiscard]] std::string socket() const { return directory + "/np/ourpipe"; }
  // What a client that knows nothing of NPA connects to.
  [[nodiscard]] std::string raw() const { return "unix://" + socket(); }
  // A socket there that does what no program can be told to do.
  [[nodiscard]] RawListener raw_listener() const {
    BOOST_TEST_REQUIRE(::mkdir((directory + "/np").c_str(), 0700) == 0);
    int err = 0;
    return RawListener(tsock::Address::unix_from_path(socket(), err));
  }
};

// There is no half-close: the client ends when its peer is quiet for this time.
const Words quick{"-q", "50ms"};

}  // namespace

// Servers ask who a client is, which POSIX has no call for.
BOOST_AUTO_TEST_SUITE(tsock_cat_npa, *boost::unit_test::precondition(tsock::test::more_than_posix))

// ---- bytes -----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_it_announces_is_an_address_to_connect_to) {
  const Pipe pipe;
  Cat server({"--announce", pipe.listens()});
  BOOST_TEST(server.listening() == pipe.connects());
  server.close_input();
  BOOST_TEST(run(quick + Words{pipe.connects()}, "through the pipe").status == 0);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "through the pipe");
}

const std::vector<std::string> modes{"message", "byte"};

BOOST_DATA_TEST_CASE(many_bytes_go_both_ways, boost::unit_test::data::make(modes), mode) {
  const Pipe pipe;
  const std::string there = many_bytes(3 << 20);
  const std::string back = many_bytes((3 << 20) + 1);
  Cat server({"--announce", "--npa-mode", mode, pipe.listens()});
  Cat client({server.listening()});
  client.write(there);
  server.write(back);
  client.wait_until([&] { return client.output().size() == back.size(); }, "all that was sent back");
  server.wait_until([&] { return server.output().size() == there.size(); }, "all that was sent");
  BOOST_TEST((server.output() == there));
  BOOST_TEST((client.output() == back));
  BOOST_TEST(finish_all(client, server) == 0);
}

BOOST_AUTO_TEST_CASE(what_grows_on_the_way_still_fits_into_messages) {
  const Pipe pipe;
  const TemporaryFolder folder;
  const std::string lines = folder.write("lines", std::string(200000, '\n'));
  Cat server({"--announce", pipe.listens()});
  const CatOutcome client = run(quick + Words{"-C", "file:" + lines, server.listening()});
  BOOST_TEST(client.status == 0, client.error);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output().size() == 400000U);
}

BOOST_AUTO_TEST_CASE(each_line_with_pdu_is_a_message_and_comes_as_a_line) {
  const Pipe pipe;
  Cat server({"--announce", "--pdu", "line", pipe.listens()});
  Cat client({"--pdu", "line", server.listening()});
  client.write("one\ntwo\n");
  server.wait_for_output("one\ntwo\n");
  BOOST_TEST(finish_all(client, server) == 0);
}

BOOST_AUTO_TEST_CASE(a_line_that_is_too_long_for_a_message_is_5) {
  const Pipe pipe;
  Cat server({"--announce", pipe.listens()});
  const CatOutcome client = run({"--pdu", "line", server.listening()}, std::string(70000, 'x') + "\n");
  BOOST_TEST(client.status == 5);
  BOOST_TEST(contains(client.error, "EMSGSIZE"), client.error);
  server.finish();
}

BOOST_AUTO_TEST_CASE(many_clients_get_what_is_sent_in_messages) {
  const Pipe pipe;
  const std::string text = many_bytes(300000);
  Cat server({"-k", "--announce", pipe.listens()});
  const std::string address = server.listening();
  Cat first({address});
  Cat second({address});
  first.write("first ");
  server.wait_for_output("first ");
  second.write("second");
  server.wait_for_output("second");
  server.write(text);
  for (Cat* client : {&first, &second})
    client->wait_until([client, &text] { return client->output() == text; }, "what all of them get");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
  first.kill(SIGKILL);
  second.kill(SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_relay_carries_tcp_over_a_pipe) {
  const Pipe pipe;
  const std::string there = many_bytes(1 << 20);
  Cat target({"-l", "127.0.0.1", "0", "--announce"});
  const std::string address = target.listening();
  Cat unwrap({"--announce", pipe.listens(), "tcp://" + address});
  Cat wrap(quick + Words{"--announce", "tcp-listen://127.0.0.1:0", unwrap.listening()});
  Cat client({wrap.listening()});
  client.write(there);
  target.close_input();
  client.close_input();
  target.wait_until([&] { return target.output().size() == there.size(); }, "all that was sent");
  BOOST_TEST((target.output() == there));
  BOOST_TEST(finish_all(client, target) == 0);
  BOOST_TEST(wrap.wait() == 0);
  BOOST_TEST(unwrap.wait() == 0);
}

// ---- what is told ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_report_shows_level_mode_and_who_the_client_is) {
  const Pipe pipe;
  Cat server({"-v", "--announce", pipe.listens()});
  const std::string address = server.listening();
  server.close_input();
  const CatOutcome client = run(quick + Words{"-v", address});
  BOOST_TEST(client.status == 0);
  BOOST_TEST(contains(client.error, "tsock-cat: NPA level 8, message mode\n"), client.error);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(contains(server.error(), "tsock-cat: NPA level 8, message mode, client "), server.error());
  BOOST_TEST(contains(server.error(), "ANONYMOUS"), server.error());
  BOOST_TEST(contains(server.error(), "S-1-5-7"), server.error());
}

BOOST_AUTO_TEST_CASE(the_report_in_json_has_the_same) {
  const Pipe pipe;
  Cat server({"-k", "--json", "--npa-level", "7", "--npa-mode", "byte", pipe.listens()});
  server.wait_for_error("\n");
  const std::string address = event_named(server.error(), "listening").at("address");
  server.close_input();
  BOOST_TEST(run({address}).status == 0);  // level 8 is tried first
  server.wait_for_error("\"closed\"");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
  const auto event = event_named(server.error(), "npa");
  BOOST_TEST(event.at("connection") == 1U);
  BOOST_TEST(event.at("level") == 7);
  BOOST_TEST(event.at("mode") == "byte");
  BOOST_TEST(contains(event.at("client"), "S-1-5-7"));
}

BOOST_AUTO_TEST_CASE(a_user_is_told_to_the_server) {
  const Pipe pipe;
  Cat server({"-k", "-v", "--announce", pipe.listens()});
  const std::string address = server.listening();
  server.close_input();
  const Words alice{"--npa-user", "alice", "--npa-domain", "EXAMPLE", "--npa-sid",    "S-1-5-21-1-2-3-1000",
                    "--npa-uid",  "1234",  "--npa-gid",    "100",     "--npa-groups", "27,44"};
  BOOST_TEST(run(quick + alice + Words{address}).status == 0);
  server.wait_for_error("client EXAMPLE\\alice S-1-5-21-1-2-3-1000 uid 1234");
  BOOST_TEST(run(quick + Words{"--npa-user", "bob", "--npa-uid", "1235", address}).status == 0);
  server.wait_for_error("client \\bob S-1-22-1-1235 uid 1235");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_server_of_level_7_waits_for_a_client_that_tries_8_first) {
  const Pipe pipe;
  Cat server({"--announce", "--npa-level", "7", pipe.listens()});
  const std::string address = server.listening();
  server.close_input();
  BOOST_TEST(run(quick + Words{address}, "the second time").status == 0);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "the second time");
  BOOST_TEST(contains(server.error(), "NPA handshake with a client of "), server.error());
}

// ---- failures --------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_pipe_that_is_missing_is_2_and_named) {
  const Pipe pipe;
  const CatOutcome outcome = run({pipe.connects()});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(contains(outcome.error, "connect to " + pipe.connects() + ": ENOENT"), outcome.error);
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_serves_is_2_and_tried_again) {
  const Pipe pipe;
  { const RawListener gone = pipe.raw_listener(); }
  const CatOutcome outcome = run({"-v", "--retry", "1", "--retry-delay", "1ms", pipe.connects()});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(contains(outcome.error, "ECONNREFUSED"), outcome.error);
  BOOST_TEST(contains(outcome.error, "; try 1 of 1"), outcome.error);
}

BOOST_AUTO_TEST_CASE(another_level_is_6_with_the_reason_on_both_sides_and_not_tried_again) {
  const Pipe pipe;
  Cat server({"--announce", "--npa-level", "8", pipe.listens()});
  const CatOutcome client = run({"-v", "--retry", "3", "--npa-level", "7", server.listening()});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "NPA handshake with " + pipe.connects() + ": "), client.error);
  BOOST_TEST(contains(client.error, "level"), client.error);
  BOOST_TEST(!contains(client.error, "try 1"), client.error);
  BOOST_TEST(server.wait() == 6);
  BOOST_TEST(contains(server.error(), "NPA handshake with a client of " + pipe.listens() + ": "),
             server.error());
  BOOST_TEST(contains(server.error(), "level"), server.error());
}

BOOST_AUTO_TEST_CASE(a_server_of_many_goes_on_after_a_client_that_is_refused) {
  const Pipe pipe;
  Cat server({"-k", "--recv-only", "--announce", pipe.listens()});
  const std::string address = server.listening();
  BOOST_TEST(run({pipe.raw()}, "GET / HTTP/1.0\r\n\r\n").status != 1);
  server.error_line("tsock-cat: NPA handshake with a client of ");
  BOOST_TEST(run(quick + Words{address}, "and now one who speaks it").status == 0);
  server.wait_for_output("and now one who speaks it");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_server_that_closes_without_an_answer_is_6_with_what_that_means) {
  const Pipe pipe;
  const RawListener listener = pipe.raw_listener();
  Cat client({"--npa-level", "8", pipe.connects()});
  listener.accept().reset();
  BOOST_TEST(client.wait() == 6);
  BOOST_TEST(contains(client.error(), "NPA handshake with "), client.error());
}

BOOST_AUTO_TEST_CASE(a_peer_that_says_nothing_is_4_and_named) {
  const Pipe pipe;
  {
    const RawListener silent = pipe.raw_listener();
    const CatOutcome client = run({"--json", "--handshake-timeout", "50ms", pipe.connects()});
    BOOST_TEST(client.status == 4);
    BOOST_TEST(event_named(client.error, "error").at("limit") == "handshake");
  }
  Cat server({"--announce", "--handshake-timeout", "50ms", pipe.listens()});
  server.listening();
  Cat silent({pipe.raw()});
  BOOST_TEST(server.wait() == 4);
  BOOST_TEST(contains(server.error(), "handshake timeout"), server.error());
}

BOOST_AUTO_TEST_CASE(a_client_that_is_killed_is_an_end_between_messages) {
  const Pipe pipe;
  Cat server({"--announce", pipe.listens()});
  Cat client({server.listening()});
  server.close_input();
  client.write("a message");
  server.wait_for_output("a message");
  client.kill(SIGKILL);
  BOOST_TEST(server.finish() == 0);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_cut_is_6_and_what_came_before_it_is_written) {
  const Pipe pipe;
  Cat server({"--announce", pipe.listens()});
  server.listening();
  server.close_input();
  Cat client({pipe.raw()});
  client.write(text_of(npa_request()));
  client.write(std::string_view("\5\0first\12\0part", 13));
  client.close_input();
  BOOST_TEST(server.wait() == 6);
  BOOST_TEST(server.output() == "first");
  BOOST_TEST(contains(server.error(), "read from " + pipe.listens() + ": "), server.error());
}

BOOST_AUTO_TEST_CASE(a_directory_that_others_may_write_to_is_3_with_the_reason) {
  const Pipe pipe;
  BOOST_TEST_REQUIRE(::chmod(pipe.directory.c_str(), 0777) == 0);
  const CatOutcome outcome = run({pipe.listens()});
  BOOST_TEST(outcome.status == 3);
  BOOST_TEST(contains(outcome.error, "listen on " + pipe.listens() + ": "), outcome.error);
}

// ---- wrong command lines ---------------------------------------------------------------------------------

const std::vector<Words> wrong_npa_command_lines{
    {"npa:///tmp"},
    {"npa:///tmp?pipe="},
    {"npa://?pipe=x"},
    {"npa:///tmp?pipe=a/b"},
    {"npa-listen:///tmp?pipe=.."},
    {"npa:///" + std::string(120, 'x') + "?pipe=x"},
    {"--npa-mode", "byte", "unix:///tmp/x"},
    {"--npa-mode", "bit", "npa-listen:///tmp?pipe=x"},
    {"--npa-level", "6", "npa:///tmp?pipe=x"},
    {"--npa-user", "alice", "npa-listen:///tmp?pipe=x"},
    {"--npa-sid", "S-1-5-7", "npa:///tmp?pipe=x"},
    {"--npa-user", "alice", "--npa-sid", "S-1", "npa:///tmp?pipe=x"},
    {"--npa-user", "alice", "--npa-uid", "-1", "npa:///tmp?pipe=x"},
    {"--npa-user", "alice", "--npa-groups", "1,x", "npa:///tmp?pipe=x"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_npa_command_lines.size()), index) {
  expect_wrong_command_line(wrong_npa_command_lines[index]);
}

BOOST_AUTO_TEST_SUITE_END()

#elif defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>

#include "support/tsock_cat.hpp"

BOOST_AUTO_TEST_SUITE(tsock_cat_without_npa)

BOOST_AUTO_TEST_CASE(a_build_without_npa_says_so) {
  for (const char* address : {"npa:///tmp?pipe=x", "npa-listen:///tmp?pipe=x"}) {
    const auto outcome = tsock::test::cat::run({address});
    BOOST_TEST(outcome.status == 1);
    BOOST_TEST(tsock::test::cat::contains(outcome.error, "was built without NPA"), outcome.error);
  }
}

BOOST_AUTO_TEST_SUITE_END()

#endif
