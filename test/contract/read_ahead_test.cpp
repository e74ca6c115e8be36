// How much of what the peer sent a stream takes from the kernel before somebody asks for it.
#include <algorithm>
#include <bit>
#include <functional>
#include <tsock/listener.hpp>

#include "contract/stream_fixture.hpp"
#include "uv/os/socket.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

/// One way to read a message of a size that the test chooses.
struct BoundedRead {
  const char* name;
  /// The message as it is sent.
  std::function<Bytes(std::size_t size)> wire;
  /// Reads it. \return whether all of it came.
  std::function<bool(StreamFixture&, const Bytes& wire)> read;

  friend std::ostream& operator<<(std::ostream& out, const BoundedRead& shown) { return out << shown.name; }
};

Bytes plain_wire(std::size_t size) { return pattern(size, 3); }

Bytes prefixed_wire(std::size_t size) {
  Bytes wire = pattern(size, 3);
  const std::size_t body = size - 4;
  for (std::size_t i = 0; i < 4; ++i) wire[i] = static_cast<std::byte>(body >> (24 - 8 * i) & 255U);
  return wire;
}

Bytes line_wire(std::size_t size) {
  Bytes wire(size, std::byte{'x'});
  wire.back() = std::byte{'\n'};
  return wire;
}

bool read_pdu(StreamFixture& fixture, const Framing& framing, const Bytes& wire) {
  const Pdu pdu = fixture.value_of(fixture.ours.readv_pdu(framing));
  return std::ranges::equal(pdu.bytes(), wire);
}

const std::vector<BoundedRead>& bounded_reads() {
  static const std::vector<BoundedRead> reads{
      {"read", plain_wire,
       [](StreamFixture& fixture, const Bytes& wire) {
         return fixture.take(fixture.ours, wire.size()) == wire;
       }},
      {"read_some", plain_wire,
       [](StreamFixture& fixture, const Bytes& wire) {
         Bytes bytes(wire.size());
         std::size_t got = 0;
         while (got != bytes.size()) {
           const ssize_t more = fixture.value_of(fixture.ours.read_some(std::span(bytes).subspan(got)));
           if (more <= 0) return false;
           got += static_cast<std::size_t>(more);
         }
         return bytes == wire;
       }},
      {"readv_pdu by prefix", prefixed_wire,
       [](StreamFixture& fixture, const Bytes& wire) { return read_pdu(fixture, framing::u32be{}, wire); }},
      {"readv_pdu by delimiter", line_wire,
       [](StreamFixture& fixture, const Bytes& wire) { return read_pdu(fixture, framing::line{}, wire); }},
      {"readv_pdu by next vector", plain_wire,
       [](StreamFixture& fixture, const Bytes& wire) {
         Bytes bytes(wire.size());
         std::size_t asked_for = 0;
         Request<ssize_t> reading = fixture.ours.readv_pdu([&](VectorList& vectors) {
           const std::size_t step = std::min(bytes.size() - asked_for, std::size_t{600});
           if (step != 0) vectors.add(std::span(bytes).subspan(asked_for, step));
           asked_for += step;
           return 0;
         });
         fixture.value_of(reading);
         return bytes == wire;
       }},
  };
  return reads;
}

auto kernel_streams() {
  return data::make(
      paths_with([](const BackendTraits& traits) { return traits.descriptor && traits.read_ahead; }));
}

constexpr std::size_t behind = 20'000;

struct ReadAheadFixture : StreamFixture {
  std::size_t kept = 0;  // bytes that the stream had taken in when it gave its descriptor away

