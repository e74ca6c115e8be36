// The parts of tsock-cat that need no process.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <netdb.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/system.hpp"
#include "tsock-cat/changes.hpp"
#include "tsock-cat/duration.hpp"
#include "tsock-cat/endpoint.hpp"
#include "tsock-cat/hexdump.hpp"
#include "tsock-cat/options.hpp"

namespace {

using namespace tsock_cat;
using namespace std::chrono_literals;
using Kind = Endpoint::Kind;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Endpoint endpoint(std::string_view text) {
  std::string error;
  const auto parsed = parse_endpoint(text, error);
  BOOST_TEST_REQUIRE(parsed.has_value(), text << ": " << error);
  return *parsed;
}

ParsedCommandLine parse(std::vector<const char*> words) {
  words.insert(words.begin(), "tsock-cat");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

Options options(const std::vector<const char*>& words) {
  const ParsedCommandLine parsed = parse(words);
  BOOST_TEST_REQUIRE(parsed.run, parsed.text);
  return parsed.options;
}

Endpoint remote_of(const NetcatStyle& style, std::initializer_list<std::string> words) {
  std::string error;
  const auto endpoints = parse_endpoints(std::vector<std::string>(words), style, error);
  BOOST_TEST_REQUIRE(endpoints.size() == 2U, error);
  return endpoints[1];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_parts)

BOOST_AUTO_TEST_CASE(durations_have_units_and_are_seconds_without) {
  BOOST_TEST((parse_duration("5") == Duration(5s)));
  BOOST_TEST((parse_duration("0") == Duration(0s)));
  BOOST_TEST((parse_duration("250ms") == Duration(250ms)));
  BOOST_TEST((parse_duration("1.5s") == Duration(1500ms)));
  BOOST_TEST((parse_duration("2m") == Duration(120s)));
  BOOST_TEST((parse_duration("1h") == Duration(1h)));
  for (const char* text :
       {"", "s", "-1", "+1", " 1", "1 s", "1d", "1e3", ".5", "5.", "1.2.3", "nan", "999999h"}) {
    BOOST_TEST(!parse_duration(text).has_value(), text);
  }
}

BOOST_AUTO_TEST_CASE(durations_are_printed_in_the_largest_unit) {
  BOOST_TEST(format_duration(250ms) == "250 ms");
  BOOST_TEST(format_duration(1500ms) == "1.5 s");
  BOOST_TEST(format_duration(120s) == "2 m");
  BOOST_TEST(format_duration(1h) == "1 h");
  BOOST_TEST(format_duration(0s) == "0 ms");
}

BOOST_AUTO_TEST_CASE(endpoints_of_datagrams_are_told_from_those_of_streams,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  for (const auto& [text, kind] : {std::pair("udp://a:1", Kind::udp),
                                   {"udp-listen://:0", Kind::udp_listen},
                                   {"unix-dgram:///p", Kind::unix_datagram},
                                   {"unix-dgram:/p", Kind::unix_datagram},
                                   {"unix-dgram-listen:///p", Kind::unix_datagram_listen},
                                   {"unix-abstract-dgram://p", Kind::unix_datagram},
                                   {"unix-abstract-dgram-listen:p", Kind::unix_datagram_listen}}) {
    const Endpoint read = endpoint(text);
    BOOST_TEST((read.kind == kind), text);
    BOOST_TEST(read.is_datagram(), text);
    BOOST_TEST(read.is_network(), text);
    BOOST_TEST(read.is_listener() == (std::string_view(text).find("-listen") != std::string_view::npos));
    BOOST_TEST(read.is_unix() == std::string_view(text).starts_with("unix"));
  }
  BOOST_TEST(!endpoint("tcp://a:1").is_datagram());
  BOOST_TEST(!endpoint("unix:/p").is_datagram());
  BOOST_TEST(endpoint("unix-abstract-dgram:p").unix_address.is_abstract());
}

BOOST_AUTO_TEST_CASE(endpoints_of_every_kind_are_read,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  BOOST_TEST(endpoint("tcp://example.org:80").host == "example.org");
  BOOST_TEST(endpoint("tcp://example.org:80").port == 80);
  BOOST_TEST(endpoint("tcp://[fe80::1%eth0]:1").host == "fe80::1%eth0");
  BOOST_TEST(endpoint("tcp-listen://:0").host == "");
  BOOST_TEST(endpoint("tcp-listen://:0").is_listener());
  BOOST_TEST(endpoint("unix:///run/a b").unix_address.string() == "unix:/run/a b");
  BOOST_TEST(endpoint("unix:/run/x").unix_address == endpoint("unix:///run/x").unix_address);
  BOOST_TEST(endpoint("unix://x").unix_address.string() == "unix:x");
  BOOST_TEST((endpoint("unix-listen:///x").kind == Kind::unix_listen));
  BOOST_TEST(endpoint("unix-abstract://n").unix_address.is_abstract());
  BOOST_TEST(endpoint("unix-abstract-listen://n").is_listener());
  for (const char* text :
       {"pipe:sql/query", "pipe:\\\\.\\pipe\\sql\\query", "pipe://sql/query", "pipe:////./pipe/sql/query"}) {
    BOOST_TEST((endpoint(text).kind == Kind::named_pipe), text);
    BOOST_TEST(endpoint(text).unix_address.to_string() == "pipe:sql\\query", text);
    BOOST_TEST(!endpoint(text).is_listener(), text);
    BOOST_TEST(!endpoint(text).is_unix(), text);
    BOOST_TEST(endpoint(text).is_local(), text);
    BOOST_TEST(endpoint(text).is_network(), text);
    BOOST_TEST(!endpoint(text).is_datagram(), text);
  }
  BOOST_TEST((endpoint("pipe-listen:n").kind == Kind::named_pipe_listen));
  BOOST_TEST(endpoint("pipe-listen:n").is_listener());
  BOOST_TEST(endpoint("pipe-listen:n%41").unix_address.to_string() == "pipe:nA");
  BOOST_TEST(endpoint("fd:7").fd == 7);
  BOOST_TEST((endpoint("-").kind == Kind::stdio));
  BOOST_TEST(endpoint("file:/a?mode=w").path == "/a");
  BOOST_TEST((endpoint("file:/a?mode=w").file_mode == tsock::FileMode::write));
  BOOST_TEST((endpoint("file:/a?mode=a").file_mode == tsock::FileMode::append));
  BOOST_TEST((endpoint("file:/a?mode=rw").file_mode == tsock::FileMode::read_write));
  BOOST_TEST(endpoint("file:/a?b").path == "/a?b");
}

BOOST_AUTO_TEST_CASE(endpoints_that_cannot_be_meant_are_refused_with_a_reason) {
  for (const char* text : {"tcp://",
                           "tcp://a",
                           "tcp://a:",
                           "tcp://a:x",
                           "tcp://a:65536",
                           "tcp://a:0",
                           "tcp://:1",
                           "tcp://::1:80",
                           "tcp://[a]:1",
                           "tcp://[::1]",
                           "unix://",
                           "tcp://127.1:80",
                           "tcp://0x7f000001:80",
                           "tcp://a b:80",
                           "tcp://a:-1",
                           "tcp://a:+80",
                           "tcp://a:no-such-service",
                           "tcp://*:80",
                           "unix:/a%",
                           "unix:/a%00",
                           "unix-abstract://",
                           "pipe:",
                           "pipe-listen://",
                           "pipe:a%",
                           "pipe:\\\\host\\pipe\\a",
                           "fd:",
                           "fd:x",
                           "fd:-1",
                           "file:",
                           "http://a:1",
                           "a"}) {
    std::string error;
    BOOST_TEST(!parse_endpoint(text, error).has_value(), text);
    BOOST_TEST(error.starts_with(text), error);
  }
  std::string error;
  BOOST_TEST(!parse_endpoint("unix://" + std::string(200, 'x'), error).has_value());
}

BOOST_AUTO_TEST_CASE(services_and_wildcards_are_read) {
  if (::getservbyname("http", "tcp") != nullptr) {
    BOOST_TEST(endpoint("tcp://localhost:http").port == 80);
    BOOST_TEST(endpoint("tcp-listen://:http").port == 80);
    BOOST_TEST(remote_of({}, {"localhost", "http"}).port == 80);
  }
  BOOST_TEST(endpoint("tcp-listen://*:80").host == "");
  BOOST_TEST((remote_of({}, {"/tmp/x.sock"}).kind == Kind::unix_stream));
  BOOST_TEST((remote_of(
                  [] {
                    NetcatStyle s;
                    s.listen = true;
                    return s;
                  }(),
                  {"/tmp/x.sock"})
                  .kind == Kind::unix_listen));
  std::string error;
  BOOST_TEST(!parse_endpoints(std::vector<std::string>{"7000"}, NetcatStyle{}, error).size());
  BOOST_TEST(error == "7000: the host is missing, as in localhost:7000");
}

// One spelling: what the library prints, tsock-cat takes, for every byte.
BOOST_AUTO_TEST_CASE(every_unix_name_that_is_printed_is_read_again,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  for (int value = 0; value < 256; ++value) {
    const std::string byte(1, static_cast<char>(value));
    for (const std::string beside :
         {"", "/", "//", "@", "%", "%41", "://", "a://", "\"", "'", " ", "\n", "-"}) {
      for (const std::string& name : {beside + byte, byte + beside, "a" + byte + beside}) {
        int err = 0;
        const auto abstract = tsock::Address::unix_abstract(name, err);
        BOOST_REQUIRE((endpoint(abstract.to_string().c_str()).unix_address == abstract));
        if (value == 0) continue;
        const auto path = tsock::Address::unix_from_path(name, err);
        const std::string text = path.to_string();
        BOOST_REQUIRE((remote_of({}, {text}).unix_address == path));
        const std::string datagram = "unix-dgram:" + text.substr(5);
        BOOST_REQUIRE((endpoint(datagram.c_str()).unix_address == path));
        const std::string listener = "unix-listen://" + text.substr(5);
        BOOST_REQUIRE((endpoint(listener.c_str()).unix_address == path));
      }
    }
  }
  BOOST_TEST((remote_of(
                  [] {
                    NetcatStyle s;
                    s.unix_socket = true;
                    return s;
                  }(),
                  {"./a://b"})
                  .unix_address.string() == "unix:./a://b"));
  BOOST_TEST((remote_of(
                  [] {
                    NetcatStyle s;
                    s.unix_socket = true;
                    return s;
                  }(),
                  {"/a%41"})
                  .unix_address.string() == "unix:/a%2541"));
}

BOOST_AUTO_TEST_CASE(netcat_words_mean_what_they_mean_there,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const auto remote = [](const std::vector<const char*>& words) { return options(words).endpoints.at(1); };
  BOOST_TEST(remote({"host", "80"}).host == "host");
  BOOST_TEST(remote({"::1", "80"}).host == "::1");
  BOOST_TEST(remote({"host:80"}).port == 80);
  BOOST_TEST(remote({"[::1]:80"}).host == "::1");
  BOOST_TEST(remote({"-l", "80"}).is_listener());
  BOOST_TEST(remote({"-l", "80"}).host == "");
  BOOST_TEST(remote({"-l", "127.0.0.1", "80"}).host == "127.0.0.1");
  BOOST_TEST(remote({"-l", "-p", "80"}).port == 80);
  BOOST_TEST(remote({"-l", "-s", "127.0.0.1", "-p", "80"}).host == "127.0.0.1");
  BOOST_TEST((remote({"-U", "/x"}).kind == Kind::unix_stream));
  BOOST_TEST((remote({"-lU", "x"}).kind == Kind::unix_listen));
  BOOST_TEST(remote({"-lU", "@x"}).unix_address.is_abstract());
  BOOST_TEST(!parse({"-l", "-p", "1", "2"}).run);
  BOOST_TEST(!parse({"-U"}).run);
}

BOOST_AUTO_TEST_CASE(standard_streams_are_the_local_side_wherever_they_are_named) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"tcp://a:1"}, {"-", "tcp://a:1"}, {"tcp://a:1", "-"}}) {
    const auto endpoints = options(words).endpoints;
    BOOST_TEST_REQUIRE(endpoints.size() == 2U);
    BOOST_TEST((endpoints[0].kind == Kind::stdio));
    BOOST_TEST((endpoints[1].kind == Kind::tcp));
  }
  BOOST_TEST(options({"tcp://a:1", "tcp://b:2"}).endpoints[0].host == "a");
}

