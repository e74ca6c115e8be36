// Stream::write_pdu(), framings that measure, and buffers of every shape.
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <tsock/measured_framings.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"

using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::text_of;

BOOST_AUTO_TEST_SUITE(write_pdu)

namespace {

struct WritePduFixture : LoopFixture {
  /// What `write_pdu()` sends, as "header|rest", or the name of its error.
  template <class F>
  std::string written(const F& with, std::string_view body) {
    auto [from, to] = unix_pair();
    auto writing = from.write_pdu(with, body);
    const auto [size, err] = (wait_for(writing), writing.recv());
    if (err != 0) return std::string(error_name(err));
    std::vector<std::byte> wire(static_cast<std::size_t>(size));
    auto reading = to.read(std::span(wire));
    BOOST_TEST_REQUIRE(error_of(reading) == 0);
    return text_of(wire);
  }

  /// Whether `readv_pdu()` gives back what `write_pdu()` has written, the bytes one by one as well.
  template <class F>
  bool comes_back(const F& with, std::string_view body) {
    for (const std::size_t max_transfer : {std::size_t{1000000}, std::size_t{1}}) {
      auto [from, to] = memory_stream_pair(loop, {.max_transfer = max_transfer});
      Queue order(loop);
      auto first = from.write_pdu(order, with, body);
      auto second = from.write_pdu(order, with, std::string(body));
      for (int i = 0; i < 2; ++i) {
        auto reading = to.readv_pdu(with);
        wait_for(reading);
        const auto [pdu, err] = reading.recv();
        if (err != 0 || pdu.text() != body) return false;
      }
      if (error_of(first) != 0 || error_of(second) != 0) return false;
    }
    return true;
  }

  /// The error of a read of these bytes, "" for none; checks that no byte was lost.
  template <class F>
  std::string read_error(const F& with, std::string_view wire) {
    auto [from, to] = memory_pair();
    auto writing = from.write(wire);
    auto reading = to.readv_pdu(with);
    loop.run_until_idle();
    if (reading.is_in_progress()) from = {};
    wait_for(reading);
    const auto [pdu, err] = reading.recv();
    if (err == 0) return "";
    std::string rest(wire.size(), '\0');
    auto again = to.read(rest);
    BOOST_TEST(error_of(again) == 0);
    BOOST_TEST(rest == wire);
    return std::string(error_name(err));
  }
};

using namespace std::string_literals;
using namespace std::string_view_literals;

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_length_prefix_goes_before_the_body, WritePduFixture) {
  BOOST_TEST(written(framing::u8{}, "abc") ==
             "\x03"
             "abc");
  BOOST_TEST(written(framing::u16be{}, "abc") ==
             "\0\x03"
             "abc"sv);
  BOOST_TEST(written(framing::u16le{}, "abc") == "\x03\0abc"sv);
  BOOST_TEST(written(framing::u32be{.includes_header = true}, "abc") ==
             "\0\0\0\x07"
             "abc"sv);
  BOOST_TEST(written(framing::u32le{}, "") == "\0\0\0\0"sv);
}

BOOST_FIXTURE_TEST_CASE(a_delimiter_goes_behind_the_body, WritePduFixture) {
  BOOST_TEST(written(framing::line{}, "abc") == "abc\n");
  BOOST_TEST(written(framing::delimiter{.end = "\r\n"}, "a\r") == "a\r\r\n");
}

BOOST_FIXTURE_TEST_CASE(measured_framings_write_their_headers, WritePduFixture) {
  BOOST_TEST(written(framing::u24be{}, "abc") ==
             "\0\0\x03"
             "abc"sv);
  BOOST_TEST(written(framing::u24le{}, "abc") == "\x03\0\0abc"sv);
  BOOST_TEST(written(framing::netbios{}, "abc") ==
             "\0\0\0\x03"
             "abc"sv);
  BOOST_TEST(written(framing::varint{}, std::string(300, 'x')) == "\xac\x02" + std::string(300, 'x'));
  BOOST_TEST(written(framing::ber{}, "abc") ==
             "\x30\x03"
             "abc");
  BOOST_TEST(written(framing::ber{.tag = 4}, std::string(200, 'x')) ==
             "\x04\x81\xc8" + std::string(200, 'x'));
  BOOST_TEST(written(framing::ber{}, std::string(256, 'x')) == "\x30\x82\x01\0"s + std::string(256, 'x'));
}

