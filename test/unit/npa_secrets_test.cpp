// Session keys of NPA stand in memory no longer than those who have them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <span>
#include <string_view>
#include <tsock/npa/npa.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "support/loop_fixture.hpp"
#include "support/memory_scan.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using boost::unit_test::precondition;

namespace {

npa::Identity identity_with(const MarkedSecret& secret, std::size_t sids) {
  npa::Identity identity;
  identity.token.sids.assign(sids, npa::Sid::system());
  secret.lend([&identity](std::string_view key) {
    identity.session_key = npa::SecretBytes(std::as_bytes(std::span(key)));
  });
  return identity;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_secrets, LoopFixture, *precondition(memory_can_be_scanned))

// A request with many SIDs arrives in pieces, the key in the first one.
BOOST_DATA_TEST_CASE(a_session_key_goes_with_its_streams, data::make({16U, 400U}) * data::make({1U, 40'000U}),
                     size, sids) {
  const MarkedSecret secret(size);
  {
    auto pair = unix_pair();
    Request<Stream> connecting = npa::connect(std::move(pair.first), identity_with(secret, sids));
    Request<Stream> accepting =
        npa::accept(std::move(pair.second), {.trusts = [](const Stream&) { return true; }});
    int err = 0;
    const Stream client = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    const Stream server = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0, accepting.reason());
    BOOST_TEST(secret.copies() != nowhere);  // the server's Identity
  }
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
