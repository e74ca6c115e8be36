// The programs of the guide that are about GSSAPI.
#if defined(TSOCK_WITH_EXAMPLES)

#include <boost/test/unit_test.hpp>
#include <string>

#include "support/built_programs.hpp"
#include "support/kdc.hpp"
#include "support/process.hpp"

using namespace tsock::test;

BOOST_AUTO_TEST_SUITE(gssapi_examples)

BOOST_AUTO_TEST_CASE(client_gets_its_line_back_from_a_server_that_knows_who_it_is) {
  if (Kdc::get() == nullptr) return;
  Process server({built_example("gssapi_echo_server"), "127.0.0.1:0"});
  server.wait_for_output("\n");
  const std::string line = server.output().substr(0, server.output().find('\n'));
  const std::string port = line.substr(line.rfind(':') + 1);
  Process client({built_example("gssapi_echo_client"), "127.0.0.1", port, "gsstest@localhost", "hello"});
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output() == "hello\n");
  server.wait_for_output("alice@TSOCK.TEST, kerberos, sealed\n");

  Process stranger({built_example("gssapi_echo_client"), "127.0.0.1", port, "nosuch@localhost", "hello"});
  BOOST_TEST(stranger.finish() == 1);
  BOOST_TEST(stranger.error().find("not found in Kerberos database") != std::string::npos, stranger.error());
  server.wait_for_error("the peer ended the stream during the handshake");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