BOOST_AUTO_TEST_CASE(options_reach_their_place) {
  const Options all = options({"-k",         "-l",         "0",           "--max-conns", "3",
                               "--backlog",  "5",          "--reuseport", "--unlink",    "force",
                               "--mode",     "0660",       "--group",     "staff",       "-w",
                               "1",          "-i",         "2s",          "-q",          "3",
                               "--max-time", "1h",         "--retry",     "4",           "--retry-delay",
                               "10ms",       "--stats=2s", "-vv",         "--text",      "--linger",
                               "5s"});
  BOOST_TEST((all.linger == Duration(5s)));
  BOOST_TEST(all.keep_listening);
  BOOST_TEST(all.max_connections.value() == 3U);
  BOOST_TEST(all.listener.backlog == 5);
  BOOST_TEST(all.listener.reuse_port);
  BOOST_TEST((all.listener.stale_socket == tsock::StaleSocket::replace));
  BOOST_TEST(all.listener.mode.value() == 0660U);
  BOOST_TEST(all.listener.group.value() == "staff");
  BOOST_TEST((all.connect_timeout == Duration(1s)));
  BOOST_TEST((all.idle_timeout == Duration(2s)));
  BOOST_TEST((all.quit_after == Duration(3s)));
  BOOST_TEST((all.max_time == Duration(1h)));
  BOOST_TEST(all.retries == 4U);
  BOOST_TEST((all.retry_delay == Duration(10ms)));
  BOOST_TEST((all.stats_interval == Duration(2s)));
  BOOST_TEST(all.verbosity == 2);
  BOOST_TEST((all.dump_form == DumpForm::text));
}

