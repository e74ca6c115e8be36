// A stream of messages alone, over a backend that the test moves. The contract suite has it under NPA.
#include "layer/framed_stream.hpp"

#include <algorithm>
#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/message_room.hpp>
#include <utility>
#include <vector>

#include "support/counting_memory.hpp"
#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::string_view_literals;
using layer::FramedStream;
using layer::LengthFormat;

/// What is below a stream of messages: what comes, and how much goes.
class FramedFloor final : public StreamBackend {
 public:
  struct Script {
    StreamTraits traits{.read_ahead = true, .short_is_final = true};
    std::string input;
    int read_error = EAGAIN;  ///< of a read without input; 0 is the end
    std::size_t most_given = std::string::npos;
    std::vector<std::size_t> asked;  ///< the room of each read
    std::string output;
    std::size_t room = std::string::npos;  ///< bytes that writes may still take
    std::size_t most_taken = std::string::npos;
    int write_error = EAGAIN;    ///< of a write without room
    std::vector<iovec> offered;  ///< by the last write
    unsigned writes = 0;
    std::size_t unsent = 0;  ///< bytes of `output` that have not left
    int flush_error = 0;
    Linger linger;
    int disconnect_result = 0;
    unsigned disconnects = 0;
  };

  explicit FramedFloor(std::shared_ptr<Script> script) noexcept : script_(std::move(script)) {}
  void attach(StreamEvents& /*events*/) noexcept override {}
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    const iovec& vector = vectors.front();
    script_->asked.push_back(vector.iov_len);
    const std::size_t step = std::min({vector.iov_len, script_->input.size(), script_->most_given});
    if (step == 0 && script_->read_error == 0) return 0;
    err = script_->read_error;
    std::copy_n(script_->input.data(), step, static_cast<char*>(vector.iov_base));
    script_->input.erase(0, step);
    return step != 0 ? static_cast<ssize_t>(step) : -1;
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    ++script_->writes;
    script_->offered.assign(vectors.begin(), vectors.end());
    std::size_t taken = 0;
    for (const iovec& vector : vectors) {
      const std::size_t step = std::min({vector.iov_len, script_->room, script_->most_taken - taken});
      script_->output.append(static_cast<const char*>(vector.iov_base), step);
      if (script_->room != std::string::npos) script_->room -= step;
      taken += step;
    }
    err = script_->write_error;
    return taken != 0 ? static_cast<ssize_t>(taken) : -1;
  }
  int try_flush() noexcept override {
    if (script_->flush_error != 0) return script_->flush_error;
    return script_->unsent != 0 ? EAGAIN : 0;
  }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override { return script_->unsent; }
  int try_shutdown_write() noexcept override { return 0; }
  int try_disconnect(Linger& linger) noexcept override {
    ++script_->disconnects;
    script_->linger = linger;
    return script_->disconnect_result;
  }
  void abort() noexcept override {}
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return Readiness::later; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& /*err*/) noexcept override { return script_->input.size(); }
  [[nodiscard]] StreamTraits traits() const noexcept override { return script_->traits; }
  [[nodiscard]] std::string_view reason() const noexcept override { return "the floor"; }

 private:
  std::shared_ptr<Script> script_;
};

/// As much room for one message as there is left.
class OneMessage final : public MessageRoom {
 public:
  std::size_t most = std::string::npos;
  std::string text;

  std::span<std::byte> take(std::size_t size) noexcept override {
    if (size > most) return {};
    text.resize(size);
    return std::as_writable_bytes(std::span(text));
  }
};

/// A message as it comes and goes.
std::string framed(std::string_view body) {
  return std::string{static_cast<char>(body.size() >> 8U), static_cast<char>(body.size())}.append(body);
}

iovec vector_of(std::string_view text) { return make_vector(std::as_bytes(std::span(text))); }

struct FramedFixture {
  CountingMemory memory;
  std::shared_ptr<FramedFloor::Script> below = std::make_shared<FramedFloor::Script>();
  LengthFormat format{.width = 2, .most = 1000, .too_short = EIO};
  std::unique_ptr<FramedStream> stream;
  int err = 0;

