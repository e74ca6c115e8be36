// Passwords of SASL stand in memory no longer than they are needed, and nowhere in what is told.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tsock/sasl/sasl.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/memory_scan.hpp"
#include "support/sasl_fixture.hpp"
#include "support/told_by_loop.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using boost::unit_test::precondition;

namespace {

constexpr const char* password_mechanisms[] = {"SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"};
constexpr const char* plain_mechanisms[] = {"PLAIN", "LOGIN"};
// Of a string without memory of its own, of one with a small block, and of a large one.
constexpr std::size_t secret_sizes[] = {15, 48, 400};

sasl::ClientOptions client_with(const MarkedSecret& secret, const char* mechanism) {
  sasl::ClientOptions options = sasl_client_options(mechanism);
  options.password = [&secret] { return secret.text(); };
  options.security.allow_by_name = {"PLAIN", "LOGIN"};
  return options;
}

sasl::ServerOptions server_with(const MarkedSecret& secret) {
  sasl::ServerOptions options = sasl_server_options();
  options.password_of = [&secret](std::string_view /*user*/) { return std::optional(secret.text()); };
  options.security.allow_by_name = {"PLAIN", "LOGIN"};
  return options;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sasl_secrets, SaslFixture, *precondition(memory_can_be_scanned))

BOOST_DATA_TEST_CASE(a_handshake_leaves_no_password_behind,
                     data::make(password_mechanisms) * data::make(secret_sizes), mechanism, size) {
  const MarkedSecret secret(size);
  auto pair = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(pair.first), client_with(secret, mechanism));
  Request<Stream> accepting = sasl::accept(std::move(pair.second), server_with(secret));
  int err = 0;
  const Stream client = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  const Stream server = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(a_handshake_that_fails_leaves_neither_password_behind,
                     data::make(password_mechanisms) * data::make(secret_sizes), mechanism, size) {
  const MarkedSecret secret(size);
  const MarkedSecret other(size);
  auto pair = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(pair.first), client_with(secret, mechanism));
  Request<Stream> accepting = sasl::accept(std::move(pair.second), server_with(other));
  BOOST_TEST(error_of(accepting) == EACCES);
  BOOST_TEST(error_of(connecting) == EACCES);
  BOOST_TEST(secret.copies() == nowhere);
  BOOST_TEST(other.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(a_function_that_checks_a_password_is_lent_it,
                     data::make(plain_mechanisms) * data::make(secret_sizes), mechanism, size) {
  const MarkedSecret secret(size);
  sasl::ServerOptions options = server_with(secret);
  options.password_of = nullptr;
  options.check_password = [&secret](std::string_view /*user*/, std::string_view password) {
    bool is_right = false;
    secret.lend([&](std::string_view text) { is_right = text == password; });
    return is_right;
  };
  auto pair = tcp_pair();
  Request<Stream> connecting = sasl::connect(std::move(pair.first), client_with(secret, mechanism));
  Request<Stream> accepting = sasl::accept(std::move(pair.second), options);
  BOOST_TEST(error_of(accepting) == 0, accepting.reason());
  BOOST_TEST(error_of(connecting) == 0, connecting.reason());
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(a_handshake_that_is_given_up_leaves_no_password_behind, data::make(secret_sizes), size) {
  const MarkedSecret secret(size);
  auto pair = tcp_pair();
  BOOST_TEST(pair.second.set_options({.max_read_ahead = 0}) == 0);
  Request<Stream> connecting = sasl::connect(std::move(pair.first), client_with(secret, "PLAIN"));
  BOOST_TEST(error_of(pair.second.write_pdu(framing::u32be{}, "PLAIN")) == 0);
  std::vector<std::byte> length(4);
  BOOST_TEST(error_of(pair.second.read(length)) == 0);
  connecting.cancel();
  BOOST_TEST(error_of(connecting) == ECANCELED);
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(sessions_leave_no_password_behind,
                     data::make(password_mechanisms) * data::make(secret_sizes), mechanism, size) {
  const MarkedSecret secret(size);
  {
    const SaslPair pair = authenticated(client_with(secret, mechanism), server_with(secret));
    BOOST_TEST(secret.copies() == nowhere);
  }
  const MarkedSecret other(size);
  {
    const SaslPair pair = shaken(client_with(secret, mechanism), server_with(other));
    BOOST_TEST((pair.client_error != 0 || pair.server_error != 0));
  }
  BOOST_TEST(secret.copies() == nowhere);
  BOOST_TEST(other.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(a_step_that_nobody_fetches_leaves_no_password_behind, data::make(secret_sizes), size) {
  const MarkedSecret secret(size);
  sasl::ClientSession session = sasl_client(client_with(secret, "PLAIN"));
  {
    Request<sasl::Reply> stepping = session.start(loop, "PLAIN");
    wait_for(stepping);
  }
  session = {};
  BOOST_TEST(secret.copies() == nowhere);
}

// Also where libsasl2, a function of the user and the peer have something to say.
BOOST_DATA_TEST_CASE(a_password_is_told_nowhere, data::make(password_mechanisms), mechanism) {
  const MarkedSecret secret(15);
  const MarkedSecret other(15);
  ToldByLoop told(*this);
  for (const bool is_right : {true, false}) {
    auto pair = tcp_pair();
    Request<Stream> connecting = sasl::connect(std::move(pair.first), client_with(secret, mechanism));
    Request<Stream> accepting = sasl::accept(std::move(pair.second), server_with(is_right ? secret : other));
    told.ask();
    BOOST_TEST(error_of(accepting) == (is_right ? 0 : EACCES));
    told.add(accepting.reason());
    static_cast<void>(error_of(connecting));
    told.add(connecting.reason());
  }
  sasl::ClientOptions throwing = client_with(secret, mechanism);
  throwing.password = [&secret]() -> std::string { throw std::runtime_error(secret.text()); };
  const SaslPair pair = shaken(throwing, server_with(secret));
  told.add(pair.client.reason());
  const std::string text = told.end();
  BOOST_TEST(text.find("sasl_connect") != std::string::npos);
  secret.lend([&text](std::string_view password) { BOOST_TEST((text.find(password) == std::string::npos)); });
  other.lend([&text](std::string_view password) { BOOST_TEST((text.find(password) == std::string::npos)); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
