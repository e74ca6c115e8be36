// Stream::read_message() over a layer that keeps borders.
#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/layer/layer_over.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "layer/record_engine.hpp"
#include "support/message_streams.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr std::size_t longest_plain = 1000;

/// Whose handshake is one message each way.
class PlainCodec final : public layer::Codec {
 public:
  explicit PlainCodec(bool begins) noexcept : begins_(begins) {}
  int handshake(std::span<std::byte> message, layer::ByteBlock& out, bool& answers) noexcept override {
    answers = message.empty() || !begins_;
    if (answers && !out.append(std::as_bytes(std::span(std::string_view("hi"))))) return ENOMEM;
    return message.empty() ? EAGAIN : 0;
  }
  [[nodiscard]] bool begins() const noexcept override { return begins_; }
  int unwrap(std::span<std::byte> /*body*/, layer::ByteBlock& /*plain*/) noexcept override { return EIO; }
  int wrap(std::span<const std::byte> /*plain*/, layer::ByteBlock& /*out*/) noexcept override { return EIO; }
  [[nodiscard]] std::size_t most_plain() const noexcept override { return longest_plain; }

 private:
  bool begins_;
};

struct MessageFixture : MessageStreams {
  Request<Stream> over(Stream below, bool begins) {
    return layer::layer_over(
        std::move(below),
        std::make_unique<layer::RecordEngine>(
            std::make_unique<PlainCodec>(begins),
            layer::RecordEngine::Format{
                .data = {.width = 2, .most = longest_plain}, .keeps_borders = true, .is_plain = true},
            *std::pmr::get_default_resource()),
        "messages");
  }
  void open(std::pair<Stream, Stream> below) {
    Request<Stream> first = over(std::move(below.first), true);
    Request<Stream> second = over(std::move(below.second), false);
    int err = -1;
    left = fetch(first, err);
    BOOST_TEST_REQUIRE(err == 0);
    right = fetch(second, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
};

/// What becomes of the messages that are written to a backend.
struct MessageLog {
  std::vector<std::string> taken = {};
  std::size_t room = std::string::npos;  ///< messages that it may still take
  unsigned calls = 0;
  int error = EAGAIN;  ///< without room
  StreamEvents* events = nullptr;
};

/// Gets messages by try_writev() alone.
class OneByOneBackend : public StreamBackend {
 public:
  explicit OneByOneBackend(MessageLog& log) noexcept : log_(&log) {}
  void attach(StreamEvents& events) noexcept override { log_->events = &events; }
  ssize_t try_readv(std::span<const iovec> /*vectors*/, int& err) noexcept override {
    err = EAGAIN;
    return -1;
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    ++log_->calls;
    err = log_->error;
    return vectors.size() == 1 && take(vectors.front()) ? static_cast<ssize_t>(vectors.front().iov_len) : -1;
  }
  int try_shutdown_write() noexcept override { return ENOTSUP; }
  int try_disconnect(Linger& /*linger*/) noexcept override { return 0; }
  void abort() noexcept override {}
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return Readiness::later; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& /*err*/) noexcept override { return 0; }
  [[nodiscard]] StreamTraits traits() const noexcept override {
    return {.read_ahead = false, .short_is_final = true, .message_size = longest_plain};
  }

 protected:
  [[nodiscard]] MessageLog& log() const noexcept { return *log_; }
  bool take(const iovec& message) noexcept {
    if (log_->room == 0) return false;
    if (log_->room != std::string::npos) --log_->room;
    log_->taken.emplace_back(static_cast<const char*>(message.iov_base), message.iov_len);
    return true;
  }

 private:
  MessageLog* log_;
};

/// Gets those of a turn together.
class TogetherBackend final : public OneByOneBackend {
 public:
  using OneByOneBackend::OneByOneBackend;
  ssize_t try_write_messages(std::span<const iovec> messages, int& err) noexcept override {
    ++log().calls;
    err = log().error;
    ssize_t bytes = 0;
    for (const iovec& message : messages) {
      if (!take(message)) break;
      bytes += static_cast<ssize_t>(message.iov_len);
    }
    return bytes != 0 ? bytes : -1;
  }
};

std::unique_ptr<StreamBackend> make_backend(MessageLog& log, bool together) {
  if (together) return std::make_unique<TogetherBackend>(log);
  return std::make_unique<OneByOneBackend>(log);
}

constexpr StreamKind message_kinds[] = {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(read_message, MessageFixture)

BOOST_DATA_TEST_CASE_F(MessageFixture, each_write_is_read_as_one_message, data::make(message_kinds), kind) {
  open(stream_pair(kind));
  Queue writes(loop);
  Queue reads(loop);
  std::vector<Request<ssize_t>> writing;
  std::vector<Request<Pdu>> reading;
  const std::vector<std::string> texts{"a", "bcd", std::string(longest_plain, 'e'), "f", "gh"};
  for (const std::string& text : texts) {
    writing.push_back(left.write(writes, text));
    reading.push_back(right.read_message(reads));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) BOOST_TEST(message(std::move(reading[i])) == texts[i]);
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
}

BOOST_DATA_TEST_CASE_F(MessageFixture, a_message_that_comes_byte_by_byte_is_whole, data::make({1, 2, 7}),
                       at_once) {
  open(memory_stream_pair(loop, {.max_transfer = static_cast<std::size_t>(at_once)}));
  for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{300}, longest_plain}) {
    const std::string text = text_of(pattern(size));
    Request<ssize_t> writing = left.write(text);
    BOOST_TEST(message(right.read_message()) == text);
    BOOST_TEST(error_of(writing) == 0);
  }
}

