// tls:// and tls-listen:// of tsock-cat: with each other, and with other programs.
#if defined(TSOCK_WITH_TSOCK_CAT) && defined(TSOCK_WITH_TLS)

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/certificates/certificate.hpp"
#include "support/tls_peer.hpp"
#include "support/tsock_cat.hpp"
#include "support/words.hpp"

using namespace tsock::test::cat;
using tsock::UniqueSocket;
using tsock::test::Certificate;
using tsock::test::CertificateProfile;
using tsock::test::finish_all;
using tsock::test::Process;
using tsock::test::TemporaryFolder;
using tsock::test::TlsClient;
using tsock::test::TlsConversation;
using tsock::test::TlsPeerOptions;
using tsock::test::TlsProgram;
using tsock::test::TlsServer;

namespace {

namespace data = boost::unit_test::data;
using tsock::test::Words;
using tsock::test::operator+;

CertificateProfile local_server() {
  CertificateProfile profile = tsock::test::server_profile("www.example.com");
  profile.ip_addresses = {"127.0.0.1"};
  return profile;
}

// An authority, a server and a client of it, as files.
struct Certificates {
  TemporaryFolder folder;
  Certificate root = Certificate::self_signed(tsock::test::authority_profile("Root"));
  Certificate intermediate = root.issue(tsock::test::authority_profile("Intermediate"));
  Certificate server = intermediate.issue(local_server());
  Certificate client = root.issue(tsock::test::client_profile("a client"));
  std::string root_file = folder.write("root.pem", root.pem());

  [[nodiscard]] Words identity(const std::string& name, const std::string& chain,
                               const std::string& key) const {
    return {"--tls-cert", folder.write(name + ".pem", chain), "--tls-key", folder.write(name + ".key", key)};
  }
  [[nodiscard]] Words server_identity() const {
    return identity("server", server.pem() + intermediate.pem(), server.key_pem());
  }
  [[nodiscard]] Words client_identity() const { return identity("client", client.pem(), client.key_pem()); }
  [[nodiscard]] Words listen() const {
    return server_identity() + Words{"--announce", "tls-listen://127.0.0.1:0"};
  }
  [[nodiscard]] Words trust() const { return {"--tls-ca", root_file, "--tls-no-system-cas"}; }
  [[nodiscard]] TlsPeerOptions server_peer() const {
    return {.chain = server.pem() + intermediate.pem(), .key = server.key_pem()};
  }
};

std::string local(std::uint16_t port) { return "tls://127.0.0.1:" + std::to_string(port); }

// Connects to a server that has nothing to say.
CatOutcome ask(Cat& server, const Words& words, std::string_view input = {}) {
  const std::string address = server.listening();
  server.close_input();
  return run(words + Words{address}, input);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tsock_cat_tls)

// ---- bytes, and the end of a direction -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bytes_go_both_ways_and_both_ends_are_clean) {
  const Certificates files;
  const std::string there = many_bytes(3 << 20);
  const std::string back = many_bytes((3 << 20) + 1);
  Cat server(files.listen());
  server.write(back);
  server.close_input();
  Cat client(files.trust() + Words{server.listening()});
  client.write(there);
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST((server.output() == there));
  BOOST_TEST((client.output() == back));
  BOOST_TEST(client.error() == "");
}

BOOST_AUTO_TEST_CASE(a_proxy_is_asked_inside_of_tls_and_what_it_connects_to_speaks_inside) {
  const Certificates files;
  Cat proxy(files.listen());
  const std::string address = proxy.listening();
  const std::string url = "https" + address.substr(address.find(':'));
  proxy.write("HTTP/1.1 200 OK\r\n\r\n220 hello\r\n");
  proxy.close_input();
  const CatOutcome outcome = run(files.trust() + Words{"-v", "--proxy", url, "tcp://example.org:25"}, "QUIT");
  BOOST_TEST(outcome.status == 0, outcome.error);
  BOOST_TEST(outcome.output == "220 hello\r\n");
  BOOST_TEST(contains(outcome.error, "through " + url), outcome.error);
  BOOST_TEST(proxy.wait() == 0);
  BOOST_TEST(proxy.output() == "CONNECT example.org:25 HTTP/1.1\r\nHost: example.org:25\r\n\r\nQUIT");

  Cat untrusted(files.listen());
  const std::string other = untrusted.listening();
  const CatOutcome refused =
      run({"--proxy", "https" + other.substr(other.find(':')), "tcp://example.org:25"});
  BOOST_TEST(refused.status == 6, refused.error);
  BOOST_TEST(untrusted.wait() == 6);
  BOOST_TEST(untrusted.output() == "");
}