  FramedStream& open(std::string_view unread = {}) {
    stream = std::make_unique<FramedStream>(std::make_unique<FramedFloor>(below), format,
                                            std::as_bytes(std::span(unread)), memory);
    return *stream;
  }
  /// What one call gives: a message, "the end", or an error.
  std::string read_message(std::size_t most = std::string::npos) {
    OneMessage room;
    room.most = most;
    err = 0;
    const ssize_t result = stream->try_read_message(room, err);
    if (result < 0) return error_text();
    if (result == 0) return "the end";
    BOOST_TEST(static_cast<std::size_t>(result) == room.text.size());
    return room.text;
  }
  /// As above, with calls as long as they are worth it.
  std::string await_message() {
    for (;;) {
      std::string text = read_message();
      if (text != "EAGAIN" || (stream->want_readable() == Readiness::later && below->input.empty()))
        return text;
    }
  }
  std::string read_bytes(std::size_t first, std::size_t second = 0) {
    std::string text(first + second, '\0');
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(text));
    const std::array vectors{make_vector(bytes.first(first)), make_vector(bytes.subspan(first))};
    err = 0;
    const ssize_t result = stream->try_readv(std::span(vectors).first(second != 0 ? 2 : 1), err);
    if (result < 0) return error_text();
    text.resize(static_cast<std::size_t>(result));
    return result == 0 ? "the end" : text;
  }
  [[nodiscard]] std::string error_text() const {
    switch (err) {
      case EAGAIN:
        return "EAGAIN";
      case EIO:
        return "EIO";
      case EMSGSIZE:
        return "EMSGSIZE";
      case EPROTO:
        return "EPROTO";
      case ENOMEM:
        return "ENOMEM";
      default:
        return std::to_string(err);
    }
  }
  ssize_t write_messages(const std::vector<std::string>& texts) {
    std::vector<iovec> vectors;
    for (const std::string& text : texts) vectors.push_back(vector_of(text));
    err = 0;
    return stream->try_write_messages(vectors, err);
  }
  ssize_t write_vectors(const std::vector<std::string>& texts) {
    std::vector<iovec> vectors;
    for (const std::string& text : texts) vectors.push_back(vector_of(text));
    err = 0;
    return stream->try_writev(vectors, err);
  }
  static std::string all_framed(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += framed(text);
    return all;
  }
  static std::size_t size_of(const std::vector<std::string>& texts) {
    std::size_t size = 0;
    for (const std::string& text : texts) size += text.size();
    return size;
  }
  /// Bytes of those that are not whole in the output.
  [[nodiscard]] std::size_t missing_of(const std::vector<std::string>& texts) const {
    std::size_t end = 0;
    std::size_t missing = 0;
    for (const std::string& text : texts) {
      end += framed(text).size();
      if (end > below->output.size()) missing += text.size();
    }
    return missing;
  }
};

std::string letters(std::size_t size, unsigned seed = 0) { return text_of(pattern(size, seed)); }

constexpr bool either[] = {false, true};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(framed_stream, FramedFixture)

BOOST_AUTO_TEST_CASE(it_keeps_borders_and_has_the_floor_below) {
  const StreamTraits traits = open().traits();
  BOOST_TEST(traits.message_size == 1000U);
  BOOST_TEST(!traits.read_ahead);
  BOOST_TEST(traits.short_is_final);
  below->traits.short_is_final = false;
  BOOST_TEST(!open().traits().short_is_final);
  BOOST_TEST(stream->reason() == "the floor");
}

// ---- reading ----

BOOST_DATA_TEST_CASE_F(FramedFixture, a_message_that_comes_whole_takes_one_call_and_no_memory,
                       data::make(either), is_final) {
  below->traits.short_is_final = is_final;
  open();
  for (const std::string& text : {std::string("abc"), letters(1000), std::string("d")}) {
    below->input = framed(text);
    below->asked.clear();
    BOOST_TEST(read_message() == text);
    BOOST_TEST(below->asked.size() == 1U);
    BOOST_TEST((stream->want_readable() == Readiness::later));  // nothing is kept
  }
  BOOST_TEST(read_message() == "EAGAIN");
  BOOST_TEST(memory.taken == 0U);
}

BOOST_DATA_TEST_CASE_F(FramedFixture, messages_that_come_together_are_given_in_order, data::make(either),
                       is_final) {
  below->traits.short_is_final = is_final;
  open();
  for (int round = 0; round < 3; ++round) {
    below->input = framed("abc") + framed("d") + framed("ef");
    below->asked.clear();
    BOOST_TEST(read_message() == "abc");
    BOOST_TEST(read_message() == "d");
    BOOST_TEST(read_message() == "ef");
    BOOST_TEST(below->asked.size() == 1U);
    BOOST_TEST(memory.out.empty());
  }
}

