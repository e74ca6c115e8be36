// LDAP with SASL: our client and slapd, OpenLDAP's clients and a server of ours.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <tsock/sasl/sasl.hpp>
#include <tsock/tsock.hpp>

#include "support/built_programs.hpp"
#include "support/kdc.hpp"
#include "support/ldap.hpp"
#include "support/port_apart.hpp"
#include "support/process.hpp"
#include "support/sasl_fixture.hpp"
#include "support/scoped_environment.hpp"
#ifdef TSOCK_WITH_TLS
#include "support/tls_fixture.hpp"
#endif

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;

constexpr std::string_view slapd_configuration = R"(include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile @/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
sasl-host localhost
sasl-realm TSOCK.TEST
sasl-secprops none
password-hash {CLEARTEXT}
authz-regexp uid=([^,]*),cn=TSOCK.TEST,cn=[^,]*,cn=auth uid=$1,dc=tsock
authz-regexp uid=([^,]*),cn=[^,]*,cn=auth uid=$1,dc=tsock
database mdb
suffix dc=tsock
rootdn cn=root,dc=tsock
rootpw secret
directory @/db
access to * by * write
)";

constexpr std::string_view slapd_data = R"(dn: dc=tsock
objectClass: dcObject
objectClass: organization
dc: tsock
o: tsock

dn: uid=alice,dc=tsock
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Alice
userPassword: alicepw
)";

std::string slapd_program() { return std::ifstream("/usr/sbin/slapd").good() ? "/usr/sbin/slapd" : "slapd"; }

bool can_run_slapd() {
  if (!std::ifstream("/etc/ldap/schema/core.schema").good() || !std::ifstream("/usr/sbin/slapd").good()) {
    BOOST_TEST_MESSAGE("skipped: slapd is not installed");
    return false;
  }
  return true;
}

struct SaslLdapFixture : LdapFixture {
  SaslLdapFixture() { ignore_leaks_of_digest_md5(); }

  TemporaryFolder folder;
  std::unique_ptr<Process> slapd;
  Address address;

  /// A client and a server of ours over TCP, whose exchange is over.
  std::pair<Stream, Stream> both_by_kerberos(const sasl::ClientOptions& client) {
    auto [left, right] = tcp_pair();
    Request<Stream> connecting = sasl::connect(std::move(left), client);
    Request<Stream> accepting = sasl::accept(std::move(right), {.service = "ldap", .host = "localhost"});
    int err = -1;
    left = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    right = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0, accepting.reason());
    return {std::move(left), std::move(right)};
  }

  void start_slapd() { start_slapd("ldap", {}); }
#ifdef TSOCK_WITH_TLS
  /// One that speaks TLS from the first byte, and ties authentications to its certificate.
  void start_slapd_with_tls() {
    const TlsAuthority& authority = tls_authority();
    const Certificate certificate = authority.server("localhost");
    start_slapd("ldaps", "TLSCACertificateFile " + folder.write("ca.pem", authority.root.pem()) +
                             "\nTLSCertificateFile " +
                             folder.write("cert.pem", certificate.pem() + authority.intermediate.pem()) +
                             "\nTLSCertificateKeyFile " + folder.write("key.pem", certificate.key_pem()) +
                             "\nTLSVerifyClient never\nsasl-cbinding tls-endpoint\n");
  }
  Stream connect_with_tls() {
    Request<Stream> connecting =
        tls::connect(connect(), context_for(tls_authority().client_options()), {.peer_name = "localhost"});
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    return stream;
  }