BOOST_AUTO_TEST_CASE(after_the_end_of_its_input_it_still_waits_for_the_answer) {
  const Certificates files;
  Cat server(files.listen() + Words{"-v"});
  Cat client(files.trust() + Words{server.listening()});
  client.write("question");
  client.close_input();
  server.error_line("tsock-cat: remote side ended");
  server.write("late answer");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(server.output() == "question");
  BOOST_TEST(client.output() == "late answer");
}

BOOST_AUTO_TEST_CASE(after_the_end_of_the_peer_it_still_sends) {
  const Certificates files;
  Cat server(files.listen());
  Cat client(files.trust() + Words{"-v", server.listening()});
  server.write("all I have");
  server.close_input();
  client.error_line("tsock-cat: remote side ended");
  client.write("and this is mine");
  BOOST_TEST(client.finish() == 0);
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "and this is mine");
  BOOST_TEST(client.output() == "all I have");
}

BOOST_AUTO_TEST_CASE(exit_on_peer_eof_ends_at_its_close_notify) {
  const Certificates files;
  Cat server(files.listen());
  Cat client(files.trust() + Words{"--exit-on-peer-eof", server.listening()});
  server.write("bye");
  server.close_input();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "bye");
  BOOST_TEST(server.wait() == 0);
}

BOOST_AUTO_TEST_CASE(send_only_to_a_peer_that_talks_loses_nothing) {
  const Certificates files;
  const std::string text = many_bytes(1500000);
  Cat server(files.listen());
  Cat client(files.trust() + Words{"--send-only", server.listening()});
  server.write(std::string(300000, 'y'));
  client.write(text);
  client.close_input();
  server.wait_until([&] { return server.output().size() == text.size(); }, "all that was sent");
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST((server.output() == text));
  BOOST_TEST(client.output() == "");
}

BOOST_AUTO_TEST_CASE(receive_only_reads_no_input_and_ends_with_the_peer) {
  const Certificates files;
  Cat server(files.listen());
  Cat client(files.trust() + Words{"--recv-only", server.listening()});
  client.write("not sent");
  server.write("taken");
  server.close_input();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST(client.output() == "taken");
  BOOST_TEST(server.wait() == 0);
  BOOST_TEST(server.output() == "");
}

BOOST_AUTO_TEST_CASE(messages_keep_their_boundaries) {
  const Certificates files;
  Cat server(files.listen() + Words{"--pdu", "u32be"});
  Cat client(files.trust() + Words{"--pdu", "u32be", server.listening()});
  client.write("one\nthree\n");
  BOOST_TEST(finish_all(client, server) == 0);
  BOOST_TEST(server.output() == "3 6f6e65\n5 7468726565\n");
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_cut_is_6_unless_that_is_allowed) {
  const Certificates files;
  for (const bool allowed : {false, true}) {
    Cat server(files.listen());
    Words words = files.trust() + Words{server.listening()};
    if (allowed) words.emplace_back("--allow-truncation");
    Cat client(words);
    server.write("half of it");
    client.wait_for_output("half of it");
    server.kill(SIGKILL);
    BOOST_TEST(server.wait() == -SIGKILL);
    BOOST_TEST(client.finish() == (allowed ? 0 : 6));
    BOOST_TEST(contains(client.error(), "without a close_notify") == !allowed, client.error());
    BOOST_TEST(client.output() == "half of it");
  }
}

BOOST_AUTO_TEST_CASE(a_signal_says_goodbye_to_the_peer) {
  const Certificates files;
  Cat server(files.listen() + Words{"-v"});
  Cat client(files.trust() + Words{"-v", server.listening()});
  server.error_line("tsock-cat: TLSv1.3");
  client.error_line("tsock-cat: TLSv1.3");
  client.kill(SIGTERM);
  BOOST_TEST(client.wait() == 130);
  BOOST_TEST(server.finish() == 0);
}

// ---- other programs --------------------------------------------------------------------------------------

