#include "tsock/framing.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::text_of;

BOOST_AUTO_TEST_SUITE(framing)

// Built at compile time, as a constant of a protocol would be.
static_assert(Framing(tsock::framing::u32be{.max_body = 10}).valid);
static_assert(Framing(tsock::framing::u16le{}).length_bytes == 2);
static_assert(!Framing(tsock::framing::u16le{}).big_endian);
static_assert(Framing(tsock::framing::line{}).strip_carriage_return);
static_assert(!Framing(tsock::framing::u8{.max_body = 1, .min_body = 2}).valid);
static_assert(!Framing(tsock::framing::u32be{.max_body = 0x80000000U}).valid);
static_assert(Framing(tsock::framing::u32be{.max_body = 0x7fffffffU, .min_body = 0x0fffffffU}).valid);
static_assert(!Framing(tsock::framing::u32be{.max_body = 0x7fffffffU, .min_body = 0x10000000U}).valid);
static_assert(!Framing(tsock::framing::delimiter{.end = ""}).valid);

// What a message reader keeps of it.
constexpr detail::PrefixFormat widest(4, true, false, 0x0fffffffU, 0x7fffffffU);
static_assert(widest.header_size() == 4 && widest.big_endian() && !widest.includes_header());
static_assert(widest.min_body() == 0x0fffffffU && widest.max_body() == 0x7fffffffU);
constexpr detail::PrefixFormat narrow(2, false, true, 1, 7);
static_assert(narrow.header_size() == 2 && !narrow.big_endian() && narrow.includes_header());
static_assert(narrow.min_body() == 1 && narrow.max_body() == 7);
static_assert(detail::PrefixFormat(1, true, false, 0, 0).header_size() == 1);
static_assert(Framing(tsock::framing::delimiter{.end = "0123456789abcdef"}).valid);
static_assert(!Framing(tsock::framing::delimiter{.end = "0123456789abcdefg"}).valid);

static_assert(Framing(tsock::framing::dcerpc{}).max_body == 0xffff - 16);
static_assert(Framing(tsock::framing::dcerpc{.max_fragment = 16}).valid);
static_assert(!Framing(tsock::framing::dcerpc{.max_fragment = 15}).valid);
static_assert(!Framing(tsock::framing::dcerpc{.max_fragment = 0x10000}).valid);

namespace {

struct FramingFixture : LoopFixture {
  /// What `framing` makes of `wire`: "header|body" of each message, then the errno name that ended reading.
  std::string cut(std::string_view wire, const Framing& framing, std::size_t max_transfer = 1000000) {
    auto [from, to] = memory_stream_pair(loop, {.max_transfer = max_transfer});
    auto writing = from.write(wire.empty() ? std::string_view("\n") : wire);
    writing.set_callback([&stream = from](auto&) { stream = {}; });
    std::string result;
    for (;;) {
      auto reading = to.readv_pdu(framing);
      int err = 0;
      Pdu pdu = fetch(reading, err);
      if (err != 0) {
        result += error_name(err);
        if (reading.transferred() != 0) result += " after " + std::to_string(reading.transferred());
        return result;
      }
      BOOST_TEST(reading.transferred() == pdu.size());
      result += hex(pdu.header()) + "|" + text_of(pdu.body()) + " ";
    }
  }
  static std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
      text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4U];
      text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15U];
    }
    return text;
  }
};

using namespace std::string_view_literals;
using namespace std::string_literals;

}  // namespace

BOOST_FIXTURE_TEST_CASE(each_width_and_byte_order_is_read, FramingFixture) {
  for (const std::size_t piece : {1U, 2U, 3U, 1000U}) {
    BOOST_TEST_CONTEXT("in pieces of " << piece) {
      BOOST_TEST(cut("\x02hi\x01!"sv, tsock::framing::u8{}, piece) == "02|hi 01|! EPIPE");
      BOOST_TEST(cut("\x00\x02hi\x00\x01!"sv, tsock::framing::u16be{}, piece) == "0002|hi 0001|! EPIPE");
      BOOST_TEST(cut("\x02\x00hi"sv, tsock::framing::u16le{}, piece) == "0200|hi EPIPE");
      BOOST_TEST(cut("\x00\x00\x00\x03hey"sv, tsock::framing::u32be{}, piece) == "00000003|hey EPIPE");
      BOOST_TEST(cut("\x03\x00\x00\x00hey"sv, tsock::framing::u32le{}, piece) == "03000000|hey EPIPE");
    }
  }
}

