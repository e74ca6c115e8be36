// --sasl and --sasl-accept of tsock-cat: with each other, over TCP, unix sockets and TLS.
#if defined(TSOCK_WITH_TSOCK_CAT) && defined(TSOCK_WITH_SASL)

#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/sasl_fixture.hpp"
#include "support/tsock_cat.hpp"
#include "support/words.hpp"
#ifdef TSOCK_WITH_TLS
#include "support/certificates/certificate.hpp"
#endif

using namespace tsock::test::cat;
using tsock::test::finish_all;
using tsock::test::Process;
using tsock::test::TemporaryFolder;

namespace {

using tsock::test::Words;
using tsock::test::operator+;

const std::string any_sasl_port = "tcp-listen://127.0.0.1:0";

// A server's users and a client's password, as files.
struct SaslFiles {
  SaslFiles() { tsock::test::ignore_leaks_of_digest_md5(); }

  TemporaryFolder folder;
  std::string right = folder.write("right", "alicepw\n");
  std::string wrong = folder.write("wrong", "guess\n");
  std::string users = folder.write("users", "bob:bobpw\nalice:alicepw\n");

  [[nodiscard]] Words server() const {
    return {"--sasl-accept", "--sasl-users", users, "--sasl-host", "localhost", "--announce"};
  }
  // There is no half-close: a client ends when its peer is quiet for this time.
  [[nodiscard]] Words client(const std::string& mechanism) const {
    return {"-q", "50ms", "--sasl", mechanism, "--sasl-user", "alice", "--sasl-host", "localhost"};
  }
  [[nodiscard]] Words client(const std::string& mechanism, const std::string& password) const {
    return client(mechanism) + Words{"--sasl-password-file", password};
  }
};

std::string over_tcp(const std::string& address) { return "tcp://" + address; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tsock_cat_sasl, SaslFiles)

BOOST_AUTO_TEST_CASE(many_bytes_go_both_ways) {
  const std::string there = many_bytes(1 << 20);
  const std::string back = many_bytes((1 << 20) + 1);
  Cat listening(server() + Words{any_sasl_port});
  Cat connected(client("DIGEST-MD5", right) + Words{over_tcp(listening.listening())});
  connected.write(there);
  listening.write(back);
  connected.wait_until([&] { return connected.output().size() == back.size(); }, "all that was sent back");
  listening.wait_until([&] { return listening.output().size() == there.size(); }, "all that was sent");
  BOOST_TEST((listening.output() == there));
  BOOST_TEST((connected.output() == back));
  BOOST_TEST(finish_all(connected, listening) == 0);
}

BOOST_AUTO_TEST_CASE(the_report_tells_mechanism_user_and_strength) {
  Cat listening(server() + Words{"-v", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  listening.close_input();
  const CatOutcome outcome = run(client("DIGEST-MD5", right) + Words{"-v", address}, "sealed bytes");
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(listening.finish() == 0);
  BOOST_TEST(listening.output() == "sealed bytes");
  for (const std::string& error : {outcome.error, listening.error()})
    BOOST_TEST(contains(error, "tsock-cat: SASL DIGEST-MD5, user alice, sealed, 128 bits\n"), error);
  BOOST_TEST(!contains(outcome.error + listening.error(), "alicepw"));
}

BOOST_AUTO_TEST_CASE(a_mechanism_without_a_layer_authenticates_a_unix_socket) {
  Cat listening({"--json", "--sasl-accept", "--sasl-users", users, "--sasl-host", "localhost",
                 "unix-listen://" + folder.file("socket")});
  listening.wait_for_error("\n");
  const std::string address = event_named(listening.error(), "listening").at("address");
  listening.close_input();
  const CatOutcome outcome = run(client("SCRAM-SHA-256", right) + Words{"-v", address}, "plain bytes");
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(contains(outcome.error, "SASL SCRAM-SHA-256, user alice, no security layer"), outcome.error);
  BOOST_TEST(listening.finish() == 0);
  BOOST_TEST(listening.output() == "plain bytes");
  const auto event = event_named(listening.error(), "sasl");
  BOOST_TEST(event.at("connection") == 1U);
  BOOST_TEST(event.at("mechanism") == "SCRAM-SHA-256");
  BOOST_TEST(event.at("user") == "alice");
  BOOST_TEST(event.at("strength") == 0U);
}

BOOST_AUTO_TEST_CASE(the_password_comes_from_a_descriptor_or_the_environment) {
  Cat listening(server() + Words{"-k", "--recv-only", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  const std::string words =
      executable() + " -q 50ms --sasl SCRAM-SHA-256 --sasl-user alice --sasl-host localhost ";
  Process by_descriptor(
      {"sh", "-c", words + "--sasl-password-fd 5 " + address + " 5< " + right + " < /dev/null"});
  BOOST_TEST(by_descriptor.wait() == 0, by_descriptor.error());
  Process by_variable({"sh", "-c", "TSOCK_CAT_SASL_PASSWORD=alicepw " + words + address + " < /dev/null"});
  BOOST_TEST(by_variable.wait() == 0, by_variable.error());
  BOOST_TEST(run(client("SCRAM-SHA-256") + Words{address}).status == 6);
  listening.kill(SIGTERM);
  BOOST_TEST(listening.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_program_that_is_started_does_not_get_the_password) {
  Cat listening(server() + Words{"--recv-only", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  Process relay({"sh", "-c",
                 "TSOCK_CAT_SASL_PASSWORD=alicepw OTHER=there " + executable() +
                     " --sasl SCRAM-SHA-256 --sasl-user alice --sasl-host localhost exec:env " + address});
  BOOST_TEST(relay.wait() == 0, relay.error());
  BOOST_TEST(listening.wait() == 0, listening.error());
  BOOST_TEST(contains(listening.output(), "OTHER=there"), listening.output());
  BOOST_TEST(!contains(listening.output(), "TSOCK_CAT_SASL_PASSWORD"), listening.output());
}

BOOST_AUTO_TEST_CASE(users_come_from_a_database_of_saslpasswd2) {
  if (::access("/usr/sbin/saslpasswd2", X_OK) != 0) {
    BOOST_TEST_MESSAGE("skipped: there is no saslpasswd2 (Debian: sasl2-bin)");
    return;
  }
  const std::string database = folder.file("sasldb");
  Process add({"/usr/sbin/saslpasswd2", "-p", "-c", "-f", database, "-u", "localhost", "alice"});
  add.write("alicepw");
  BOOST_TEST_REQUIRE(add.finish() == 0, add.error());
  Cat listening(
      {"--sasl-accept", "--sasl-db", database, "--sasl-host", "localhost", "--announce", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  listening.close_input();
  const CatOutcome outcome = run(client("SCRAM-SHA-256", right) + Words{address});
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(listening.finish() == 0);
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_6_and_a_server_of_many_goes_on) {
  Cat listening(server() + Words{"-k", "--recv-only", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  const CatOutcome refused = run(client("SCRAM-SHA-256", wrong) + Words{"-v", "--retry", "3", address});
  BOOST_TEST(refused.status == 6);
  BOOST_TEST(contains(refused.error, "SASL handshake with tcp://"), refused.error);
  BOOST_TEST(!contains(refused.error, "try 1"), refused.error);
  listening.error_line("tsock-cat: SASL handshake with 127.0.0.1:");
  BOOST_TEST(run(client("SCRAM-SHA-256", right) + Words{address}, "right").status == 0);
  listening.wait_for_output("right");
  listening.kill(SIGTERM);
  BOOST_TEST(listening.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_password_in_clear_text_needs_to_be_allowed_on_both_sides) {
  Cat listening(server() + Words{"-k", "--recv-only", "--sasl-allow-plaintext", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  BOOST_TEST(run(client("PLAIN", right) + Words{address}).status == 6);
  BOOST_TEST(run(client("PLAIN", right) + Words{"--sasl-allow-plaintext", address}).status == 0);
  listening.kill(SIGTERM);
  BOOST_TEST(listening.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_mechanism_that_is_not_offered_or_too_weak_is_6) {
  Cat listening(server() + Words{"-k", "--recv-only", "--sasl-offer", "SCRAM-SHA-256", any_sasl_port});
  const std::string address = over_tcp(listening.listening());
  BOOST_TEST(run(client("DIGEST-MD5", right) + Words{address}).status == 6);
  BOOST_TEST(run(client("SCRAM-SHA-256", right) + Words{"--sasl-min", "56", address}).status == 6);
  BOOST_TEST(run(client("SCRAM-SHA-256", right) + Words{address}).status == 0);
  listening.kill(SIGTERM);
  BOOST_TEST(listening.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_peer_that_says_nothing_is_4_and_named) {
  const RawListener silent;
  const CatOutcome outcome = run(client("SCRAM-SHA-256", right) +
                                 Words{"--json", "--handshake-timeout", "50ms", over_tcp(silent.address())});
  BOOST_TEST(outcome.status == 4);
  BOOST_TEST(event_named(outcome.error, "error").at("limit") == "handshake");
}

#ifdef TSOCK_WITH_TLS
BOOST_AUTO_TEST_CASE(over_tls_a_password_may_be_sent_and_the_strength_of_tls_counts) {
  using tsock::test::Certificate;
  const Certificate root = Certificate::self_signed(tsock::test::authority_profile("Root"));
  auto profile = tsock::test::server_profile("localhost");
  profile.ip_addresses = {"127.0.0.1"};
  const Certificate certificate = root.issue(profile);
  Cat listening(server() + Words{"-k", "--recv-only", "-v", "--tls-cert",
                                 folder.write("cert.pem", certificate.pem()), "--tls-key",
                                 folder.write("key.pem", certificate.key_pem()), "tls-listen://127.0.0.1:0"});
  const std::string address = listening.listening();
  const Words trust{"--tls-no-system-cas", "--tls-ca", folder.write("root.pem", root.pem()), "-v"};
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
    const CatOutcome outcome =
        run(client(mechanism, right) + trust + Words{"--sasl-min", "128", address}, mechanism);
    BOOST_TEST(outcome.status == 0, outcome.error);
    BOOST_TEST(contains(outcome.error, "tsock-cat: TLSv1.3, "), outcome.error);
    BOOST_TEST(contains(outcome.error, std::string("tsock-cat: SASL ") + mechanism), outcome.error);
    listening.wait_for_output(mechanism);
  }
  BOOST_TEST(contains(listening.error(), "SASL SCRAM-SHA-256"), listening.error());
  listening.kill(SIGTERM);
  BOOST_TEST(listening.wait() == 130);
}

BOOST_AUTO_TEST_CASE(external_takes_the_name_from_the_certificate_below) {
  using tsock::test::Certificate;
  const Certificate root = Certificate::self_signed(tsock::test::authority_profile("Root"));
  auto profile = tsock::test::server_profile("localhost");
  profile.ip_addresses = {"127.0.0.1"};
  const Certificate certificate = root.issue(profile);
  const Certificate client_certificate = root.issue(tsock::test::client_profile("alice"));
  const std::string authority = folder.write("root.pem", root.pem());
  Cat listening({"--sasl-accept", "--sasl-offer", "EXTERNAL", "--announce", "-k", "--recv-only", "-v",
                 "--tls-client-auth", "request", "--tls-ca", authority, "--tls-cert",
                 folder.write("cert.pem", certificate.pem()), "--tls-key",
                 folder.write("key.pem", certificate.key_pem()), "tls-listen://127.0.0.1:0"});
  const Words words{"-q",       "50ms",    "--sasl", "EXTERNAL",           "--tls-no-system-cas",
                    "--tls-ca", authority, "-v",     listening.listening()};
  const Words identity{"--tls-cert", folder.write("alice.pem", client_certificate.pem()), "--tls-key",
                       folder.write("alice.key", client_certificate.key_pem())};
  const CatOutcome outcome = run(identity + words, "by certificate");
  BOOST_TEST(outcome.status == 0, outcome.error);
  listening.wait_for_output("by certificate");
  BOOST_TEST(contains(listening.error(), "SASL EXTERNAL, user CN=alice"), listening.error());
  // Without a certificate there is no name, and no such mechanism.
  BOOST_TEST(run(words, "by nobody").status == 6);
  listening.kill(SIGTERM);
  BOOST_TEST(listening.wait() == 130);
}
#endif

BOOST_AUTO_TEST_CASE(files_with_secrets_that_others_can_read_are_7) {
  const std::string open = folder.write("open", "alice:alicepw\n", 0644);
  for (const Words& words : {client("SCRAM-SHA-256", open) + Words{"tcp://127.0.0.1:1"},
                             Words{"--sasl-accept", "--sasl-users", open, any_sasl_port}}) {
    const CatOutcome outcome = run(words);
    BOOST_TEST(outcome.status == 7);
    BOOST_TEST(contains(outcome.error, "open: others may read"), outcome.error);
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_is_no_user_is_named_without_its_password) {
  const std::string bad = folder.write("bad", "alice:alicepw\nsecret\n");
  const CatOutcome outcome = run({"--sasl-accept", "--sasl-users", bad, any_sasl_port});
  BOOST_TEST(outcome.status == 7);
  BOOST_TEST(contains(outcome.error, "line 2"), outcome.error);
  BOOST_TEST(!contains(outcome.error, "secret"), outcome.error);
}

const std::vector<Words> wrong_sasl_command_lines{
    {"--sasl", "PLAIN", any_sasl_port},
    {"--sasl-accept", "tcp://127.0.0.1:1"},
    {"--sasl-user", "alice", "tcp://127.0.0.1:1"},
    {"--sasl-accept", "--sasl-user", "alice", any_sasl_port},
    {"--sasl", "PLAIN", "--sasl-realm", "here", "tcp://127.0.0.1:1"},
    {"--sasl", "PLAIN", "--gssapi", "a@b", "tcp://127.0.0.1:1"},
    {"--sasl", "PLAIN", "--sasl-password-file", "a", "--sasl-password-fd", "5", "tcp://127.0.0.1:1"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why,
                     boost::unit_test::data::xrange(wrong_sasl_command_lines.size()), index) {
  expect_wrong_command_line(wrong_sasl_command_lines[index]);
}

BOOST_AUTO_TEST_SUITE_END()

#elif defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>

#include "support/tsock_cat.hpp"

BOOST_AUTO_TEST_SUITE(tsock_cat_without_sasl)

BOOST_AUTO_TEST_CASE(a_build_without_sasl_says_so) {
  const auto outcome = tsock::test::cat::run({"--sasl", "PLAIN", "tcp://127.0.0.1:1"});
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(tsock::test::cat::contains(outcome.error, "was built without SASL"), outcome.error);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