BOOST_DATA_TEST_CASE(it_is_a_client_of_other_programs, data::make(tsock::test::tls_servers()), serving) {
  const Certificates files;
  if (!tsock::test::can_serve(serving, files.server_peer())) return;
  TlsServer server(serving, files.server_peer());
  Cat client(files.trust() + Words{local(server.port())});
  const bool is_http = server.conversation() == TlsConversation::http;
  client.write(is_http ? "GET / HTTP/1.0\r\n\r\n" : "a question\n");
  if (server.conversation() == TlsConversation::text) {
    server.process().wait_for_output("a question");
    server.process().write("answer\n");
  }
  client.wait_for_output(server.conversation() == TlsConversation::echo ? "a question" : "answer");
}

BOOST_DATA_TEST_CASE(it_is_a_server_of_other_programs, data::make(tsock::test::tls_clients()), connecting) {
  const Certificates files;
  const TlsPeerOptions options{.trusted = files.root.pem()};
  if (!tsock::test::can_connect(connecting, options)) return;
  Cat server(files.listen());
  const std::string address = server.listening();
  TlsClient client(connecting, static_cast<std::uint16_t>(std::stoi(port_of(address))), options);
  const bool is_http = client.conversation() == TlsConversation::http;
  if (!is_http) client.process().write("a question\n");
  server.wait_for_output(is_http ? "\r\n\r\n" : "a question\n");
  server.write(is_http ? "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer" : "answer\n");
  client.process().wait_for_output("answer");
}

BOOST_AUTO_TEST_CASE(its_client_certificate_is_taken_by_other_programs) {
  const Certificates files;
  TlsPeerOptions options = files.server_peer();
  options.trusted = files.root.pem();
  for (const TlsProgram program : {TlsProgram::openssl, TlsProgram::gnutls}) {
    if (!tsock::test::can_serve(program, options)) continue;
    TlsServer server(program, options);
    Cat client(files.trust() + files.client_identity() + Words{local(server.port())});
    client.write("a question\n");
    if (server.conversation() == TlsConversation::text) {
      server.process().wait_for_output("a question");
      server.process().write("a question\n");
    }
    client.wait_for_output("a question");
  }
}

// ---- whom it trusts --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_refused_certificate_is_6_and_both_sides_say_why) {
  const Certificates files;
  Cat server(files.listen());
  const CatOutcome client = ask(server, {"--retry", "5"});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "TLS handshake with tls://127.0.0.1:"), client.error);
  BOOST_TEST(contains(client.error, "unable to get local issuer certificate"), client.error);
  BOOST_TEST(server.wait() == 6);
  BOOST_TEST(contains(server.error(), "the peer refuses"), server.error());
  BOOST_TEST(contains(server.error(), "unknown ca"), server.error());
}

BOOST_AUTO_TEST_CASE(the_certificate_has_to_be_for_the_host_or_the_name_that_is_given) {
  const Certificates files;
  Cat server(files.listen() + Words{"-k", "--recv-only"});
  const std::string address = server.listening();
  const std::string by_name = "tls://localhost:" + port_of(address);
  const CatOutcome other = run(files.trust() + Words{"-4", by_name});
  BOOST_TEST(other.status == 6);
  BOOST_TEST(contains(other.error, "it is for www.example.com, 127.0.0.1, not for localhost"), other.error);
  BOOST_TEST(run(files.trust() + Words{"-4", "--tls-name", "www.example.com", by_name}).status == 0);
  BOOST_TEST(run(files.trust() + Words{"--tls-name", "www.example.org", address}).status == 6);
  BOOST_TEST(run(files.trust() + Words{"-4", "--tls-verify", "ca_only", by_name}).status == 0);
  BOOST_TEST(run(files.trust() + Words{address}).status == 0);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(insecure_takes_any_server_and_says_that_it_is_not_verified) {
  const Certificates files;
  Cat server(files.listen());
  const CatOutcome client = ask(server, {"-v", "--insecure"});
  BOOST_TEST(client.status == 0);
  BOOST_TEST(contains(client.error, "certificate of CN=www.example.com NOT verified: "), client.error);
  BOOST_TEST(server.finish() == 0);
}

BOOST_AUTO_TEST_CASE(a_revoked_certificate_is_refused) {
  const Certificates files;
  const std::string lists = files.folder.write(
      "crl.pem", files.root.crl() + files.intermediate.crl({.serials = {files.server.serial()}}));
  Cat server(files.listen());
  const CatOutcome client = ask(server, files.trust() + Words{"--tls-crl", lists});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "certificate revoked"), client.error);
  BOOST_TEST(server.wait() == 6);
}

