// The engine of TLS alone: two of them, and the blocks between them.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <memory_resource>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/tls/tls.hpp>

#include "support/tls_fixture.hpp"
#include "tls/openssl_engine.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

/// Other code of the thread has failed, and has not taken its error out of OpenSSL's queue.
void leave_error_behind() { ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE); }

/// A client and a server, each call of which meets an error of others.
struct EnginePair {
  explicit EnginePair(tls::Version version)
      : client_context(context_for(client_options(version))),
        server_context(context_for(server_options(version))) {
    BOOST_TEST_REQUIRE(client.prepare_client({.peer_name = "www.example.com"}) == 0);
    BOOST_TEST_REQUIRE(server.prepare_server() == 0);
  }

  static tls::ClientOptions client_options(tls::Version version) {
    tls::ClientOptions options = tls_authority().client_options();
    options.protocol = at_version(version);
    return options;
  }
  static tls::ServerOptions server_options(tls::Version version) {
    tls::ServerOptions options = tls_authority().server_options();
    options.protocol = at_version(version);
    return options;
  }

  void shake() {
    bool is_client_done = false;
    bool is_server_done = false;
    for (int turn = 0; turn < 6 && !(is_client_done && is_server_done); ++turn) {
      is_client_done = step(client, to_client, to_server);
      is_server_done = step(server, to_server, to_client);
    }
    BOOST_TEST_REQUIRE((is_client_done && is_server_done));
  }
  static bool step(tls::OpenSslEngine& engine, layer::ByteBlock& in, layer::ByteBlock& out) {
    leave_error_behind();
    const layer::Step step = engine.handshake(in, false, out);
    BOOST_TEST_REQUIRE(step.err == 0, engine.reason());
    return step.input == 0;
  }
  static int write(tls::OpenSslEngine& engine, std::string_view text, layer::ByteBlock& out) {
    const iovec vector = make_vector(std::as_bytes(std::span(text)));
    std::size_t taken = 0;
    leave_error_behind();
    const layer::Step step = engine.wrap({&vector, 1}, taken, out);
    if (step.err == 0) BOOST_TEST(taken == text.size());
    return step.err;
  }
  static int read(tls::OpenSslEngine& engine, layer::ByteBlock& in, layer::ByteBlock& out,
                  std::string& text) {
    std::array<std::byte, 100> room{};
    const iovec vector = make_vector(std::span<std::byte>(room));
    std::size_t given = 0;
    leave_error_behind();
    const layer::Step step = engine.unwrap(in, false, {&vector, 1}, given, out);
    text.assign(reinterpret_cast<const char*>(room.data()), given);
    return step.err;
  }

  std::pmr::memory_resource& memory = *std::pmr::new_delete_resource();
  tls::Context client_context;
  tls::Context server_context;
  tls::OpenSslEngine client{client_context.state()};
  tls::OpenSslEngine server{server_context.state()};
  layer::ByteBlock to_client{memory};
  layer::ByteBlock to_server{memory};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(tls_engine)

BOOST_DATA_TEST_CASE(errors_that_others_have_left_end_nothing, data::make(tls_versions), version) {
  EnginePair pair(version);
  pair.shake();
  std::string text;
  // Without input, too: then OpenSSL says that it wants some.
  for (int turn = 0; turn < 2; ++turn) {
    BOOST_TEST(EnginePair::read(pair.client, pair.to_client, pair.to_server, text) == 0);
    BOOST_TEST(text.empty());
    BOOST_TEST(EnginePair::write(pair.client, "question", pair.to_server) == 0);
    BOOST_TEST(EnginePair::read(pair.server, pair.to_server, pair.to_client, text) == 0);
    BOOST_TEST(text == "question");
    BOOST_TEST(EnginePair::write(pair.server, "answer", pair.to_client) == 0);
    BOOST_TEST(EnginePair::read(pair.client, pair.to_client, pair.to_server, text) == 0);
    BOOST_TEST(text == "answer");
  }
  leave_error_behind();
  BOOST_TEST(pair.client.end_writing(pair.to_server) == 0);
  BOOST_TEST(EnginePair::read(pair.server, pair.to_server, pair.to_client, text) == EPIPE);
  leave_error_behind();
  BOOST_TEST(!pair.server.say_goodbye(pair.to_client));
  BOOST_TEST(EnginePair::read(pair.client, pair.to_client, pair.to_server, text) == EPIPE);
  ERR_clear_error();
}

BOOST_DATA_TEST_CASE(errors_that_others_have_left_are_not_told_as_the_reason, data::make(tls_versions),
                     version) {
  for (const bool is_end : {false, true}) {
    EnginePair pair(version);
    pair.shake();
    SSL_set0_wbio(pair.client.ssl(), nullptr);  // so that writing fails
    leave_error_behind();
    BOOST_TEST((is_end ? pair.client.end_writing(pair.to_server)
                       : EnginePair::write(pair.client, "x", pair.to_server)) == EPROTO);
    BOOST_TEST(pair.client.reason() == "bio not set");
    BOOST_TEST(ERR_peek_error() == 0U);
  }
}

BOOST_DATA_TEST_CASE(record_that_was_changed_is_told_to_both_sides_in_spite_of_errors_of_others,
                     data::make(tls_versions), version) {
  EnginePair pair(version);
  pair.shake();
  BOOST_TEST(EnginePair::write(pair.client, "question", pair.to_server) == 0);
  pair.to_server.bytes().back() ^= std::byte{1};
  std::string text;
  BOOST_TEST(EnginePair::read(pair.server, pair.to_server, pair.to_client, text) == EPROTO);
  BOOST_TEST(pair.server.reason() == "a record was changed on its way");
  BOOST_TEST(ERR_peek_error() == 0U);
  BOOST_TEST(EnginePair::read(pair.client, pair.to_client, pair.to_server, text) == EPROTO);
  BOOST_TEST(pair.client.reason().starts_with("the peer refuses: "), pair.client.reason());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