BOOST_AUTO_TEST_CASE(messages_that_come_alone_again_take_no_memory_again) {
  open();
  below->input = framed("abc") + framed("d");
  BOOST_TEST(read_message() == "abc");
  BOOST_TEST(read_message() == "d");
  below->input = framed("alone");
  BOOST_TEST(read_message() == "alone");
  const std::size_t before = memory.taken;
  below->input = framed("alone, too");
  BOOST_TEST(read_message() == "alone, too");
  BOOST_TEST(memory.taken == before);
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_message_that_is_cut_anywhere_is_given_whole,
                       data::make(either) * data::make(either), reads_ahead, is_final) {
  below->traits = {.read_ahead = reads_ahead, .short_is_final = is_final};
  open();
  const std::string all = framed("abcdef") + framed("gh");
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    below->input = all.substr(0, cut);
    std::string got;
    std::string text = await_message();
    if (text != "EAGAIN") got += text + "|";
    below->input += all.substr(cut);
    while ((text = await_message()) != "EAGAIN") got += text + "|";
    BOOST_TEST(got == "abcdef|gh|");
    BOOST_TEST(memory.out.empty());
  }
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_message_that_comes_byte_by_byte_is_given_whole,
                       data::make(either) * data::make({1, 2, 3}), reads_ahead, at_once) {
  below->traits = {.read_ahead = reads_ahead, .short_is_final = false};
  below->most_given = static_cast<std::size_t>(at_once);
  open();
  below->input = framed("abcdefgh") + framed(letters(1000)) + framed("ij");
  BOOST_TEST(await_message() == "abcdefgh");
  BOOST_TEST(await_message() == letters(1000));
  BOOST_TEST(await_message() == "ij");
}

BOOST_AUTO_TEST_CASE(one_call_reads_a_few_times_before_others_have_their_turn) {
  below->traits.short_is_final = false;
  below->most_given = 1;
  open();
  below->input = framed(letters(1000));
  BOOST_TEST(read_message() == "EAGAIN");
  BOOST_TEST(below->asked.size() <= 5U);
}

BOOST_AUTO_TEST_CASE(a_short_read_that_is_final_is_the_last_of_a_call) {
  open();
  below->input = framed("abc").substr(0, 4);
  BOOST_TEST(read_message() == "EAGAIN");
  BOOST_TEST(below->asked.size() == 1U);
  below->input = "";
  BOOST_TEST(read_message() == "EAGAIN");
  BOOST_TEST(below->asked.size() == 2U);
}

BOOST_AUTO_TEST_CASE(bytes_that_were_unread_at_the_construction_come_first) {
  open(framed("abc") + framed("def").substr(0, 3));
  below->input = "ef" + framed("g");
  BOOST_TEST(read_message() == "abc");
  BOOST_TEST(below->asked.empty());
  BOOST_TEST(read_message() == "def");
  BOOST_TEST(read_message() == "g");
  memory.is_exhausted = true;
  BOOST_CHECK_THROW(open("abc"), std::bad_alloc);
}

BOOST_DATA_TEST_CASE_F(FramedFixture, one_that_does_not_read_ahead_is_asked_for_what_is_missing,
                       data::make(either), is_final) {
  below->traits = {.read_ahead = false, .short_is_final = is_final};
  open();
  below->input = framed("abc") + framed("de");
  BOOST_TEST(read_message() == "abc");
  BOOST_TEST((below->asked == std::vector<std::size_t>{2, 3}));
  BOOST_TEST((below->input == framed("de")));
  BOOST_TEST(read_bytes(10) == "de");
}

BOOST_AUTO_TEST_CASE(memory_follows_what_has_come_and_not_what_a_length_promises) {
  format = {.width = 4};
  open();
  below->input = "\x0f\0\0\0abc"sv;
  BOOST_TEST(read_message() == "EAGAIN");
  for (int round = 0; round < 4; ++round) {
    below->input = std::string(16, 'x');
    BOOST_TEST(read_message() == "EAGAIN");
    std::size_t bytes = 0;
    for (const auto& [place, block] : memory.out) bytes += block.first;
    BOOST_TEST(bytes <= 128U);
  }
  for (const std::size_t room : below->asked) BOOST_TEST(room <= 128U * 1024U);
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_message_without_room_stays, data::make(either), with_another) {
  open();
  below->input = framed("abc") + (with_another ? framed("d") : "");
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(read_message(2) == "EAGAIN");
    BOOST_TEST((stream->want_readable() == Readiness::now));
    BOOST_TEST(stream->pending_bytes(err) == 3U);
  }
  BOOST_TEST(read_message(3) == "abc");
  BOOST_TEST(read_message() == (with_another ? "d" : "EAGAIN"));
  BOOST_TEST(memory.out.empty());
}