BOOST_AUTO_TEST_CASE(a_pin_that_is_shown_is_a_pin_that_is_taken) {
  const Certificates files;
  Cat server(files.listen() + Words{"-k", "--recv-only"});
  const std::string address = server.listening();
  const CatOutcome shown = run(files.trust() + Words{"--json", address});
  BOOST_TEST(shown.status == 0);
  const std::string pin = event_named(shown.error, "tls").at("chain").at(0).at("pin");
  BOOST_TEST(run({"--insecure", "--tls-pin", pin, address}).status == 0);
  const std::string wrong = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const CatOutcome refused = run(files.trust() + Words{"--tls-pin", wrong, address});
  BOOST_TEST(refused.status == 6);
  BOOST_TEST(contains(refused.error, "none of the pinned ones"), refused.error);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

// ---- who it is -------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_client_shows_the_certificate_that_the_server_requires) {
  const Certificates files;
  const Words require = files.listen() + Words{"--tls-client-auth", "require", "--tls-ca", files.root_file};
  Cat server(require + Words{"-v"});
  BOOST_TEST(ask(server, files.trust() + files.client_identity()).status == 0);
  BOOST_TEST(server.finish() == 0);
  BOOST_TEST(contains(server.error(), "certificate of CN=a client verified"), server.error());
}

BOOST_AUTO_TEST_CASE(a_client_without_the_required_certificate_is_6_on_both_sides) {
  const Certificates files;
  for (const char* version : {"1.2", "1.3"}) {
    Cat server(files.listen() + Words{"--tls-client-auth", "require", "--tls-ca", files.root_file});
    Cat client(files.trust() + Words{"--tls-max", version, server.listening()});
    BOOST_TEST(client.wait() == 6);
    BOOST_TEST(contains(client.error(), "the peer refuses: "), client.error());
    BOOST_TEST(server.wait() == 6);
    BOOST_TEST(contains(server.error(), "the peer has sent no certificate"), server.error());
  }
}

BOOST_AUTO_TEST_CASE(a_requested_certificate_may_be_missing_but_not_be_wrong) {
  const Certificates files;
  const Words listen = files.listen() + Words{"--tls-client-auth", "request", "--tls-ca", files.root_file};
  Cat server(listen);
  BOOST_TEST(ask(server, files.trust()).status == 0);
  BOOST_TEST(server.finish() == 0);
  const Certificate stranger = Certificate::self_signed(tsock::test::client_profile("a stranger"));
  Cat again(listen);
  Cat client(files.trust() + files.identity("stranger", stranger.pem(), stranger.key_pem()) +
             Words{again.listening()});
  BOOST_TEST(client.wait() == 6);
  BOOST_TEST(again.wait() == 6);
  BOOST_TEST(contains(again.error(), "CN=a stranger"), again.error());
}

BOOST_AUTO_TEST_CASE(one_file_may_hold_certificate_and_key) {
  const Certificates files;
  const std::string both =
      files.folder.write("both.pem", files.server.pem() + files.intermediate.pem() + files.server.key_pem());
  Cat server({"--announce", "--tls-cert", both, "tls-listen://127.0.0.1:0"});
  BOOST_TEST(ask(server, files.trust()).status == 0);
  BOOST_TEST(server.finish() == 0);
}

BOOST_AUTO_TEST_CASE(pkcs12_is_opened_with_the_password_of_a_file) {
  const Certificates files;
  const std::string container =
      files.folder.write("server.p12", files.server.pkcs12("open sesame", {files.intermediate}));
  const std::string right = files.folder.write("right", "open sesame\n");
  const std::string wrong = files.folder.write("wrong", "let me in\n");
  const Words listen{"--announce", "--tls-pkcs12", container, "tls-listen://127.0.0.1:0"};
  Cat server(listen + Words{"--tls-password-file", right});
  BOOST_TEST(ask(server, files.trust()).status == 0);
  BOOST_TEST(server.finish() == 0);
  const CatOutcome refused = run(listen + Words{"--tls-password-file", wrong});
  BOOST_TEST(refused.status == 1);
  BOOST_TEST(contains(refused.error, container), refused.error);
}

