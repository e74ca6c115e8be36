#include <array>
#include <boost/test/unit_test.hpp>
#include <tsock/buffer.hpp>
#include <vector>

using tsock::make_vector;

BOOST_AUTO_TEST_SUITE(buffer)

BOOST_AUTO_TEST_CASE(a_vector_is_made_of_whatever_holds_bytes) {
  std::array<std::byte, 3> array{};
  const std::array<std::byte, 4> constant{};
  std::vector<std::byte> container(5);
  const std::span<std::byte> span(container);
  const std::span<const std::byte> view = span.first(2);
  BOOST_TEST(make_vector(array).iov_base == array.data());
  BOOST_TEST(make_vector(array).iov_len == 3U);
  BOOST_TEST(make_vector(constant).iov_base == constant.data());
  BOOST_TEST(make_vector(constant).iov_len == 4U);
  BOOST_TEST(make_vector(container).iov_base == container.data());
  BOOST_TEST(make_vector(container).iov_len == 5U);
  BOOST_TEST(make_vector(span).iov_len == 5U);
  BOOST_TEST(make_vector(view).iov_base == container.data());
  BOOST_TEST(make_vector(view).iov_len == 2U);
  BOOST_TEST(make_vector(view.subspan(1)).iov_len == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