  std::size_t in_kernel() {
    int err = 0;
    const std::size_t waiting = os::readable_bytes(ours.native_handle(), err);
    BOOST_TEST_REQUIRE(err == 0);
    return waiting;
  }
  /// Sends, and waits until all of it is on our side. Nobody reads meanwhile.
  void send(const Bytes& bytes) {
    const std::size_t before = in_kernel();
    BOOST_TEST_REQUIRE(error_of(peer.write(bytes)) == 0);
    BOOST_TEST_REQUIRE(run_until([&] { return in_kernel() == before + bytes.size(); }));
  }
  std::size_t released_with() {
    int err = 0;
    std::vector<std::byte> unread;
    const UniqueSocket fd = ours.release_socket(unread, err);
    BOOST_TEST(err == 0);
    return unread.size();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_read_ahead)

BOOST_DATA_TEST_CASE_F(ReadAheadFixture, what_is_above_the_bound_stays_with_the_kernel,
                       kernel_streams() * data::make(bounded_reads()), backend, way) {
  for (const std::size_t bound : {0U, 1U, 64U, 1000U, 4096U, 16384U}) {
    for (const std::size_t size :
         {std::size_t{5}, std::size_t{300}, 4096 / cost_of_calls, 12000 / cost_of_calls}) {
      BOOST_TEST_CONTEXT("bound " << bound << ", size " << size) {
        open(backend);
        BOOST_TEST(ours.set_options({.max_read_ahead = bound}) == 0);
        const Bytes wire = way.wire(size);
        Bytes sent = wire;
        sent.resize(size + behind);
        send(sent);
        BOOST_TEST(way.read(*this, wire));
        loop.run_until_idle();
        const std::size_t left = in_kernel();
        BOOST_TEST(left >= behind - bound);
        BOOST_TEST(released_with() == behind - left);
      }
    }
  }
}

BOOST_DATA_TEST_CASE_F(ReadAheadFixture, the_bound_is_rounded_down_to_a_power_of_two_and_used,
                       kernel_streams(), backend) {
  for (const std::size_t bound : {1U, 2U, 3U, 1000U, 1024U, 5000U, 16384U}) {
    for (const std::size_t size : {5U, 8000U}) {
      BOOST_TEST_CONTEXT("bound " << bound << ", size " << size) {
        open(backend);
        BOOST_TEST(ours.set_options({.max_read_ahead = bound}) == 0);
        send(Bytes(size + behind));
        take(ours, size);
        BOOST_TEST(in_kernel() == behind - std::bit_floor(bound));
        BOOST_TEST(released_with() == std::bit_floor(bound));
      }
    }
  }
}

BOOST_DATA_TEST_CASE_F(ReadAheadFixture, without_a_bound_a_small_read_takes_what_there_is, kernel_streams(),
                       backend) {
  open(backend);
  BOOST_TEST(ours.set_options({}) == 0);
  send(Bytes(5 + behind));
  take(ours, 5);
  BOOST_TEST(in_kernel() == 0U);
}

BOOST_DATA_TEST_CASE_F(ReadAheadFixture, a_bound_that_is_lowered_leaves_what_was_read_ahead_to_the_readers,
                       kernel_streams(), backend) {
  open(backend);
  BOOST_TEST(ours.set_options({}) == 0);
  const Bytes sent = pattern(30'000);
  send(sent);
  Bytes received = take(ours, 5);
  BOOST_TEST(ours.set_options({.max_read_ahead = 0}) == 0);
  const auto append = [&](std::size_t size) {
    const Bytes more = take(ours, size);
    received.insert(received.end(), more.begin(), more.end());
  };
  append(10'000);
  append(sent.size() - received.size());
  BOOST_TEST((received == sent));
  send(Bytes(100));
  take(ours, 10);
  BOOST_TEST(in_kernel() == 90U);
  BOOST_TEST(ours.set_options({}) == 0);
  take(ours, 10);
  BOOST_TEST(in_kernel() == 0U);
}

BOOST_DATA_TEST_CASE_F(ReadAheadFixture, a_message_larger_than_the_bound_arrives_whole,
                       data::make(paths_with([](const BackendTraits& traits) {
                         return traits.max_transfer > 100;
                       })) *
                           data::make(bounded_reads()),
                       backend, way) {
  for (const std::size_t bound : {0U, 1U, 64U, 5000U}) {
    BOOST_TEST_CONTEXT("bound " << bound) {
      open(backend);
      BOOST_TEST(ours.set_options({.max_read_ahead = bound}) == 0);
      const Bytes wire = way.wire(50'000 / cost_of_calls);
      Request<ssize_t> first = peer.write(wire);
      BOOST_TEST(way.read(*this, wire));
      Request<ssize_t> second = peer.write(wire);
      BOOST_TEST(way.read(*this, wire));
      BOOST_TEST(error_of(first) == 0);
      BOOST_TEST(error_of(second) == 0);
    }
  }
}

BOOST_DATA_TEST_CASE_F(ReadAheadFixture, a_cancelled_read_gives_back_more_than_the_bound, kernel_streams(),
                       backend) {
  open(backend);
  BOOST_TEST(ours.set_options({.max_read_ahead = 16}) == 0);
  const Bytes sent = pattern(1000);
  Bytes buffer(1001);
  Request<ssize_t> reading = ours.read(buffer);
  BOOST_TEST(error_of(peer.write(sent)) == 0);
  reach(reading, 1000);
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST((take(ours, 1000) == sent));
}

BOOST_FIXTURE_TEST_CASE(the_bound_holds_however_the_stream_was_made, ReadAheadFixture) {
  const StreamOptions options{.max_read_ahead = 32};
  const auto check = [this](Stream&& made, Stream&& other) {
    ours = std::move(made);
    peer = std::move(other);
    send(Bytes(105));
    take(ours, 5);
    BOOST_TEST(in_kernel() == 68U);
  };
  int err = 0;
  Listener listener = Listener::listen(loop, loopback_v4(), {.stream = options}, err);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, listener.local_address());
  Stream connected = fetch(connecting, err);
  check(fetch(accepting, err), std::move(connected));

  accepting = listener.accept();
  connecting = Stream::connect(loop, listener.local_address(), {.stream = options});
  connected = fetch(connecting, err);
  Stream accepted = fetch(accepting, err);
  BOOST_TEST(accepted.set_options({}) == 0);
  check(std::move(connected), std::move(accepted));

  auto [left, right] = unix_pair();
  std::vector<std::byte> unread;
  UniqueSocket fd = left.release_socket(unread, err);
  check(Stream::adopt(loop, fd, options, err), std::move(right));
}

BOOST_AUTO_TEST_SUITE_END()