BOOST_AUTO_TEST_CASE(the_name_that_is_asked_for_selects_the_certificate) {
  const Certificates files;
  CertificateProfile profile = local_server();
  profile.common_name = "second";
  profile.dns_names = {"second.example.com"};
  const Certificate second = files.root.issue(profile);
  Cat server(files.listen() + files.identity("second", second.pem(), second.key_pem()) +
             Words{"-k", "--recv-only"});
  const std::string address = server.listening();
  const auto subject_by = [&](const Words& words) -> std::string {
    const CatOutcome client = run(files.trust() + words + Words{"--json", address});
    BOOST_TEST(client.status == 0, client.error);
    return event_named(client.error, "tls").at("chain").at(0).at("subject");
  };
  BOOST_TEST(subject_by({}) == "CN=www.example.com");
  BOOST_TEST(subject_by({"--tls-name", "second.example.com"}) == "CN=second");
  BOOST_TEST(subject_by({"--tls-sni", "second.example.com"}) == "CN=second");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_pre_shared_key_needs_no_certificate) {
  const Certificates files;
  const std::string keys = files.folder.write(
      "keys", "someone:00112233445566778899aabbccddeeff\nme:0123456789ABCDEF0123456789ABCDEF\n");
  const std::string right = files.folder.write("right", "me:0123456789abcdef0123456789abcdef\n");
  const std::string wrong = files.folder.write("wrong", "me:ffffffffffffffffffffffffffffffff\n");
  for (const char* version : {"1.2", "1.3"}) {
    Cat server({"-k", "--recv-only", "-v", "--announce", "--tls-psk-file", keys, "tls-listen://127.0.0.1:0"});
    const std::string address = server.listening();
    const CatOutcome taken = run({"--tls-max", version, "--tls-psk-file", right, address}, "secret");
    BOOST_TEST(taken.status == 0, taken.error);
    server.wait_for_output("secret");
    BOOST_TEST(contains(server.error(), "pre-shared key of me"), server.error());
    BOOST_TEST(run({"--tls-max", version, "--tls-psk-file", wrong, address}).status == 6);
    server.kill(SIGTERM);
    BOOST_TEST(server.wait() == 130);
  }
}

BOOST_AUTO_TEST_CASE(a_client_with_a_pre_shared_key_refuses_a_server_without_it) {
  const Certificates files;
  const std::string keys = files.folder.write("keys", "me:0123456789abcdef0123456789abcdef\n");
  Cat server(files.listen());
  BOOST_TEST(ask(server, files.trust() + Words{"--tls-psk-file", keys}).status == 6);
  BOOST_TEST(server.wait() == 6);
}

BOOST_AUTO_TEST_CASE(secrets_that_others_can_read_are_7_unless_that_is_allowed) {
  const Certificates files;
  const std::string certificate =
      files.folder.write("server.pem", files.server.pem() + files.intermediate.pem());
  const std::string key = files.folder.write("open.key", files.server.key_pem(), 0644);
  const std::string psk = files.folder.write("open.psk", "me:0123456789abcdef0123456789abcdef\n", 0644);
  const Words listen{"--announce", "--tls-cert", certificate, "--tls-key", key, "tls-listen://127.0.0.1:0"};
  const CatOutcome refused = run(listen);
  BOOST_TEST(refused.status == 7);
  BOOST_TEST(contains(refused.error, "open.key: others may read"), refused.error);
  const CatOutcome refused_psk = run({"--tls-psk-file", psk, "tls-listen://127.0.0.1:0"});
  BOOST_TEST(refused_psk.status == 7);
  BOOST_TEST(contains(refused_psk.error, "others may read"), refused_psk.error);
  Cat server(listen + Words{"--tls-allow-readable-key"});
  BOOST_TEST(ask(server, files.trust()).status == 0);
  BOOST_TEST(server.finish() == 0);
}

// ---- the protocol ----------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_report_shows_the_peer) {
  const Certificates files;
  Cat server(files.listen() + Words{"--tls-alpn", "h2,http/1.1"});
  const CatOutcome client = ask(server, files.trust() + Words{"--tls-show", "--tls-alpn", "http/1.1"});
  BOOST_TEST(client.status == 0);
  BOOST_TEST(server.finish() == 0);
  for (const char* part :
       {"tsock-cat: TLSv1.3, TLS_", ", ALPN http/1.1, certificate of CN=www.example.com verified\n",
        "\n  version       TLSv1.3\n", "\n  cipher        TLS_", "\n  group         ",
        "\n  session       new\n", "\n  ALPN          http/1.1\n", "\n  certificate   verified\n",
        "\n  0: CN=www.example.com\n", "\n     issuer        CN=Intermediate\n",
        "\n     names         www.example.com, 127.0.0.1\n", "\n     valid         from 2", " UTC (",
        "\n     key           EC prime256v1, 256 bits\n", "\n     signature     SHA256\n",
        "\n     pin           sha256//", "\n  1: CN=Intermediate\n", "\n     issuer        CN=Root\n"})
    BOOST_TEST(contains(client.error, part), part << " is not in\n" << client.error);
  BOOST_TEST(!contains(client.error, "\n  2:"), client.error);
}

