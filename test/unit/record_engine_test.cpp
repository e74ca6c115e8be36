#include "layer/record_engine.hpp"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/message_room.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using layer::ByteBlock;
using layer::Codec;
using layer::RecordEngine;
using layer::Step;

namespace {

/// Counts what is out, and fails from the N-th allocation on.
class CountingMemory final : public std::pmr::memory_resource {
 public:
  std::size_t out = 0;
  std::size_t left = std::size_t(-1);

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    if (left == 0) throw std::bad_alloc();
    --left;
    void* const block = std::pmr::new_delete_resource()->allocate(size, alignment);
    out += size;
    return block;
  }
  void do_deallocate(void* block, std::size_t size, std::size_t alignment) override {
    out -= size;
    std::pmr::new_delete_resource()->deallocate(block, size, alignment);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

/// Says "hello" and waits for it; bodies are reversed.
class ReversingCodec final : public Codec {
 public:
  explicit ReversingCodec(bool begins) noexcept : begins_(begins) {}
  int handshake(std::span<std::byte> message, ByteBlock& out, bool& answers) noexcept override {
    if (!message.empty() && text_of(message) != "hello") return EACCES;
    if (message.empty() || !begins_) {
      answers = true;
      if (!out.append(std::as_bytes(std::span(std::string_view("hello"))))) return ENOMEM;
    }
    return message.empty() ? EAGAIN : 0;
  }
  [[nodiscard]] bool begins() const noexcept override { return begins_; }
  int unwrap(std::span<std::byte> body, ByteBlock& plain) noexcept override {
    if (text_of(body) == "bad") return EBADMSG;
    std::ranges::reverse(body);
    return plain.append(body) ? 0 : ENOMEM;
  }
  int wrap(std::span<const std::byte> plain, ByteBlock& out) noexcept override {
    const std::span<std::byte> room = out.room(plain.size());
    if (room.empty()) return ENOMEM;
    std::ranges::reverse_copy(plain, room.begin());
    out.put(plain.size());
    return 0;
  }
  [[nodiscard]] std::size_t most_plain() const noexcept override { return 4; }

 private:
  bool begins_;
};

/// As much room as there is left.
class LittleRoom final : public MessageRoom {
 public:
  std::size_t left = 0;
  std::string text;

  std::span<std::byte> take(std::size_t size) noexcept override {
    if (size > left) return {};
    left -= size;
    text.resize(size);
    return std::as_writable_bytes(std::span(text));
  }
};

struct RecordFixture {
  CountingMemory memory;
  ByteBlock in{memory};
  ByteBlock out{memory};

  RecordEngine engine(bool begins, const RecordEngine::Format& format = {}) {
    return RecordEngine(std::make_unique<ReversingCodec>(begins), format, memory);
  }
  void feed(std::string_view text) { BOOST_TEST_REQUIRE(in.append(std::as_bytes(std::span(text)))); }
  std::string taken() {
    std::string text = text_of(out.bytes());
    out.clear();
    return text;
  }
  /// Everything that the engine gives now; `err` is how it went on.
  static std::string all_of(RecordEngine& from, ByteBlock& input, bool at_end, ByteBlock& output, int& err) {
    std::string all;
    std::array<char, 3> buffer{};
    for (;;) {
      const iovec vector = make_vector(std::as_writable_bytes(std::span(buffer)));
      std::size_t given = 0;
      const Step step = from.unwrap(input, at_end, {&vector, 1}, given, output);
      all.append(buffer.data(), given);
      err = step.err;
      if (step.err != 0 || given == 0) return all;
    }
  }
};

using namespace std::string_view_literals;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(record_engine, RecordFixture)

BOOST_AUTO_TEST_CASE(two_engines_shake_hands_whatever_pieces_come) {
  for (std::size_t piece = 1; piece <= 9; ++piece) {
    RecordEngine left = engine(true);
    RecordEngine right = engine(false);
    ByteBlock to_right(memory);
    ByteBlock to_left(memory);
    BOOST_TEST(left.handshake(in, false, to_right).input == 4U);
    Step step;
    while (!to_right.empty()) {
      const std::size_t size = std::min(piece, to_right.size());
      BOOST_TEST_REQUIRE(in.append(to_right.bytes().first(size)));
      to_right.take(size);
      step = right.handshake(in, false, to_left);
      BOOST_TEST(step.err == 0);
    }
    BOOST_TEST(step.input == 0U);
    BOOST_TEST(text_of(to_left.bytes()) == "\0\0\0\5hello"sv);
    step = left.handshake(to_left, false, to_right);
    BOOST_TEST((step.err == 0 && step.input == 0));
    // Asked again, when its answer has left late.
    step = right.handshake(in, false, to_left);
    BOOST_TEST((step.err == 0 && step.input == 0));
    BOOST_TEST(in.empty());
  }
  BOOST_TEST(memory.out == 0U);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_is_refused_or_cut_says_so) {
  RecordEngine right = engine(false);
  feed("\0\0\0\5howdy"sv);
  BOOST_TEST(right.handshake(in, false, out).err == EACCES);

  RecordEngine cut = engine(false);
  in.clear();
  feed("\0\0"sv);
  BOOST_TEST(cut.handshake(in, true, out).err == EPROTO);
  BOOST_TEST(cut.reason() == "the peer ended the stream during the handshake");
}

BOOST_AUTO_TEST_CASE(a_length_that_is_not_allowed_takes_no_memory) {
  RecordEngine right = engine(false, {.handshake = {.most = 100}});
  feed("\x7f\xff\xff\xff"sv);
  const std::size_t before = memory.out;
  BOOST_TEST(right.handshake(in, false, out).err == EMSGSIZE);
  BOOST_TEST(memory.out == before);
  BOOST_TEST(right.reason() == "a message of 2147483647 bytes, where 1 to 100 are allowed");
}

BOOST_DATA_TEST_CASE_F(RecordFixture, lengths_have_their_width_and_order,
                       data::make({1, 2, 4}) * data::make({true, false}), width, big) {
  const layer::LengthFormat format{.width = static_cast<std::uint8_t>(width), .big_endian = big};
  RecordEngine left = engine(true, {.data = format});
  const std::string text = "abcdefghij";
  const iovec vector = make_vector(std::as_bytes(std::span(text)));
  std::size_t sent = 0;
  BOOST_TEST(left.wrap({&vector, 1}, sent, out).err == 0);
  BOOST_TEST(sent == text.size());
  const auto length = [&](char size) {
    std::string bytes(static_cast<std::size_t>(width), '\0');
    (big ? bytes.back() : bytes.front()) = size;
    return bytes;
  };
  BOOST_TEST(text_of(out.bytes()) == length(4) + "dcba" + length(4) + "hgfe" + length(2) + "ji");
  int err = -1;
  ByteBlock nothing(memory);
  BOOST_TEST(all_of(left, out, false, nothing, err) == text);
  BOOST_TEST(err == 0);
}

BOOST_AUTO_TEST_CASE(a_message_is_given_at_once_and_stays_where_there_is_no_room) {
  const RecordEngine::Format format{.data = {.width = 2}, .keeps_borders = true};
  RecordEngine left = engine(true, format);
  feed("\0\3cba\0\2ed\0\1"sv);
  LittleRoom room;
  std::size_t given = 0;
  BOOST_TEST(left.unwrap_message(in, false, room, given, out).err == 0);
  BOOST_TEST(given == 0U);
  BOOST_TEST(left.ready() == 3U);
  room.left = 100;
  const Step step = left.unwrap_message(in, false, room, given, out);
  BOOST_TEST(step.err == 0);
  BOOST_TEST(step.input == 0U);  // the next one is there
  BOOST_TEST(given == 3U);
  BOOST_TEST(room.text == "abc");
  // What another read leaves of one.
  std::array<std::byte, 1> first{};
  const iovec vector = make_vector(std::span(first));
  given = 0;
  BOOST_TEST(left.unwrap(in, false, {&vector, 1}, given, out).err == 0);
  BOOST_TEST(text_of(first) == "d");
  given = 0;
  BOOST_TEST(left.unwrap_message(in, false, room, given, out).input == 3U);
  BOOST_TEST(given == 1U);
  BOOST_TEST(room.text == "e");
  given = 0;
  BOOST_TEST(left.unwrap_message(in, false, room, given, out).input == 3U);
  BOOST_TEST(given == 0U);
  BOOST_TEST(left.unwrap_message(in, true, room, given, out).err == EPROTO);
  in.clear();
  BOOST_TEST(left.unwrap_message(in, true, room, given, out).err == EPIPE);
  feed("\377\377"sv);
  RecordEngine strict = engine(true, {.data = {.width = 2, .most = 9}});
  BOOST_TEST(strict.unwrap_message(in, false, room, given, out).err == EMSGSIZE);
  BOOST_TEST(given == 0U);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_too_short_has_an_error_of_its_own) {
  RecordEngine left = engine(true, {.data = {.width = 1, .least = 2, .most = 10, .too_short = EIO}});
  feed("\1x"sv);
  int err = 0;
  BOOST_TEST(all_of(left, in, false, out, err) == "");
  BOOST_TEST(err == EIO);
  BOOST_TEST(left.reason() == "a message of 1 bytes, where 2 to 10 are allowed");
}

BOOST_AUTO_TEST_CASE(small_vectors_share_a_message_and_empty_ones_do_not_count) {
  RecordEngine left = engine(true, {.data = {.width = 1}});
  const std::array<std::string_view, 5> texts{"a", "", "b", "cde", "f"};
  std::vector<iovec> vectors;
  for (const std::string_view text : texts) vectors.push_back(make_vector(std::as_bytes(std::span(text))));
  std::size_t sent = 0;
  BOOST_TEST(left.wrap(vectors, sent, out).err == 0);
  BOOST_TEST(sent == 6U);
  BOOST_TEST(taken() == "\4dcba\2fe");
}

BOOST_AUTO_TEST_CASE(what_came_before_an_error_is_given_first_and_the_error_stays) {
  RecordEngine left = engine(true, {.data = {.width = 1, .most = 10}});
  feed("\2ba\3bad\1x"sv);
  int err = 0;
  BOOST_TEST(all_of(left, in, false, out, err) == "ab");
  BOOST_TEST(err == EBADMSG);
  BOOST_TEST(all_of(left, in, false, out, err) == "");
  BOOST_TEST(err == EBADMSG);

  RecordEngine other = engine(true, {.data = {.width = 1, .most = 10}});
  in.clear();
  feed("\2ba\13"sv);
  BOOST_TEST(all_of(other, in, false, out, err) == "ab");
  BOOST_TEST(err == EMSGSIZE);
}

BOOST_AUTO_TEST_CASE(an_end_between_messages_is_epipe_where_it_may_be_and_else_a_cut) {
  for (const bool may_end : {true, false}) {
    RecordEngine left = engine(true, {.data = {.width = 1}, .may_end = may_end});
    feed("\2ba"sv);
    int err = 0;
    BOOST_TEST(all_of(left, in, true, out, err) == "ab");
    BOOST_TEST(err == (may_end ? EPIPE : EPROTO));
    BOOST_TEST(left.reason() == (may_end ? "" : "the stream was cut without a goodbye"));
  }
  RecordEngine inside = engine(true, {.data = {.width = 1}});
  feed("\2ba\2b"sv);
  int err = 0;
  BOOST_TEST(all_of(inside, in, true, out, err) == "ab");
  BOOST_TEST(err == EPROTO);
  BOOST_TEST(inside.reason() == "the stream was cut inside of a message");
}

BOOST_AUTO_TEST_CASE(an_empty_target_only_gets_bytes_ready) {
  RecordEngine left = engine(true, {.data = {.width = 1}});
  feed("\3cba\2"sv);
  std::size_t given = 0;
  BOOST_TEST(left.ready() == 0U);
  static_cast<void>(left.unwrap(in, false, {}, given, out));
  BOOST_TEST(given == 0U);
  BOOST_TEST(left.ready() == 3U);
}

BOOST_AUTO_TEST_CASE(without_memory_each_step_is_enomem_and_nothing_is_lost_of_what_was_given) {
  for (std::size_t allowed = 0; allowed < 6; ++allowed) {
    RecordEngine left = engine(true, {.data = {.width = 1}});
    const std::string text = "abcdefghij";
    const iovec vector = make_vector(std::as_bytes(std::span(text)));
    ByteBlock sent(memory);
    std::size_t taken_bytes = 0;
    memory.left = allowed;
    const Step step = left.wrap({&vector, 1}, taken_bytes, sent);
    memory.left = std::size_t(-1);
    BOOST_TEST((step.err == 0 || step.err == ENOMEM));
    RecordEngine right = engine(false, {.data = {.width = 1}});
    ByteBlock nothing(memory);
    int err = 0;
    BOOST_TEST(all_of(right, sent, false, nothing, err) == text.substr(0, taken_bytes));
    BOOST_TEST(err == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_mark_stands_in_front_of_the_length) {
  const layer::LengthFormat marked{.mark = std::byte{0x64}};
  RecordEngine right = engine(false, {.handshake = marked, .data = marked});
  feed("\7\0\0\0\5hello"sv);
  const Step step = right.handshake(in, false, out);
  BOOST_TEST((step.err == 0 && step.input == 0));
  BOOST_TEST(taken() == "\x64\0\0\0\5hello"sv);
  feed("\xff\0\0\0\3abc\0"sv);
  int err = -1;
  BOOST_TEST(all_of(right, in, false, out, err) == "cba");
  BOOST_TEST(in.size() == 1U);
  const iovec vector = make_vector(std::as_bytes(std::span("xyz"sv)));
  std::size_t sent = 0;
  BOOST_TEST(right.wrap({&vector, 1}, sent, out).err == 0);
  BOOST_TEST(taken() == "\x64\0\0\0\3zyx"sv);
}

BOOST_AUTO_TEST_CASE(empty_messages_are_skipped_where_the_format_says_so) {
  const layer::LengthFormat format{.width = 1, .skips_empty = true};
  RecordEngine right = engine(false, {.handshake = format, .data = format});
  feed("\0\0\5hello"sv);
  BOOST_TEST(right.handshake(in, false, out).err == 0);
  in.clear();
  feed("\0\3abc\0\0\1d\0"sv);
  int err = -1;
  BOOST_TEST(all_of(right, in, false, out, err) == "cbad");
  BOOST_TEST(in.empty());
  BOOST_TEST(all_of(right, in, true, out, err) == "");
  BOOST_TEST(err == EPIPE);
}

/// Has a length in front of each byte that it writes.
class CountingCodec final : public Codec {
 public:
  int unwrap(std::span<std::byte> body, ByteBlock& plain) noexcept override {
    BOOST_TEST(std::to_integer<std::size_t>(body[0]) == body.size() - 1);
    return plain.append(body.subspan(1)) ? 0 : ENOMEM;
  }
  int wrap(std::span<const std::byte> plain, ByteBlock& out) noexcept override {
    for (const std::byte byte : plain) {
      const std::array message{std::byte{1}, byte};
      if (!out.append(message)) return ENOMEM;
    }
    return 0;
  }
  [[nodiscard]] std::size_t most_plain() const noexcept override { return 100; }
};

BOOST_AUTO_TEST_CASE(a_codec_may_have_the_lengths_in_its_messages) {
  RecordEngine engine(std::make_unique<CountingCodec>(),
                      {.data = {.width = 1, .most = 3}, .codec_has_lengths = true}, memory);
  const Step step = engine.handshake(in, false, out);
  BOOST_TEST((step.err == 0 && step.input == 0));
  BOOST_TEST(out.empty());
  feed("\3abc\1d"sv);
  int err = -1;
  BOOST_TEST(all_of(engine, in, false, out, err) == "abcd");
  const iovec vector = make_vector(std::as_bytes(std::span("xyz"sv)));
  std::size_t sent = 0;
  BOOST_TEST(engine.wrap({&vector, 1}, sent, out).err == 0);
  BOOST_TEST(sent == 3U);
  BOOST_TEST(taken() == "\1x\1y\1z"sv);
  feed("\4abcd"sv);
  BOOST_TEST(all_of(engine, in, false, out, err) == "");
  BOOST_TEST(err == EMSGSIZE);
}

BOOST_AUTO_TEST_SUITE_END()

// ---- ByteBlock ----

BOOST_FIXTURE_TEST_SUITE(byte_block, RecordFixture)

BOOST_AUTO_TEST_CASE(an_empty_block_owns_no_memory) {
  feed("abc");
  BOOST_TEST(memory.out != 0U);
  in.take(1);
  BOOST_TEST(text_of(in.bytes()) == "bc");
  in.drop(1);
  BOOST_TEST(text_of(in.bytes()) == "b");
  in.take(1);
  BOOST_TEST(memory.out == 0U);
  static_cast<void>(in.room(1000));
  in.trim();
  BOOST_TEST(memory.out == 0U);
}

BOOST_AUTO_TEST_CASE(room_is_made_by_moving_what_is_there_or_by_growing) {
  std::string expected;
  for (unsigned i = 0; i < 2000; ++i) {
    const std::string text(i % 97, static_cast<char>('a' + i % 26));
    feed(text);
    expected += text;
    const std::size_t count = std::min<std::size_t>(expected.size(), i % 89);
    in.take(count);
    expected.erase(0, count);
    BOOST_TEST_REQUIRE((text_of(in.bytes()) == expected));
  }
}

BOOST_AUTO_TEST_CASE(a_few_bytes_in_a_large_block_move_to_a_small_one) {
  feed(std::string(100000, 'x'));
  in.take(99990);
  in.trim();
  BOOST_TEST(memory.out <= 64U);
  BOOST_TEST(text_of(in.bytes()) == std::string(10, 'x'));
}

BOOST_AUTO_TEST_CASE(without_memory_the_bytes_are_as_they_were) {
  feed("abc");
  memory.left = 0;
  BOOST_TEST(in.room(100000).empty());
  BOOST_TEST(!in.append(std::vector<std::byte>(100000)));
  BOOST_TEST(text_of(in.bytes()) == "abc");
  memory.left = std::size_t(-1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
