#pragma once

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/sasl/sasl.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"

/// What tests of SASL share: options of both sides that fit, and handshakes between them.
namespace tsock::test {

/// As `ignore_leaks()`, in the programs that this one starts, too: the ciphers of libsasl2's DIGEST-MD5 leave
/// contexts of libcrypto behind, one for each direction. Its layer without a cipher (strength 1) does not.
inline void ignore_leaks_of_digest_md5() {
  ignore_leaks();
  const char* const options = std::getenv("ASAN_OPTIONS");
  ::setenv("ASAN_OPTIONS", ((options != nullptr ? options : std::string()) + ":detect_leaks=0").c_str(), 1);
}

inline sasl::ClientOptions sasl_client_options(std::string mechanism = {}, std::string password = "alicepw") {
  sasl::ClientOptions options{.service = "tsock", .host = "localhost"};
  if (!mechanism.empty()) options.mechanisms = {std::move(mechanism)};
  options.user = [] { return std::string("alice"); };
  options.password = [password = std::move(password)] { return password; };
  return options;
}

inline sasl::ServerOptions sasl_server_options() {
  sasl::ServerOptions options{.service = "tsock", .host = "localhost"};
  options.password_of = [](std::string_view user) -> std::optional<std::string> {
    if (user == "alice" || user == "alice@localhost") return "alicepw";
    return std::nullopt;
  };
  return options;
}

inline sasl::ClientSession sasl_client(const sasl::ClientOptions& options) {
  int err = -1;
  std::string reason;
  sasl::ClientSession session = sasl::ClientSession::create(options, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  return session;
}

inline sasl::ServerSession sasl_server(const sasl::ServerOptions& options) {
  int err = -1;
  std::string reason;
  sasl::ServerSession session = sasl::ServerSession::create(options, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  return session;
}

inline std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

/// Both sides of an authentication, and how each has ended.
struct SaslPair {
  sasl::ClientSession client;
  sasl::ServerSession server;
  int client_error = 0;
  int server_error = 0;
  unsigned legs = 0;  ///< messages that were sent, without the choice of the mechanism

  [[nodiscard]] bool are_done() const { return client.is_done() && server.is_done(); }
};

/// Carries the messages of both sides until one fails or both are done.
inline void shake(SaslPair& pair) {
  sasl::Reply reply = pair.client.start(joined(pair.server.mechanisms()), pair.client_error);
  if (pair.client_error != 0) return;
  std::optional<ByteView> initial;
  if (reply.bytes) initial.emplace(*reply.bytes);
  sasl::Reply answer = pair.server.start(pair.client.peer().mechanism, initial, pair.server_error);
  while (pair.server_error == 0) {
    // A server that is done without bytes has nothing that its client could work on.
    if (answer.is_done && !answer.bytes) return;
    ++pair.legs;
    reply = pair.client.step(answer.bytes ? ByteView(*answer.bytes) : ByteView(""), pair.client_error);
    if (pair.client_error != 0 || answer.is_done) return;
    ++pair.legs;
    answer = pair.server.step(reply.bytes ? ByteView(*reply.bytes) : ByteView(""), pair.server_error);
  }
}

inline SaslPair shaken(const sasl::ClientOptions& client, const sasl::ServerOptions& server) {
  if (client.security.highest_strength > 1) ignore_leaks_of_digest_md5();
  SaslPair pair{.client = sasl_client(client), .server = sasl_server(server)};
  shake(pair);
  return pair;
}

/// One that has to succeed.
inline SaslPair authenticated(const sasl::ClientOptions& client, const sasl::ServerOptions& server) {
  SaslPair pair = shaken(client, server);
  BOOST_TEST_REQUIRE(pair.client_error == 0, pair.client.reason());
  BOOST_TEST_REQUIRE(pair.server_error == 0, pair.server.reason());
  BOOST_TEST_REQUIRE(pair.are_done());
  return pair;
}

struct SaslFixture : LoopFixture {
  SaslFixture() { ignore_leaks_of_digest_md5(); }

  /// Streams with a layer on both ends.
  std::pair<Stream, Stream> layered(std::pair<Stream, Stream> below, SaslPair pair) {
    Request<Stream> left = sasl::wrap(std::move(below.first), std::move(pair.client));
    Request<Stream> right = sasl::wrap(std::move(below.second), std::move(pair.server));
    int err = -1;
    below.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    below.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
    return below;
  }
  /// With DIGEST-MD5, whose layer needs no Kerberos.
  std::pair<Stream, Stream> digest_pair(std::pair<Stream, Stream> below) {
    return layered(std::move(below), authenticated(sasl_client_options("DIGEST-MD5"), sasl_server_options()));
  }
};

}  // namespace tsock::test
