#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <tsock/tls/output.hpp>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/certificates/certificate.hpp"
#include "support/loop_fixture.hpp"

/// What tests of TLS share: certificates of one authority, contexts, and handshakes between both sides.
namespace tsock::test {

/// A root, an intermediate authority, and what they issue.
struct TlsAuthority {
  Certificate root = Certificate::self_signed(authority_profile("Root"));
  Certificate intermediate = root.issue(authority_profile("Intermediate"));

  [[nodiscard]] Certificate server(const std::string& name = "www.example.com",
                                   PrivateKey key = PrivateKey::ec()) const {
    return intermediate.issue(server_profile(name), std::move(key));
  }
  [[nodiscard]] Certificate client(const std::string& name = "client") const {
    return intermediate.issue(client_profile(name));
  }
  /// A certificate of the intermediate authority, with the chain.
  [[nodiscard]] tls::Identity identity(const Certificate& certificate) const {
    return {.certificate_pem = certificate.pem() + intermediate.pem(), .key_pem = certificate.key_pem()};
  }
  [[nodiscard]] tls::ClientOptions client_options() const { return {.trust = {.ca_pem = root.pem()}}; }
  [[nodiscard]] tls::ServerOptions server_options(const std::string& name = "www.example.com") const {
    return {.identities = {identity(server(name))}};
  }
};

/// One that all tests of a program may use.
inline const TlsAuthority& tls_authority() {
  static const TlsAuthority authority;
  return authority;
}

inline tls::Context context_for(const tls::ClientOptions& options) {
  int err = -1;
  std::string reason;
  tls::Context context = tls::Context::client(options, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  BOOST_TEST_REQUIRE(bool(context));
  return context;
}

inline tls::Context context_for(const tls::ServerOptions& options) {
  int err = -1;
  std::string reason;
  tls::Context context = tls::Context::server(options, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  BOOST_TEST_REQUIRE(bool(context));
  return context;
}

/// Only one version.
inline tls::ProtocolOptions at_version(tls::Version version) {
  return {.lowest = version, .highest = version};
}

inline constexpr tls::Version tls_versions[] = {tls::Version::tls1_2, tls::Version::tls1_3};

/// One side of a handshake that is over.
struct TlsSide {
  Stream stream = {};
  int err = -1;
  std::string reason = {};

  [[nodiscard]] tls::Peer peer() const {
    int failure = -1;
    tls::Peer peer = tls::peer(stream, failure);
    BOOST_TEST(failure == 0);
    return peer;
  }
};
struct TlsPair {
  TlsSide client;
  TlsSide server;
};

struct TlsFixture : LoopFixture {
  /// Runs both sides of a handshake to their end, whatever it is.
  TlsPair shake(std::pair<Stream, Stream> below, const tls::Context& client, const tls::Context& server,
                const tls::ConnectOptions& options = {.peer_name = "www.example.com"}) {
    Request<Stream> connecting = tls::connect(std::move(below.first), client, options);
    Request<Stream> accepting = tls::accept(std::move(below.second), server);
    TlsPair pair;
    take(connecting, pair.client);
    take(accepting, pair.server);
    return pair;
  }
  TlsPair shake(const tls::Context& client, const tls::Context& server,
                const tls::ConnectOptions& options = {.peer_name = "www.example.com"}) {
    return shake(tcp_pair(), client, server, options);
  }
  /// One that has to succeed.
  TlsPair connected(const tls::Context& client, const tls::Context& server,
                    const tls::ConnectOptions& options = {.peer_name = "www.example.com"}) {
    TlsPair pair = shake(client, server, options);
    BOOST_TEST_REQUIRE(pair.client.err == 0, pair.client.reason);
    BOOST_TEST_REQUIRE(pair.server.err == 0, pair.server.reason);
    return pair;
  }

  /// Reads so many bytes as text.
  std::string read_text(Stream& stream, std::size_t size) {
    std::vector<std::byte> bytes(size);
    int err = -1;
    Request<ssize_t> reading = stream.read(bytes);
    fetch(reading, err);
    BOOST_TEST(err == 0, reading.reason());
    return text_of(bytes);
  }
  /// What reading one byte ends with. \param reason if not null, gets the words
  int error_of_read(Stream& stream, std::string* reason = nullptr) {
    std::vector<std::byte> bytes(1);
    Request<ssize_t> reading = stream.read(bytes);
    const int err = error_of(reading);
    if (reason != nullptr) *reason = reading.reason();
    return err;
  }
  /// Bytes go both ways. A client has then got the tickets of a server.
  void converse(TlsPair& pair) {
    Request<ssize_t> writing = pair.server.stream.write("answer");
    BOOST_TEST(read_text(pair.client.stream, 6) == "answer");
    BOOST_TEST(error_of(writing) == 0);
    writing = pair.client.stream.write("question");
    BOOST_TEST(read_text(pair.server.stream, 8) == "question");
    BOOST_TEST(error_of(writing) == 0);
  }
  /// A connection that leaves a session behind.
  void make_session(const tls::Context& client, const tls::Context& server,
                    const tls::ConnectOptions& options = {.peer_name = "www.example.com"}) {
    TlsPair pair = connected(client, server, options);
    BOOST_TEST(!pair.client.peer().is_resumed);
    converse(pair);
  }

 private:
  void take(Request<Stream>& request, TlsSide& side) {
    side.stream = fetch(request, side.err);
    side.reason = request.reason();
  }
};

}  // namespace tsock::test
