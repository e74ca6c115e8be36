// Tokens on a stream, and the layer behind them, with a mechanism that needs no library.
#include "layer/authenticate.hpp"

#include <atomic>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/toy_mechanism.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using layer::LengthFormat;
using Format = layer::RecordEngine::Format;
using Kind = ToyMechanism::Kind;

constexpr StreamKind token_kinds[] = {StreamKind::tcp, StreamKind::memory};

struct TokenFixture : LoopFixture {
  static Request<Stream> toy(Stream below, bool begins, const Kind& kind = {}, const Format& format = {}) {
    return layer::authenticate(std::move(below), std::make_shared<ToyMechanism>(begins, kind), format,
                               "toy_authenticate");
  }
  std::pair<Stream, Stream> both(std::pair<Stream, Stream> pair, const Kind& kind = {},
                                 const Format& format = {}) {
    Request<Stream> left = toy(std::move(pair.first), true, kind, format);
    Request<Stream> right = toy(std::move(pair.second), false, kind, format);
    int err = 0;
    pair.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
    return pair;
  }
  std::string read_text(Stream& stream, std::size_t size) {
    std::vector<std::byte> buffer(size);
    Request<ssize_t> reading = stream.read(buffer);
    BOOST_TEST(error_of(reading) == 0);
    return text_of(buffer);
  }
  static std::string framed(std::string_view text) {
    const char header[]{0, 0, 0, static_cast<char>(text.size())};
    return std::string(header, sizeof header) + std::string(text);
  }
  static std::string wrapped(ToyCodec& codec, std::string_view text) {
    layer::ByteBlock block(*std::pmr::new_delete_resource());
    BOOST_TEST(codec.wrap(std::as_bytes(std::span(text)), block) == 0);
    return framed(text_of(block.bytes()));
  }
  Stream accept_by_hand(Stream ours, Stream& peer) {
    Request<Stream> accepting = toy(std::move(ours), false);
    BOOST_TEST(error_of(peer.write(framed("token 0"))) == 0);
    BOOST_TEST(read_text(peer, 11) == framed("token 1"));
    BOOST_TEST(error_of(peer.write(framed("token 2"))) == 0);
    int err = -1;
    Stream stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  void expect_end(Stream& peer) {
    std::vector<std::byte> buffer(1);
    const int err = error_of(peer.read(buffer));
    BOOST_TEST((err == EPIPE || err == ECONNRESET));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(authentication, TokenFixture)

BOOST_DATA_TEST_CASE_F(TokenFixture, any_number_of_tokens_ends_in_a_protected_stream,
                       data::make(token_kinds) * data::make({1U, 2U, 3U, 4U, 7U}), kind, tokens) {
  auto [left, right] = both(stream_pair(kind), {.tokens = tokens});
  BOOST_TEST((send_through(left, right, pattern(1000)) == pattern(1000)));
  BOOST_TEST((send_through(right, left, pattern(1000, 1)) == pattern(1000, 1)));
  BOOST_TEST(dynamic_cast<const ToyCodec*>(layer::codec_of(left)) != nullptr);
  // The front reads ahead for the layer: its options are those of the stream below.
  BOOST_TEST(left.remote_address() == right.local_address());
}

BOOST_DATA_TEST_CASE_F(TokenFixture, a_mechanism_without_protection_leaves_the_stream_as_it_is,
                       data::make(token_kinds), kind) {
  auto [left, right] = both(stream_pair(kind), {.protects = false});
  BOOST_TEST(layer::codec_of(left) == nullptr);
  BOOST_TEST((left.native_handle() != invalid_socket) == (kind == StreamKind::tcp));
  BOOST_TEST((send_through(left, right, pattern(1000)) == pattern(1000)));
}

BOOST_DATA_TEST_CASE_F(TokenFixture, no_byte_behind_the_last_token_is_taken,
                       data::make(token_kinds) * data::make({false, true}), kind, protects) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> accepting = toy(std::move(ours), false, {.protects = protects});
  Request<ssize_t> writing = peer.write(framed("token 0"));
  BOOST_TEST(read_text(peer, 11) == framed("token 1"));
  BOOST_TEST(error_of(writing) == 0);
  std::string rest = framed("token 2");
  std::string expected = "plain";
  if (protects) {
    ToyCodec codec;
    rest += wrapped(codec, expected);
  } else {
    rest += expected;
  }
  writing = peer.write(rest);
  int err = -1;
  Stream stream = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(read_text(stream, expected.size()) == expected);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(what_was_read_ahead_is_the_first_token) {
  auto [ours, peer] = tcp_pair();
  Request<ssize_t> writing = peer.write("START\n" + framed("token 0"));
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  int err = 0;
  fetch(line, err);
  BOOST_TEST_REQUIRE(err == 0);
  line = {};
  const Request<Stream> accepting = toy(std::move(ours), false);
  BOOST_TEST(read_text(peer, 11) == framed("token 1"));
  BOOST_TEST(accepting.is_in_progress());
}

BOOST_DATA_TEST_CASE_F(TokenFixture, writes_that_were_started_leave_first, data::make(token_kinds), kind) {
  auto [ours, peer] = stream_pair(kind);
  Queue queue(loop);
  Request<ssize_t> first = ours.write(queue, "220 go ");
  Request<ssize_t> second = ours.write(queue, "ahead\n");
  const Request<Stream> connecting = toy(std::move(ours), true);
  BOOST_TEST(read_text(peer, 13) == "220 go ahead\n");
  BOOST_TEST(read_text(peer, 11) == framed("token 0"));
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(connecting.is_in_progress());
}

BOOST_DATA_TEST_CASE_F(TokenFixture, both_sides_learn_why_a_step_has_failed, data::make(token_kinds), kind) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> left = toy(std::move(ours), true);
  Request<Stream> right =
      toy(std::move(peer), false, {.on_step = [](unsigned token) { return token == 1 ? EPERM : 0; }});
  BOOST_TEST(error_of(right) == EPERM);
  BOOST_TEST(right.reason() == "toy: the step was told to fail");
  BOOST_TEST(error_of(left) == EACCES);
  BOOST_TEST(left.reason() == "toy: the peer refuses");
}

BOOST_DATA_TEST_CASE_F(TokenFixture, a_peer_that_ends_within_a_token_is_told_in_words,
                       data::make(token_kinds) * data::xrange(std::size_t{0}, std::size_t{11}), kind, size) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> accepting = toy(std::move(ours), false);
  if (size != 0) BOOST_TEST(error_of(peer.write(framed("token 0").substr(0, size))) == 0);
  peer.disconnect().detach();
  BOOST_TEST(error_of(accepting) == EPROTO);
  BOOST_TEST(accepting.reason() == "the peer ended the stream during the handshake");
}

BOOST_AUTO_TEST_CASE(a_length_that_is_not_allowed_is_refused_before_memory_is_taken) {
  auto [ours, peer] = memory_pair();
  Request<Stream> accepting = toy(std::move(ours), false, {}, {.handshake = {.most = 1000}});
  Request<ssize_t> writing = peer.write("\x7f\xff\xff\xff"sv);
  BOOST_TEST(error_of(accepting) == EMSGSIZE);
  BOOST_TEST(accepting.reason() == "a message of 2147483647 bytes, where 1 to 1000 are allowed");
  BOOST_TEST(error_of(writing) == 0);
  expect_end(peer);

  std::tie(ours, peer) = memory_pair();
  accepting = toy(std::move(ours), false);
  writing = peer.write("\0\0\0\0"sv);
  BOOST_TEST(error_of(accepting) == EMSGSIZE);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_too_long_for_its_frame_is_refused) {
  auto [ours, peer] = memory_pair();
  Request<Stream> connecting = toy(std::move(ours), true, {.padding = std::string(100, 'x')},
                                   {.handshake = {.width = 1, .most = 100}});
  BOOST_TEST(error_of(connecting) == EMSGSIZE);
  BOOST_TEST(connecting.reason() == "a message of 107 bytes, where 1 to 100 are allowed");
}

BOOST_AUTO_TEST_CASE(a_long_token_comes_whole) {
  const std::size_t size = 300'000;
  auto [left, right] = both(tcp_pair(), {.padding = std::string(size, 'x')});
  BOOST_TEST((send_through(left, right, pattern(1000)) == pattern(1000)));
}

BOOST_AUTO_TEST_CASE(a_mark_stands_in_front_of_the_length_and_empty_messages_are_skipped) {
  const LengthFormat marked{.mark = std::byte{2}, .skips_empty = true};
  auto [ours, peer] = tcp_pair();
  Request<Stream> accepting =
      toy(std::move(ours), false, {.tokens = 2}, {.handshake = marked, .data = marked});
  BOOST_TEST(error_of(peer.write("\x11\0\0\0\0"sv)) == 0);
  BOOST_TEST(error_of(peer.write("\x05"sv)) == 0);
  BOOST_TEST(error_of(peer.write("\0\0\0\7token 0"sv)) == 0);
  BOOST_TEST(read_text(peer, 12) == "\2\0\0\0\7token 1"sv);
  int err = -1;
  Stream stream = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(error_of(peer.write("\1\0\0\0\0\xe4\0\0\0\2"sv)) == 0);
  const char message[]{static_cast<char>('a' + 1), static_cast<char>(~'a')};
  BOOST_TEST(error_of(peer.write(std::string_view(message, sizeof message))) == 0);
  BOOST_TEST(read_text(stream, 1) == "a");
  BOOST_TEST(error_of(stream.write("b")) == 0);
  BOOST_TEST(read_text(peer, 6).substr(0, 5) == "\2\0\0\0\2"sv);
}

BOOST_AUTO_TEST_CASE(a_greeting_goes_in_front_of_the_first_token_alone) {
  auto [ours, peer] = tcp_pair();
  const Request<Stream> connecting = toy(std::move(ours), true, {.tokens = 5}, {.greeting = "hello "});
  BOOST_TEST(read_text(peer, 17) == "hello " + framed("token 0"));
  BOOST_TEST(error_of(peer.write(framed("token 1"))) == 0);
  BOOST_TEST(read_text(peer, 11) == framed("token 2"));
  BOOST_TEST(connecting.is_in_progress());

  auto [others, other_peer] = tcp_pair();
  const Request<Stream> accepting = toy(std::move(others), false, {.tokens = 5}, {.greeting = "hello "});
  BOOST_TEST(error_of(other_peer.write(framed("token 0"))) == 0);
  BOOST_TEST(read_text(other_peer, 11) == framed("token 1"));
}

BOOST_DATA_TEST_CASE_F(TokenFixture, a_silent_peer_is_ended_by_the_deadline_or_by_cancelling,
                       data::make(token_kinds) * data::make({false, true}) * data::make({false, true}), kind,
                       begins, cancels) {
  auto [ours, peer] = stream_pair(kind);
  Request<Stream> request = toy(std::move(ours), begins);
  if (begins) read_text(peer, 11);
  loop.run_until_idle();
  if (cancels) {
    request.cancel();
  } else {
    request.set_timeout(1ms);
  }
  BOOST_TEST(error_of(request) == (cancels ? ECANCELED : ETIMEDOUT));
  expect_end(peer);
}

BOOST_DATA_TEST_CASE_F(TokenFixture, an_abandoned_request_closes_the_stream_below, data::make(token_kinds),
                       kind) {
  auto [ours, peer] = stream_pair(kind);
  std::optional<Request<Stream>> accepting(toy(std::move(ours), false));
  loop.run_until_idle();
  accepting.reset();
  expect_end(peer);
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_busy_or_not_open_says_so) {
  auto [ours, peer] = tcp_pair();
  std::vector<std::byte> buffer(1);
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(toy(std::move(ours), false)) == EBUSY);
  BOOST_TEST(error_of(reading) == ECANCELED);

