#include "tsock/owned_bytes.hpp"

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::text_of;

namespace {

template <class... Args>
concept CanWrite = requires(Stream& stream, Args&&... args) {
  stream.write(std::forward<Args>(args)...);
};
template <class... Args>
concept CanWritev = requires(Stream& stream, Args&&... args) {
  stream.writev(std::forward<Args>(args)...);
};
template <class... Args>
concept CanSend = requires(Datagram& socket, Args&&... args) {
  socket.sendto(std::forward<Args>(args)...);
};
template <class Range>
concept CanBeVector = requires(Range&& range) {
  make_vector(std::forward<Range>(range));
};
template <class T>
concept GivesVector = requires(T&& pdu) {
  std::forward<T>(pdu).vector();
};

using Bytes = std::vector<std::byte>;
using Array = std::array<std::byte, 4>;
using View = std::span<std::byte>;
using FixedView = std::span<std::byte, 4>;

// What owns its bytes can be named or given away, and views can be temporary.
template <class T, bool may_be_given_away>
constexpr bool is_right =
    CanWrite<T&>&& CanWrite<const T&>&& CanWrite<Queue&, T&>&& CanWrite<T> == may_be_given_away &&
    !CanWrite<const T> && CanWrite<Queue&, T> == may_be_given_away && !CanWrite<Queue&, const T> &&
    CanSend<T&> && CanSend<Queue&, T&> && CanSend<T> == may_be_given_away &&
    CanSend<Queue&, T> == may_be_given_away && !CanSend<const T> &&
    CanSend<T, const Address&> == may_be_given_away && CanSend<T&, const Address&, const SendFrom&> &&
    CanSend<T, const Address&, const SendFrom&> == may_be_given_away &&
    CanSend<Queue&, T, const Address&, const SendFrom&> == may_be_given_away &&
    !CanSend<const T, const Address&, const SendFrom&>;
static_assert(is_right<std::string, true>);
static_assert(is_right<Bytes, true>);
static_assert(is_right<Array, false>);
static_assert(CanWrite<Pdu> && CanWrite<Queue&, Pdu> && CanSend<Pdu> && CanSend<Queue&, Pdu>);
static_assert(!CanWrite<Pdu&>);
static_assert(CanWrite<std::string_view> && CanWrite<Queue&, std::string_view> && CanSend<std::string_view>);
static_assert(CanWrite<View> && CanWrite<FixedView> && CanWrite<std::span<const std::byte>>);
static_assert(CanWrite<const char (&)[4]> && CanWrite<const char*> && CanSend<const char (&)[4]>);
static_assert(CanWritev<std::array<iovec, 1>> && CanWritev<Queue&, std::array<iovec, 1>>);

static_assert(GivesVector<Pdu&> && GivesVector<const Pdu&> && !GivesVector<Pdu> && !GivesVector<const Pdu>);

// Bytes of a temporary message can be looked at, and not be written.
using MessageBytes = decltype(std::declval<Pdu>().bytes());
static_assert(!CanWrite<MessageBytes> && !CanWrite<Queue&, MessageBytes> && !CanSend<MessageBytes> &&
              !CanSend<Queue&, MessageBytes, const Address&, const SendFrom&> && !CanBeVector<MessageBytes>);
static_assert(std::same_as<decltype(std::declval<Pdu>().body()), MessageBytes> &&
              std::same_as<decltype(std::declval<Pdu>().header()), MessageBytes> &&
              std::same_as<decltype(std::declval<ReceivedDatagram>().bytes()), MessageBytes>);
static_assert(CanWrite<decltype(std::declval<Pdu&>().body())> &&
              CanSend<decltype(std::declval<const ReceivedDatagram&>().bytes())>);

static_assert(CanBeVector<Bytes&> && CanBeVector<const Bytes&> && !CanBeVector<Bytes> &&
              !CanBeVector<const Bytes>);
static_assert(CanBeVector<Array&> && CanBeVector<const Array&> && !CanBeVector<Array>);
static_assert(CanBeVector<View> && CanBeVector<FixedView> && CanBeVector<const FixedView&> &&
              CanBeVector<std::span<const std::byte>> && CanBeVector<std::span<const std::byte, 4>>);

}  // namespace

BOOST_AUTO_TEST_SUITE(owned_bytes)

BOOST_FIXTURE_TEST_CASE(a_write_keeps_a_temporary_that_it_was_given, LoopFixture) {
  auto [ours, peer] = unix_pair();
  Queue queue(loop);
  const std::string large(100'000, 'x');
  std::string all;
  for (int i = 0; i < 3; ++i) {
    ours.write(queue, "n " + std::to_string(i)).detach();
    ours.write(queue, bytes_of(large)).detach();
    ours.write(queue, "view").detach();
    all += "n " + std::to_string(i) + large + "view";
  }
  Bytes got(all.size());
  auto reading = peer.read(got);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((text_of(got) == all));
  auto alone = ours.write(std::string("short"));
  got.resize(5);
  reading = peer.read(got);
  BOOST_TEST(error_of(alone) == 0);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(got) == "short");
  BOOST_TEST(error_of(ours.write(std::string())) == EINVAL);
  BOOST_TEST(!Stream().write(std::string("nowhere")));
}

BOOST_FIXTURE_TEST_CASE(a_message_can_be_sent_on_as_it_came, LoopFixture) {
  auto [ours, peer] = unix_pair();
  Queue queue(loop);
  for (const bool queued : {false, true}) {
    auto asking = peer.write(std::string("ping\n"));
    auto message = ours.readv_pdu(framing::line{});
    int err = 0;
    Pdu pdu = fetch(message, err);
    BOOST_TEST(err == 0);
    auto echo = queued ? ours.write(queue, std::move(pdu)) : ours.write(std::move(pdu));
    BOOST_TEST(pdu.empty());
    auto answer = peer.readv_pdu(framing::line{});
    BOOST_TEST(text_of(fetch(answer, err).body()) == "ping");
    BOOST_TEST(error_of(echo) == 0);
    BOOST_TEST(error_of(asking) == 0);
  }
}

