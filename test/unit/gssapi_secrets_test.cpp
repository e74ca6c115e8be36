// Passwords for GSSAPI stand in memory no longer than they are needed.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/memory_scan.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using boost::unit_test::precondition;
using gssapi::Credentials;

namespace {

Credentials credentials_with(const MarkedSecret& secret, const std::string& principal) {
  Credentials credentials;
  secret.lend(
      [&](std::string_view password) { credentials = Credentials::with_password(principal, password); });
  return credentials;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_secrets, LoopFixture, *precondition(memory_can_be_scanned))

BOOST_DATA_TEST_CASE(credentials_take_their_password_with_them, data::make({15U, 48U, 400U}), size) {
  const MarkedSecret secret(size);
  {
    Credentials credentials = credentials_with(secret, "alice");
    const Credentials copy = credentials;  // NOLINT(performance-unnecessary-copy-initialization)
    credentials = {};
    BOOST_TEST(secret.copies() != nowhere);
  }
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(a_password_that_the_kdc_refuses_is_kept_nowhere,
                     data::make({"kerberos", "spnego"}) * data::make({15U, 48U, 400U}), mechanism, size) {
  if (Kdc::get() == nullptr) return;
  const MarkedSecret secret(size);
  auto pair = tcp_pair();
  {
    Request<Stream> connecting =
        gssapi::connect(std::move(pair.first), {.target = "gsstest@localhost",
                                                .mechanism = mechanism,
                                                .credentials = credentials_with(secret, "alice")});
    BOOST_TEST(error_of(connecting) == EACCES, connecting.reason());
  }
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
