// Other programs as TLS peers of each other: that they can be started, and do what the tests of TLS ask of
// them.
#if defined(TSOCK_TEST_CERTIFICATES)

#include "support/tls_peer.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <string>

#include "support/certificates/certificate.hpp"

using namespace tsock::test;

namespace {

namespace data = boost::unit_test::data;

struct Authority {
  Certificate root = Certificate::self_signed(authority_profile("Root"));
  Certificate intermediate = root.issue(authority_profile("Intermediate"));

  [[nodiscard]] TlsPeerOptions server() const {
    const Certificate server = intermediate.issue(server_profile("www.example.com"));
    return {.chain = server.pem() + intermediate.pem(), .key = server.key_pem()};
  }
  [[nodiscard]] TlsPeerOptions client() const { return {.trusted = root.pem()}; }
  [[nodiscard]] TlsPeerOptions client_with_certificate() const {
    const Certificate client = root.issue(client_profile("client"));
    return {.chain = client.pem(), .key = client.key_pem(), .trusted = root.pem()};
  }
};

/// Bytes go both ways, in the words that both sides have.
void converse(TlsServer& server, TlsClient& client) {
  const bool is_request = client.conversation() == TlsConversation::http;
  if (!is_request) {
    const bool wants_request = server.conversation() == TlsConversation::http;
    client.process().write(wants_request ? "GET / HTTP/1.0\r\n\r\n" : "a question\n");
  }
  if (server.conversation() == TlsConversation::text) {
    server.process().wait_for_output(is_request ? "\r\n\r\n" : "a question");
    server.process().write(is_request ? "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer" : "answer\n");
  }
  const bool is_echo = server.conversation() == TlsConversation::echo;
  client.process().wait_for_output(is_echo ? "a question" : "answer");
}

/// gnutls-serv echoes no HTTP.
bool understand(const TlsServer& server, const TlsClient& client) {
  return server.conversation() != TlsConversation::echo || client.conversation() != TlsConversation::http;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tls_peer)

BOOST_DATA_TEST_CASE(programs_talk_to_each_other, data::make(tls_servers()) * data::make(tls_clients()),
                     serving, connecting) {
  const Authority authority;
  if (!can_serve(serving, authority.server()) || !can_connect(connecting, authority.client())) return;
  TlsServer server(serving, authority.server());
  TlsClient client(connecting, server.port(), authority.client());
  if (!understand(server, client)) return;
  converse(server, client);
}

BOOST_DATA_TEST_CASE(client_refuses_a_server_that_it_does_not_trust, data::make(tls_clients()), connecting) {
  const Authority authority;
  const Authority other;
  if (!can_serve(TlsProgram::openssl, authority.server()) || !can_connect(connecting, other.client())) return;
  TlsServer server(TlsProgram::openssl, authority.server());
  TlsClient client(connecting, server.port(), other.client());
  BOOST_TEST(client.process().finish() != 0);
}

BOOST_DATA_TEST_CASE(client_refuses_a_server_of_another_name, data::make(tls_clients()), connecting) {
  const Authority authority;
  TlsPeerOptions options = authority.client();
  options.name = "www.example.org";
  if (!can_serve(TlsProgram::openssl, authority.server()) || !can_connect(connecting, options)) return;
  TlsServer server(TlsProgram::openssl, authority.server());
  TlsClient client(connecting, server.port(), options);
  BOOST_TEST(client.process().finish() != 0);
}

BOOST_DATA_TEST_CASE(client_that_trusts_nobody_in_particular_takes_any_server, data::make(tls_clients()),
                     connecting) {
  const Authority authority;
  if (!can_serve(TlsProgram::openssl, authority.server()) || !can_connect(connecting, {})) return;
  TlsServer server(TlsProgram::openssl, authority.server());
  TlsClient client(connecting, server.port(), {});
  converse(server, client);
}

BOOST_DATA_TEST_CASE(server_speaks_the_version_that_it_is_told,
                     data::make(tls_servers()) * data::make({"1.2", "1.3"}), serving, version) {
  const Authority authority;
  TlsPeerOptions options = authority.server();
  options.version = version;
  if (!can_serve(serving, options) || !can_connect(TlsProgram::openssl, authority.client())) return;
  TlsServer server(serving, options);
  TlsClient client(TlsProgram::openssl, server.port(), authority.client());
  client.process().wait_for_error("Protocol version: TLSv" + std::string(version));
  converse(server, client);
}

BOOST_DATA_TEST_CASE(client_speaks_the_version_that_it_is_told,
                     data::make(tls_clients()) * data::make({"1.2", "1.3"}), connecting, version) {
  const Authority authority;
  TlsPeerOptions options = authority.client();
  options.version = version;
  if (!can_serve(TlsProgram::openssl, authority.server()) || !can_connect(connecting, options)) return;
  TlsServer server(TlsProgram::openssl, authority.server());
  TlsClient client(connecting, server.port(), options);
  server.process().wait_for_output(version == std::string("1.3") ? "CIPHER is TLS_" : "CIPHER is ECDHE-");
  converse(server, client);
}

BOOST_DATA_TEST_CASE(server_asks_for_the_certificate_of_its_client, data::make(tls_servers()), serving) {
  const Authority authority;
  TlsPeerOptions options = authority.server();
  options.trusted = authority.root.pem();
  if (!can_serve(serving, options) || !can_connect(TlsProgram::openssl, authority.client())) return;
  {
    TlsServer server(serving, options);
    TlsClient client(TlsProgram::openssl, server.port(), authority.client_with_certificate());
    converse(server, client);
  }
  TlsServer server(serving, options);
  TlsClient client(TlsProgram::openssl, server.port(), authority.client());
  client.process().write("GET / HTTP/1.0\r\n\r\n");
  static_cast<void>(client.process().wait());  // the server ends it
  const std::string& output = client.process().output();
  BOOST_TEST((output.empty() || output.find(" 400 ") != std::string::npos), output);
}

BOOST_DATA_TEST_CASE(client_shows_its_certificate_when_asked, data::make(tls_clients()), connecting) {
  const Authority authority;
  TlsPeerOptions options = authority.server();
  options.trusted = authority.root.pem();
  if (!can_serve(TlsProgram::openssl, options)) return;
  if (!can_connect(connecting, authority.client_with_certificate())) return;
  TlsServer server(TlsProgram::openssl, options);
  TlsClient client(connecting, server.port(), authority.client_with_certificate());
  converse(server, client);
}

BOOST_DATA_TEST_CASE(server_selects_among_the_protocols_of_the_client, data::make(tls_servers()), serving) {
  const Authority authority;
  TlsPeerOptions options = authority.server();
  options.alpn = {"other", "tsock"};
  TlsPeerOptions offered = authority.client();
  offered.alpn = {"tsock"};
  if (!can_serve(serving, options) || !can_connect(TlsProgram::gnutls, offered)) return;
  TlsServer server(serving, options);
  TlsClient client(TlsProgram::gnutls, server.port(), offered);
  BOOST_TEST(client.process().finish() == 0);
  const std::string& said = client.process().error();
  BOOST_TEST(said.find("- Application protocol: tsock") != std::string::npos, said);
}

BOOST_DATA_TEST_CASE(client_offers_its_protocols, data::make(tls_clients()), connecting) {
  const Authority authority;
  TlsPeerOptions options = authority.server();
  options.alpn = {"tsock"};
  TlsPeerOptions offered = authority.client();
  offered.alpn = {"other", "tsock"};
  if (!can_serve(TlsProgram::openssl, options) || !can_connect(connecting, offered)) return;
  TlsServer server(TlsProgram::openssl, options);
  TlsClient client(connecting, server.port(), offered);
  server.process().wait_for_output("ALPN protocols selected: tsock");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