BOOST_AUTO_TEST_CASE(bytes_are_read_across_borders_and_a_message_is_what_they_leave) {
  open();
  below->input = framed("abc") + framed("defg") + framed("hi") + framed("j");
  BOOST_TEST(read_bytes(2) == "ab");
  BOOST_TEST(stream->pending_bytes(err) == 1U);
  BOOST_TEST(read_bytes(1, 2) == "cde");
  BOOST_TEST(stream->pending_bytes(err) == 2U);
  BOOST_TEST((stream->want_readable() == Readiness::now));
  BOOST_TEST(read_message(1) == "EAGAIN");
  BOOST_TEST(read_message() == "fg");
  BOOST_TEST(stream->pending_bytes(err) == 2U);
  BOOST_TEST(read_bytes(2, 5) == "hij");
  BOOST_TEST(stream->pending_bytes(err = 0) == 0U);
  BOOST_TEST(err == 0);
  BOOST_TEST(read_bytes(1) == "EAGAIN");
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_length_that_is_not_allowed_is_an_error_that_stays,
                       data::make(either) * data::make(either), is_empty, is_first) {
  open();
  below->input = (is_first ? "" : framed("abc")) + (is_empty ? std::string(2, '\0') : framed(letters(1001)));
  if (!is_first) BOOST_TEST(read_message() == "abc");
  const std::string error = is_empty ? "EIO" : "EMSGSIZE";
  const std::string words = is_empty ? "a message of 0 bytes, where 1 to 1000 are allowed"
                                     : "a message of 1001 bytes, where 1 to 1000 are allowed";
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(read_message() == error);
    BOOST_TEST(stream->reason() == words);
    BOOST_TEST(read_bytes(1) == error);
    BOOST_TEST(stream->pending_bytes(err = 0) == 0U);
    BOOST_TEST(error_text() == error);
    BOOST_TEST((stream->want_readable() == Readiness::now));
    below->input += framed("d");
  }
}

BOOST_AUTO_TEST_CASE(bytes_in_front_of_a_refused_length_are_given_first) {
  open();
  below->input = framed("abc") + std::string(2, '\0');
  BOOST_TEST(read_bytes(10) == "abc");
  BOOST_TEST(read_bytes(10) == "EIO");
}

BOOST_AUTO_TEST_CASE(an_end_between_messages_is_the_end) {
  open();
  below->read_error = 0;
  below->input = framed("abc");
  BOOST_TEST(read_message() == "abc");
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(read_message() == "the end");
    BOOST_TEST(read_bytes(1) == "the end");
    BOOST_TEST((stream->want_readable() == Readiness::now));
    BOOST_TEST(stream->pending_bytes(err = 0) == 0U);
    BOOST_TEST(err == EPIPE);
  }
  BOOST_TEST(below->asked.size() == 2U);
  BOOST_TEST(memory.out.empty());
}

BOOST_DATA_TEST_CASE_F(FramedFixture, an_end_inside_of_a_message_is_eproto, data::make({1, 2, 4}), left) {
  open();
  below->read_error = 0;
  below->input = framed("abc") + framed("def").substr(0, static_cast<std::size_t>(left));
  BOOST_TEST(read_message() == "abc");
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(read_message() == "EPROTO");
    BOOST_TEST(stream->reason() == "the stream was cut inside of a message");
    BOOST_TEST(read_bytes(1) == "EPROTO");
    BOOST_TEST((stream->want_readable() == Readiness::now));
  }
}

BOOST_AUTO_TEST_CASE(an_error_of_the_stream_below_is_told_with_its_reason) {
  below->read_error = ECONNRESET;
  open();
  BOOST_TEST(read_message() == std::to_string(ECONNRESET));
  BOOST_TEST(read_bytes(1) == std::to_string(ECONNRESET));
  BOOST_TEST(stream->reason() == "the floor");
}

BOOST_DATA_TEST_CASE_F(FramedFixture, what_came_behind_a_message_needs_memory_and_the_message_does_not,
                       data::make({1, 5}), behind) {
  open();
  below->input = framed("abc") + framed("def").substr(0, static_cast<std::size_t>(behind));
  memory.is_exhausted = true;
  BOOST_TEST(read_message() == "abc");
  memory.is_exhausted = false;
  below->input = framed("ghi");
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST((stream->want_readable() == Readiness::now));
    BOOST_TEST(read_message() == "ENOMEM");
    BOOST_TEST(read_bytes(1) == "ENOMEM");
  }
}

BOOST_AUTO_TEST_CASE(a_message_without_room_or_memory_is_enomem) {
  open();
  below->input = framed("abc");
  memory.is_exhausted = true;
  BOOST_TEST(read_message(2) == "EAGAIN");
  BOOST_TEST(read_message() == "ENOMEM");
}