  auto [other, other_peer] = tcp_pair();
  BOOST_TEST(error_of(other.disconnect()) == 0);
  BOOST_TEST(error_of(toy(std::move(other), false)) == ENOTCONN);
  BOOST_TEST(!toy(Stream(), true));
}

BOOST_AUTO_TEST_CASE(the_dump_shows_the_request_and_its_read) {
  auto [ours, peer] = tcp_pair();
  const Request<Stream> accepting = toy(std::move(ours), false);
  BOOST_TEST(dump().find(" toy_authenticate ") != std::string::npos);
}

BOOST_DATA_TEST_CASE_F(TokenFixture, steps_that_may_block_run_on_another_thread, data::make(token_kinds),
                       kind) {
  const auto own = std::this_thread::get_id();
  std::atomic<unsigned> steps_here = 0;
  std::atomic<unsigned> steps = 0;
  auto [left, right] = both(stream_pair(kind), {.may_block = true, .on_step = [&](unsigned) {
                                                  ++steps;
                                                  if (std::this_thread::get_id() == own) ++steps_here;
                                                  return 0;
                                                }});
  BOOST_TEST(steps == 4U);
  BOOST_TEST(steps_here == 0U);
  BOOST_TEST((send_through(left, right, pattern(1000)) == pattern(1000)));
}

