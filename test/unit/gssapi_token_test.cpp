// Tokens of a GSSAPI handshake that were changed, cut or repeated on the way, at every byte.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <vector>

#include "support/kdc.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using gssapi::SecurityContext;

namespace {

using Token = std::vector<std::byte>;
/// Is shown each token and its number, from 0, and may change it.
using OnTheWay = std::function<void(Token&, unsigned)>;

/// How a handshake has ended, from where somebody was not content.
struct TokenOutcome {
  int err = 0;
  bool client_is_established = false;
  bool server_is_established = false;
  std::string reason;
  Token last;  ///< what was sent last
};

TokenOutcome exchange_tokens(std::string_view mechanism, const OnTheWay& change) {
  SecurityContext client =
      SecurityContext::client({.target = "gsstest@localhost", .mechanism = std::string(mechanism)});
  SecurityContext server = SecurityContext::server();
  TokenOutcome outcome;
  Token token;
  bool answers = false;
  for (unsigned number = 0;; ++number) {
    SecurityContext& side = number % 2 == 0 ? client : server;
    Token answer;
    outcome.err = side.step(token, answer, answers);
    if (outcome.err != 0 && outcome.err != EAGAIN) outcome.reason = side.reason();
    if ((outcome.err != 0 && outcome.err != EAGAIN) || !answers) break;
    token = answer;
    change(token, number);
    outcome.last = token;
  }
  outcome.client_is_established = client.is_established();
  outcome.server_is_established = server.is_established();
  return outcome;
}

std::size_t size_of_token(std::string_view mechanism, unsigned wanted) {
  std::size_t size = 0;
  const TokenOutcome outcome = exchange_tokens(mechanism, [&](const Token& token, unsigned number) {
    if (number == wanted) size = token.size();
  });
  BOOST_TEST(outcome.err == 0, outcome.reason);
  BOOST_TEST(outcome.client_is_established);
  BOOST_TEST(outcome.server_is_established);
  BOOST_TEST_REQUIRE(size != 0U);
  return size;
}

bool is_error_of_handshake(int err) {
  return err == EPROTO || err == EACCES || err == EINVAL || err == ETIME;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gssapi_token)

// A client that has seen a changed answer of the server is content with none of it, but for what says nothing
// of the keys: the length of a length, and SPNEGO's words about itself.
BOOST_DATA_TEST_CASE(a_bit_that_was_flipped_is_an_error_in_words,
                     data::make({"kerberos", "spnego"}) * data::make({0U, 1U}), mechanism, number) {
  if (Kdc::get() == nullptr) return;
  const std::size_t size = size_of_token(mechanism, number);
  std::size_t taken = 0;
  for (std::size_t place = 0; place < size; ++place) {
    const TokenOutcome outcome = exchange_tokens(mechanism, [&](Token& token, unsigned sent) {
      if (sent == number && place < token.size()) token[place] ^= std::byte{1} << (place % 8);
    });
    if (outcome.err == 0 || outcome.err == EAGAIN) {
      ++taken;
    } else {
      BOOST_TEST(is_error_of_handshake(outcome.err), outcome.err << " at " << place);
      BOOST_TEST(!outcome.reason.empty());
    }
  }
  BOOST_TEST(taken < size / 8, taken << " of " << size);
}

BOOST_DATA_TEST_CASE(a_token_that_was_cut_is_an_error_in_words,
                     data::make({"kerberos", "spnego"}) * data::make({0U, 1U}), mechanism, number) {
  if (Kdc::get() == nullptr) return;
  const std::size_t whole = size_of_token(mechanism, number);
  for (std::size_t size = 0; size < whole; ++size) {
    bool is_cut = false;
    const TokenOutcome outcome = exchange_tokens(mechanism, [&](Token& token, unsigned sent) {
      if (sent != number || size >= token.size()) return;
      token.resize(size);
      is_cut = true;
    });
    if (!is_cut) continue;
    BOOST_TEST(is_error_of_handshake(outcome.err), outcome.err << " at " << size);
    BOOST_TEST(!outcome.reason.empty());
  }
}

BOOST_DATA_TEST_CASE(a_token_that_was_used_before_is_refused, data::make({"kerberos", "spnego"}), mechanism) {
  if (Kdc::get() == nullptr) return;
  Token first;
  const TokenOutcome usual = exchange_tokens(mechanism, [&](const Token& token, unsigned number) {
    if (number == 0) first = token;
  });
  BOOST_TEST(usual.err == 0, usual.reason);
  const TokenOutcome again = exchange_tokens(mechanism, [&](Token& token, unsigned number) {
    if (number == 0) token = first;
  });
  BOOST_TEST(again.err == EACCES);
  BOOST_TEST(again.reason.find("replay") != std::string::npos, again.reason);
  BOOST_TEST(!again.server_is_established);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
