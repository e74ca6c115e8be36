#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <tsock/error_code.hpp>

#include "tsock/sasl/error_code.hpp"

namespace tsock::test {

BOOST_AUTO_TEST_SUITE(sasl_error_code)

BOOST_AUTO_TEST_CASE(words_are_its_own_and_the_others_are_those_of_tsock) {
  BOOST_TEST(sasl::error_category().name() == std::string("tsock-sasl"));
  BOOST_TEST(sasl::error_code(EACCES).message() ==
             "EACCES: the name, the password, the ticket or the proof of the peer is refused");
  BOOST_TEST(sasl::error_code(EPROTO).message() ==
             "EPROTO: the peer does not keep to the mechanism, or was cut off in a message");
  BOOST_TEST(sasl::error_code(ECONNRESET).message() == error_text(ECONNRESET));
  BOOST_TEST(sasl::error_code(0).message() == error_text(0));
}

BOOST_AUTO_TEST_CASE(codes_go_both_ways) {
  BOOST_TEST(!sasl::error_code(0));
  for (const int err : {EACCES, EPROTO, EMSGSIZE, ECONNRESET, ETIMEDOUT}) {
    BOOST_TEST(errno_of(sasl::error_code(err)) == err);
    BOOST_TEST(sasl::error_code(err).default_error_condition().value() == err);
  }
  BOOST_TEST((sasl::error_code(EACCES) == std::errc::permission_denied));
  BOOST_TEST((sasl::error_code(EACCES) != error_code(EACCES)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