BOOST_AUTO_TEST_CASE(a_stuck_step_holds_up_no_end_of_the_request) {
  for (unsigned end = 0; end < 3; ++end) {
    auto [ours, peer] = tcp_pair();
    struct Gate {
      std::promise<void> begun;
      std::promise<void> opened;
    };
    const auto gate = std::make_shared<Gate>();
    auto mechanism =
        std::make_shared<ToyMechanism>(true, Kind{.may_block = true, .on_step = [gate](unsigned) {
                                                    gate->begun.set_value();
                                                    gate->opened.get_future().wait();
                                                    return 0;
                                                  }});
    const std::weak_ptr<ToyMechanism> alive = mechanism;
    std::optional<Request<Stream>> request(
        layer::authenticate(std::move(ours), std::move(mechanism), {}, "toy_authenticate"));
    gate->begun.get_future().wait();
    if (end == 0) {
      request->cancel();
      BOOST_TEST(error_of(*request) == ECANCELED);
    } else if (end == 1) {
      request->set_timeout(1ms);
      BOOST_TEST(error_of(*request) == ETIMEDOUT);
    } else {
      request.reset();
    }
    BOOST_TEST(!alive.expired());  // the thread has it
    expect_end(peer);
    gate->opened.set_value();
    BOOST_TEST(run_until([&] { return alive.expired(); }));
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_is_changed_repeated_dropped_or_moved_ends_the_stream) {
  for (unsigned fault = 0; fault < 4; ++fault) {
    auto [ours, peer] = tcp_pair();
    Stream stream = accept_by_hand(std::move(ours), peer);
    ToyCodec codec;
    std::vector<std::string> messages;
    for (const std::string_view text : {"one", "two", "six"}) messages.push_back(wrapped(codec, text));
    if (fault == 0) messages[1][5] = static_cast<char>(messages[1][5] ^ 1);
    if (fault == 1) messages[1] = messages[0];
    if (fault == 2) messages.erase(messages.begin() + 1);
    if (fault == 3) std::swap(messages[1], messages[2]);
    for (const std::string& message : messages) BOOST_TEST(error_of(peer.write(message)) == 0);
    BOOST_TEST(read_text(stream, 3) == "one");
    std::vector<std::byte> buffer(3);
    Request<ssize_t> reading = stream.read(buffer);
    BOOST_TEST(error_of(reading) == EBADMSG);
    BOOST_TEST(reading.reason() == "toy: the message was changed, repeated or is not the next one");
    BOOST_TEST(error_of(stream.read(buffer)) == EBADMSG);
    BOOST_TEST(error_of(stream.write("still")) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_stream_without_mechanism_is_protected_or_stays_as_it_is) {
  auto [left, right] = tcp_pair();
  int err = -1;
  Request<Stream> same = layer::protect(std::move(left), nullptr, {}, "toy_protect");
  left = fetch(same, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST((left.native_handle() != invalid_socket));
  Request<Stream> protecting =
      layer::protect(std::move(left), std::make_unique<ToyCodec>(), {}, "toy_protect");
  left = fetch(protecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  ToyCodec codec;
  BOOST_TEST(error_of(right.write(wrapped(codec, "hello"))) == 0);
  BOOST_TEST(read_text(left, 5) == "hello");
}

// ---- what others own ----

BOOST_DATA_TEST_CASE_F(TokenFixture, what_stream_and_mechanism_own_may_destroy_the_request,
                       data::make({false, true}) * data::make({false, true}), is_mechanism, succeeds) {
  struct Destroyer {
    std::optional<Request<Stream>>* request;
    explicit Destroyer(std::optional<Request<Stream>>& destroyed) noexcept : request(&destroyed) {}
    Destroyer(const Destroyer&) = delete;
    Destroyer& operator=(const Destroyer&) = delete;
    ~Destroyer() { request->reset(); }
  };
  std::optional<Request<Stream>> shaking;
  auto [ours, peer] = memory_pair();
  auto owned = std::make_shared<Destroyer>(shaking);
  Kind kind;
  if (is_mechanism) {
    kind.on_step = [owned](unsigned) { return 0; };
  } else {
    ours.set_watermarks({.high = 100, .low = 10}, [owned](Watermark) {});
  }
  owned.reset();
  shaking = toy(std::move(ours), false, kind);
  kind = {};
  int calls = 0;
  shaking->set_callback([&](Request<Stream>&) { ++calls; });
  Request<Stream> other;
  if (succeeds) {
    other = toy(std::move(peer), true);
  } else {
    peer = Stream();
  }
  BOOST_TEST(run_until([&] { return !shaking.has_value(); }));
  BOOST_TEST(calls == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