BOOST_FIXTURE_TEST_CASE(fragments_of_dcerpc_are_read_in_both_byte_orders, FramingFixture) {
  constexpr std::string_view little = "\x05\x00\x0b\x03\x10\x00\x00\x00\x12\x00\x00\x00\x01\x00\x00\x00hi"sv;
  constexpr std::string_view big = "\x05\x00\x0b\x03\x00\x00\x00\x00\x00\x13\x00\x00\x00\x00\x00\x01hey"sv;
  constexpr std::string_view bare = "\x05\x00\x0b\x03\x11\x00\x00\x00\x10\x00\x00\x00\x01\x00\x00\x00"sv;
  const std::string wire = std::string(little) + std::string(big) + std::string(bare);
  for (const std::size_t piece : {1U, 2U, 15U, 16U, 17U, 1000U})
    BOOST_TEST(cut(wire, tsock::framing::dcerpc{}, piece) ==
               "05000b03100000001200000001000000|hi 05000b03000000000013000000000001|hey "
               "05000b03110000001000000001000000| EPIPE");
}

BOOST_FIXTURE_TEST_CASE(fragments_of_dcerpc_are_held_to_their_bounds, FramingFixture) {
  const auto fragment = [](std::string_view length, std::size_t body) {
    return "\x05\x00\x00\x03\x10\x00\x00\x00"s + std::string(length) + std::string(6, '\0') +
           std::string(body, 'x');
  };
  BOOST_TEST(cut(fragment("\x0f\x00"sv, 0), tsock::framing::dcerpc{}) == "EMSGSIZE after 16");
  BOOST_TEST(cut(fragment("\x00\x00"sv, 0), tsock::framing::dcerpc{}) == "EMSGSIZE after 16");
  BOOST_TEST(cut(fragment("\x13\x00"sv, 3), tsock::framing::dcerpc{.max_fragment = 18}) ==
             "EMSGSIZE after 16");
  BOOST_TEST(
      cut(fragment("\x13\x00"sv, 3), tsock::framing::dcerpc{.max_fragment = 19}).ends_with("|xxx EPIPE"));
  BOOST_TEST(cut(fragment("\xff\xff"sv, 0xffff - 16), tsock::framing::dcerpc{}).ends_with("x EPIPE"));
  BOOST_TEST(cut(fragment("\x13\x00"sv, 2), tsock::framing::dcerpc{}) == "EPIPE after 18");
  BOOST_TEST(cut(fragment("\x13\x00"sv, 2).substr(0, 9), tsock::framing::dcerpc{}) == "EPIPE after 9");
}

BOOST_FIXTURE_TEST_CASE(a_length_may_count_its_own_bytes, FramingFixture) {
  BOOST_TEST(cut("\x00\x05hey\x00\x02"sv, tsock::framing::u16be{.includes_header = true}) ==
             "0005|hey 0002| EPIPE");
  BOOST_TEST(cut("\x00\x01hey"sv, tsock::framing::u16be{.includes_header = true}) == "EMSGSIZE after 2");
}

BOOST_FIXTURE_TEST_CASE(bodies_are_held_to_their_bounds, FramingFixture) {
  BOOST_TEST(cut("\x03hey\x04heyo"sv, tsock::framing::u8{.max_body = 3}) == "03|hey EMSGSIZE after 1");
  BOOST_TEST(cut("\x01x\x00"sv, tsock::framing::u8{}) == "01|x 00| EPIPE");
  BOOST_TEST(cut("\x01x\x00"sv, tsock::framing::u8{.min_body = 1}) == "01|x EMSGSIZE after 1");
  BOOST_TEST(cut("\xff\xff\xff\xff"sv, tsock::framing::u32be{.max_body = 0x7fffffff}) == "EMSGSIZE after 4");
  BOOST_TEST(cut("\xff\xff\xff\xff"sv, tsock::framing::u32be{.includes_header = true}) == "EMSGSIZE after 4");
}

BOOST_FIXTURE_TEST_CASE(a_cut_message_is_told_from_a_clean_end, FramingFixture) {
  BOOST_TEST(cut("\x00\x00\x00\x03he"sv, tsock::framing::u32be{}) == "EPIPE after 6");
  BOOST_TEST(cut("\x00\x00"sv, tsock::framing::u32be{}) == "EPIPE after 2");
  BOOST_TEST(cut("a\nb"sv, tsock::framing::line{}) == "|a EPIPE after 1");
}

BOOST_FIXTURE_TEST_CASE(lines_lose_their_end_and_a_carriage_return_before_it, FramingFixture) {
  for (const std::size_t piece : {1U, 2U, 1000U}) {
    BOOST_TEST(cut("one\ntwo\r\n\n\r\nth\rree\n"sv, tsock::framing::line{}, piece) ==
               "|one |two | | |th\rree EPIPE");
  }
  BOOST_TEST(cut("123\n1234\n"sv, tsock::framing::line{.max_body = 3}).starts_with("|123 EMSGSIZE"));
  BOOST_TEST(cut("no end in sight"sv, tsock::framing::line{.max_body = 5}).starts_with("EMSGSIZE"));
}

