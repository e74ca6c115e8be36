// Messages of a SASL handshake that were changed or cut on the way, at every byte.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/sasl/sasl.hpp>
#include <vector>

#include "support/sasl_fixture.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using SaslMessage = std::vector<std::byte>;
/// Is shown each message and its number, from 0, and may change it.
using OnItsWay = std::function<void(SaslMessage&, unsigned)>;

struct SaslOutcome {
  int err = 0;  ///< of the side that is not content
  std::string reason;
  bool are_done = false;
  std::vector<std::size_t> sizes;  ///< of the messages
};

SaslOutcome exchange_messages(const char* mechanism, const OnItsWay& change) {
  SaslPair pair{.client = sasl_client(sasl_client_options(mechanism)),
                .server = sasl_server(sasl_server_options())};
  SaslOutcome outcome;
  const auto send = [&](sasl::Reply& reply) {
    if (!reply.bytes) return;
    change(*reply.bytes, static_cast<unsigned>(outcome.sizes.size()));
    outcome.sizes.push_back(reply.bytes->size());
  };
  sasl::Reply reply = pair.client.start(mechanism, outcome.err);
  BOOST_TEST_REQUIRE(outcome.err == 0);
  send(reply);
  std::optional<ByteView> initial;
  if (reply.bytes) initial.emplace(*reply.bytes);
  sasl::Reply answer = pair.server.start(mechanism, initial, outcome.err);
  bool is_over = outcome.err != 0;
  if (is_over) outcome.reason = pair.server.reason();
  while (!is_over) {
    if (answer.is_done && !answer.bytes) break;
    send(answer);
    reply = pair.client.step(answer.bytes ? ByteView(*answer.bytes) : ByteView(""), outcome.err);
    if (outcome.err != 0) outcome.reason = pair.client.reason();
    if (outcome.err != 0 || answer.is_done) break;
    send(reply);
    answer = pair.server.step(reply.bytes ? ByteView(*reply.bytes) : ByteView(""), outcome.err);
    is_over = outcome.err != 0;
    if (is_over) outcome.reason = pair.server.reason();
  }
  outcome.are_done = outcome.err == 0 && pair.are_done();
  return outcome;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sasl_token, SaslFixture)

// SCRAM's proofs are over all that was said. In DIGEST-MD5 there are words that nobody proves.
BOOST_DATA_TEST_CASE(a_bit_that_was_flipped_is_an_error_in_words,
                     data::make({"SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5"}), mechanism) {
  const SaslOutcome usual = exchange_messages(mechanism, [](SaslMessage&, unsigned) {});
  BOOST_TEST_REQUIRE(usual.are_done, usual.reason);
  const bool proves_all = mechanism != std::string_view("DIGEST-MD5");
  for (unsigned number = 0; number < usual.sizes.size(); ++number) {
    for (std::size_t place = 0; place < usual.sizes[number]; ++place) {
      bool is_changed = false;
      const SaslOutcome outcome = exchange_messages(mechanism, [&](SaslMessage& message, unsigned sent) {
        if (sent != number || place >= message.size()) return;
        message[place] ^= std::byte{1} << (place % 8);
        is_changed = true;
      });
      if (!is_changed) continue;  // the random ones differ in their length
      if (outcome.err == 0) {
        BOOST_TEST((!proves_all && outcome.are_done), "message " << number << ", byte " << place);
      } else {
        BOOST_TEST((outcome.err == EACCES || outcome.err == EPROTO || outcome.err == EINVAL ||
                    outcome.err == EMSGSIZE || outcome.err == ENOTSUP),
                   outcome.err << ": message " << number << ", byte " << place);
        BOOST_TEST(!outcome.reason.empty());
      }
    }
  }
}

BOOST_DATA_TEST_CASE(a_message_that_was_cut_is_an_error_in_words,
                     data::make({"SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5"}), mechanism) {
  const SaslOutcome usual = exchange_messages(mechanism, [](SaslMessage&, unsigned) {});
  for (unsigned number = 0; number < usual.sizes.size(); ++number) {
    for (std::size_t size = 0; size < usual.sizes[number]; ++size) {
      bool is_cut = false;
      const SaslOutcome outcome = exchange_messages(mechanism, [&](SaslMessage& message, unsigned sent) {
        if (sent != number || size >= message.size()) return;
        message.resize(size);
        is_cut = true;
      });
      if (!is_cut) continue;
      const bool is_digest = mechanism == std::string_view("DIGEST-MD5");
      BOOST_TEST((outcome.err != 0 || (is_digest && outcome.are_done)),
                 "message " << number << ", " << size << " bytes");
      if (outcome.err != 0) BOOST_TEST(!outcome.reason.empty());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
