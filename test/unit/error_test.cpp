#include "tsock/error.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

using tsock::error_name;
using tsock::error_text;

BOOST_AUTO_TEST_SUITE(error)

BOOST_AUTO_TEST_CASE(names_are_those_of_the_header) {
  BOOST_TEST(error_name(0) == "OK");
  BOOST_TEST(error_name(ECONNRESET) == "ECONNRESET");
  BOOST_TEST(error_name(EPIPE) == "EPIPE");
  BOOST_TEST(error_name(EPROTONOSUPPORT) == "EPROTONOSUPPORT");
  BOOST_TEST(error_name(EAGAIN) == "EAGAIN");
}

BOOST_AUTO_TEST_CASE(number_without_a_name_is_shown_as_number) {
  BOOST_TEST(error_name(999) == "E999");
  BOOST_TEST(error_name(1000) == "E1000");
  BOOST_TEST(error_name(4095) == "E4095");
  BOOST_TEST(error_text(999) == "E999: unknown error 999");
}

BOOST_AUTO_TEST_CASE(number_that_is_no_errno_says_so_but_keeps_its_value_in_the_text) {
  BOOST_TEST(error_name(-ECONNRESET) == "E?");
  BOOST_TEST(error_name(4096) == "E?");
  BOOST_TEST(error_text(-5) == "E?: unknown error -5");
}

BOOST_AUTO_TEST_CASE(text_is_name_and_meaning) {
  BOOST_TEST(error_text(0) == "OK");
  BOOST_TEST(error_text(ECONNRESET) == "ECONNRESET: connection reset by peer");
  BOOST_TEST(error_text(ENOENT) == std::string("ENOENT: ") + std::strerror(ENOENT));
}

BOOST_AUTO_TEST_CASE(a10_errors_that_tsock_gives_have_texts_that_tell_them_apart) {
  std::set<std::string> texts;
  const std::vector<int> all = {EBUSY, EALREADY,   EINVAL,    EMSGSIZE,  ECONNABORTED, ENOTCONN,
                                EPIPE, ECONNRESET, ETIMEDOUT, ECANCELED, EIO,          EPROTO};
  for (const int err : all) {
    const std::string text = error_text(err);
    const std::string prefix = std::string(error_name(err)) + ": ";
    BOOST_TEST(text.starts_with(prefix));
    BOOST_TEST((text != prefix + std::strerror(err)), text);
    texts.insert(text.substr(prefix.size()));
  }
  BOOST_TEST(texts.size() == all.size());
}

BOOST_AUTO_TEST_CASE(every_number_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (int err = 0; err < 4096; ++err) names.insert(error_name(err));
  BOOST_TEST(names.size() == 4096U);
}

BOOST_AUTO_TEST_CASE(threads_do_not_disturb_each_other) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([t, &wrong] {
      const int err = t % 2 == 0 ? ENOENT : 999;
      const std::string expected = error_text(err);
      for (int round = 0; round < 1000; ++round) wrong[t] += error_text(err) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : wrong) BOOST_TEST(count == 0);
}

BOOST_AUTO_TEST_SUITE_END()