BOOST_AUTO_TEST_CASE(a_read_without_memory_loses_nothing) {
  open();
  below->input = framed("abc");
  memory.is_exhausted = true;
  BOOST_TEST(read_bytes(2) == "ENOMEM");
  memory.is_exhausted = false;
  BOOST_TEST(read_bytes(2) == "ab");
  BOOST_TEST(read_message() == "c");
}

BOOST_AUTO_TEST_CASE(it_is_readable_if_a_whole_message_an_error_or_the_end_is_there) {
  const auto is_readable = [&] { return stream->want_readable() == Readiness::now; };
  open();
  BOOST_TEST(!is_readable());
  for (const std::string_view unread : {"\0"sv, "\0\3"sv, "\0\3ab"sv}) {
    open(unread);
    BOOST_TEST(!is_readable());
  }
  for (const std::string_view unread : {"\0\3abc"sv, "\0\3abcd"sv, "\0\0"sv, "\xff\xff"sv}) {
    open(unread);
    BOOST_TEST(is_readable());
  }
  open("\0\3abc"sv);
  BOOST_TEST(read_bytes(2) == "ab");
  BOOST_TEST(is_readable());
  BOOST_TEST(read_bytes(1) == "c");
  BOOST_TEST(!is_readable());
}

// ---- writing ----

BOOST_AUTO_TEST_CASE(small_messages_leave_with_one_call_and_no_memory) {
  open();
  const std::vector<std::string> texts{"abc", "d", letters(1000), letters(300, 1)};
  BOOST_TEST(write_messages(texts) == static_cast<ssize_t>(size_of(texts)));
  BOOST_TEST(below->writes == 1U);
  BOOST_TEST((below->output == all_framed(texts)));
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST(stream->unsent_bytes() == 0U);
  BOOST_TEST(write_messages({"one"}) == 3);
  BOOST_TEST(below->writes == 2U);
  BOOST_TEST(memory.taken == 0U);
}

BOOST_AUTO_TEST_CASE(large_messages_leave_with_one_call_where_they_lie) {
  format.most = 0xffff;
  open();
  const std::vector<std::string> texts{letters(8192), "a", letters(0xffff, 1)};
  BOOST_TEST(write_messages(texts) == static_cast<ssize_t>(size_of(texts)));
  BOOST_TEST(below->writes == 1U);
  BOOST_TEST_REQUIRE(below->offered.size() == 6U);
  for (std::size_t i = 0; i < texts.size(); ++i)
    BOOST_TEST(below->offered[2 * i + 1].iov_base == static_cast<const void*>(texts[i].data()));
  BOOST_TEST((below->output == all_framed(texts)));
  BOOST_TEST(memory.taken == 0U);
}

BOOST_DATA_TEST_CASE_F(FramedFixture, messages_are_copied_up_to_8_kib, data::make({8189, 8190, 8191}), size) {
  format.most = 0xffff;
  open();
  const std::string text = letters(static_cast<std::size_t>(size));
  BOOST_TEST(write_messages({text}) == size);
  BOOST_TEST(below->offered.size() == (size <= 8190 ? 1U : 2U));
  BOOST_TEST((below->output == framed(text)));
}

BOOST_DATA_TEST_CASE_F(FramedFixture, one_call_takes_64_messages_and_leaves_others, data::make({1, 200}),
                       size) {
  open();
  const std::vector<std::string> texts(100, letters(static_cast<std::size_t>(size)));
  BOOST_TEST(write_messages(texts) == 64 * size);
  BOOST_TEST(below->writes == 1U);
  BOOST_TEST((below->output == all_framed(std::vector(texts.begin(), texts.begin() + 64))));
}

BOOST_AUTO_TEST_CASE(several_vectors_are_one_message) {
  open();
  BOOST_TEST(write_vectors({"abc", "d", "ef"}) == 6);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST((below->output == framed("abcdef")));
  BOOST_TEST(write_vectors({letters(999), "x"}) == 1000);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST((below->output == framed("abcdef") + framed(letters(999) + "x")));
  BOOST_TEST(memory.out.empty());
}

BOOST_DATA_TEST_CASE_F(FramedFixture, more_than_a_message_becomes_several, data::make(either),
                       in_one_vector) {
  open();
  const std::string text = letters(2500);
  const std::vector<std::string> parts =
      in_one_vector ? std::vector{text} : std::vector{text.substr(0, 1001), text.substr(1001)};
  BOOST_TEST(write_vectors(parts) == 2500);
  BOOST_TEST(stream->unsent_bytes() == 2500U);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST(stream->unsent_bytes() == 0U);
  BOOST_TEST((below->output ==
              framed(text.substr(0, 1000)) + framed(text.substr(1000, 1000)) + framed(text.substr(2000))));
}

