#pragma once

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tsock/npa/npa.hpp>
#include <tsock/npa/output.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "npa/reply.hpp"
#include "npa/request.hpp"
#include "support/loop_fixture.hpp"

/// What tests of NPA share: identities, messages as bytes, and handshakes between both sides.
namespace tsock::test {

inline Address npa_address(const char* ip, std::uint16_t port) {
  int err = 0;
  Address address = Address::inet_from_strings("ip", ip, port, err);
  BOOST_TEST_REQUIRE(err == 0);
  return address;
}

inline npa::Identity anonymous_client() {
  return npa::Identity::anonymous(npa_address("127.0.0.1", 1234), npa_address("127.0.0.1", 445));
}

/// A request with its length.
inline std::vector<std::byte> npa_request(npa::Level level = npa::Level::level7,
                                          const npa::Identity& identity = anonymous_client()) {
  npa::SecretBytes message;
  std::string reason;
  BOOST_TEST_REQUIRE(npa::encode_request(identity, level, message, reason) == 0);
  return {message.bytes().begin(), message.bytes().end()};
}

/// A reply with its length.
inline std::vector<std::byte> npa_reply(const npa::Reply& reply = {}, npa::Level level = npa::Level::level7) {
  const auto message = npa::encode_reply(reply, level);
  return {message.begin(), message.end()};
}

/// The same bytes with another length in front.
inline std::vector<std::byte> with_length(std::vector<std::byte> message, std::uint32_t length) {
  for (std::size_t i = 4; i-- > 0; length >>= 8U) message[i] = static_cast<std::byte>(length & 0xffU);
  return message;
}

/// For tests over streams that do not tell whose their peer is.
inline npa::AcceptOptions trusting(npa::AcceptOptions options = {}) {
  options.trusts = [](const Stream&) { return true; };
  return options;
}

/// One side of a handshake that is over.
struct NpaSide {
  Stream stream = {};
  int err = -1;
  std::string reason = {};
};
struct NpaPair {
  NpaSide client;
  NpaSide server;
};

struct NpaFixture : LoopFixture {
  void take(Request<Stream>& request, NpaSide& side) {
    side.stream = fetch(request, side.err);
    side.reason = request.reason();
  }
  /// Runs both sides of a handshake to their end, whatever it is.
  NpaPair shake(std::pair<Stream, Stream> below, const npa::AcceptOptions& accept = trusting(),
                const npa::Identity& identity = anonymous_client(), const npa::ConnectOptions& connect = {}) {
    Request<Stream> connecting = npa::connect(std::move(below.first), identity, connect);
    Request<Stream> accepting = npa::accept(std::move(below.second), accept);
    NpaPair pair;
    take(connecting, pair.client);
    take(accepting, pair.server);
    return pair;
  }
  /// One that has to succeed.
  NpaPair connected(std::pair<Stream, Stream> below, npa::FileType file_type = npa::FileType::message_mode) {
    NpaPair pair = shake(std::move(below), trusting({.reply = {.file_type = file_type}}));
    BOOST_TEST_REQUIRE(pair.client.err == 0, pair.client.reason);
    BOOST_TEST_REQUIRE(pair.server.err == 0, pair.server.reason);
    return pair;
  }
  std::vector<std::byte> read_bytes(Stream& stream, std::size_t size) {
    std::vector<std::byte> bytes(size);
    Request<ssize_t> reading = stream.read(bytes);
    const int err = error_of(reading);
    BOOST_TEST(err == 0, reading.reason());
    return bytes;
  }
  std::string read_text(Stream& stream, std::size_t size) { return text_of(read_bytes(stream, size)); }
  std::string message_of(Stream& stream) {
    Request<Pdu> reading = stream.read_message();
    int err = -1;
    const Pdu pdu = fetch(reading, err);
    BOOST_TEST(err == 0, reading.reason());
    return text_of(pdu.body());
  }
  int error_of_read(Stream& stream) {
    std::vector<std::byte> bytes(1);
    return error_of(stream.read(bytes));
  }
  /// Whether the peer has closed, and sent nothing before.
  bool sees_end(Stream& stream) {
    const int err = error_of_read(stream);
    return err == EPIPE || err == ECONNRESET;
  }
};

}  // namespace tsock::test