// More than the socket takes before somebody reads, so that many wait: more than may stay in the loop's
// buffers.
BOOST_FIXTURE_TEST_CASE(messages_that_are_given_away_arrive_in_order_and_are_freed, LoopFixture) {
  auto [ours, peer] = unix_pair();
  auto [back, reader] = unix_pair();
  Queue queue(loop);
  constexpr int rounds = 4;
  constexpr int messages = 1000;
  std::size_t blocks = 0;  // after the first round
  for (int round = 0; round < rounds; ++round) {
    std::string asked;
    for (int i = 0; i < messages; ++i) {
      const int number = round * messages + i;
      asked += std::to_string(number) + std::string(static_cast<std::size_t>(number % 997), '.') + '\n';
    }
    auto asking = peer.write(asked);
    for (int i = 0; i < messages; ++i) {
      auto line = ours.readv_pdu(framing::line{});
      int err = 0;
      Pdu pdu = fetch(line, err);
      BOOST_TEST_REQUIRE(err == 0);
      back.write(queue, std::move(pdu)).detach();
    }
    std::string got(asked.size(), '\0');
    auto reading = reader.read(std::as_writable_bytes(std::span(got)));
    BOOST_TEST(error_of(reading) == 0);
    BOOST_TEST(error_of(asking) == 0);
    BOOST_TEST((got == asked));
    loop.run_until_idle();
    if (round == 0) blocks = loop.core().live_blocks();
  }
  BOOST_TEST(loop.core().live_blocks() <= blocks);
}

BOOST_FIXTURE_TEST_CASE(a_message_that_cannot_be_written_goes_with_its_request, LoopFixture) {
  auto [ours, peer] = unix_pair();
  const auto receive = [this](Stream& from, Stream& other) {
    auto asking = other.write(std::string("ping\n"));
    auto message = from.readv_pdu(framing::line{});
    int err = 0;
    Pdu pdu = fetch(message, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(error_of(asking) == 0);
    return pdu;
  };
  Pdu pdu = receive(ours, peer);
  pdu = Pdu();
  loop.run_until_idle();
  const std::size_t blocks = loop.core().live_blocks();
  pdu = receive(ours, peer);
  BOOST_TEST(!Stream().write(std::move(pdu)));
  BOOST_TEST(text_of(pdu.body()) == "ping");  // without a loop there is no request to own it
  pdu = Pdu();
  BOOST_TEST(error_of(ours.write(Pdu())) == EINVAL);
  {
    Loop other_loop;
    Queue foreign(other_loop);
    BOOST_TEST(error_of(ours.write(foreign, receive(ours, peer))) == EINVAL);
  }
  {
    Queue stopped(loop);
    stopped.stop();
    Request<ssize_t> waiting = ours.write(stopped, receive(ours, peer));
    loop.run_until_idle();
    BOOST_TEST(waiting.is_in_progress());
  }
  Stream moved = std::move(ours);
  BOOST_TEST(error_of(ours.write(receive(moved, peer))) == ENOTCONN);
  loop.run_until_idle();
  BOOST_TEST(loop.core().live_blocks() <= blocks);
}

BOOST_FIXTURE_TEST_CASE(what_a_write_keeps_goes_with_its_request, LoopFixture) {
  auto [ours, peer] = memory_pair();
  std::string text(1000, 'x');
  const char* const place = text.data();
  std::optional writing(ours.write(std::move(text)));
  loop.run_until_idle();
  BOOST_TEST(writing->is_in_progress());
  Bytes got(1000);
  auto reading = peer.read(got);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(error_of(*writing) == 0);
  BOOST_TEST((place[999] == 'x'));  // moved, not copied, and still there
  writing.reset();
}

BOOST_FIXTURE_TEST_CASE(a_sendto_keeps_a_temporary_that_it_was_given, LoopFixture) {
  int err = -1;
  auto [ours, peer] = Datagram::socketpair(loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  Queue queue(loop);
  ours.sendto(queue, "n " + std::to_string(1)).detach();
  ours.sendto(queue, bytes_of("bytes")).detach();
  for (const char* text : {"n 1", "bytes"}) {
    auto receiving = peer.recvfrom();
    BOOST_TEST(text_of(fetch(receiving, err).bytes()) == text);
  }
  // With a local address it is kept, too, though a unix socket has none to send from.
  auto from_there = ours.sendto(std::string("from"), {}, SendFrom({}, 1));
  BOOST_TEST(error_of(from_there) == ENOTSUP);
  auto sending = ours.sendto(std::string("alone"));
  BOOST_TEST(error_of(sending) == 0);
}

BOOST_FIXTURE_TEST_CASE(restart_abandons_the_old_operation_before_the_new_one_starts, LoopFixture) {
  auto [ours, peer] = unix_pair();
  Bytes first(4);
  Bytes second(2);
  auto reading = ours.read(first);
  auto writing = peer.write("ab");
  BOOST_TEST(run_until([&] { return reading.transferred() == 2; }));
  auto* const stream = &ours;
  reading.restart([&] { return stream->read(second); });
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(second) == "ab");
  BOOST_TEST(error_of(writing) == 0);
  reading.restart([&] { return stream->read(second); });  // an old one that is over is dropped
  BOOST_TEST(reading.is_in_progress());
}

BOOST_AUTO_TEST_SUITE_END()
