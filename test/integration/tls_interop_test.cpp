// Our streams against the TLS of other programs, both ways.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/tls_fixture.hpp"
#include "support/tls_peer.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using tls::Version;

const char* const version_numbers[] = {"1.2", "1.3"};

struct InteropFixture : TlsFixture {
  const TlsAuthority& authority = tls_authority();
  Certificate server_certificate = authority.server();
  Certificate client_certificate = authority.client();

  // ---- what a program is told ----

  [[nodiscard]] TlsPeerOptions as_server(const std::string& version = {}) const {
    return {.chain = server_certificate.pem() + authority.intermediate.pem(),
            .key = server_certificate.key_pem(),
            .version = version};
  }
  [[nodiscard]] TlsPeerOptions as_client(const std::string& version = {}) const {
    return {.trusted = authority.root.pem(), .version = version};
  }
  [[nodiscard]] TlsPeerOptions as_client_with_certificate(const std::string& version = {}) const {
    return {.chain = client_certificate.pem() + authority.intermediate.pem(),
            .key = client_certificate.key_pem(),
            .trusted = authority.root.pem(),
            .version = version};
  }

  // ---- what we are ----

  [[nodiscard]] tls::ServerOptions our_server() const {
    return {.identities = {authority.identity(server_certificate)}};
  }
  Listener listen(const tls::ServerOptions& options) {
    int err = -1;
    Listener below = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    layer::ListenOptions listening;
    listening.on_failure = [this](const Address&, int failure, std::string_view reason) {
      refusals.push_back(std::string(reason) + " (" + std::to_string(failure) + ")");
    };
    return tls::listen(std::move(below), context_for(options), listening);
  }
  std::vector<std::string> refusals;

  TlsSide connect(TlsServer& server, const tls::Context& context,
                  const tls::ConnectOptions& options = {.peer_name = "www.example.com"}) {
    TlsSide side;
    Request<Stream> connecting = Stream::connect(loop, loopback_v4(server.port()));
    Stream below = fetch(connecting, side.err);
    BOOST_TEST_REQUIRE(side.err == 0);
    Request<Stream> shaking = tls::connect(std::move(below), context, options);
    side.stream = fetch(shaking, side.err);
    side.reason = shaking.reason();
    return side;
  }
  Stream accept(Listener& listener) {
    int err = -1;
    Request<Stream> accepting = listener.accept();
    Stream stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }

  /// Reads until the text has come, or the stream ends. \return the error of the end, or 0
  int read_until(Stream& stream, std::string_view text, std::string& got) {
    while (text.empty() || got.find(text) == std::string::npos) {
      std::vector<std::byte> bytes(4096);
      Request<ssize_t> reading = stream.read_some(bytes);
      int err = -1;
      const ssize_t size = fetch(reading, err);
      if (err != 0) return err;
      got += text_of(std::span(bytes).first(static_cast<std::size_t>(size)));
    }
    return 0;
  }
  void write(Stream& stream, std::string_view text) {
    Request<ssize_t> writing = stream.write(text);
    int err = -1;
    fetch(writing, err);
    BOOST_TEST(err == 0, writing.reason());
  }