BOOST_AUTO_TEST_CASE(the_report_in_json_has_the_same) {
  const Certificates files;
  Cat server(files.listen() + Words{"--json", "--tls-client-auth", "require", "--tls-ca", files.root_file});
  server.wait_for_error("\n");
  const std::string address = event_named(server.error(), "listening").at("address");
  server.close_input();
  const Words named{"--tls-name", "www.example.com", address};
  BOOST_TEST(run(files.trust() + files.client_identity() + named).status == 0);
  BOOST_TEST(server.finish() == 0);
  const auto event = event_named(server.error(), "tls");
  BOOST_TEST(event.at("connection") == 1);
  BOOST_TEST(event.at("version") == "TLSv1.3");
  BOOST_TEST(event.at("server_name") == "www.example.com");
  BOOST_TEST(event.at("verified") == true);
  BOOST_TEST(event.at("resumed") == false);
  BOOST_TEST(event.at("chain").size() == 1U);
  BOOST_TEST(event.at("chain").at(0).at("subject") == "CN=a client");
}

BOOST_AUTO_TEST_CASE(versions_ciphers_and_groups_are_those_that_are_allowed) {
  const Certificates files;
  Cat server(files.listen() + Words{"-k", "--recv-only"});
  const std::string address = server.listening();
  const auto event_with = [&](const Words& words) {
    const CatOutcome client = run(files.trust() + words + Words{"--json", address});
    BOOST_TEST(client.status == 0, client.error);
    return event_named(client.error, "tls");
  };
  BOOST_TEST(event_with({"--tls-max", "1.2"}).at("version") == "TLSv1.2");
  BOOST_TEST(event_with({"--tls-min", "1.3"}).at("version") == "TLSv1.3");
  BOOST_TEST(event_with({"--tls-suites", "TLS_CHACHA20_POLY1305_SHA256"}).at("cipher") ==
             "TLS_CHACHA20_POLY1305_SHA256");
  BOOST_TEST(
      event_with({"--tls-max", "1.2", "--tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"}).at("cipher") ==
      "ECDHE-ECDSA-AES256-GCM-SHA384");
  BOOST_TEST(event_with({"--tls-groups", "P-384"}).at("group") == "secp384r1");
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
  Cat strict(files.listen() + Words{"--tls-min", "1.3"});
  const CatOutcome old = ask(strict, files.trust() + Words{"--tls-max", "1.2"});
  BOOST_TEST(old.status == 6);
  BOOST_TEST(strict.wait() == 6);
  BOOST_TEST(contains(strict.error(), "no version of TLS that both sides allow"), strict.error());
}

BOOST_AUTO_TEST_CASE(no_protocol_in_common_is_6) {
  const Certificates files;
  Cat server(files.listen() + Words{"--tls-alpn", "imap"});
  const CatOutcome client = ask(server, files.trust() + Words{"--tls-alpn", "h2"});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "no application protocol"), client.error);
  BOOST_TEST(server.wait() == 6);
}