BOOST_FIXTURE_TEST_CASE(what_is_written_with_a_framing_is_read_with_it, WritePduFixture) {
  const std::string large(100000, 'y');
  for (const std::string_view body : {"", "a", "some text"}) {
    BOOST_TEST(comes_back(framing::u8{}, body));
    BOOST_TEST(comes_back(framing::u32be{.includes_header = true}, body));
    BOOST_TEST(comes_back(framing::line{}, body));
    BOOST_TEST(comes_back(framing::delimiter{.end = "aab"}, body));
    BOOST_TEST(comes_back(framing::u24be{}, body));
    BOOST_TEST(comes_back(framing::u24le{}, body));
    BOOST_TEST(comes_back(framing::varint{}, body));
    BOOST_TEST(comes_back(framing::netbios{}, body));
    BOOST_TEST(comes_back(framing::ber{}, body));
  }
  BOOST_TEST(comes_back(framing::u24be{}, large));
  BOOST_TEST(comes_back(framing::ber{}, large));
}

BOOST_FIXTURE_TEST_CASE(a_body_outside_the_limits_is_not_written, WritePduFixture) {
  BOOST_TEST(written(framing::u8{}, std::string(256, 'x')) == "EMSGSIZE");
  BOOST_TEST(written(framing::u16be{.max_body = 2}, "abc") == "EMSGSIZE");
  BOOST_TEST(written(framing::u16be{.min_body = 1}, "") == "EMSGSIZE");
  BOOST_TEST(written(framing::line{.max_body = 2}, "abc") == "EMSGSIZE");
  BOOST_TEST(written(framing::u24be{.max_message = 5}, "abc") == "EMSGSIZE");
  BOOST_TEST(written(framing::u24be{.max_message = 6}, "abc") ==
             "\0\0\x03"
             "abc"sv);
}

BOOST_FIXTURE_TEST_CASE(a_body_that_would_be_cut_elsewhere_is_not_written, WritePduFixture) {
  BOOST_TEST(written(framing::line{}, "a\nb") == "EINVAL");
  BOOST_TEST(written(framing::line{}, "a\r") == "EINVAL");
  BOOST_TEST(written(framing::delimiter{.end = "aa"}, "xa") == "EINVAL");
  BOOST_TEST(written(framing::delimiter{.end = "aab"}, "xaaby") == "EINVAL");
  BOOST_TEST(written(framing::delimiter{.end = "aab"}, "xaa") == "xaaaab");
  BOOST_TEST(written(framing::dcerpc{}, "abc") == error_name(ENOTSUP));
}