  void converse(TlsServer& server, Stream& stream) {
    Process& process = server.process();
    std::string got;
    const bool is_http = server.conversation() == TlsConversation::http;
    write(stream, is_http ? "GET / HTTP/1.0\r\n\r\n" : "a question\n");
    if (server.conversation() == TlsConversation::text) {
      process.wait_for_output("a question");
      process.write("answer\n");
    }
    const bool is_echo = server.conversation() == TlsConversation::echo;
    BOOST_TEST(read_until(stream, is_echo ? "a question" : "answer", got) == 0);
  }
  void converse(TlsClient& client, Stream& stream) {
    Process& process = client.process();
    std::string got;
    const bool is_http = client.conversation() == TlsConversation::http;
    if (!is_http) process.write("a question\n");
    BOOST_TEST(read_until(stream, is_http ? "\r\n\r\n" : "a question\n", got) == 0);
    write(stream,
          is_http ? "HTTP/1.0 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nanswer" : "answer\n");
    process.wait_for_output("answer");
  }
  /// Ends in order, with both close_notify.
  void leave(Stream& stream) {
    Request<void> leaving = stream.disconnect();
    int err = -1;
    fetch(leaving, err);
    BOOST_TEST(err == 0, leaving.reason());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_interop, InteropFixture)

// ---- our client ----

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_talks_to_every_server,
                       data::make(tls_servers()) * data::make(version_numbers), program, version) {
  if (!can_serve(program, as_server(version))) return;
  TlsServer server(program, as_server(version));
  TlsSide side = connect(server, context_for(authority.client_options()));
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  BOOST_TEST(side.peer().version == "TLSv" + std::string(version));
  BOOST_TEST(side.peer().is_verified);
  BOOST_TEST(side.peer().chain.size() == 2U);
  converse(server, side.stream);
  leave(side.stream);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_talks_to_servers_of_no_version_in_particular,
                       data::make(tls_servers()), program) {
  if (!can_serve(program, as_server())) return;
  TlsServer server(program, as_server());
  TlsSide side = connect(server, context_for(authority.client_options()));
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  converse(server, side.stream);
  leave(side.stream);
}

// openssl s_server and ncat end without a close_notify of their own.
BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_sees_the_end_of_a_server_in_order,
                       data::make({TlsProgram::gnutls, TlsProgram::socat, TlsProgram::nginx,
                                   TlsProgram::haproxy}) *
                           data::make(version_numbers),
                       program, version) {
  if (!can_serve(program, as_server(version))) return;
  TlsServer server(program, as_server(version));
  TlsSide side = connect(server, context_for(authority.client_options()));
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  converse(server, side.stream);
  if (program == TlsProgram::socat) server.process().close_input();
  if (program == TlsProgram::gnutls) {
    Request<void> ending = side.stream.shutdown_write();
    int err = -1;
    fetch(ending, err);
    BOOST_TEST(err == 0);
  }
  std::string rest;
  BOOST_TEST(read_until(side.stream, "", rest) == EPIPE);
  leave(side.stream);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_refuses_a_server_of_another_name, data::make(tls_servers()),
                       program) {
  if (!can_serve(program, as_server())) return;
  TlsServer server(program, as_server());
  const TlsSide side =
      connect(server, context_for(authority.client_options()), {.peer_name = "www.example.org"});
  BOOST_TEST(side.err == EACCES);
  BOOST_TEST(side.reason ==
             "the peer's certificate is refused: hostname mismatch: it is for www.example.com, not for "
             "www.example.org");
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_shows_its_certificate,
                       data::make(tls_servers()) * data::make(version_numbers), program, version) {
  TlsPeerOptions asking = as_server(version);
  asking.trusted = authority.root.pem();
  if (!can_serve(program, asking)) return;
  TlsServer server(program, asking);
  tls::ClientOptions options = authority.client_options();
  options.identity = authority.identity(client_certificate);
  TlsSide side = connect(server, context_for(options));
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  converse(server, side.stream);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_is_told_that_its_certificate_is_missing,
                       data::make({TlsProgram::openssl, TlsProgram::gnutls, TlsProgram::socat,
                                   TlsProgram::haproxy}) *
                           data::make(version_numbers),
                       program, version) {
  TlsPeerOptions asking = as_server(version);
  asking.trusted = authority.root.pem();
  if (!can_serve(program, asking)) return;
  TlsServer server(program, asking);
  TlsSide side = connect(server, context_for(authority.client_options()));
  if (side.err == 0) {
    std::vector<std::byte> bytes(1);
    Request<ssize_t> reading = side.stream.read(bytes);
    fetch(reading, side.err);
    side.reason = reading.reason();
  }
  BOOST_TEST(side.err == EPROTO);
  BOOST_TEST(side.reason.starts_with("the peer refuses: "), side.reason);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_agrees_with_servers_on_a_protocol,
                       data::make(tls_servers()) * data::make(version_numbers), program, version) {
  TlsPeerOptions offering = as_server(version);
  offering.alpn = {"other", "tsock"};
  if (!can_serve(program, offering)) return;
  TlsServer server(program, offering);
  tls::ClientOptions options = authority.client_options();
  options.protocol.alpn = {"tsock", "third"};
  const TlsSide side = connect(server, context_for(options));
  BOOST_TEST_REQUIRE(side.err == 0, side.reason);
  BOOST_TEST(side.peer().alpn == "tsock");
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_client_resumes_sessions,
                       data::make({TlsProgram::openssl, TlsProgram::gnutls, TlsProgram::nginx,
                                   TlsProgram::haproxy}) *
                           data::make(version_numbers),
                       program, version) {
  if (!can_serve(program, as_server(version))) return;
  TlsServer server(program, as_server(version));
  const tls::Context context = context_for(authority.client_options());
  for (const bool is_second : {false, true}) {
    TlsSide side = connect(server, context);
    BOOST_TEST_REQUIRE(side.err == 0, side.reason);
    converse(server, side.stream);
    BOOST_TEST(side.peer().is_resumed == is_second);
    leave(side.stream);
  }
}

