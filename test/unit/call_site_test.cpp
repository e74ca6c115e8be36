#include "tsock/call_site.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

BOOST_AUTO_TEST_SUITE(call_site)

namespace {

tsock::CallSite here(tsock::CallSite site = tsock::CallSite::current()) { return site; }

}  // namespace

BOOST_AUTO_TEST_CASE(a_default_argument_names_the_callers_line) {
  const tsock::CallSite first = here();
  const tsock::CallSite second = here();
  BOOST_TEST(std::string(first.file()).ends_with("call_site_test.cpp"));
  BOOST_TEST(first.line() == __LINE__ - 3U);
  BOOST_TEST(second.line() == first.line() + 1);
}

BOOST_AUTO_TEST_CASE(a_default_constructed_one_is_unknown_but_not_null) {
  constexpr tsock::CallSite unknown;
  BOOST_TEST(std::string(unknown.file()).empty());
  BOOST_TEST(unknown.line() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
