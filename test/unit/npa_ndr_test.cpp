#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <ratio>
#include <string>
#include <string_view>
#include <vector>

#include "npa/ndr.hpp"
#include "support/npa_messages.hpp"

namespace {

using tsock::npa::Guid;
using tsock::npa::is_ndr_text;
using tsock::npa::NdrReader;
using tsock::npa::NdrWriter;
using tsock::npa::NtTime;
using tsock::npa::Sid;
using tsock::test::from_hex;
using namespace std::literals;

/// Why text in NDR is refused; empty if it is not.
std::string refused_text(std::string_view hex) {
  const std::vector<std::byte> bytes = from_hex(hex);
  NdrReader reader(bytes, 0);
  static_cast<void>(reader.text("name"));
  return reader.reason();
}

std::string refused_sid(std::string_view hex) {
  const std::vector<std::byte> bytes = from_hex(hex);
  NdrReader reader(bytes, 0);
  static_cast<void>(reader.sid("sid"));
  return reader.reason();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_ndr)

BOOST_AUTO_TEST_CASE(numbers_are_little_endian_and_aligned_to_their_size) {
  const std::vector<std::byte> bytes = from_hex("01ff0302ffffffff0706050400000000100f0e0d0c0b0a09");
  NdrReader reader(bytes, 0);
  BOOST_TEST(reader.u8("a") == 1);
  BOOST_TEST(reader.u16("b") == 0x0203);
  BOOST_TEST(reader.u32("c") == 0xFFFFFFFF);
  BOOST_TEST(reader.u32("d") == 0x04050607);
  BOOST_TEST(reader.u64("e") == 0x090a0b0c0d0e0f10);
  reader.end();
  BOOST_TEST(reader.reason() == "");
}

BOOST_AUTO_TEST_CASE(alignment_counts_from_the_first_byte_of_the_message) {
  const std::vector<std::byte> bytes = from_hex("010000000200000000000000");
  NdrReader reader(bytes, 4);
  BOOST_TEST(reader.u8("a") == 1);
  BOOST_TEST(reader.u64("b") == 2);
  BOOST_TEST(!reader.failed());
}

BOOST_AUTO_TEST_CASE(what_a_writer_writes_a_reader_reads) {
  const auto write = [](NdrWriter& writer) {
    writer.u8(1);
    writer.pointer(true);
    writer.pointer(false);
    writer.pointer(true);
    writer.u16(2);
    writer.text("caf\xc3\xa9");
    writer.u8(3);
    writer.blob(std::as_bytes(std::span("key"sv)));
    writer.time(NtTime{0x0102030405060708});
    writer.guid(Guid{{std::byte{9}}});
    writer.sid(Sid::unix_user(1000));
    writer.u64(4);
  };
  NdrWriter counter;
  write(counter);
  std::vector<std::byte> bytes(counter.size());
  NdrWriter writer(bytes);
  write(writer);
  BOOST_TEST(writer.size() == bytes.size());

  NdrReader reader(bytes, 0);
  BOOST_TEST(reader.u8("a") == 1);
  BOOST_TEST(reader.u32("b") == 0x00020000);
  BOOST_TEST(reader.u32("c") == 0);
  BOOST_TEST(reader.u32("d") == 0x00020004);
  BOOST_TEST(reader.u16("e") == 2);
  BOOST_TEST(reader.text("f") == "caf\xc3\xa9");
  BOOST_TEST(reader.u8("g") == 3);
  BOOST_TEST(reader.blob("h").size() == 3);
  BOOST_TEST((reader.time("i") == NtTime{0x0102030405060708}));
  BOOST_TEST((reader.guid("j") == Guid{{std::byte{9}}}));
  BOOST_TEST(reader.sid("k") == Sid::unix_user(1000));
  BOOST_TEST(reader.u64("l") == 4);
  reader.end();
  BOOST_TEST(reader.reason() == "");
}

BOOST_AUTO_TEST_CASE(the_first_fault_is_kept_and_nothing_is_read_behind_it) {
  const std::vector<std::byte> bytes = from_hex("0102030405060708");
  NdrReader reader(bytes, 0);
  static_cast<void>(reader.u32("a"));
  static_cast<void>(reader.u64("b"));
  BOOST_TEST(reader.reason() == "b: the message ends here");
  BOOST_TEST(reader.u8("c") == 0);
  BOOST_TEST(reader.text("d") == "");
  BOOST_TEST(reader.blob("e").empty());
  reader.end();
  reader.fail("f", "anything");
  BOOST_TEST(reader.reason() == "b: the message ends here");
}

BOOST_AUTO_TEST_CASE(bytes_at_the_end_are_a_fault) {
  const std::vector<std::byte> bytes = from_hex("0100");
  NdrReader reader(bytes, 0);
  static_cast<void>(reader.u8("a"));
  reader.end();
  BOOST_TEST(reader.reason() == "the end: bytes follow");
}

BOOST_AUTO_TEST_CASE(a_count_is_limited_by_the_bytes_at_hand_and_by_its_maximum) {
  const std::vector<std::byte> bytes = from_hex("020000000000000000000000");
  NdrReader reader(bytes, 0);
  BOOST_TEST(reader.count(4, 2, "n") == 2);
  NdrReader more(bytes, 0);
  BOOST_TEST(more.count(5, 2, "n") == 0);
  BOOST_TEST(more.reason() == "n: more than the message holds");
  NdrReader most(bytes, 0);
  BOOST_TEST(most.count(4, 1, "n") == 0);
  BOOST_TEST(most.reason() == "n: more than are accepted");
  const std::vector<std::byte> bomb = from_hex("ffffffff");
  NdrReader exploding(bomb, 0);
  BOOST_TEST(exploding.count(1, 0xFFFFFFFF, "n") == 0);
  BOOST_TEST(exploding.failed());
}

BOOST_AUTO_TEST_CASE(text_with_wrong_counts_is_refused) {
  BOOST_TEST(refused_text("020000000000000002000000"
                          "4100") == "");
  BOOST_TEST(refused_text("030000000000000002000000"
                          "4100") == "");  // room for more
  BOOST_TEST(refused_text("010000000000000001000000"
                          "00") == "");
  BOOST_TEST(refused_text("010000000000000002000000"
                          "4100") == "name: the counts of the text are wrong");
  BOOST_TEST(refused_text("020000000100000002000000"
                          "4100") == "name: the counts of the text are wrong");
  BOOST_TEST(refused_text("030000000000000003000000"
                          "4100") == "name: the message ends here");
  BOOST_TEST(refused_text("ffffffff00000000ffffffff"
                          "4100") == "name: the message ends here");
  BOOST_TEST(refused_text("0200000000000000020000") == "name: the message ends here");
}

BOOST_AUTO_TEST_CASE(text_needs_its_end_and_has_no_other) {
  BOOST_TEST(refused_text("000000000000000000000000") == "name: the text has no end");
  BOOST_TEST(refused_text("020000000000000002000000"
                          "4142") == "name: the text has no end");
  BOOST_TEST(refused_text("030000000000000003000000"
                          "410000") == "name: not UTF-8, or with a NUL inside");
  BOOST_TEST(refused_text("020000000000000002000000"
                          "ff00") == "name: not UTF-8, or with a NUL inside");
}

BOOST_AUTO_TEST_CASE(sids_that_samba_does_not_write_are_refused) {
  BOOST_TEST(refused_sid("010100000000000507000000") == "");
  BOOST_TEST(refused_sid("0100000000000005") == "");
  BOOST_TEST(refused_sid("020100000000000507000000") == "sid: a SID of another revision than 1");
  BOOST_TEST(refused_sid("0110000000000005" + std::string(128, '0')) ==
             "sid: a SID with more than 15 sub-authorities");
  BOOST_TEST(refused_sid("01020000000000050700000007") == "sid: the message ends here");
}

BOOST_AUTO_TEST_CASE(utf8_is_told_from_other_bytes) {
  for (const std::string_view good :
       {""sv, "abc"sv, "\x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv,
        "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv, "a\xc3\xa9z"sv})
    BOOST_TEST_CONTEXT(good) BOOST_TEST(is_ndr_text(good));
  for (const std::string_view bad :
       {"\0"sv, "a\0b"sv, "\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x41"sv,
        "\xe0\x9f\xbf"sv, "\xe0\xa0"sv, "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xf0\x8f\xbf\xbf"sv,
        "\xf0\x90\x80"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv, "\xc2\xc2\x80"sv,
        "\xc2\x80\x80"sv})
    BOOST_TEST(!is_ndr_text(bad));
}

BOOST_AUTO_TEST_CASE(times_of_windows_are_times_of_the_system) {
  using Clock = std::chrono::system_clock;
  constexpr NtTime epoch{116'444'736'000'000'000};
  BOOST_TEST((NtTime::from(Clock::time_point{}) == epoch));
  BOOST_TEST((epoch.time_point() == Clock::time_point{}));
  const Clock::time_point time = Clock::time_point{} + 1'700'000'000s + 123'456us;
  BOOST_TEST((NtTime::from(time) == NtTime{epoch.value + 17'000'000'001'234'560}));
  BOOST_TEST((NtTime::from(time).time_point() == time));
  // libstdc++ counts ns, libc++ us.
  constexpr bool is_finer = std::ratio_less_v<Clock::period, std::micro>;
  BOOST_TEST(
      (NtTime::from(Clock::time_point{} - Clock::duration(1)) == NtTime{epoch.value - (is_finer ? 1 : 10)}));
  BOOST_TEST((NtTime::never().time_point() == Clock::time_point::max()));
  BOOST_TEST((NtTime{~std::uint64_t{0}}.time_point() == Clock::time_point::max()));
  const Clock::time_point in_1601 =
      Clock::time_point{} - std::chrono::seconds(11'644'473'600) * (is_finer ? 0 : 1);
  BOOST_TEST((NtTime{}.time_point() == (is_finer ? Clock::time_point::min() : in_1601)));
  BOOST_TEST((NtTime{} < epoch));
}

BOOST_AUTO_TEST_CASE(times_that_one_clock_does_not_reach_are_the_ends_of_the_other) {
  using Clock = std::chrono::system_clock;
  constexpr bool is_finer = std::ratio_less_v<Clock::period, std::micro>;
  BOOST_TEST((NtTime::from(Clock::time_point::max()) == NtTime::never()) != is_finer);
  BOOST_TEST((NtTime::from(Clock::time_point::min()) == NtTime{}) != is_finer);
  BOOST_TEST((NtTime{NtTime::never().value - 1}.time_point() == Clock::time_point::max()) == is_finer);
}

BOOST_AUTO_TEST_SUITE_END()
