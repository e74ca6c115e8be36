#include <numeric>

#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

BOOST_AUTO_TEST_SUITE(stream_read)

BOOST_DATA_TEST_CASE_F(StreamFixture, readv_completes_when_every_vector_is_full,
                       data::make(reading_backends()), backend) {
  open(backend);
  const Bytes sent = pattern(4 + 5 + 6 + 7);
  std::array<Bytes, 4> parts{Bytes(4), Bytes(5), Bytes(6), Bytes(7)};
  Bytes nothing;
  const std::array vectors{make_vector(std::span(nothing)),  make_vector(std::span(parts[0])),
                           make_vector(std::span(parts[1])), make_vector(std::span(nothing)),
                           make_vector(std::span(nothing)),  make_vector(std::span(parts[2])),
                           make_vector(std::span(parts[3])), make_vector(std::span(nothing))};
  Request<ssize_t> reading = ours.readv(vectors);
  Request<ssize_t> writing = peer.write(sent);
  BOOST_TEST(value_of(reading) == static_cast<ssize_t>(sent.size()));
  BOOST_TEST(reading.transferred() == sent.size());
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(sent.size()));
  Bytes received;
  for (const Bytes& part : parts) received.insert(received.end(), part.begin(), part.end());
  BOOST_TEST((received == sent));
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_vector_array_is_copied_by_the_call, data::make(reading_backends()),
                       backend) {
  open(backend);
  std::array<Bytes, 3> parts{Bytes(1), Bytes(2), Bytes(3)};
  std::vector<iovec> vectors;
  for (Bytes& part : parts) vectors.push_back(make_vector(std::span(part)));
  Request<ssize_t> reading = ours.readv(vectors);
  vectors.assign(3, iovec{nullptr, 99});
  Request<ssize_t> writing = peer.write("abcdef");
  BOOST_TEST(value_of(reading) == 6);
  BOOST_TEST(value_of(writing) == 6);
  BOOST_TEST(text_of(parts[0]) + text_of(parts[1]) + text_of(parts[2]) == "abcdef");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, readv_takes_as_many_vectors_as_a_call_may_have,
                       data::make(reading_backends()), backend) {
  open(backend);
  const Bytes sent = pattern(max_vectors);
  Bytes received(max_vectors);
  std::vector<iovec> vectors;
  for (std::byte& byte : received) vectors.push_back({&byte, 1});
  Request<ssize_t> reading = ours.readv(vectors);
  Request<ssize_t> writing = peer.write(sent);
  BOOST_TEST(value_of(reading) == static_cast<ssize_t>(max_vectors));
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((received == sent));
}

// Every split of a message by the writer meets every size of read.
BOOST_DATA_TEST_CASE_F(StreamFixture, bytes_arrive_in_order_however_they_were_cut,
                       data::make(reading_backends()), backend) {
  open(backend);
  constexpr std::size_t size = 12;
  const Bytes sent = pattern(size);
  for (std::size_t written = 1; written <= size; ++written) {
    for (std::size_t wanted = 1; wanted <= size; ++wanted) {
      BOOST_TEST_CONTEXT("written by " << written << ", read by " << wanted) {
        Bytes received(size);
        std::size_t out = 0;
        std::size_t in = 0;
        Request<ssize_t> reading;
        Request<ssize_t> writing;
        while (in < size) {
          if (!writing.is_in_progress() && out < size) {
            const std::size_t step = std::min(written, size - out);
            writing = peer.write(std::span(sent).subspan(out, step));
            out += step;
          }
          if (!reading) reading = ours.read(std::span(received).subspan(in, std::min(wanted, size - in)));
          loop.run_once();
          if (reading.is_in_progress()) continue;
          int err = 0;
          const ssize_t got = reading.recv(err);
          BOOST_TEST_REQUIRE(err == 0);
          in += static_cast<std::size_t>(got);
          reading = {};
        }
        BOOST_TEST((received == sent));
        BOOST_TEST(error_of(writing) == 0);
      }
    }
  }
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_message_that_comes_byte_by_byte_fills_all_vectors,
                       data::make(reading_backends()), backend) {
  open(backend);
  const Bytes sent = pattern(9);
  Bytes received(9);
  const std::array vectors{make_vector(std::span(received).first(2)),
                           make_vector(std::span(received).subspan(2, 3)),
                           make_vector(std::span(received).subspan(5))};
  Request<ssize_t> reading = ours.readv(vectors);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    BOOST_TEST(reading.is_in_progress());
    Request<ssize_t> writing = peer.write(std::span(sent).subspan(i, 1));
    reach(reading, i + 1);
    BOOST_TEST(error_of(writing) == 0);
  }
  BOOST_TEST(value_of(reading) == 9);
  BOOST_TEST((received == sent));
}