BOOST_AUTO_TEST_CASE(more_than_a_message_behind_one_that_fits_is_left_for_the_next_call) {
  open();
  BOOST_TEST(write_messages({"abc", letters(1001), "d"}) == 3);
  BOOST_TEST((below->output == framed("abc")));
}

BOOST_AUTO_TEST_CASE(of_a_long_write_of_a_pump_one_call_takes_a_part) {
  below->room = 0;
  open();
  const std::string text = letters(std::size_t{1024} * 1024);
  std::size_t taken = 0;
  for (;;) {
    const ssize_t step = write_vectors({text.substr(taken)});
    if (step < 0) {
      BOOST_TEST(err == EAGAIN);
      break;
    }
    BOOST_TEST(step < 200000);
    taken += static_cast<std::size_t>(step);
  }
  BOOST_TEST(stream->unsent_bytes() == taken);
  below->room = std::string::npos;
  while (taken < text.size()) {
    const ssize_t step = write_vectors({text.substr(taken)});
    BOOST_TEST_REQUIRE(step > 0);
    taken += static_cast<std::size_t>(step);
  }
  BOOST_TEST(stream->try_flush() == 0);
  below->input = std::move(below->output);
  std::string read;
  for (std::string part; (part = read_bytes(100000)) != "EAGAIN";) read += part;
  BOOST_TEST((read == text));
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_long_message_is_one_whatever_its_vectors_are, data::make(either),
                       in_one_vector) {
  format = {.width = 4};
  open();
  const std::string text = letters(300000);
  const std::vector<std::string> parts =
      in_one_vector ? std::vector{text} : std::vector{text.substr(0, 1), text.substr(1)};
  BOOST_TEST(write_vectors(parts) == 300000);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST((below->output == std::string("\0\4\x93\xe0", 4) + text));
}

BOOST_DATA_TEST_CASE_F(FramedFixture, what_is_not_taken_leaves_later_byte_for_byte_and_is_counted_by_message,
                       data::make(either) * data::make({1, 2, 3, 5, 7, 100, 5000}) *
                           data::make({0, 1, 4, 6, 9}),
                       is_final, at_once, at_first) {
  below->traits.short_is_final = is_final;
  format.most = 0xffff;
  const std::vector<std::vector<std::string>> writes{
      {"abc", "d", "efghi"}, {"abc", letters(9000), "d"}, {"a"}, {letters(20000)}};
  for (const std::vector<std::string>& texts : writes) {
    open();
    below->output.clear();
    below->room = 1 + static_cast<std::size_t>(at_first);
    BOOST_TEST(write_messages(texts) == static_cast<ssize_t>(size_of(texts)));
    for (;;) {
      BOOST_TEST_REQUIRE(stream->unsent_bytes() == missing_of(texts));
      if (below->output.size() == all_framed(texts).size()) break;
      BOOST_TEST_REQUIRE(stream->try_flush() == EAGAIN);
      below->room = static_cast<std::size_t>(at_once);
      static_cast<void>(stream->try_flush());
    }
    BOOST_TEST(stream->try_flush() == 0);
    BOOST_TEST(stream->unsent_bytes() == 0U);
    BOOST_TEST((below->output == all_framed(texts)));
    BOOST_TEST(memory.out.empty());
  }
}

BOOST_AUTO_TEST_CASE(one_flush_goes_on_as_long_as_the_stream_below_takes_some) {
  below->traits.short_is_final = false;
  open();
  below->room = 1;
  BOOST_TEST(write_messages({"abc", "def"}) == 6);
  below->room = std::string::npos;
  below->most_taken = 2;
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST((below->output == framed("abc") + framed("def")));
}

BOOST_AUTO_TEST_CASE(a_short_write_that_is_final_is_the_last_of_a_call) {
  open();
  below->room = 1;
  BOOST_TEST(write_messages({"abc", "def"}) == 6);
  below->room = 3;
  below->writes = 0;
  BOOST_TEST(stream->try_flush() == EAGAIN);
  BOOST_TEST(below->writes == 1U);
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_write_behind_one_that_waits_is_eagain, data::make(either),
                       has_vectors) {
  open();
  below->room = 3;
  BOOST_TEST(write_messages({"abc"}) == 3);
  const auto write_next = [&] { return has_vectors ? write_vectors({"d", "ef"}) : write_messages({"def"}); };
  BOOST_TEST(write_next() == -1);
  BOOST_TEST(err == EAGAIN);
  BOOST_TEST(stream->unsent_bytes() == 3U);
  below->room = 1;
  BOOST_TEST(write_next() == -1);
  BOOST_TEST(err == EAGAIN);
  below->room = std::string::npos;
  BOOST_TEST(write_next() == 3);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST((below->output == framed("abc") + framed("def")));
}