BOOST_AUTO_TEST_CASE(a_key_log_is_appended_to_a_file_of_the_option_or_the_environment) {
  const Certificates files;
  const std::string log = files.folder.file("keys.log");
  const std::string other = files.folder.file("other.log");
  Cat server(files.listen() + Words{"-k", "--recv-only"});
  const std::string address = server.listening();
  BOOST_TEST(run(files.trust() + Words{"--tls-keylog", log, address}).status == 0);
  const std::string once = content_of(log);
  BOOST_TEST(contains(once, "CLIENT_TRAFFIC_SECRET_0 "), once);
  BOOST_TEST(once.ends_with('\n'));
  ::setenv("SSLKEYLOGFILE", log.c_str(), 1);
  BOOST_TEST(run(files.trust() + Words{address}).status == 0);
  BOOST_TEST(content_of(log).size() > once.size());
  BOOST_TEST(content_of(log).starts_with(once));
  BOOST_TEST(run(files.trust() + Words{"--tls-keylog", other, address}).status == 0);
  ::setenv("SSLKEYLOGFILE", "/nonexistent/log", 1);
  const CatOutcome without = run(files.trust() + Words{address});
  ::unsetenv("SSLKEYLOGFILE");
  BOOST_TEST(content_of(other).size() > 0U);
  BOOST_TEST(without.status == 0);
  BOOST_TEST(contains(without.error, "SSLKEYLOGFILE: /nonexistent/log: ENOENT"), without.error);
  BOOST_TEST(run(files.trust() + Words{"--tls-keylog", "/nonexistent/log", address}).status == 7);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(a_peer_that_stops_in_the_handshake_is_4_and_named) {
  const Certificates files;
  const RawListener silent;
  const CatOutcome client = run({"--json", "--tls-timeout", "50ms", "tls://" + silent.address()});
  BOOST_TEST(client.status == 4);
  BOOST_TEST(event_named(client.error, "error").at("limit") == "handshake");
  const CatOutcome connecting = run({"--json", "-w", "50ms", "tls://" + silent.address()});
  BOOST_TEST(connecting.status == 4);
  BOOST_TEST(event_named(connecting.error, "error").at("limit") == "connect");
  Cat server(files.listen() + Words{"--tls-timeout", "50ms"});
  Cat plain({server.listening().substr(std::string("tls://").size())});
  BOOST_TEST(server.wait() == 4);
  BOOST_TEST(contains(server.error(), "handshake timeout"), server.error());
}

BOOST_AUTO_TEST_CASE(a_peer_without_tls_is_6_and_named) {
  const Certificates files;
  Cat plain({"-l", "127.0.0.1", "0", "--announce"});
  plain.write("220 mail.example.com ESMTP\r\n");
  const CatOutcome client = run({"tls://" + plain.listening()});
  BOOST_TEST(client.status == 6);
  BOOST_TEST(contains(client.error, "does not speak TLS"), client.error);
  Cat server(files.listen());
  Cat browser({server.listening().substr(std::string("tls://").size())});
  browser.write("GET / HTTP/1.0\r\n\r\n");
  BOOST_TEST(server.wait() == 6);
  BOOST_TEST(contains(server.error(), "the peer speaks HTTP, not TLS"), server.error());
}

// ---- servers and relays ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_server_of_many_goes_on_after_a_handshake_that_fails) {
  const Certificates files;
  Cat server(files.listen() + Words{"-k"});
  const std::string address = server.listening();
  BOOST_TEST(run({address}).status == 6);
  const std::string told = server.error_line("tsock-cat: TLS handshake with 127.0.0.1:");
  BOOST_TEST(contains(told, "the peer refuses"), told);
  Cat first(files.trust() + Words{address});
  Cat second(files.trust() + Words{address});
  first.write("from the first ");
  server.wait_for_output("from the first ");
  second.write("from the second");
  server.wait_for_output("from the second");
  server.write("to all");
  first.wait_for_output("to all");
  second.wait_for_output("to all");
  server.close_input();
  BOOST_TEST(finish_all(first, second) == 0);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(many_clients_are_served_at_once) {
  const Certificates files;
  Cat server(files.listen() + Words{"-k", "--recv-only"});
  const std::string address = server.listening();
  std::vector<std::unique_ptr<Cat>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<Cat>(files.trust() + Words{address}));
    clients.back()->write(std::string(1000, 'x'));
  }
  server.wait_until([&] { return server.output().size() == 12000; }, "what all of them send");
  for (auto& client : clients) BOOST_TEST(client->finish() == 0);
  server.kill(SIGTERM);
  BOOST_TEST(server.wait() == 130);
}

BOOST_AUTO_TEST_CASE(relays_wrap_and_unwrap) {
  const Certificates files;
  const std::string there = many_bytes(1 << 20);
  const std::string back = many_bytes((1 << 20) + 1);
  Cat target({"-l", "127.0.0.1", "0", "--announce"});
  Cat unwrap(files.listen() + Words{"tcp://" + target.listening()});
  Cat wrap(files.trust() + Words{"--announce", "tcp-listen://127.0.0.1:0", unwrap.listening()});
  Cat client({wrap.listening()});
  client.write(there);
  target.write(back);
  BOOST_TEST(finish_all(client, target) == 0);
  BOOST_TEST(wrap.wait() == 0);
  BOOST_TEST(unwrap.wait() == 0);
  BOOST_TEST((target.output() == there));
  BOOST_TEST((client.output() == back));
}

