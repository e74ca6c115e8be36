// --gssapi and --gssapi-accept of tsock-cat: with each other, over TCP, unix sockets and TLS, with a KDC of
// the test's own.
#if defined(TSOCK_WITH_TSOCK_CAT) && defined(TSOCK_WITH_GSSAPI)

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "support/kdc.hpp"
#include "support/tsock_cat.hpp"
#include "support/words.hpp"
#ifdef TSOCK_WITH_TLS
#include "support/certificates/certificate.hpp"
#endif

using namespace tsock::test::cat;
using tsock::test::finish_all;
using tsock::test::Kdc;
using tsock::test::TemporaryFolder;

namespace {

using tsock::test::Words;
using tsock::test::operator+;

// There is no half-close: a client ends when its peer is quiet for this time.
const Words client_words{"-q", "50ms", "--gssapi", "gsstest@localhost"};
const Words server_words{"--gssapi-accept", "--announce"};
const std::string any_port = "tcp-listen://127.0.0.1:0";

struct KdcFixture {
  Kdc* kdc = Kdc::get();
};

std::string tcp(const std::string& address) { return "tcp://" + address; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tsock_cat_gssapi, KdcFixture)

BOOST_AUTO_TEST_CASE(many_bytes_go_both_ways) {
  if (kdc == nullptr) return;
  const std::string there = many_bytes(1 << 20);
  const std::string back = many_bytes((1 << 20) + 1);
  Cat server(server_words + Words{any_port});
  Cat client(client_words + Words{tcp(server.listening())});
  client.write(there);
  server.write(back);
  client.wait_until([&] { return client.output().size() == back.size(); }, "all that was sent back");
  server.wait_until([&] { return server.output().size() == there.size(); }, "all that was sent");
  BOOST_TEST((server.output() == there));
  BOOST_TEST((client.output() == back));
  BOOST_TEST(finish_all(client, server) == 0);
}

const std::vector<std::string> gssapi_mechanisms{"kerberos", "spnego"};

BOOST_DATA_TEST_CASE(the_report_tells_mechanism_peer_and_strength,
                     boost::unit_test::data::make(gssapi_mechanisms), mechanism) {
  if (kdc == nullptr) return;
  Cat server(server_words + Words{"-v", any_port});
  const std::string address = tcp(server.listening());
  server.close_input();
  const CatOutcome client =
      run(client_words + Words{"-v", "--gssapi-mech", mechanism, address}, "sealed bytes");
  BOOST_TEST(client.status == 0, client.error);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "sealed bytes");
  BOOST_TEST(contains(client.error, "tsock-cat: GSSAPI kerberos, peer gsstest/localhost@TSOCK.TEST, sealed"),
             client.error);
  BOOST_TEST(contains(server.error(), "tsock-cat: GSSAPI kerberos, peer alice@TSOCK.TEST, sealed, 256 bits"),
             server.error());
}

BOOST_AUTO_TEST_CASE(the_report_in_json_has_the_same) {
  if (kdc == nullptr) return;
  const TemporaryFolder folder;
  Cat server({"--json", "--gssapi-accept", "--gssapi-sign-only", "unix-listen://" + folder.file("socket")});
  server.wait_for_error("\n");
  const std::string address = event_named(server.error(), "listening").at("address");
  server.close_input();
  const CatOutcome client =
      run(client_words + Words{"--gssapi-sign-only", "--gssapi-delegate", address}, "signed bytes");
  BOOST_TEST(client.status == 0, client.error);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "signed bytes");
  const auto event = event_named(server.error(), "gssapi");
  BOOST_TEST(event.at("connection") == 1U);
  BOOST_TEST(event.at("mechanism") == "kerberos");
  BOOST_TEST(event.at("peer") == "alice@TSOCK.TEST");
  BOOST_TEST(event.at("mutual") == true);
  BOOST_TEST(event.at("delegated") == true);
}

BOOST_AUTO_TEST_CASE(keys_come_from_a_file_by_option) {
  if (kdc == nullptr) return;
  Cat server(server_words + Words{"--gssapi-keytab", kdc->file("server.keytab"), any_port});
  const std::string address = tcp(server.listening());
  server.close_input();
  const CatOutcome client = run(client_words + Words{"--gssapi-keytab", kdc->file("alice.keytab"),
                                                     "--gssapi-principal", "alice@TSOCK.TEST", address},
                                "with keys");
  BOOST_TEST(client.status == 0, client.error);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "with keys");
}

BOOST_AUTO_TEST_CASE(keys_that_are_not_the_services_are_6_on_both_sides) {
  if (kdc == nullptr) return;
  Cat server(server_words + Words{"--gssapi-keytab", kdc->file("other.keytab"), any_port});
  const CatOutcome client = run(client_words + Words{tcp(server.listening())});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "GSSAPI handshake with tcp://"), client.error);
  BOOST_TEST(server.wait() == 6);
  BOOST_TEST(contains(server.error(), "GSSAPI handshake with 127.0.0.1:"), server.error());
}