// From a callback they take the short way, where their size has fewer bits than that of the longest.
BOOST_AUTO_TEST_CASE(writes_that_are_adjacent_in_memory_stay_messages) {
  open(unix_pair());
  Queue queue(loop);
  const std::string text = text_of(pattern(4000));
  std::vector<std::size_t> sizes;
  std::vector<Request<ssize_t>> writing;
  Request<Pdu> reading;
  const auto write_all = [&] {
    std::size_t begin = 0;
    for (const std::size_t size : sizes) {
      writing.push_back(left.write(queue, std::string_view(text).substr(begin, size)));
      begin += size;
    }
    reading = right.read_message();
  };
  for (int round = 0; round < 6; ++round) {  // with states of the rounds before
    sizes = round % 2 == 0 ? std::vector<std::size_t>{1, 511, 2, 300}
                           : std::vector<std::size_t>{3, 512, 513, longest_plain - 1, longest_plain};
    if (round < 2) {
      write_all();
    } else {
      loop.post(write_all);
    }
    std::size_t begin = 0;
    for (const std::size_t size : sizes) {
      BOOST_TEST(run_until([&] { return !writing.empty() && !reading.is_in_progress(); }));
      BOOST_TEST(message(std::exchange(reading, {})) == text.substr(begin, size));
      reading = right.read_message();
      begin += size;
    }
    reading = {};
    for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
    writing.clear();
    loop.post([&] {
      writing.push_back(left.write(queue, std::string_view(text).substr(0, longest_plain + 1)));
      writing.push_back(left.write(queue, std::string_view()));
    });
    BOOST_TEST(run_until([&] { return writing.size() == 2; }));
    BOOST_TEST(error_of(writing[0]) == EMSGSIZE);
    BOOST_TEST(error_of(writing[1]) == EINVAL);
    writing.clear();
  }
}

// By the short way, too, once states are kept.
BOOST_AUTO_TEST_CASE(messages_that_are_given_away_come_back_as_they_were) {
  open(unix_pair());
  Queue replies(loop);
  Request<Pdu> reading;
  std::function<void()> echo = [&] {
    reading = right.read_message();
    reading.set_callback([&](Request<Pdu>& request) {
      int err = 0;
      Pdu pdu = request.recv(err);
      BOOST_TEST(err == 0);
      right.write(replies, std::move(pdu)).detach();
      BOOST_TEST(pdu.empty());
      echo();
    });
  };
  echo();
  Queue asked(loop);
  for (int round = 0; round < 8; ++round) {
    std::vector<std::string> texts;
    texts.reserve(4);  // which are written from where they are
    std::vector<Request<ssize_t>> writing;
    for (const std::size_t size : {std::size_t{1}, std::size_t{64}, longest_plain, std::size_t{65}}) {
      texts.push_back(text_of(pattern(size + static_cast<std::size_t>(round % 2))).substr(0, longest_plain));
      writing.push_back(left.write(asked, texts.back()));
    }
    for (const std::string& text : texts) BOOST_TEST(message(left.read_message()) == text);
    for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
  }
  reading = {};
}

