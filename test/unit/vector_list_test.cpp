#include "tsock/vector_list.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstddef>

BOOST_AUTO_TEST_SUITE(vector_list)

BOOST_AUTO_TEST_CASE(keeps_vectors_in_order_over_the_bounds_of_its_inline_space) {
  std::array<std::byte, 20> bytes{};
  for (std::size_t count = 0; count < bytes.size(); ++count) {
    tsock::VectorList list;
    BOOST_TEST(list.empty());
    for (std::size_t i = 0; i < count; ++i) list.add(std::span(bytes).subspan(i, 1));
    BOOST_TEST(list.empty() == (count == 0));
    BOOST_TEST_REQUIRE(list.vectors().size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      BOOST_TEST(list.vectors()[i].iov_base == bytes.data() + i);
      BOOST_TEST(list.vectors()[i].iov_len == 1U);
    }
    list.clear();
    BOOST_TEST(list.empty());
    BOOST_TEST(list.vectors().empty());
    list.add(tsock::make_vector(std::span<std::byte>(bytes)));
    BOOST_TEST_REQUIRE(list.vectors().size() == 1U);
    BOOST_TEST(list.vectors()[0].iov_len == bytes.size());
  }
}

BOOST_AUTO_TEST_SUITE_END()