BOOST_AUTO_TEST_CASE(a_service_that_the_kdc_does_not_know_is_6_in_its_words_and_not_tried_again) {
  if (kdc == nullptr) return;
  Cat server(server_words + Words{"-k", "--recv-only", any_port});
  const CatOutcome client =
      run({"-v", "--retry", "3", "--gssapi", "nobody@localhost", tcp(server.listening())});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "not found in Kerberos database"), client.error);
  BOOST_TEST(!contains(client.error, "try 1"), client.error);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_server_of_many_goes_on_after_a_client_that_does_not_speak_it) {
  if (kdc == nullptr) return;
  Cat server(server_words + Words{"-k", "--recv-only", any_port});
  const std::string address = tcp(server.listening());
  run({address}, "GET / HTTP/1.0\r\n\r\n");
  server.error_line("tsock-cat: GSSAPI handshake with 127.0.0.1:");
  BOOST_TEST(run(client_words + Words{address}, "who speaks it").status == 0);
  server.wait_for_output("who speaks it");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_peer_that_says_nothing_is_4_and_named) {
  if (kdc == nullptr) return;
  const RawListener silent;
  const CatOutcome client =
      run(client_words + Words{"--json", "--handshake-timeout", "50ms", tcp(silent.address())});
  BOOST_TEST(client.status == 4);
  BOOST_TEST(event_named(client.error, "error").at("limit") == "handshake");
  Cat server(server_words + Words{"--handshake-timeout", "50ms", any_port});
  Cat quiet({tcp(server.listening())});
  BOOST_TEST(server.wait() == 4);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_killed_is_an_end_between_messages) {
  if (kdc == nullptr) return;
  Cat server(server_words + Words{any_port});
  Cat client({"--gssapi", "gsstest@localhost", tcp(server.listening())});
  client.write("a message");
  server.wait_for_output("a message");
  client.kill(SIGKILL);
  BOOST_TEST(server.finish() == 0);
}

#ifdef TSOCK_WITH_TLS
struct TlsFiles {
  TemporaryFolder folder;
  tsock::test::Certificate root =
      tsock::test::Certificate::self_signed(tsock::test::authority_profile("Root"));
  tsock::test::Certificate server = root.issue([] {
    auto profile = tsock::test::server_profile("localhost");
    profile.ip_addresses = {"127.0.0.1"};
    return profile;
  }());
  Words identity{"--tls-cert", folder.write("cert.pem", server.pem()), "--tls-key",
                 folder.write("key.pem", server.key_pem())};
  Words trust{"--tls-no-system-cas", "--tls-ca", folder.write("root.pem", root.pem())};
};

BOOST_AUTO_TEST_CASE(over_tls_it_is_bound_to_the_certificate_and_both_are_told) {
  if (kdc == nullptr) return;
  const TlsFiles files;
  Cat server(server_words + files.identity + Words{"-v", "tls-listen://127.0.0.1:0"});
  const std::string address = server.listening();
  server.close_input();
  const CatOutcome client = run(client_words + files.trust + Words{"-v", address}, "in TLS");
  BOOST_TEST(client.status == 0, client.error);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(server.output() == "in TLS");
  for (const std::string& error : {client.error, server.error()}) {
    BOOST_TEST(contains(error, "tsock-cat: TLSv1.3, "), error);
    BOOST_TEST(contains(error, "tsock-cat: GSSAPI kerberos, "), error);
  }
  BOOST_TEST(contains(server.error(), ", bound to TLS"), server.error());
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_bind_is_refused_over_tls_unless_the_server_does_not_either) {
  if (kdc == nullptr) return;
  const TlsFiles files;
  const std::string any_tls = "tls-listen://127.0.0.1:0";
  const Words unbound = client_words + files.trust + Words{"--gssapi-no-binding"};
  Cat strict(server_words + files.identity + Words{any_tls});
  run(unbound + Words{strict.listening()});
  BOOST_TEST(strict.wait() == 6);
  BOOST_TEST(contains(strict.error(), "GSSAPI handshake with "), strict.error());
  Cat loose(server_words + files.identity + Words{"--gssapi-no-binding", any_tls});
  const std::string address = loose.listening();
  loose.close_input();
  BOOST_TEST(run(unbound + Words{address}).status == 0);
  BOOST_TEST(loose.finish() == 0);
}
#endif

const std::vector<Words> wrong_gssapi_command_lines{
    {"--gssapi", "a@b", any_port},
    {"--gssapi-accept", "tcp://127.0.0.1:1"},
    {"--gssapi", "a@b", "udp://127.0.0.1:1"},
    {"--gssapi", "a@b", "npa:///tmp?pipe=x"},
    {"--gssapi-keytab", "a", "tcp://127.0.0.1:1"},
    {"--gssapi-accept", "--gssapi-delegate", any_port},
    {"--gssapi", "a@b", "--gssapi-frame", "none", "tcp://127.0.0.1:1"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_gssapi_command_lines.size()), index) {
  expect_wrong_command_line(wrong_gssapi_command_lines[index]);
}

BOOST_AUTO_TEST_SUITE_END()

#elif defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>

#include "support/tsock_cat.hpp"

BOOST_AUTO_TEST_SUITE(tsock_cat_without_gssapi)

BOOST_AUTO_TEST_CASE(a_build_without_gssapi_says_so) {
  const auto outcome = tsock::test::cat::run({"--gssapi", "a@b", "tcp://127.0.0.1:1"});
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(tsock::test::cat::contains(outcome.error, "was built without GSSAPI"), outcome.error);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