BOOST_AUTO_TEST_CASE(a_read_with_a_limit_waits_for_its_turn_and_gives_whole_messages) {
  open(unix_pair());
  RateLimit limit(loop, 1, 200);  // the first one takes more than there is
  BOOST_TEST(limit_rate(right, {.reading = limit}) == 0);
  const std::string text = text_of(pattern(250));
  Queue queue(loop);
  for (int i = 0; i < 2; ++i) BOOST_TEST(error_of(left.write(queue, text)) == 0);
  BOOST_TEST(message(right.read_message()) == text);
  Request<Pdu> reading = right.read_message();
  loop.run_until_idle();
  BOOST_TEST(reading.is_in_progress());
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  reading = right.read_message();
  limit.set(100'000);
  BOOST_TEST(message(std::move(reading)) == text);
}

BOOST_AUTO_TEST_CASE(other_reads_cross_borders_and_a_message_is_what_they_leave) {
  open(unix_pair());
  Queue queue(loop);
  for (const char* const text : {"abc", "defg", "h"}) BOOST_TEST(error_of(left.write(queue, text)) == 0);
  BOOST_TEST(read_text(5) == "abcde");
  BOOST_TEST(message(right.read_message()) == "fg");
  BOOST_TEST(message(right.read_message()) == "h");
  BOOST_TEST(error_of(left.write("ijk")) == 0);
  BOOST_TEST(read_text(1) == "i");
  BOOST_TEST(read_text(2) == "jk");
}

BOOST_AUTO_TEST_CASE(cancelling_and_deadlines_lose_nothing) {
  open(unix_pair());
  Request<Pdu> reading = right.read_message();
  loop.run_until_idle();
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  reading = right.read_message();
  reading.set_timeout(1ms);
  BOOST_TEST(error_of(reading) == ETIMEDOUT);
  BOOST_TEST(error_of(left.write("abc")) == 0);
  // One that is abandoned with its message.
  reading = right.read_message();
  BOOST_TEST(run_until([&] { return reading.transferred() == 3; }));
  int err = 0;
  if (reading.is_in_progress()) {
    reading = {};
    BOOST_TEST(read_text(3) == "abc");
  } else {
    BOOST_TEST(text_of(reading.recv(err).body()) == "abc");
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_an_interrupted_read_returns_have_no_borders) {
  open(unix_pair());
  std::vector<std::byte> buffer(10);
  Request<ssize_t> reading = right.read(buffer);
  BOOST_TEST(error_of(left.write("abc")) == 0);
  BOOST_TEST(run_until([&] { return reading.transferred() == 3; }));
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  Request<Pdu> message = right.read_message();
  BOOST_TEST(error_of(message) == EPROTO);
  BOOST_TEST(message.reason() == "the borders of bytes that an interrupted read has returned are lost");
  BOOST_TEST(read_text(3) == "abc");
  BOOST_TEST(error_of(left.write("def")) == 0);
  BOOST_TEST(this->message(right.read_message()) == "def");
}

BOOST_AUTO_TEST_CASE(the_end_is_epipe_and_a_message_that_is_cut_an_error) {
  open(unix_pair());
  BOOST_TEST(error_of(left.write("abc")) == 0);
  left = Stream();
  BOOST_TEST(message(right.read_message()) == "abc");
  BOOST_TEST(error_of(right.read_message()) == EPIPE);
  BOOST_TEST(error_of(right.read_message()) == EPIPE);

  auto [raw, below] = unix_pair();
  Request<Stream> accepting = over(std::move(below), false);
  BOOST_TEST(error_of(raw.write(std::string_view("\0\0\0\2hi\0\5abc", 11))) == 0);
  int err = -1;
  right = fetch(accepting, err);
  BOOST_TEST(err == 0);
  raw = Stream();
  Request<Pdu> cut = right.read_message();
  const int how = error_of(cut);
  BOOST_TEST((how == EPROTO || how == ECONNRESET));
  if (how == EPROTO) BOOST_TEST(cut.reason() == "the stream was cut inside of a message");
}

BOOST_DATA_TEST_CASE_F(MessageFixture, a_backend_gets_messages_one_by_one_or_those_of_a_turn,
                       data::make({false, true}), together) {
  MessageLog log;
  left = Stream(loop, make_backend(log, together));
  Queue queue(loop);
  const std::vector<std::string> texts{"a", "bcd", std::string(longest_plain, 'e'), "f"};
  std::vector<Request<ssize_t>> writing;
  for (const std::string& text : texts) writing.push_back(left.write(queue, text));
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
  BOOST_TEST(log.taken == texts);
  BOOST_TEST(log.calls == (together ? 1U : 4U));
}

BOOST_DATA_TEST_CASE_F(MessageFixture, messages_that_a_backend_does_not_take_follow_once_it_does,
                       data::make({false, true}) * data::make({0, 1, 3}), together, at_first) {
  MessageLog log{.room = static_cast<std::size_t>(at_first)};
  left = Stream(loop, make_backend(log, together));
  Queue queue(loop);
  const std::vector<std::string> texts{"a", "bcd", "ef", "ghij"};
  std::vector<Request<ssize_t>> writing;
  for (const std::string& text : texts) writing.push_back(left.write(queue, text));
  loop.run_until_idle();
  for (std::size_t i = 0; i < texts.size(); ++i)
    BOOST_TEST(writing[i].is_in_progress() == (i >= static_cast<std::size_t>(at_first)));
  BOOST_TEST(log.taken.size() == static_cast<std::size_t>(at_first));
  log.room = std::string::npos;
  log.events->on_writable();
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
  BOOST_TEST(log.taken == texts);
}

BOOST_DATA_TEST_CASE_F(MessageFixture, messages_behind_an_error_fail_and_those_before_do_not,
                       data::make({false, true}), together) {
  MessageLog log{.room = 2, .error = EIO};
  left = Stream(loop, make_backend(log, together));
  Queue queue(loop);
  std::vector<Request<ssize_t>> writing;
  for (const char* const text : {"a", "bcd", "ef", "ghij"}) writing.push_back(left.write(queue, text));
  loop.run_until_idle();
  log.events->on_writable();
  for (std::size_t i = 0; i < writing.size(); ++i) BOOST_TEST(error_of(writing[i]) == (i < 2 ? 0 : EIO));
}

BOOST_DATA_TEST_CASE_F(MessageFixture, more_messages_than_one_call_gets_stay_in_order,
                       data::make({false, true}), together) {
  MessageLog log;
  left = Stream(loop, make_backend(log, together));
  Queue queue(loop);
  std::vector<std::string> texts;
  std::vector<Request<ssize_t>> writing;
  for (std::size_t i = 0; i < 150; ++i)
    texts.push_back(text_of(pattern(1 + i * 6, static_cast<unsigned>(i))));
  for (const std::string& text : texts) writing.push_back(left.write(queue, text));
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
  BOOST_TEST((log.taken == texts));
  BOOST_TEST(log.calls < (together ? 10U : 151U));
}

BOOST_AUTO_TEST_CASE(a_stream_without_borders_is_enotsup_and_one_that_is_closed_enotconn) {
  auto [first, second] = unix_pair();
  BOOST_TEST(error_of(first.read_message()) == ENOTSUP);
  BOOST_TEST(!Stream().read_message());
  open({std::move(first), std::move(second)});
  const Request<Pdu> reading = right.read_message();
  BOOST_TEST(error_of(right.read_message()) == EBUSY);
  BOOST_TEST(error_of(left.disconnect()) == 0);
  BOOST_TEST(error_of(left.read_message()) == ENOTCONN);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