// ---- our server ----

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_talks_to_every_client,
                       data::make(tls_clients()) * data::make(version_numbers), program, version) {
  if (!can_connect(program, as_client(version))) return;
  Listener listener = listen(our_server());
  TlsClient client(program, listener.local_address().port().value(), as_client(version));
  Stream stream = accept(listener);
  int err = -1;
  BOOST_TEST(tls::peer(stream, err).version == "TLSv" + std::string(version));
  BOOST_TEST(tls::peer(stream, err).server_name == "www.example.com");
  converse(client, stream);
  leave(stream);
  BOOST_TEST(client.process().finish() == 0);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_talks_to_clients_of_no_version_in_particular,
                       data::make(tls_clients()), program) {
  if (!can_connect(program, as_client())) return;
  Listener listener = listen(our_server());
  TlsClient client(program, listener.local_address().port().value(), as_client());
  Stream stream = accept(listener);
  converse(client, stream);
  leave(stream);
  BOOST_TEST(client.process().finish() == 0);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_sees_the_end_of_a_client_in_order,
                       data::make({TlsProgram::openssl, TlsProgram::gnutls, TlsProgram::socat}) *
                           data::make(version_numbers),
                       program, version) {
  if (!can_connect(program, as_client(version))) return;
  Listener listener = listen(our_server());
  TlsClient client(program, listener.local_address().port().value(), as_client(version));
  Stream stream = accept(listener);
  converse(client, stream);
  client.process().close_input();
  std::string rest;
  BOOST_TEST(read_until(stream, "", rest) == EPIPE);
  leave(stream);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_is_refused_by_clients_that_want_another_name,
                       data::make(tls_clients()), program) {
  TlsPeerOptions options = as_client();
  options.name = "www.example.org";
  if (!can_connect(program, options)) return;
  Listener listener = listen(our_server());
  const Request<Stream> accepting = listener.accept();
  TlsClient client(program, listener.local_address().port().value(), options);
  BOOST_TEST_REQUIRE(run_until([&] { return !refusals.empty() || !accepting.is_in_progress(); }));
  // Some say goodbye behind the handshake instead.
  if (!refusals.empty()) BOOST_TEST(refusals[0].ends_with(" (" + std::to_string(EPROTO) + ")"), refusals[0]);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_asks_for_the_certificates_of_clients,
                       data::make(tls_clients()) * data::make(version_numbers), program, version) {
  if (!can_connect(program, as_client_with_certificate(version))) return;
  tls::ServerOptions options = our_server();
  options.client_auth = tls::ClientAuth::require;
  // ncat sends its own one only.
  options.trust = {.ca_pem = authority.root.pem() + authority.intermediate.pem()};
  Listener listener = listen(options);
  TlsClient client(program, listener.local_address().port().value(), as_client_with_certificate(version));
  Stream stream = accept(listener);
  int err = -1;
  BOOST_TEST(tls::peer(stream, err).is_verified);
  BOOST_TEST(tls::peer(stream, err).chain.at(0) == client_certificate.pem());
  converse(client, stream);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_refuses_clients_without_a_certificate,
                       data::make(tls_clients()), program) {
  if (!can_connect(program, as_client())) return;
  tls::ServerOptions options = our_server();
  options.client_auth = tls::ClientAuth::require;
  options.trust = {.ca_pem = authority.root.pem()};
  Listener listener = listen(options);
  const Request<Stream> accepting = listener.accept();
  TlsClient client(program, listener.local_address().port().value(), as_client());
  BOOST_TEST_REQUIRE(run_until([&] { return !refusals.empty(); }));
  BOOST_TEST(refusals[0] == "the peer has sent no certificate (" + std::to_string(EACCES) + ")");
  BOOST_TEST(accepting.is_in_progress());
}

