#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <tsock/error_code.hpp>

#include "tsock/tls/error_code.hpp"

namespace tsock::test {

BOOST_AUTO_TEST_SUITE(tls_error_code)

BOOST_AUTO_TEST_CASE(words_are_its_own_and_the_others_are_those_of_tsock) {
  BOOST_TEST(tls::error_category().name() == std::string("tsock-tls"));
  BOOST_TEST(tls::error_code(EACCES).message() ==
             "EACCES: a certificate, a key or the name of the peer is refused");
  BOOST_TEST(tls::error_code(EPROTO).message() ==
             "EPROTO: the peer refuses, does not speak TLS, breaks its rules, or was cut off");
  BOOST_TEST(tls::error_code(ECONNRESET).message() == error_text(ECONNRESET));
  BOOST_TEST(tls::error_code(0).message() == error_text(0));
}

BOOST_AUTO_TEST_CASE(codes_go_both_ways) {
  BOOST_TEST(!tls::error_code(0));
  for (const int err : {EACCES, EPROTO, EMSGSIZE, ECONNRESET, ETIMEDOUT}) {
    BOOST_TEST(errno_of(tls::error_code(err)) == err);
    BOOST_TEST(tls::error_code(err).default_error_condition().value() == err);
  }
  BOOST_TEST((tls::error_code(EACCES) == std::errc::permission_denied));
  BOOST_TEST((tls::error_code(EACCES) != error_code(EACCES)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
