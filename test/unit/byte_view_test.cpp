#include <array>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/byte_view.hpp>
#include <tsock/pdu.hpp>
#include <type_traits>
#include <vector>

using tsock::ByteView;

namespace {

// As a call of `write()` makes it.
std::span<const std::byte> seen(ByteView bytes) { return bytes.bytes(); }

struct Message {
  std::string text;
  // NOLINTNEXTLINE(google-explicit-constructor): a class of a user's
  operator std::string_view() const { return text; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(byte_view)

BOOST_AUTO_TEST_CASE(bytes_of_every_shape_are_seen_where_they_are) {
  std::array<std::byte, 3> array{};
  std::byte plain[4] = {};
  std::vector<std::byte> vector(5);
  BOOST_TEST((seen(array).data() == array.data() && seen(array).size() == 3));
  BOOST_TEST((seen(plain).data() == plain && seen(plain).size() == 4));
  BOOST_TEST((seen(vector).data() == vector.data() && seen(vector).size() == 5));
  BOOST_TEST(seen(std::span(array)).size() == 3U);
  BOOST_TEST(seen(std::span(vector).first(2)).size() == 2U);
  BOOST_TEST(seen(std::as_bytes(std::span("ab", 2))).size() == 2U);
}

BOOST_AUTO_TEST_CASE(text_of_every_shape_is_seen_without_its_end) {
  const std::string text = "text";
  char letters[] = "letters";
  BOOST_TEST(seen(text).data() == reinterpret_cast<const std::byte*>(text.data()));
  BOOST_TEST(seen(std::string_view(text).substr(1)).size() == 3U);
  BOOST_TEST(seen("text").size() == 4U);
  BOOST_TEST(seen(letters).size() == 7U);
  BOOST_TEST(seen(Message{"hi"}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(null_is_no_byte) {
  const char* const null = nullptr;
  BOOST_TEST(seen(null).empty());
  BOOST_TEST(seen(nullptr).empty());
}

BOOST_AUTO_TEST_CASE(other_types_are_no_bytes) {
  static_assert(!std::is_convertible_v<int, ByteView>);
  static_assert(!std::is_convertible_v<std::vector<int>, ByteView>);
  static_assert(!std::is_convertible_v<std::array<char, 4>, ByteView>);
  static_assert(!std::is_convertible_v<const tsock::Pdu&, ByteView>);
}

BOOST_AUTO_TEST_SUITE_END()
