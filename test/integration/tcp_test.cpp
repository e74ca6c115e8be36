#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;
using namespace std::chrono_literals;

namespace {

struct TcpFixture : LoopFixture {
  int err = 0;
  std::pair<Stream, Stream> ends = tcp_pair();
  [[nodiscard]] int option(int level, int name) const {
    return socket_option(ends.first.native_handle(), level, name);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tcp, TcpFixture)

BOOST_AUTO_TEST_CASE(small_writes_are_not_held_back_by_default) {
  BOOST_TEST(option(IPPROTO_TCP, TCP_NODELAY) == 1);
  BOOST_TEST(option(SOL_SOCKET, SO_KEEPALIVE) == 0);
}

BOOST_AUTO_TEST_CASE(options_that_are_not_given_stay_as_they_are) {
  const int receive_buffer = option(SOL_SOCKET, SO_RCVBUF);
  const int idle = option(IPPROTO_TCP, TCP_KEEPIDLE);
  BOOST_TEST(ends.first.set_options({}) == 0);
  BOOST_TEST(option(SOL_SOCKET, SO_RCVBUF) == receive_buffer);
  BOOST_TEST(option(IPPROTO_TCP, TCP_KEEPIDLE) == idle);
  BOOST_TEST(option(SOL_SOCKET, SO_KEEPALIVE) == 0);
}

BOOST_AUTO_TEST_CASE(keepalive_has_its_three_numbers) {
  const StreamOptions options{
      .keepalive = true, .keepalive_idle = 30s, .keepalive_interval = 5s, .keepalive_count = 3};
  BOOST_TEST(ends.first.set_options(options) == 0);
  BOOST_TEST(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
  BOOST_TEST(option(IPPROTO_TCP, TCP_KEEPIDLE) == 30);
  BOOST_TEST(option(IPPROTO_TCP, TCP_KEEPINTVL) == 5);
  BOOST_TEST(option(IPPROTO_TCP, TCP_KEEPCNT) == 3);
  BOOST_TEST(ends.first.set_options({.keepalive = false}) == 0);
  BOOST_TEST(option(SOL_SOCKET, SO_KEEPALIVE) == 0);
}

BOOST_AUTO_TEST_CASE(a_number_for_keepalive_turns_it_on) {
  BOOST_TEST(ends.first.set_options({.keepalive_idle = 30s}) == 0);
  BOOST_TEST(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
}

BOOST_AUTO_TEST_CASE(a_negative_time_is_einval_and_not_a_long_one) {
  const int before = option(IPPROTO_TCP, TCP_USER_TIMEOUT);
  for (const StreamOptions& options :
       {StreamOptions{.user_timeout = -1ms}, StreamOptions{.keepalive_idle = -1s},
        StreamOptions{.keepalive_interval = -1s}})
    BOOST_TEST(ends.first.set_options(options) == EINVAL);
  BOOST_TEST(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == before);
}

BOOST_AUTO_TEST_CASE(buffers_and_user_timeout_are_what_was_asked_for,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const StreamOptions options{.receive_buffer = 20000, .send_buffer = 30000, .user_timeout = 1500ms};
  BOOST_TEST(ends.first.set_options(options) == 0);
  // The kernel doubles what it is given (socket(7)).
  BOOST_TEST(option(SOL_SOCKET, SO_RCVBUF) == 40000);
  BOOST_TEST(option(SOL_SOCKET, SO_SNDBUF) == 60000);
  BOOST_TEST(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 1500);
}

BOOST_AUTO_TEST_CASE(nodelay_can_be_turned_off_and_on) {
  BOOST_TEST(ends.first.set_options({.nodelay = false}) == 0);
  BOOST_TEST(option(IPPROTO_TCP, TCP_NODELAY) == 0);
  BOOST_TEST(ends.first.set_options({.nodelay = true}) == 0);
  BOOST_TEST(option(IPPROTO_TCP, TCP_NODELAY) == 1);
}

BOOST_AUTO_TEST_CASE(a_value_the_system_refuses_is_told) {
  BOOST_TEST(ends.first.set_options({.keepalive_idle = 0s}) == EINVAL);
  BOOST_TEST((send_through(ends.first, ends.second, bytes_of("abc")) == bytes_of("abc")));
}

BOOST_AUTO_TEST_CASE(a_closed_stream_has_no_options) {
  BOOST_TEST(error_of(ends.first.disconnect()) == 0);
  BOOST_TEST(ends.first.set_options({}) == ENOTCONN);
  BOOST_TEST(ends.first.local_address().is_empty());
  BOOST_TEST(ends.first.remote_address().is_empty());
}

BOOST_AUTO_TEST_CASE(each_end_is_the_remote_of_the_other) {
  BOOST_TEST(ends.first.local_address() == ends.second.remote_address());
  BOOST_TEST(ends.first.remote_address() == ends.second.local_address());
}

BOOST_AUTO_TEST_CASE(there_are_no_credentials) {
  static_cast<void>(ends.first.peer_credentials(err));
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(a_mebibyte_of_small_messages_arrives_in_order) {
  Queue out(loop);
  Queue in(loop);
  constexpr std::size_t count = 4096;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back(std::to_string(i) + std::string(256, '.') + '\n');
  std::vector<Request<ssize_t>> writes;
  std::vector<Request<Pdu>> reads;
  for (std::size_t i = 0; i < count; ++i) {
    writes.push_back(ends.first.write(out, texts[i]));
    reads.push_back(ends.second.readv_pdu(in, framing::line{}));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Pdu pdu = fetch(reads[i], err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST_REQUIRE(text_of(pdu.bytes()) == texts[i]);
    BOOST_TEST(error_of(writes[i]) == 0);
  }
}

// Urgent bytes of a peer that sends them must neither spin nor disturb.
BOOST_AUTO_TEST_CASE(urgent_data_of_the_peer_does_not_keep_the_loop_busy) {
  std::vector<std::byte> buffer(3);
  Request<ssize_t> reading = ends.first.read(buffer);
  loop.run_until_idle();
  BOOST_TEST(::send(ends.second.native_handle(), "!", 1, MSG_OOB) == 1);
  loop.run_until_idle();
  const std::uint64_t events = loop.metrics().events;
  Request<void> pause = loop.sleep(50ms);
  wait_for(pause);
  BOOST_TEST(loop.metrics().events - events <= 4U);
  BOOST_TEST(error_of(ends.second.write("abc")) == 0);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(buffer) == "abc");
}

BOOST_AUTO_TEST_CASE(writing_into_a_reset_connection_raises_no_signal) {
  std::signal(SIGPIPE, SIG_DFL);
  ends.second.abort();
  loop.run_until_idle();
  for (int i = 0; i < 5; ++i) BOOST_TEST(error_of(ends.first.write("x")) != 0);
}

// A peer that reads only after a while: the window closes and opens again.
BOOST_AUTO_TEST_CASE(a_slow_reader_gets_everything) {
  const auto sent = pattern(std::size_t{4} << 20);
  Request<ssize_t> writing = ends.first.write(sent);
  std::vector<std::byte> received(sent.size());
  std::size_t at = 0;
  while (at < received.size()) {
    loop.run_until_idle();
    const std::size_t step = std::min<std::size_t>(100000, received.size() - at);
    Request<ssize_t> reading = ends.second.read(std::span(received).subspan(at, step));
    BOOST_TEST_REQUIRE(error_of(reading) == 0);
    at += step;
  }
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((received == sent));
}

BOOST_AUTO_TEST_CASE(nothing_is_read_ahead_behind_a_long_read) {
  const std::vector<std::byte> sent = pattern(101000);
  std::vector<std::byte> received(100000);
  Request<ssize_t> reading = ends.first.read(received);
  Request<ssize_t> first = ends.second.write(std::span(sent).first(70000));
  BOOST_TEST(run_until([&] { return reading.transferred() == 70000; }));
  Request<ssize_t> second = ends.second.write(std::span(sent).subspan(70000));
  BOOST_TEST(fetch(reading, err) == 100000);
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(std::equal(received.begin(), received.end(), sent.begin()));
  // The rest is still the kernel's.
  BOOST_TEST(run_until([this] {
    int waiting = 0;
    return ::ioctl(ends.first.native_handle(), FIONREAD, &waiting) == 0 && waiting == 1000;
  }));
}

BOOST_AUTO_TEST_SUITE_END()