BOOST_FIXTURE_TEST_CASE(a_temporary_body_belongs_to_the_request, WritePduFixture) {
  auto [from, to] = memory_pair();
  Queue order(loop);
  from.write_pdu(order, framing::u16be{}, bytes_of("bytes")).detach();
  auto reading = to.readv_pdu(framing::u16be{});
  wait_for(reading);
  auto [pdu, err] = reading.recv();
  BOOST_TEST(err == 0);
  // A Pdu gives its body to another framing.
  to.write_pdu(framing::line{}, std::move(pdu)).detach();
  auto line = from.readv_pdu(framing::line{});
  const Pdu back = fetch(line, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(back.text() == "bytes");
}

BOOST_FIXTURE_TEST_CASE(a_header_that_is_no_message_is_refused_and_lost_by_nobody, WritePduFixture) {
  BOOST_TEST(read_error(framing::u24be{.max_message = 5},
                        "\0\0\x03"
                        "abc"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::varint{}, "\x80\x00"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::varint{}, "\xff\xff\xff\xff\xff\x01"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::tls_record{}, "GET / HTTP/1.0"sv) == "EPROTO");
  BOOST_TEST(read_error(framing::tls_record{}, "\x16\x03\x01\x00\x01x"sv) == "");
  BOOST_TEST(read_error(framing::tls_record{}, "\x16\x03\x01\xff\xffxxxx"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::ber{}, "\x31\x01x"sv) == "EPROTO");
  BOOST_TEST(read_error(framing::ber{.tag = 0}, "\x31\x01x"sv) == "");
  BOOST_TEST(read_error(framing::ber{.tag = 0}, "\x3f\x81\x01x"sv) == "EPROTO");
  BOOST_TEST(read_error(framing::ber{}, "\x30\x80xxxx"sv) == "EPROTO");
  BOOST_TEST(read_error(framing::ber{}, "\x30\x85xxxxxx"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::ber{}, "\x30\x84\xff\xff\xff\xff"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::ber{}, "\x30\x05xx"sv) == "EPIPE");
}

BOOST_FIXTURE_TEST_CASE(a_length_may_stand_anywhere_in_the_header, WritePduFixture) {
  const framing::length_at smpp{.width = 4, .header_size = 16, .includes_header = true};
  const std::string wire = "\0\0\0\x12"s + std::string(12, 'h') + "ab";
  auto [from, to] = memory_pair();
  auto writing = from.write(wire);
  auto reading = to.readv_pdu(smpp);
  wait_for(reading);
  const auto [pdu, err] = reading.recv();
  BOOST_TEST(err == 0);
  BOOST_TEST(pdu.text() == "ab");
  BOOST_TEST(pdu.header().size() == 16U);
  BOOST_TEST(read_error(smpp,
                        "\0\0\0\x0f"
                        "xxxxxxxxxxxx"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::length_at{.offset = 61}, "xxxx") == "EINVAL");
  BOOST_TEST(read_error(framing::length_at{.width = 8}, "\xff\xff\xff\xff\xff\xff\xff\xff"sv) == "EMSGSIZE");
  BOOST_TEST(read_error(framing::length_at{.width = 0}, "x") == "EINVAL");
}

BOOST_FIXTURE_TEST_CASE(a_measuring_function_that_makes_no_sense_ends_the_read, WritePduFixture) {
  using Bytes = std::span<const std::byte>;
  const auto with = [](auto function) { return framing::measured{function, std::size_t{100}}; };
  BOOST_TEST(read_error(with([](Bytes) { return MessageSize::need(0); }), "xx") == "EINVAL");
  BOOST_TEST(read_error(with([](Bytes) { return MessageSize::need(65); }), "xx") == "EINVAL");
  BOOST_TEST(read_error(with([](Bytes) { return MessageSize::whole(101, 0); }), "xx") == "EMSGSIZE");
  BOOST_TEST(read_error(with([](Bytes) { return MessageSize::whole(0, 0); }), "xx") == "EMSGSIZE");
  BOOST_TEST(read_error(with([](Bytes) { return MessageSize::whole(2, 3); }), "xx") == "EINVAL");
  BOOST_TEST(read_error(with([](Bytes) -> MessageSize { throw std::runtime_error("no"); }), "xx") == "EIO");
  BOOST_TEST(read_error(with([](Bytes) { return MessageSize::invalid(EILSEQ); }), "xx") == "EILSEQ");
  BOOST_TEST(read_error(with([](Bytes seen) {
                          return seen.size() < 2 ? MessageSize::need(2) : MessageSize::whole(1, 0);
                        }),
                        "xx") == "EMSGSIZE");
}

BOOST_FIXTURE_TEST_CASE(an_announced_message_gets_memory_as_it_comes, WritePduFixture,
                        *boost::unit_test::precondition(tsock::test::can_limit_memory)) {
  rlimit before{};
  ::getrlimit(RLIMIT_AS, &before);
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit = before;
  limit.rlim_cur = pages * 4096 + (std::size_t{64} << 20U);
  ::setrlimit(RLIMIT_AS, &limit);
  auto [from, to] = memory_pair();
  auto reading = to.readv_pdu(framing::ber{.max_message = 0x7fffffff});
  auto writing = from.write("\x30\x84\x7f\xff\xff\x00"sv);
  loop.run_until_idle();
  const bool goes_on = reading.is_in_progress();
  ::setrlimit(RLIMIT_AS, &before);
  BOOST_TEST(goes_on);
}

BOOST_FIXTURE_TEST_CASE(a_message_that_is_cancelled_half_way_is_read_again, WritePduFixture) {
  auto [from, to] = memory_pair();
  auto reading = to.readv_pdu(framing::u24be{});
  auto writing = from.write(
      "\0\0\x05"
      "ab"sv);
  loop.run_until_idle();
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  reading = to.readv_pdu(framing::u24be{});
  auto rest = from.write("cde");
  int err = 0;
  const Pdu pdu = fetch(reading, err);
  BOOST_TEST(pdu.text() == "abcde");
}

BOOST_FIXTURE_TEST_CASE(buffers_of_every_shape_are_written_and_filled, WritePduFixture) {
  auto [from, to] = memory_pair();
  const std::vector<std::uint8_t> numbers{'a', 'b'};
  const std::vector<char> letters{'c', 'd'};
  const std::string text = "ef";
  Queue order(loop);
  auto first = from.writev(order, {numbers, letters, text, "gh"});
  auto second = from.write(order, numbers);
  char array[3] = {};
  std::vector<std::uint8_t> vector(3);
  std::array<std::byte, 1> one{};
  std::array<std::byte, 1> two{};
  auto reading = to.read(array);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(std::string_view(array, 3) == "abc");
  reading = to.read(vector);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((vector == std::vector<std::uint8_t>{'d', 'e', 'f'}));
  reading = to.readv({one, two});
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((one[0] == std::byte{'g'} && two[0] == std::byte{'h'}));
  std::string rest(10, '-');
  reading = to.read_some(rest);
  int err = 0;
  BOOST_TEST(fetch(reading, err) == 2);
  BOOST_TEST(rest == "ab--------");
  reading = to.readv(std::initializer_list<std::span<std::byte>>{});
  BOOST_TEST(error_of(reading) == EINVAL);
}

BOOST_FIXTURE_TEST_CASE(more_parts_than_fit_on_the_stack_are_written, WritePduFixture) {
  auto [from, to] = memory_pair();
  auto writing = from.writev({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
  std::string text(10, '\0');
  auto reading = to.read(text);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text == "abcdefghij");
}

BOOST_AUTO_TEST_SUITE_END()
