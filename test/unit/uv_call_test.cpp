#include "uv/uv_call.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <utility>

using namespace tsock::detail;

BOOST_AUTO_TEST_SUITE(uv_call)

BOOST_AUTO_TEST_CASE(success_and_counts_are_no_error) {
  BOOST_TEST(errno_of(0) == 0);
  BOOST_TEST(errno_of(17) == 0);
}

BOOST_AUTO_TEST_CASE(a_status_of_libuv_is_the_errno_value_of_its_name) {
  for (const auto& [status, err] : {std::pair{UV_ECONNRESET, ECONNRESET},
                                    {UV_EAGAIN, EAGAIN},
                                    {UV_EEXIST, EEXIST},
                                    {UV_EPIPE, EPIPE},
                                    {UV_ENOTSUP, ENOTSUP},
                                    {UV_ETIMEDOUT, ETIMEDOUT}})
    BOOST_TEST(errno_of(status) == err);
}

BOOST_AUTO_TEST_CASE(an_error_that_libuv_has_no_name_for_is_the_systems) {
  BOOST_TEST(errno_of(-EREMOTE) == EREMOTE);
}

BOOST_AUTO_TEST_CASE(a_status_without_an_errno_value_is_eio) {
  BOOST_TEST(errno_of(UV_EOF) == EIO);
  BOOST_TEST(errno_of(UV_EAI_NONAME) == EIO);
  BOOST_TEST(errno_of(UV_ECHARSET) == EIO);
}

BOOST_AUTO_TEST_SUITE_END()
