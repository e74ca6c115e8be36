// The programs of the guide that are about TLS.
#if defined(TSOCK_WITH_EXAMPLES) && defined(TSOCK_TEST_CERTIFICATES)

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>

#include "support/built_programs.hpp"
#include "support/certificates/certificate.hpp"
#include "support/process.hpp"

using namespace tsock::test;

namespace {

struct ExampleFixture {
  TemporaryFolder folder;
  Certificate root = Certificate::self_signed(authority_profile("Root"));
  std::string trusted = folder.write("ca.pem", root.pem());
  std::string chain = {};
  std::string key = {};

  void renew() {
    const Certificate issued = root.issue(server_profile("localhost"));
    chain = folder.write("chain.pem", issued.pem());
    key = folder.write("key.pem", issued.key_pem());
  }

  Process start_server() {
    renew();
    return Process({built_example("tls_server"), "127.0.0.1:0", chain, key});
  }

  Process server = start_server();

  /// The port that it says it listens on.
  std::string port() {
    server.wait_for_output("\n");
    const std::string& output = server.output();
    const std::string line = output.substr(0, output.find('\n'));
    return line.substr(line.rfind(':') + 1);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_examples, ExampleFixture)

BOOST_AUTO_TEST_CASE(client_gets_its_line_back_from_the_server) {
  Process client({built_example("tls_client"), "localhost", port(), "hello", trusted});
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(client.output().starts_with("TLSv1.3, TLS_"));
  BOOST_TEST(client.output().ends_with("\nhello\n"));
}

BOOST_AUTO_TEST_CASE(client_says_why_it_refuses_the_server_and_the_server_what_it_was_told) {
  const Certificate other = Certificate::self_signed(authority_profile("Root"));
  Process client(
      {built_example("tls_client"), "localhost", port(), "hello", folder.write("other.pem", other.pem())});
  BOOST_TEST(client.finish() == 1);
  BOOST_TEST(client.error().find("the peer's certificate is refused: ") != std::string::npos);
  server.wait_for_error("the peer refuses: ");
}

BOOST_AUTO_TEST_CASE(server_takes_a_new_certificate_on_sighup_and_keeps_the_old_one_when_it_is_bad) {
  const std::string where = port();
  const auto asks = [&] {
    Process client({built_example("tls_client"), "localhost", where, "hello", trusted});
    return client.finish();
  };
  chain = folder.write("chain.pem", "no certificate");
  server.kill(SIGHUP);
  server.wait_for_error("certificate: ");
  BOOST_TEST(asks() == 0);

  root = Certificate::self_signed(authority_profile("Next root"));
  renew();
  trusted = folder.write("ca.pem", root.pem());
  BOOST_TEST(asks() == 1);
  server.kill(SIGHUP);
  server.wait_for_output("reloaded");
  BOOST_TEST(asks() == 0);
}

BOOST_AUTO_TEST_CASE(starttls_goes_on_with_tls_in_the_middle) {
  const Certificate own = Certificate::self_signed(server_profile("localhost"));
  Process both({built_example("tls_starttls"), folder.write("own.pem", own.pem()),
                folder.write("own.key", own.key_pem()), "localhost"});
  BOOST_TEST(both.finish() == 0, both.error());
  BOOST_TEST(both.output() == "server: STARTTLS\nclient: 220 go ahead\nserver: HELLO\nclient: 250 fine\n");
}

BOOST_AUTO_TEST_CASE(own_engine_transforms_a_stream) {
  Process engine({built_example("own_engine")});
  BOOST_TEST(engine.finish() == 0);
  BOOST_TEST(engine.output() == "exact reads work over every engine\n");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