BOOST_FIXTURE_TEST_CASE(framing_filled_by_hand_that_does_not_fit_is_refused, FramingFixture) {
  Framing filled = tsock::framing::line{};
  for (const unsigned size : {0U, 17U, 200U, 255U}) {
    filled.delimiter_size = static_cast<std::uint8_t>(size);
    BOOST_TEST(cut("line\n", filled) == "EINVAL");
  }
  filled = tsock::framing::line{};
  filled.max_body = Framing::largest_delimited_body + 1;
  BOOST_TEST(cut("line\n", filled) == "EINVAL");
  filled = tsock::framing::line{};
  filled.kind = static_cast<Framing::Kind>(7);
  BOOST_TEST(cut("line\n", filled) == "EINVAL");
  filled = tsock::framing::dcerpc{};
  filled.max_body = Framing::largest_dcerpc_body + 1;
  BOOST_TEST(cut("line\n", filled) == "EINVAL");
  for (const unsigned width : {0U, 3U, 5U, 200U}) {
    filled = tsock::framing::u32be{};
    filled.length_bytes = static_cast<std::uint8_t>(width);
    BOOST_TEST(cut("\x00\x00\x00\x01x"sv, filled) == "EINVAL");
  }
}

BOOST_FIXTURE_TEST_CASE(memory_pair_that_may_hand_over_nothing_hands_over_single_bytes, FramingFixture) {
  BOOST_TEST(cut("\x02hi\x01!"sv, tsock::framing::u8{}, 0) == "02|hi 01|! EPIPE");
}

BOOST_FIXTURE_TEST_CASE(delimiters_are_found_also_when_they_begin_twice, FramingFixture) {
  for (const std::size_t piece : {1U, 2U, 3U, 1000U}) {
    BOOST_TEST_CONTEXT("in pieces of " << piece) {
      BOOST_TEST(cut("ab--c---end---"sv, tsock::framing::delimiter{.end = "---"}, piece) ==
                 "|ab--c |end EPIPE");
      BOOST_TEST(cut("aaaab"sv, tsock::framing::delimiter{.end = "aab"}, piece) == "|aa EPIPE");
      BOOST_TEST(cut("x\r\ny\r\r\n\r\n"sv, tsock::framing::delimiter{.end = "\r\n\r\n"}, piece) ==
                 "|x\r\ny\r EPIPE");
      BOOST_TEST(cut("h: 1\r\n\r\nbody\r\n\r\n"sv, tsock::framing::delimiter{.end = "\r\n\r\n"}, piece) ==
                 "|h: 1 |body EPIPE");
    }
  }
  BOOST_TEST(cut("\x00zero\x00\x00"sv, tsock::framing::delimiter{.end = "\0"sv}) == "| |zero | EPIPE");
}

BOOST_FIXTURE_TEST_CASE(a_message_outside_of_the_bounds_stays_unread, FramingFixture) {
  auto [a, b] = unix_pair();
  auto writing = a.write(
      "\x05"
      "12345");
  auto refused = b.readv_pdu(tsock::framing::u8{.max_body = 4});
  BOOST_TEST(error_of(refused) == EMSGSIZE);
  auto again = b.readv_pdu(tsock::framing::u8{});
  int err = -1;
  BOOST_TEST(text_of(fetch(again, err).body()) == "12345");
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_unusable_framing_gives_einval_and_takes_nothing, FramingFixture) {
  auto [a, b] = unix_pair();
  auto writing = a.write("x\n");
  auto refused = b.readv_pdu(tsock::framing::delimiter{.end = ""});
  BOOST_TEST(error_of(refused) == EINVAL);
  auto reading = b.readv_pdu(tsock::framing::line{});
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(writing) == 0);
}

// Its members are open to all, and nobody has to say that they do not fit.
BOOST_FIXTURE_TEST_CASE(a_framing_that_was_filled_by_hand_is_checked, FramingFixture) {
  auto [a, b] = unix_pair();
  auto writing = a.write("\x01x");
  Framing odd_width = tsock::framing::u8{};
  odd_width.length_bytes = 3;
  Framing large_minimum = tsock::framing::u8{};
  large_minimum.max_body = 0x7fffffffU;
  large_minimum.min_body = 0x10000000U;
  Framing crossed = tsock::framing::u8{};
  crossed.max_body = 1;
  crossed.min_body = 2;
  for (const Framing& framing : {odd_width, large_minimum, crossed}) {
    auto refused = b.readv_pdu(framing);
    BOOST_TEST(error_of(refused) == EINVAL);
  }
  const Framing usable = tsock::framing::u8{};
  auto reading = b.readv_pdu(usable);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