BOOST_DATA_TEST_CASE_F(InteropFixture, our_server_agrees_with_clients_on_a_protocol,
                       data::make(tls_clients()) * data::make(version_numbers), program, version) {
  TlsPeerOptions offering = as_client(version);
  offering.alpn = {"tsock", "third"};
  if (!can_connect(program, offering)) return;
  tls::ServerOptions options = our_server();
  options.protocol.alpn = {"other", "tsock"};
  Listener listener = listen(options);
  TlsClient client(program, listener.local_address().port().value(), offering);
  const Stream stream = accept(listener);
  int err = -1;
  BOOST_TEST(tls::peer(stream, err).alpn == "tsock");
}

BOOST_AUTO_TEST_CASE(openssl_resumes_sessions_of_our_server) {
  TlsPeerOptions options = as_client("1.2");
  options.more = {"-reconnect"};
  if (!can_connect(TlsProgram::openssl, options)) return;
  Listener listener = listen(our_server());
  int resumed = 0;
  std::vector<Stream> streams;
  for_each_accept(listener, [&](Stream stream) {
    int err = -1;
    if (tls::peer(stream, err).is_resumed) ++resumed;
    streams.push_back(std::move(stream));
  });
  TlsClient client(TlsProgram::openssl, listener.local_address().port().value(), options);
  BOOST_TEST_REQUIRE(run_until([&] { return streams.size() == 6; }));
  BOOST_TEST(resumed == 5);
}

BOOST_DATA_TEST_CASE_F(InteropFixture, gnutls_resumes_sessions_of_our_server, data::make(version_numbers),
                       version) {
  TlsPeerOptions options = as_client(version);
  options.more = {"--resume", "--waitresumption"};
  if (!can_connect(TlsProgram::gnutls, options)) return;
  Listener listener = listen(our_server());
  std::vector<Stream> streams;
  std::vector<Request<ssize_t>> requests;
  std::vector<std::vector<std::byte>> buffers(4, std::vector<std::byte>(1));
  int resumed = 0;
  for_each_accept(listener, [&](Stream stream) {
    int err = -1;
    if (tls::peer(stream, err).is_resumed) ++resumed;
    streams.push_back(std::move(stream));
    // It waits for the answer to its goodbye.
    requests.push_back(streams.back().read(buffers.at(streams.size())));
    requests.back().set_callback([&stream = streams](Request<ssize_t>&) {
      if (stream.size() == 1) stream.front().disconnect().detach();
    });
  });
  TlsClient client(TlsProgram::gnutls, listener.local_address().port().value(), options);
  BOOST_TEST_REQUIRE(run_until([&] { return streams.size() == 2; }));
  BOOST_TEST(resumed == 1);
  requests.clear();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
