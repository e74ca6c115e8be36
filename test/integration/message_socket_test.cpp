// Unix sockets whose writes are messages with borders (SOCK_SEQPACKET).
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "support/descriptors.hpp"
#include "support/message_streams.hpp"
#include "support/system.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using namespace tsock::test;

namespace {

namespace data = boost::unit_test::data;

struct MessageSocketFixture : MessageStreams {
  int err = 0;

  MessageSocketFixture() {
    auto pair = Stream::message_socketpair(loop, err);
    BOOST_TEST_REQUIRE(err == 0);
    left = std::move(pair.first);
    right = std::move(pair.second);
  }
  void send(std::string_view text) { BOOST_TEST(error_of(left.write(text)) == 0); }
  /// A message without a byte, which the library does not send.
  void send_nothing() { BOOST_TEST(::send(left.native_handle(), nullptr, 0, MSG_NOSIGNAL) == 0); }
  /// The longest message that the sending side takes.
  [[nodiscard]] std::size_t longest() const {
    int room = 0;
    socklen_t size = sizeof(room);
    BOOST_TEST_REQUIRE(::getsockopt(left.native_handle(), SOL_SOCKET, SO_SNDBUF, &room, &size) == 0);
    return static_cast<std::size_t>(room) - (uses_posix_alone() ? 0 : 32);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(message_socket, MessageSocketFixture)

BOOST_AUTO_TEST_CASE(each_write_is_a_message) {
  Queue writes(loop);
  Queue reads(loop);
  std::vector<Request<ssize_t>> writing;
  std::vector<Request<Pdu>> reading;
  const std::vector<std::string> texts{"a", "bcd", std::string(5000, 'e'), "f", "gh"};
  for (const std::string& text : texts) {
    writing.push_back(left.write(writes, text));
    reading.push_back(right.read_message(reads));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) BOOST_TEST(message(std::move(reading[i])) == texts[i]);
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
  // And as other programs see it.
  BOOST_TEST(error_of(left.writev({"ij", "kl"})) == 0);
  std::array<char, 10> buffer{};
  BOOST_TEST(::recv(right.native_handle(), buffer.data(), buffer.size(), 0) == 4);
}

BOOST_AUTO_TEST_CASE(a_message_of_as_many_vectors_as_a_call_may_have_is_one) {
  // Small and large vectors alternate, so that some are copied together and others are not.
  const std::size_t large = 1100;
  left.set_options({.send_buffer = max_vectors * large});
  const std::size_t vectors_that_fit = std::min(max_vectors, longest() / (1 + large) * 2);
  BOOST_TEST_REQUIRE(vectors_that_fit > 256U);
  const auto sent = pattern(vectors_that_fit / 2 * (1 + large));
  std::vector<iovec> vectors;
  for (std::size_t at = 0; at < sent.size(); at += 1 + large) {
    vectors.push_back(make_vector(std::span(sent).subspan(at, 1)));
    vectors.push_back(make_vector(std::span(sent).subspan(at + 1, large)));
  }
  Request<ssize_t> writing = left.writev(vectors);
  BOOST_TEST((message(right.read_message()) == text_of(sent)));
  BOOST_TEST(fetch(writing, err) == static_cast<ssize_t>(sent.size()));
}

BOOST_AUTO_TEST_CASE(a_write_that_no_message_can_hold_is_emsgsize_and_harms_nothing) {
  const std::size_t most = longest();
  const std::string text(most + 1, 'x');
  BOOST_TEST(error_of(left.write(text)) == EMSGSIZE);
  Request<ssize_t> writing =
      left.write(std::string_view(text).substr(0, most - (uses_posix_alone() ? 32 : 0)));
  BOOST_TEST(message(right.read_message()).size() == static_cast<std::size_t>(fetch(writing, err)));
  BOOST_TEST(err == 0);
  BOOST_TEST(left.set_options({.send_buffer = 4 * most}) == 0);
  // The kernel has a limit of its own for the size of the buffer.
  if (longest() > most) {
    writing = left.write(text);
    BOOST_TEST((message(right.read_message()) == text));
    BOOST_TEST(error_of(writing) == 0);
  }
}

BOOST_AUTO_TEST_CASE(other_reads_cross_borders_and_a_message_is_what_they_leave) {
  for (const char* const text : {"abc", "defg", "h"}) send(text);
  BOOST_TEST(read_text(5) == "abcde");
  BOOST_TEST(right.pending_bytes(err) == 2U);
  BOOST_TEST(message(right.read_message()) == "fg");
  BOOST_TEST(message(right.read_message()) == "h");
  send("ijk");
  BOOST_TEST(read_text(1) == "i");
  BOOST_TEST(read_text(2) == "jk");
  std::vector<std::byte> some(10);
  send("lm");
  send("n");
  Request<ssize_t> reading = right.read_some(some);
  BOOST_TEST(fetch(reading, err) == 2);
  BOOST_TEST(message(right.read_message()) == "n");
}

BOOST_AUTO_TEST_CASE(framings_are_read_across_messages) {
  send(std::string_view("\0\0", 2));
  send(std::string_view("\0\3ab", 4));
  send(std::string_view("c\0\0\0\1d", 6));
  for (const char* const body : {"abc", "d"}) {
    Request<Pdu> reading = right.readv_pdu(framing::u32be{});
    const Pdu pdu = fetch(reading, err);
    BOOST_TEST(pdu.text() == body);
    BOOST_TEST(err == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_message_without_a_byte_is_eio_behind_what_came_before_it,
                     *boost::unit_test::precondition(more_than_posix)) {
  BOOST_TEST(error_of(left.write("")) == EINVAL);
  send("abc");
  send_nothing();
  BOOST_TEST(message(right.read_message()) == "abc");
  Request<Pdu> empty = right.read_message();
  BOOST_TEST(error_of(empty) == EIO);
  BOOST_TEST(empty.reason() == "a message without a byte");
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(right.read(buffer)) == EIO);
}

BOOST_AUTO_TEST_CASE(an_empty_message_in_front_of_others_and_the_end_is_no_end,
                     *boost::unit_test::precondition(more_than_posix)) {
  send_nothing();
  send("abc");
  left = Stream();
  std::vector<std::byte> buffer(3);
  BOOST_TEST(error_of(right.read(buffer)) == EIO);
}

BOOST_AUTO_TEST_CASE(the_end_is_epipe_behind_the_last_message) {
  send("abc");
  BOOST_TEST(error_of(left.shutdown_write()) == 0);
  BOOST_TEST(message(right.read_message()) == "abc");
  BOOST_TEST(error_of(right.read_message()) == EPIPE);
  BOOST_TEST(error_of(right.write("still")) == 0);
  Request<Pdu> reading = left.read_message();
  BOOST_TEST(message(std::move(reading)) == "still");
}

BOOST_AUTO_TEST_CASE(messages_before_a_break_come_first) {
  BOOST_TEST(error_of(right.write("never read")) == 0);
  send("abc");
  send("defg");
  left = Stream();  // what it left unread breaks the connection
  BOOST_TEST(right.pending_bytes(err) == 3U);
  BOOST_TEST(read_text(1) == "a");
  BOOST_TEST(message(right.read_message()) == "bc");
  BOOST_TEST(message(right.read_message()) == "defg");
  BOOST_TEST(error_of(right.read_message()) == ECONNRESET);
  BOOST_TEST(error_of(right.write("x")) != 0);
}

BOOST_AUTO_TEST_CASE(a_write_that_has_no_room_waits_and_is_whole) {
  const std::string text(60000, 'x');
  Queue queue(loop);
  std::vector<Request<ssize_t>> writing;
  for (int i = 0; i < 20; ++i) writing.push_back(left.write(queue, text));
  loop.run_until_idle();
  BOOST_TEST(writing.back().is_in_progress());
  for (int i = 0; i < 20; ++i) BOOST_TEST(message(right.read_message()).size() == text.size());
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
}

BOOST_AUTO_TEST_CASE(an_interrupted_read_loses_nothing_but_borders) {
  Request<Pdu> reading = right.read_message();
  loop.run_until_idle();
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  send("abc");
  reading = right.read_message();
  BOOST_TEST(run_until([&] { return reading.transferred() == 3; }));
  reading = {};
  std::vector<std::byte> buffer(10);
  if (right.pending_bytes(err) == 3) BOOST_TEST(read_text(3) == "abc");
  Request<ssize_t> part = right.read(buffer);
  send("def");
  BOOST_TEST(run_until([&] { return part.transferred() == 3; }));
  part.cancel();
  BOOST_TEST(error_of(part) == ECANCELED);
  BOOST_TEST(error_of(right.read_message()) == EPROTO);
  BOOST_TEST(read_text(3) == "def");
}

BOOST_AUTO_TEST_CASE(a_reader_of_a_kept_rest_needs_no_event) {
  send("abcdef");
  BOOST_TEST(read_text(2) == "ab");
  Request<Pdu> rest = right.read_message();
  loop.run_until_idle();
  BOOST_TEST(!rest.is_in_progress());
  BOOST_TEST(message(std::move(rest)) == "cdef");
}

BOOST_AUTO_TEST_CASE(a_connection_is_made_and_accepted_by_path) {
  const TempDirectory directory;
  const Address address = Address::unix_from_path(directory / "socket", err);
  Listener listener = Listener::listen(loop, address, {.message_borders = true}, err);
  BOOST_TEST_REQUIRE(err == 0);
  // One that wants bytes does not get in.
  BOOST_TEST(error_of(Stream::connect(loop, address)) == EPROTOTYPE);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, address, {.message_borders = true});
  left = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  right = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  send("abc");
  send("de");
  BOOST_TEST(message(right.read_message()) == "abc");
  BOOST_TEST(message(right.read_message()) == "de");
  if (!uses_posix_alone()) BOOST_TEST(right.peer_credentials(err).uid == ::getuid());
  send("unread");
  // Unread messages are lingered for.
  Request<void> closing = right.disconnect();
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  left = Stream();
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_AUTO_TEST_CASE(a_listener_takes_over_a_stale_path) {
  const TempDirectory directory;
  const Address address = Address::unix_from_path(directory / "socket", err);
  ListenerOptions options{.message_borders = true};
  options.unlink_on_close = false;
  { const Listener first = Listener::listen(loop, address, options, err); }
  const Listener second = Listener::listen(loop, address, options, err);
  BOOST_TEST(err == 0);
  const Listener third = Listener::listen(loop, address, {}, err);
  BOOST_TEST(err == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(inet_addresses_have_no_borders) {
  const Listener listener = Listener::listen(loop, loopback_v4(), {.message_borders = true}, err);
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(error_of(Stream::connect(loop, loopback_v4(1), {.message_borders = true})) == EINVAL);
}

BOOST_AUTO_TEST_CASE(sockets_are_adopted_and_given_away_with_what_is_unread) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  left = Stream::adopt(loop, first, {}, err);
  BOOST_TEST(err == 0);
  right = Stream::adopt(loop, second, {}, err);
  BOOST_TEST(err == 0);
  send("abc");
  send("def");
  BOOST_TEST(read_text(1) == "a");
  std::vector<std::byte> unread;
  second = right.release_socket(unread, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(text_of(unread) == "bc");
  right = Stream::adopt(loop, second, {}, err);
  BOOST_TEST(message(right.read_message()) == "def");
}

BOOST_AUTO_TEST_CASE(a_listening_socket_is_adopted) {
  const TempDirectory directory;
  const Address address = Address::unix_from_path(directory / "socket", err);
  UniqueSocket raw(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  BOOST_TEST_REQUIRE(
      ::bind(raw.get(), address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) == 0);
  BOOST_TEST_REQUIRE(::listen(raw.get(), 1) == 0);
  Listener listener = Listener::adopt(loop, raw, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, address, {.message_borders = true});
  left = fetch(connecting, err);
  right = fetch(accepting, err);
  send("abc");
  BOOST_TEST(message(right.read_message()) == "abc");
}

BOOST_AUTO_TEST_CASE(descriptors_come_with_their_message) {
  StreamOptions options;
  options.receive_fds = true;
  BOOST_TEST(right.set_options(options) == 0);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::array fds{null.get()};
  send("abc");
  const std::array vectors{make_vector(std::as_bytes(std::span(std::string_view("defg"))))};
  BOOST_TEST(error_of(left.writev_with_fds(vectors, fds)) == 0);
  BOOST_TEST(message(right.read_message()) == "abc");
  BOOST_TEST(right.take_received_fds().empty());
  BOOST_TEST(read_text(1) == "d");
  BOOST_TEST(right.take_received_fds().size() == 1U);
  BOOST_TEST(message(right.read_message()) == "efg");
}

BOOST_AUTO_TEST_CASE(a_monitor_sees_the_end_without_reading) {
  send("abc");
  Request<void> monitor = right.monitor();
  left = Stream();
  BOOST_TEST(error_of(monitor) == EPIPE);
  BOOST_TEST(message(right.read_message()) == "abc");
}

BOOST_AUTO_TEST_SUITE_END()