BOOST_DATA_TEST_CASE_F(StreamFixture, large_reads_go_through_buffers_of_every_size,
                       data::make(reading_backends()), backend) {
  open(backend);
  // Around the sizes at which reading in place and reading ahead begin and end.
  const std::size_t unit = backend.traits.max_transfer < 100 ? 64 : 4096;
  for (const std::size_t wanted :
       {unit - 1, unit, unit + 1, 16 * unit - 1, 16 * unit, 16 * unit + 1, 50 * unit}) {
    const std::size_t size = backend.traits.at_most(wanted);
    BOOST_TEST_CONTEXT("size " << size) {
      const Bytes sent = pattern(size, static_cast<unsigned>(size));
      BOOST_TEST((send_through(peer, ours, sent) == sent));
    }
  }
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_small_read_behind_a_large_one_gets_what_follows,
                       data::make(reading_backends()), backend) {
  open(backend);
  const Bytes sent = pattern(5000 + 3 + 5000);
  Request<ssize_t> writing = peer.write(sent);
  Bytes received = take(ours, 5000);
  const Bytes small = take(ours, 3);
  const Bytes rest = take(ours, 5000);
  received.insert(received.end(), small.begin(), small.end());
  received.insert(received.end(), rest.begin(), rest.end());
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, two_streams_of_a_loop_do_not_mix_what_was_read_ahead,
                       data::make(reading_backends()), backend) {
  open(backend);
  auto second = backend.make(*this);
  const Bytes one = pattern(3000, 1);
  const Bytes two = pattern(3000, 2);
  Request<ssize_t> writing_one = peer.write(one);
  Request<ssize_t> writing_two = second.second.write(two);
  Bytes got_one(3000);
  Bytes got_two(3000);
  for (std::size_t at = 0; at < 3000; at += 100) {
    Request<ssize_t> from_one = ours.read(std::span(got_one).subspan(at, 100));
    Request<ssize_t> from_two = second.first.read(std::span(got_two).subspan(at, 100));
    BOOST_TEST(error_of(from_one) == 0);
    BOOST_TEST(error_of(from_two) == 0);
  }
  BOOST_TEST((got_one == one));
  BOOST_TEST((got_two == two));
  BOOST_TEST(error_of(writing_one) == 0);
  BOOST_TEST(error_of(writing_two) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_read_in_the_callback_of_a_read_goes_on_where_it_ended,
                       data::make(reading_backends()), backend) {
  open(backend);
  const Bytes sent = pattern(64);
  Bytes received(64);
  std::size_t at = 0;
  Request<ssize_t> reading;
  std::function<void()> next = [&] {
    reading = ours.read(std::span(received).subspan(at, 4));
    reading.set_callback([&](Request<ssize_t>& request) {
      int err = 0;
      at += static_cast<std::size_t>(request.recv(err));
      BOOST_TEST_REQUIRE(err == 0);
      if (at < received.size()) next();
    });
  };
  next();
  Request<ssize_t> writing = peer.write(sent);
  BOOST_TEST(run_until([&] { return at == received.size(); }));
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_read_never_completes_inside_the_call_that_starts_it,
                       data::make(reading_backends()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abc"));
  Bytes buffer(3);
  bool called = false;
  Request<ssize_t> reading = ours.read(buffer);
  reading.set_callback([&](Request<ssize_t>&) { called = true; });
  BOOST_TEST(!called);
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(value_of(reading) == 3);
  BOOST_TEST(called);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, read_some_gives_what_is_there, data::make(reading_backends()),
                       backend) {
  open(backend);
  Bytes buffer(100);
  Request<ssize_t> reading = ours.read_some(buffer);
  loop.run_until_idle();
  BOOST_TEST(reading.is_in_progress());
  Request<ssize_t> writing = peer.write("hello");
  const std::size_t most = backend.traits.floors != 0 ? 5 : backend.traits.max_transfer;
  const auto expected = static_cast<ssize_t>(std::min<std::size_t>(5, most));
  const ssize_t got = value_of(reading);
  BOOST_TEST(got == expected);
  BOOST_TEST(text_of(std::span(buffer).first(static_cast<std::size_t>(got))) ==
             std::string("hello").substr(0, static_cast<std::size_t>(got)));
  if (got < 5) take(ours, static_cast<std::size_t>(5 - got));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, read_some_gives_at_most_the_buffer_and_keeps_the_rest,
                       data::make(reading_backends()), backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("hello");
  std::string all;
  while (all.size() < 5) {
    Bytes buffer(2);
    Request<ssize_t> reading = ours.read_some(buffer);
    const ssize_t got = value_of(reading);
    BOOST_TEST_REQUIRE(got >= 1);
    BOOST_TEST_REQUIRE(got <= 2);
    all += text_of(std::span(buffer).first(static_cast<std::size_t>(got)));
  }
  BOOST_TEST(all == "hello");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, read_some_after_bytes_were_given_back_gives_those,
                       data::make(reading_backends()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abc"));
  Bytes buffer(10);
  Request<ssize_t> reading = ours.read_some(buffer);
  BOOST_TEST(value_of(reading) == 3);
  BOOST_TEST(text_of(std::span(buffer).first(3)) == "abc");
}

BOOST_DATA_TEST_CASE_F(
    StreamFixture, pending_bytes_counts_what_can_be_read_without_waiting,
    data::make(backends_with([](const BackendTraits& traits) { return traits.tells_unread; },
                             reading_backends())),
    backend) {
  open(backend);
  int err = -1;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == 0);
  Request<ssize_t> writing = peer.write("hello");
  BOOST_TEST(run_until([&] { return ours.pending_bytes(err) == 5; }));
  BOOST_TEST(err == 0);
  BOOST_TEST(take_text(ours, 2) == "he");
  BOOST_TEST(ours.pending_bytes(err) == 3U);
  BOOST_TEST(err == 0);
  BOOST_TEST(take_text(ours, 3) == "llo");
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, pending_bytes_counts_bytes_that_were_given_back,
                       data::make(reading_backends()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abcd"));
  int err = -1;
  BOOST_TEST(ours.pending_bytes(err) == 4U);
  BOOST_TEST(err == 0);
  take(ours, 4);
}

BOOST_DATA_TEST_CASE_F(
    StreamFixture, pending_bytes_tells_the_end_when_nothing_is_left,
    data::make(backends_with([](const BackendTraits& traits) { return traits.tells_unread; },
                             reading_backends())),
    backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("x");
  BOOST_TEST(take_text(ours, 1) == "x");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  Request<void> broken = ours.monitor();
  BOOST_TEST(error_of(broken) == EPIPE);
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == EPIPE);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, pending_bytes_tells_a_reset_once_and_for_all,
                       data::make(backends_with([](const BackendTraits& traits) { return traits.reset; },
                                                reading_backends())),
                       backend) {
  open(backend);
  peer.abort();
  int err = 0;
  BOOST_TEST(run_until([&] { return ours.pending_bytes(err) == 0 && err != 0; }));
  BOOST_TEST(err == ECONNRESET);
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == ECONNRESET);
  Bytes buffer(1);
  BOOST_TEST(error_of(ours.read(buffer)) == ECONNRESET);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, pending_bytes_of_a_closed_stream_is_enotconn,
                       data::make(reading_backends()), backend) {
  open(backend);
  preload(ours, peer, bytes_of("abcd"));
  static_cast<void>(error_of(ours.disconnect({.linger_time = std::chrono::seconds(0)})));
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == ENOTCONN);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_end_between_messages_is_epipe_with_no_byte_moved,
                       data::make(reading_backends()), backend) {
  open(backend);
  Request<ssize_t> writing = peer.write("abcd");
  BOOST_TEST(take_text(ours, 4) == "abcd");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  Bytes buffer(4);
  Request<ssize_t> reading = ours.read(buffer);
  int err = 0;
  BOOST_TEST(fetch(reading, err) == -1);
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(reading.transferred() == 0U);
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_end_in_a_message_is_epipe_with_the_bytes_that_came,
                       data::make(reading_backends()), backend) {
  open(backend);
  Bytes buffer(4);
  Request<ssize_t> reading = ours.read(buffer);
  Request<ssize_t> writing = peer.write("ab");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  int err = 0;
  BOOST_TEST(fetch(reading, err) == -1);
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(reading.transferred() == 2U);
  BOOST_TEST(text_of(std::span(buffer).first(2)) == "ab");
}

BOOST_DATA_TEST_CASE_F(StreamFixture, the_end_stays_the_end, data::make(reading_backends()), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  Bytes buffer(1);
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(error_of(ours.read(buffer)) == EPIPE);
    BOOST_TEST(error_of(ours.read_some(buffer)) == EPIPE);
  }
}

BOOST_AUTO_TEST_SUITE_END()