BOOST_AUTO_TEST_CASE(a_relay_resets_the_side_that_got_a_part_of_a_cut_stream) {
  const Certificates files;
  Cat source(files.listen());
  Cat relay(files.trust() + Words{"--announce", "tcp-listen://127.0.0.1:0", source.listening()});
  Cat client({relay.listening()});
  source.write("a part");
  client.wait_for_output("a part");
  source.kill(SIGKILL);
  BOOST_TEST(relay.wait() == 6);
  BOOST_TEST(client.wait() == 5);
  BOOST_TEST(source.wait() == -SIGKILL);
}

BOOST_AUTO_TEST_CASE(the_certificate_is_the_servers_where_a_relay_is_server_and_client) {
  const Certificates files;
  Cat target(files.listen() + Words{"-v", "--tls-client-auth", "request", "--tls-ca", files.root_file});
  Cat relay(files.listen() + files.trust() + Words{target.listening()});
  target.close_input();
  BOOST_TEST(ask(relay, files.trust(), "through").status == 0);
  BOOST_TEST(target.finish() == 0);
  BOOST_TEST(relay.wait() == 0);
  BOOST_TEST(target.output() == "through");
  BOOST_TEST(!contains(target.error(), "certificate of"), target.error());
}

// ---- wrong command lines ---------------------------------------------------------------------------------

const std::vector<Words> wrong_command_lines{
    {"tls-listen://127.0.0.1:0"},
    {"tls://127.0.0.1"},
    {"--tls-show", "tcp://127.0.0.1:1"},
    {"--insecure", "--tls-verify", "ca_only", "tls://127.0.0.1:1"},
    {"--tls-verify", "perhaps", "tls://127.0.0.1:1"},
    {"--tls-min", "1.3", "--tls-max", "1.2", "tls://127.0.0.1:1"},
    {"--tls-min", "1.1", "tls://127.0.0.1:1"},
    {"--tls-client-auth", "require", "tls://127.0.0.1:1"},
    {"--tls-client-auth", "require", "--tls-cert", "a", "tls-listen://127.0.0.1:0"},
    {"--tls-cert", "a", "--tls-cert", "b", "--tls-key", "c", "tls-listen://127.0.0.1:0"},
    {"--tls-cert", "a", "--tls-cert", "b", "tls://127.0.0.1:1"},
    {"--tls-password-file", "a", "tls://127.0.0.1:1"},
    {"--tls-ciphers", "NO-SUCH-CIPHER", "tls://127.0.0.1:1"},
    {"--tls-pin", "md5//", "tls://127.0.0.1:1"},
    {"-u", "--tls-show", "127.0.0.1", "1"},
};

BOOST_DATA_TEST_CASE(a_wrong_command_line_is_1_and_says_why, data::xrange(wrong_command_lines.size()),
                     index) {
  expect_wrong_command_line(wrong_command_lines[index]);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_missing_is_7_and_named) {
  const Certificates files;
  for (const char* option : {"--tls-ca", "--tls-crl", "--tls-psk-file", "--tls-cert"}) {
    const CatOutcome outcome = run({option, files.folder.file("missing"), "tls://127.0.0.1:1"});
    BOOST_TEST(outcome.status == 7);
    BOOST_TEST(contains(outcome.error, "missing: ENOENT"), outcome.error);
  }
}

BOOST_AUTO_TEST_CASE(a_line_of_pre_shared_keys_that_is_none_is_named_without_its_key) {
  const Certificates files;
  const std::string keys = files.folder.write("keys", "me:0123456789abcdef0123456789abcdef\nyou:secret\n");
  const CatOutcome outcome = run({"--tls-psk-file", keys, "tls://127.0.0.1:1"});
  BOOST_TEST(outcome.status == 7);
  BOOST_TEST(contains(outcome.error, "line 2"), outcome.error);
  BOOST_TEST(!contains(outcome.error, "secret"), outcome.error);
}

BOOST_AUTO_TEST_SUITE_END()

#elif defined(TSOCK_WITH_TSOCK_CAT)

#include <boost/test/unit_test.hpp>

#include "support/tsock_cat.hpp"

BOOST_AUTO_TEST_SUITE(tsock_cat_without_tls)

BOOST_AUTO_TEST_CASE(a_build_without_tls_says_so) {
  const auto outcome = tsock::test::cat::run({"tls://127.0.0.1:1"});
  BOOST_TEST(outcome.status == 1);
  BOOST_TEST(tsock::test::cat::contains(outcome.error, "was built without TLS"), outcome.error);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