#endif
  void start_slapd(const std::string& scheme, const std::string& more) {
    std::string configuration(slapd_configuration);
    configuration.insert(configuration.find("database mdb"), more);
    for (std::size_t at = 0; (at = configuration.find("@/")) != std::string::npos;)
      configuration.replace(at, 1, folder.file("").substr(0, folder.file("").size() - 1));
    const std::string file = folder.write("slapd.conf", configuration);
    const std::string data_file = folder.write("data.ldif", slapd_data);
    BOOST_TEST_REQUIRE(std::system(("mkdir " + folder.file("db")).c_str()) == 0);
    Process adding({slapd_program(), "-Tadd", "-f", file, "-l", data_file});
    BOOST_TEST_REQUIRE(adding.finish() == 0, adding.error());
    address = loopback_v4(port_apart());
    // A group of its own: slapd may signal its own.
    slapd = std::make_unique<Process>(std::vector<std::string>{
        "setsid", "--wait", slapd_program(), "-f", file, "-h",
        scheme + "://127.0.0.1:" + std::to_string(address.port().value_or(0)), "-d", "0"});
    const auto end = Clock::now() + guard_time;
    for (int err = -1; err != 0;) {
      BOOST_TEST_REQUIRE((Clock::now() < end));
      Request<Stream> connecting = Stream::connect(loop, address);
      static_cast<void>(fetch(connecting, err));
      if (err != 0) static_cast<void>(error_of(loop.sleep(std::chrono::milliseconds(20))));
    }
  }
  ~SaslLdapFixture() {
    if (slapd == nullptr) return;
    pid_t pid = 0;
    std::ifstream(folder.file("slapd.pid")) >> pid;
    if (pid > 1) ::kill(pid, SIGTERM);
    static_cast<void>(slapd->wait());
  }

  Stream connect() {
    Request<Stream> connecting = Stream::connect(loop, address);
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }

  ldap::Result bind_step(Stream& stream, int id, std::string_view mechanism, const sasl::Reply& reply) {
    std::string credentials = ldap::element(ldap::octets, mechanism);
    if (reply.bytes) credentials += ldap::element(ldap::octets, text_of(*reply.bytes));
    send(stream, ldap::message(
                     id, ldap::element(ldap::bind_request, ldap::number(3) + ldap::element(ldap::octets, "") +
                                                               ldap::element(ldap::sasl, credentials))));
    const ldap::Message answer = receive(stream);
    BOOST_TEST(int{answer.operation} == int{ldap::bind_response});
    return ldap::result_of(answer);
  }

  /// Binds, and puts the layer on. \return the last result of the server
  ldap::Result bind(Stream& stream, const sasl::ClientOptions& options, sasl::Peer* peer = nullptr) {
    sasl::ClientSession session = sasl_client(options);
    int err = -1;
    int id = 1;
    sasl::Reply reply = session.start(options.mechanisms.at(0), err);
    BOOST_TEST_REQUIRE(err == 0, session.reason());
    ldap::Result result;
    for (;;) {
      result = bind_step(stream, id++, session.peer().mechanism, reply);
      if (result.code != ldap::success && result.code != ldap::in_progress) return result;
      if (result.code == ldap::success && !result.bytes) break;
      reply = session.step(result.bytes.value_or(""), err);
      BOOST_TEST_REQUIRE(err == 0, session.reason());
      if (result.code == ldap::success) break;
    }
    BOOST_TEST_REQUIRE(session.is_done());
    if (peer != nullptr) *peer = session.peer();
    Request<Stream> wrapping = sasl::wrap(std::move(stream), std::move(session));
    stream = fetch(wrapping, err);
    BOOST_TEST_REQUIRE(err == 0, wrapping.reason());
    return result;
  }

  std::string whoami(Stream& stream) {
    send(stream, ldap::message(100, ldap::element(ldap::extended_request,
                                                  ldap::element(ldap::request_name, ldap::whoami))));
    const ldap::Result result = ldap::result_of(receive(stream));
    BOOST_TEST(result.code == ldap::success);
    return result.bytes.value_or("(none)");
  }

  /// The names of all entries.
  std::vector<std::string> search(Stream& stream) {
    const std::string request = ldap::element(ldap::octets, "dc=tsock") + ldap::number(2, ldap::enumerated) +
                                ldap::number(0, ldap::enumerated) + ldap::number(0) + ldap::number(0) +
                                ldap::element(0x01, std::string(1, '\0')) +
                                ldap::element(ldap::present, "objectClass") +
                                ldap::element(ldap::sequence, "");
    send(stream, ldap::message(101, ldap::element(ldap::search_request, request)));
    std::vector<std::string> names;
    for (;;) {
      const ldap::Message message = receive(stream);
      if (message.operation != ldap::search_entry) {
        BOOST_TEST(ldap::result_of(message).code == ldap::success);
        return names;
      }
      names.emplace_back(ldap::Reader(message.content).next());
    }
  }
};

sasl::ClientOptions ldap_options(const std::string& mechanism, const std::string& password = "alicepw") {
  sasl::ClientOptions options = sasl_client_options(mechanism, password);
  options.service = "ldap";
  return options;
}

// ---- a server of ours ----

constexpr std::size_t large_value = std::size_t{200} * 1024;

/// Serves one connection until the client leaves.
struct ToyLdapServer : LdapFixture {
  Listener listener = make_listener();
  sasl::Peer peer = {};