BOOST_AUTO_TEST_CASE(a_first_write_that_is_not_taken_at_all_is_eagain_and_kept_by_nobody) {
  open();
  below->room = 0;
  BOOST_TEST(write_messages({"abc"}) == -1);
  BOOST_TEST(err == EAGAIN);
  BOOST_TEST(stream->unsent_bytes() == 0U);
  below->room = std::string::npos;
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST(below->output.empty());
}

// The second message is cut, of which nothing more can leave.
BOOST_AUTO_TEST_CASE(without_memory_for_what_was_not_taken_a_flush_is_enomem) {
  open();
  below->room = 8;
  memory.is_exhausted = true;
  BOOST_TEST(write_messages({"abc", "defg", "h"}) == 8);
  memory.is_exhausted = false;
  below->room = std::string::npos;
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(stream->try_flush() == ENOMEM);
    BOOST_TEST(stream->unsent_bytes() == 5U);
    BOOST_TEST(write_messages({"i"}) == -1);
    BOOST_TEST(err == ENOMEM);
    BOOST_TEST(write_vectors({"i", "j"}) == -1);
    BOOST_TEST(err == ENOMEM);
  }
  BOOST_TEST((below->output == framed("abc") + framed("defg").substr(0, 3)));
}

BOOST_DATA_TEST_CASE_F(FramedFixture, a_write_that_needs_memory_loses_nothing_without, data::make(either),
                       in_one_vector) {
  open();
  const std::string text = letters(1500);
  const std::vector<std::string> parts =
      in_one_vector ? std::vector{text} : std::vector{text.substr(0, 1), text.substr(1)};
  memory.is_exhausted = true;
  BOOST_TEST(write_vectors(parts) == -1);
  BOOST_TEST(err == ENOMEM);
  BOOST_TEST(stream->unsent_bytes() == 0U);
  memory.is_exhausted = false;
  BOOST_TEST(write_vectors(parts) == 1500);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST((below->output == framed(text.substr(0, 1000)) + framed(text.substr(1000))));
}

BOOST_AUTO_TEST_CASE(an_error_of_the_stream_below_stays) {
  open();
  below->room = 7;
  BOOST_TEST(write_messages({"abc", "def", "g"}) == 7);
  below->write_error = ECONNRESET;
  BOOST_TEST(stream->try_flush() == ECONNRESET);
  BOOST_TEST(stream->unsent_bytes() == 4U);
  below->room = std::string::npos;
  BOOST_TEST(stream->try_flush() == ECONNRESET);
  BOOST_TEST(write_messages({"h"}) == -1);
  BOOST_TEST(err == ECONNRESET);
  BOOST_TEST(write_vectors({"h", "i"}) == -1);
  BOOST_TEST(err == ECONNRESET);
  BOOST_TEST(below->output.size() == 7U);

  below->flush_error = EIO;
  open();
  BOOST_TEST(write_messages({"abc"}) == 3);
  BOOST_TEST(stream->try_flush() == EIO);
  below->flush_error = 0;
  BOOST_TEST(stream->try_flush() == EIO);
  BOOST_TEST(write_messages({"def"}) == -1);
  BOOST_TEST(err == EIO);
}