BOOST_AUTO_TEST_CASE(stats_takes_its_value_only_behind_an_equals_sign) {
  const Options plain = options({"--stats", "host", "80"});
  BOOST_TEST(plain.stats);
  BOOST_TEST(!plain.stats_interval.has_value());
  BOOST_TEST(plain.endpoints.at(1).host == "host");
}

BOOST_AUTO_TEST_CASE(the_help_names_every_address_and_exit_code) {
  const std::string help = parse({"--help"}).text;
  for (const char* part : {"tcp-listen://", "unix-abstract-listen://", "fd:N",
                           "file:", "exec:", "echo:", "130 interrupted", "--stats[=TIME]"}) {
    BOOST_TEST(help.find(part) != std::string::npos, part);
  }
}

BOOST_AUTO_TEST_CASE(crlf_is_put_in_also_where_pieces_meet) {
  const Flow::Change change = crlf_change();
  std::vector<std::byte> out;
  BOOST_TEST(change(bytes_of("a\n\nb\r"), out) == 0);
  BOOST_TEST(change(bytes_of("\nc\n"), out) == 0);
  BOOST_TEST(text_of(out) == "a\r\n\r\nb\r\nc\r\n");
}

BOOST_AUTO_TEST_CASE(bodies_are_framed_in_every_width_and_order) {
  const auto framed = [](const char* name, std::string_view body) {
    std::vector<std::byte> out;
    BOOST_TEST(encode_pdu_change(options({"--pdu", name, "a", "1"}).pdu.value())(bytes_of(body), out) == 0);
    return text_of(out);
  };
  using namespace std::string_literals;
  BOOST_TEST(framed("u8", "ab") == "\2ab"s);
  BOOST_TEST(framed("u16be", "ab") == "\0\2ab"s);
  BOOST_TEST(framed("u16le", "ab") == "\2\0ab"s);
  BOOST_TEST(framed("u32be", "ab") == "\0\0\0\2ab"s);
  BOOST_TEST(framed("u32le", "ab") == "\2\0\0\0ab"s);
  BOOST_TEST(framed("line", "ab") == "ab\n");
  BOOST_TEST(framed("crlf", "ab") == "ab\r\n");
  std::vector<std::byte> out;
  BOOST_TEST(encode_pdu_change(options({"--pdu", "u8", "a", "1"}).pdu.value())(
                 bytes_of(std::string(256, 'x')), out) == EMSGSIZE);
}

BOOST_AUTO_TEST_CASE(hex_lines_go_on_at_the_offset_and_past_four_gigabytes) {
  BOOST_TEST(hex_lines("< ", 16, bytes_of("\x7f")) ==
             "< 00000010  7f                                                |.|\n");
  BOOST_TEST(hex_lines("", 0x123456789, bytes_of("A")).starts_with("0000000123456789  41 "));
  BOOST_TEST(hex_lines("", 0, {}) == "");
}

BOOST_AUTO_TEST_CASE(text_lines_escape_what_a_terminal_would_obey) {
  BOOST_TEST(text_lines("> ", bytes_of("a\\b\n\x1b[0m")) == "> a\\\\b\\n\n> \\x1b[0m\n");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
