// --proxy, --send-proxy and --accept-proxy of tsock-cat, with each other and with proxies of others.
#if defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/tsock_cat.hpp"
#include "support/words.hpp"

using namespace tsock::test::cat;
using tsock::test::finish_all;
using tsock::test::has_program;
using tsock::test::Process;
using tsock::test::TemporaryFolder;

namespace {

using tsock::test::Words;
using tsock::test::operator+;

const std::string any_proxied_port = "tcp-listen://127.0.0.1:0";

std::string over_plain_tcp(const std::string& address) { return "tcp://" + address; }

// A proxy that says this to whom comes, and ends.
Words scripted_proxy() { return {"--announce", any_proxied_port}; }

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_proxy)

BOOST_DATA_TEST_CASE(a_header_that_one_sends_the_other_reads, boost::unit_test::data::make({"v1", "v2"}),
                     version) {
  Cat listening(
      {"-v", "--accept-proxy", "--accept-proxy-from", "127.0.0.0/8,::1", "--announce", any_proxied_port});
  const std::string address = listening.listening();
  listening.close_input();
  const CatOutcome outcome = run({"--send-proxy", version, over_plain_tcp(address)}, "payload");
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(listening.wait() == 0, listening.error());
  BOOST_TEST(listening.output() == "payload");
  BOOST_TEST(contains(listening.error(), std::string("tsock-cat: PROXY ") + version + " of 127.0.0.1:"),
             listening.error());
}

BOOST_AUTO_TEST_CASE(a_relay_passes_on_who_the_client_is) {
  Cat server({"-v", "--accept-proxy", "--announce", any_proxied_port});
  Cat relay({"--announce", "--accept-proxy", "--send-proxy", "v2", any_proxied_port,
             over_plain_tcp(server.listening())});
  const std::string address = relay.listening();
  server.close_input();
  Cat client({over_plain_tcp(address)});
  client.write("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\npayload");
  BOOST_TEST(finish_all(client) == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "payload");
  BOOST_TEST(contains(server.error(), ": client 192.0.2.1:56324 to 192.0.2.2:443"), server.error());
  BOOST_TEST(contains(server.error(), "from 192.0.2.1:56324"), server.error());
}

BOOST_AUTO_TEST_CASE(a_client_without_a_header_is_refused_in_words) {
  Cat listening({"--accept-proxy", "--announce", any_proxied_port});
  const std::string address = listening.listening();
  run({over_plain_tcp(address)}, "GET / HTTP/1.1\r\n\r\n");
  BOOST_TEST(listening.wait() == 6);
  BOOST_TEST(contains(listening.error(), "the connection does not begin with a PROXY header"),
             listening.error());
}

BOOST_AUTO_TEST_CASE(a_socks_proxy_connects_us) {
  if (!has_program("microsocks")) return;
  const TemporaryFolder folder;
  const std::string password = folder.write("password", "secret\n");
  // A port that was free a moment ago.
  std::string port;
  {
    Cat probe({"--announce", any_proxied_port});
    port = port_of(probe.listening());
  }
  const Process microsocks({"microsocks", "-i", "127.0.0.1", "-p", port, "-u", "alice", "-P", "secret"});
  const Words through{"--retry", "50", "--retry-delay", "100ms", "--proxy", "socks5://127.0.0.1:" + port};
  Cat listening({"--announce", any_proxied_port});
  const std::string address = listening.listening();
  const Words as_alice{"--proxy-auth", "alice", "--proxy-password-file", password, "-v"};
  // microsocks ends both ways when one has ended.
  Cat connected(through + as_alice + Words{"tcp://localhost:" + port_of(address)});
  connected.write("payload");
  listening.wait_for_output("payload");
  BOOST_TEST(finish_all(connected, listening) == 0);
  BOOST_TEST(contains(connected.error(), "tsock-cat: through socks5://127.0.0.1:" + port), connected.error());
  BOOST_TEST(!contains(connected.error(), "secret"));
  const CatOutcome refused = run(through + Words{"tcp://localhost:" + port_of(address)});
  BOOST_TEST(refused.status == 6, refused.error);
  BOOST_TEST(contains(refused.error, "wants an authentication"), refused.error);
  const CatOutcome closed = run(Words{"--proxy", "socks5://127.0.0.1:" + port} + as_alice +
                                Words{"tcp://localhost:" + port_of(address)});
  BOOST_TEST(closed.status == 2, closed.error);
  BOOST_TEST(contains(closed.error, "the target refuses the connection"), closed.error);
}

BOOST_AUTO_TEST_CASE(an_http_proxy_that_refuses_is_quoted) {
  Cat proxy(scripted_proxy());
  const std::string address = proxy.listening();
  proxy.write("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  const CatOutcome outcome = run({"--proxy", "http://" + address, "tls://example.org:443", "--insecure"});
  BOOST_TEST(outcome.status == 2, outcome.error);
  BOOST_TEST(contains(outcome.error, "\"502 Bad Gateway\""), outcome.error);
  proxy.wait_for_output("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(what_follows_the_reply_of_a_proxy_is_the_targets) {
  Cat proxy(scripted_proxy());
  const std::string address = proxy.listening();
  proxy.write("HTTP/1.1 200 OK\r\n\r\n220 hello\r\n");
  proxy.close_input();
  const CatOutcome outcome =
      run({"--proxy", "http://" + address, "--proxy-auth", "Aladdin", "tcp://example.org:25"}, "QUIT");
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(outcome.output == "220 hello\r\n");
  BOOST_TEST(proxy.wait() == 0);
  BOOST_TEST(contains(proxy.output(), "Proxy-Authorization: Basic QWxhZGRpbjo="), proxy.output());
  BOOST_TEST(proxy.output().ends_with("\r\n\r\nQUIT"));
}

BOOST_AUTO_TEST_CASE(a_silent_proxy_is_ended_by_the_limit_on_handshakes) {
  Cat proxy(scripted_proxy());
  const std::string address = proxy.listening();
  const CatOutcome outcome =
      run({"--proxy", "socks5://" + address, "--handshake-timeout", "50ms", "tcp://example.org:25"});
  BOOST_TEST(outcome.status == 4, outcome.error);
}

BOOST_AUTO_TEST_CASE(wrong_command_lines_are_refused) {
  const std::string target = "tcp://127.0.0.1:9";
  for (const Words& words :
       {Words{"--proxy", "ftp://a:1", target}, Words{"--proxy", "socks5://a", target},
        Words{"--proxy", "http://user:secret@a:1", target},
        Words{"--proxy", "http://a:1", "udp://127.0.0.1:9"}, Words{"--proxy-auth", "a", target},
        Words{"--proxy-password-file", "a", target}, Words{"--send-proxy", "v3", target},
        Words{"--send-proxy", "v1", any_proxied_port}, Words{"--accept-proxy", target},
        Words{"--accept-proxy-from", "::1", any_proxied_port},
        Words{"--accept-proxy", "--accept-proxy-from", "10.0.0.1/8", any_proxied_port}})
    expect_wrong_command_line(words);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