BOOST_AUTO_TEST_CASE(what_the_stream_below_holds_back_has_not_left) {
  open();
  BOOST_TEST(write_messages({"abc", "de"}) == 5);
  below->unsent = 1;
  BOOST_TEST(stream->try_flush() == EAGAIN);
  BOOST_TEST(stream->unsent_bytes() == 5U);
  // Once it has left, those in front are not counted with what waits behind them.
  below->room = 4;
  BOOST_TEST(write_messages({"f", "ghi"}) == 4);
  BOOST_TEST(stream->unsent_bytes() == 9U);
  below->unsent = 0;
  BOOST_TEST(stream->unsent_bytes() == 3U);
  BOOST_TEST(stream->try_flush() == EAGAIN);
  below->room = std::string::npos;
  below->unsent = 1;
  BOOST_TEST(stream->try_flush() == EAGAIN);
  BOOST_TEST(stream->unsent_bytes() == 9U);
  below->unsent = 0;
  BOOST_TEST(stream->unsent_bytes() == 0U);
  BOOST_TEST(stream->try_flush() == 0);
  BOOST_TEST(stream->unsent_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(there_is_no_half_close) {
  open();
  BOOST_TEST(stream->try_shutdown_write() == ENOTSUP);
}

// ---- disconnecting ----

BOOST_AUTO_TEST_CASE(a_disconnect_waits_for_what_is_kept) {
  open();
  below->room = 1;
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger;
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  BOOST_TEST(below->disconnects == 0U);
  below->room = std::string::npos;
  BOOST_TEST(stream->try_disconnect(linger) == 0);
  BOOST_TEST(below->disconnects == 1U);
  BOOST_TEST(below->linger.gives_up_unsent);
  BOOST_TEST((below->output == framed("abc")));
}

// The peer takes nothing while its own write is blocked.
BOOST_AUTO_TEST_CASE(a_disconnect_that_waits_discards_what_the_peer_sends) {
  open();
  below->room = 1;
  below->input = std::string(5000, 'x');
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger;
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  BOOST_TEST(below->input.empty());
  BOOST_TEST(linger.discarded == 5000U);
  BOOST_TEST((stream->want_writable() == Readiness::later));
  below->input = "more";
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  BOOST_TEST(linger.discarded == 5004U);
  below->room = std::string::npos;
  BOOST_TEST(stream->try_disconnect(linger) == 0);
  BOOST_TEST((below->output == framed("abc")));
}

BOOST_AUTO_TEST_CASE(a_peer_that_sends_on_has_its_turn_like_others) {
  open();
  below->room = 1;
  below->input = std::string(100'000, 'x');
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger;
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  BOOST_TEST(!below->input.empty());
  BOOST_TEST((stream->want_writable() == Readiness::now));
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  BOOST_TEST(below->input.empty());
  BOOST_TEST((stream->want_writable() == Readiness::later));
}

BOOST_AUTO_TEST_CASE(a_disconnect_that_waits_ends_with_more_than_may_be_discarded) {
  open();
  below->room = 1;
  below->input = std::string(5000, 'x');
  below->disconnect_result = ENOBUFS;
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger{.most_discarded = 100};
  BOOST_TEST(stream->try_disconnect(linger) == ENOBUFS);
  BOOST_TEST(below->linger.discarded == 101U);
}

BOOST_AUTO_TEST_CASE(a_disconnect_waits_on_behind_the_end_of_the_peer) {
  open();
  below->room = 1;
  below->read_error = 0;
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger;
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  const std::size_t reads = below->asked.size();
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  BOOST_TEST(below->asked.size() == reads);
  below->room = std::string::npos;
  BOOST_TEST(stream->try_disconnect(linger) == 0);
}

BOOST_AUTO_TEST_CASE(a_disconnect_whose_time_is_over_before_is_etimedout) {
  open();
  below->room = 1;
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger;
  BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
  linger.is_over = true;
  BOOST_TEST(stream->try_disconnect(linger) == ETIMEDOUT);
  BOOST_TEST(!below->linger.gives_up_unsent);
}

BOOST_AUTO_TEST_CASE(what_need_not_leave_is_not_waited_for) {
  open();
  below->room = 1;
  BOOST_TEST(write_messages({"abc"}) == 3);
  Linger linger{.gives_up_unsent = true};
  BOOST_TEST(stream->try_disconnect(linger) == 0);
  BOOST_TEST(below->disconnects == 1U);
}

BOOST_AUTO_TEST_CASE(a_disconnect_goes_on_below_and_discards_what_was_read_ahead_once) {
  open(framed("abc") + framed("d"));
  BOOST_TEST(read_bytes(1) == "a");
  below->disconnect_result = EAGAIN;
  Linger linger;
  for (int i = 0; i < 2; ++i) {
    BOOST_TEST(stream->try_disconnect(linger) == EAGAIN);
    BOOST_TEST(below->linger.discarded == 5U);
    BOOST_TEST(memory.out.empty());
  }
  below->disconnect_result = ENOBUFS;
  BOOST_TEST(stream->try_disconnect(linger) == ENOBUFS);
}

BOOST_AUTO_TEST_CASE(memory_of_what_is_kept_goes_with_the_stream) {
  open();
  below->input = framed("abc") + framed("d");
  BOOST_TEST(read_message() == "abc");
  below->room = 1;
  BOOST_TEST(write_messages({"abc"}) == 3);
  BOOST_TEST(memory.out.size() == 2U);
  stream.reset();
  BOOST_TEST(memory.out.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