  Listener make_listener() {
    int err = -1;
    Listener made = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return made;
  }
  [[nodiscard]] std::string url() const {
    return "ldap://localhost:" + std::to_string(listener.local_address().port().value_or(0));
  }

  void serve() {
    int err = -1;
    Request<Stream> accepting = listener.accept();
    Stream stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    sasl::ServerOptions options = sasl_server_options();
    options.service = "ldap";
    sasl::ServerSession session = sasl_server(options);
    for (bool has_begun = false;; has_begun = true) {
      const ldap::Message request = receive(stream);
      BOOST_TEST_REQUIRE(int{request.operation} == int{ldap::bind_request});
      ldap::Reader bind(request.content);
      bind.next();
      bind.next();
      ldap::Reader credentials(bind.next());
      const std::string mechanism(credentials.next());
      std::optional<std::string> bytes;
      if (!credentials.at_end()) bytes = credentials.next();
      std::optional<ByteView> initial;
      if (bytes) initial.emplace(*bytes);
      const sasl::Reply reply =
          has_begun ? session.step(bytes.value_or(""), err) : session.start(mechanism, initial, err);
      const std::string more =
          reply.bytes ? ldap::element(ldap::server_credentials, text_of(*reply.bytes)) : std::string();
      const int code = err != 0        ? ldap::invalid_credentials
                       : reply.is_done ? ldap::success
                                       : ldap::in_progress;
      send(stream, ldap::result_message(request.id, ldap::bind_response, code, more));
      if (err != 0) return;
      if (reply.is_done) break;
    }
    peer = session.peer();
    Request<Stream> wrapping = sasl::wrap(std::move(stream), std::move(session));
    stream = fetch(wrapping, err);
    BOOST_TEST_REQUIRE(err == 0, wrapping.reason());
    for (;;) {
      const ldap::Message request = receive(stream);
      if (request.operation == ldap::unbind_request) return;
      if (request.operation == ldap::extended_request) {
        send(stream, ldap::result_message(request.id, ldap::extended_response, ldap::success,
                                          ldap::element(ldap::response_value, "u:" + peer.user)));
      } else {
        BOOST_TEST(int{request.operation} == int{ldap::search_request});
        send(stream,
             ldap::entry(request.id, "cn=large,dc=tsock", "description", std::string(large_value, 'x')) +
                 ldap::result_message(request.id, ldap::search_done, ldap::success));
      }
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sasl_ldap, SaslLdapFixture)

BOOST_AUTO_TEST_CASE(our_client_searches_slapd_through_the_layer) {
  if (!can_run_slapd()) return;
  start_slapd();
  for (const char* const mechanism : {"DIGEST-MD5", "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-MD5"}) {
    Stream stream = connect();
    sasl::Peer peer;
    BOOST_TEST_REQUIRE(bind(stream, ldap_options(mechanism), &peer).code == ldap::success);
    BOOST_TEST(peer.mechanism == mechanism);
    BOOST_TEST(peer.strength == (peer.mechanism == "DIGEST-MD5" ? 128U : 0U));
    BOOST_TEST(whoami(stream) == "dn:uid=alice,dc=tsock");
    const std::vector<std::string> names = search(stream);
    BOOST_TEST(names.size() == 2U);
    BOOST_TEST(names.back() == "uid=alice,dc=tsock");
  }
}

BOOST_AUTO_TEST_CASE(slapd_and_our_client_agree_on_every_strength) {
  if (!can_run_slapd()) return;
  start_slapd();
  for (const unsigned highest : {0U, 1U, 56U, 128U}) {
    Stream stream = connect();
    sasl::ClientOptions options = ldap_options("DIGEST-MD5");
    options.security.highest_strength = highest;
    sasl::Peer peer;
    BOOST_TEST_REQUIRE(bind(stream, options, &peer).code == ldap::success);
    BOOST_TEST(peer.strength <= highest);
    BOOST_TEST(whoami(stream) == "dn:uid=alice,dc=tsock");
  }
}

BOOST_AUTO_TEST_CASE(slapd_refuses_a_wrong_password) {
  if (!can_run_slapd()) return;
  start_slapd();
  for (const char* const mechanism : {"DIGEST-MD5", "SCRAM-SHA-256"}) {
    Stream stream = connect();
    BOOST_TEST(bind(stream, ldap_options(mechanism, "wrong")).code == ldap::invalid_credentials);
  }
}

BOOST_AUTO_TEST_CASE(a_request_of_slapd_may_be_one_byte_a_message) {
  if (!can_run_slapd()) return;
  start_slapd();
  Stream stream = connect();
  BOOST_TEST_REQUIRE(bind(stream, ldap_options("DIGEST-MD5")).code == ldap::success);
  const std::string request = ldap::message(
      7, ldap::element(ldap::extended_request, ldap::element(ldap::request_name, ldap::whoami)));
  for (const char byte : request) send(stream, std::string_view(&byte, 1));
  BOOST_TEST(ldap::result_of(receive(stream)).bytes.value() == "dn:uid=alice,dc=tsock");
}

BOOST_DATA_TEST_CASE_F(SaslLdapFixture, our_client_shows_slapd_a_ticket_of_kerberos,
                       data::make({"GSSAPI", "GSS-SPNEGO"}) * data::make({0U, 1U, 256U}), mechanism,
                       highest) {
  if (!can_run_slapd() || Kdc::get() == nullptr) return;
  start_slapd();
  Stream stream = connect();
  sasl::ClientOptions options{.service = "ldap", .host = "localhost", .mechanisms = {mechanism}};
  options.security.highest_strength = highest;
  sasl::Peer peer;
  BOOST_TEST_REQUIRE(bind(stream, options, &peer).code == ldap::success);
  BOOST_TEST(peer.mechanism == mechanism);
  // GSS-SPNEGO only knows a layer that seals, and none.
  BOOST_TEST(peer.strength == (highest == 1 && peer.mechanism == "GSS-SPNEGO" ? 256U : highest));
  BOOST_TEST(whoami(stream) == "dn:uid=alice,dc=tsock");
  BOOST_TEST(search(stream).size() == 2U);
}

#ifdef TSOCK_WITH_TLS
BOOST_DATA_TEST_CASE_F(SaslLdapFixture, our_client_authenticates_to_slapd_inside_of_tls,
                       data::make({"SCRAM-SHA-256", "SCRAM-SHA-1"}), mechanism) {
  if (!can_run_slapd()) return;
  start_slapd_with_tls();
  Stream stream = connect_with_tls();
  sasl::ClientOptions options = ldap_options(mechanism);
  options.security.external_strength = 256;
  sasl::Peer peer;
  BOOST_TEST_REQUIRE(bind(stream, options, &peer).code == ldap::success);
  BOOST_TEST(peer.mechanism == mechanism);
  BOOST_TEST(whoami(stream) == "dn:uid=alice,dc=tsock");
  stream = connect_with_tls();
  options = ldap_options(mechanism, "guess");
  options.security.external_strength = 256;
  BOOST_TEST(bind(stream, options).code == ldap::invalid_credentials);
}

// The name of the binding is that of OpenLDAP.
BOOST_AUTO_TEST_CASE(slapd_and_our_client_tie_scram_to_the_tls_below) {
  if (!can_run_slapd()) return;
  start_slapd_with_tls();
  for (const bool is_right : {true, false}) {
    Stream stream = connect_with_tls();
    int err = -1;
    std::vector<std::byte> hash = tls::channel_binding(stream, tls::ChannelBinding::server_end_point, err);
    BOOST_TEST_REQUIRE(err == 0);
    if (!is_right) hash[0] ^= std::byte{1};
    sasl::ClientOptions options = ldap_options("SCRAM-SHA-256-PLUS");
    options.security.external_strength = 256;
    options.security.channel_binding = {
        .type = "ldap", .bytes = bytes_of("tls-server-end-point:" + text_of(hash)), .is_required = true};
    sasl::Peer peer;
    const int code = bind(stream, options, is_right ? &peer : nullptr).code;
    BOOST_TEST((code == ldap::success) == is_right);
    if (!is_right) continue;
    BOOST_TEST(peer.mechanism == "SCRAM-SHA-256-PLUS");
    BOOST_TEST(whoami(stream) == "dn:uid=alice,dc=tsock");
  }
}
#endif

BOOST_AUTO_TEST_CASE(both_sides_of_ours_use_kerberos) {
  if (Kdc::get() == nullptr) return;
  sasl::ClientOptions client{.service = "ldap", .host = "localhost", .mechanisms = {"GSSAPI"}};
  client.security.lowest_strength = 256;
  auto [left, right] = both_by_kerberos(client);
  int err = -1;
  BOOST_TEST(sasl::peer(right, err).user == "alice");
  BOOST_TEST((send_through(left, right, pattern(300000)) == pattern(300000)));
  BOOST_TEST((send_through(right, left, pattern(300000, 1)) == pattern(300000, 1)));
}

// libsasl2 tells no lifetime, and MIT's messages are good behind it.
BOOST_AUTO_TEST_CASE(a_layer_of_kerberos_goes_on_behind_the_end_of_the_ticket) {
  if (Kdc::get() == nullptr) return;
  const ScopedEnvironment environment("KRB5CCNAME",
                                      Kdc::get()->ticket("alice", Kdc::alices_password, {"-l", "6s"}));
  sasl::ClientOptions client{.service = "ldap", .host = "localhost", .mechanisms = {"GSSAPI"}};
  auto [left, right] = both_by_kerberos(client);
  // Its end is seen where another connection is not made any more.
  const auto end = Clock::now() + guard_time;
  for (int err = 0; err != EACCES;) {
    BOOST_TEST_REQUIRE((Clock::now() < end));
    BOOST_TEST(error_of(loop.sleep(std::chrono::milliseconds(100))) == 0);
    sasl::ClientSession late = sasl_client(client);
    static_cast<void>(late.start("GSSAPI", err));
  }
  BOOST_TEST((send_through(left, right, pattern(100000)) == pattern(100000)));
  BOOST_TEST((send_through(right, left, pattern(100000, 1)) == pattern(100000, 1)));
}

BOOST_AUTO_TEST_CASE(a_service_without_a_ticket_is_refused_in_words) {
  if (Kdc::get() == nullptr) return;
  sasl::ClientSession client =
      sasl_client({.service = "nosuch", .host = "localhost", .mechanisms = {"GSSAPI"}});
  int err = 0;
  static_cast<void>(client.start("GSSAPI", err));
  BOOST_TEST(err == EACCES);
  BOOST_TEST(client.reason().find("not found in Kerberos database") != std::string::npos, client.reason());
}

BOOST_DATA_TEST_CASE_F(SaslLdapFixture, ldapwhoami_binds_to_our_server,
                       data::make({"DIGEST-MD5", "SCRAM-SHA-256", "CRAM-MD5"}), mechanism) {
  if (!has_program("ldapwhoami")) return;
  ToyLdapServer server;
  Process client(
      {"ldapwhoami", "-N", "-Q", "-H", server.url(), "-Y", mechanism, "-U", "alice", "-w", "alicepw"});
  server.serve();
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output() == "u:alice\n");
  BOOST_TEST(server.peer.mechanism == mechanism);
}

BOOST_AUTO_TEST_CASE(ldapsearch_gets_a_large_answer_through_the_layer) {
  if (!has_program("ldapsearch")) return;
  ToyLdapServer server;
  const std::string file = folder.file("answer");
  Process client(
      {"sh", "-c",
       "exec ldapsearch -N -Q -LLL -o ldif-wrap=no -b dc=tsock -Y DIGEST-MD5 -U alice -w alicepw -H " +
           server.url() + " > " + file});
  server.serve();
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(server.peer.strength == 128U);
  std::string answer;
  std::getline(std::ifstream(file), answer, '\0');
  BOOST_TEST(answer == "dn: cn=large,dc=tsock\ndescription: " + std::string(large_value, 'x') + "\n\n");
}

BOOST_AUTO_TEST_CASE(ldapwhoami_is_refused_with_a_wrong_password) {
  if (!has_program("ldapwhoami")) return;
  ToyLdapServer server;
  Process client(
      {"ldapwhoami", "-N", "-Q", "-H", server.url(), "-Y", "SCRAM-SHA-256", "-U", "alice", "-w", "wrong"});
  server.serve();
  BOOST_TEST(client.finish() != 0);
  BOOST_TEST(client.error().find("Invalid credentials") != std::string::npos);
}

#ifdef TSOCK_WITH_EXAMPLES
BOOST_AUTO_TEST_CASE(the_example_asks_slapd_who_it_is) {
  if (!can_run_slapd()) return;
  start_slapd();
  const std::string port = std::to_string(address.port().value_or(0));
  const std::string program = built_example("sasl_ldap_whoami");
  Process client({program, "localhost", port, "DIGEST-MD5", "alice"});
  client.write("alicepw\n");
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output() == "DIGEST-MD5, strength 128\ndn:uid=alice,dc=tsock\n");
  Process refused({program, "localhost", port, "DIGEST-MD5", "alice"});
  refused.write("wrong\n");
  BOOST_TEST(refused.finish() == 1);
  BOOST_TEST(!refused.error().empty());
}
#endif

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
