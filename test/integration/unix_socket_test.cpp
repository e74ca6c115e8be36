#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;
using namespace std::chrono_literals;

namespace {

struct UnixFixture : LoopFixture {
  int err = 0;
  TempDirectory directory;
  Address path(const char* name = "socket") { return Address::unix_from_path(directory / name, err); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(unix_socket, UnixFixture)

BOOST_AUTO_TEST_CASE(the_peer_of_a_pair_is_this_process,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  auto pair = unix_pair();
  const PeerCredentials credentials = pair.first.peer_credentials(err);
  BOOST_TEST(err == 0);
  BOOST_TEST(credentials.pid.value_or(0) == ::getpid());
  BOOST_TEST(credentials.uid == ::geteuid());
  BOOST_TEST(credentials.gid == ::getegid());
}

BOOST_AUTO_TEST_CASE(the_peer_of_an_accepted_stream_is_who_connected,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  Listener listener = Listener::listen(loop, path(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  const Address address = path();
  const pid_t child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const bool connected =
        ::connect(fd, address.sockaddr_pointer(), static_cast<socklen_t>(address.sockaddr_length())) == 0;
    char byte = 0;
    // Stays until the parent closes.
    if (connected) static_cast<void>(::read(fd, &byte, 1));
    ::_exit(connected ? 0 : 1);
  }
  {
    const Stream accepted = fetch(accepting, err);
    BOOST_TEST(err == 0);
    const PeerCredentials credentials = accepted.peer_credentials(err);
    BOOST_TEST(err == 0);
    BOOST_TEST(credentials.pid.value_or(0) == child);
    BOOST_TEST(credentials.uid == ::geteuid());
  }
  int status = 0;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(a_closed_stream_has_no_credentials) {
  auto pair = unix_pair();
  pair.first.abort();
  static_cast<void>(pair.first.peer_credentials(err));
  BOOST_TEST(err == ENOTCONN);
  auto memory = memory_pair();
  static_cast<void>(memory.first.peer_credentials(err));
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(options_of_tcp_are_left_out_without_an_error) {
  auto pair = unix_pair();
  const StreamOptions options{
      .nodelay = true, .keepalive = true, .keepalive_idle = 30s, .send_buffer = 20000, .user_timeout = 1s};
  BOOST_TEST(pair.first.set_options(options) == 0);
  BOOST_TEST(socket_option(pair.first.native_handle(), SOL_SOCKET, SO_SNDBUF) == 40000);
  BOOST_TEST((send_through(pair.first, pair.second, bytes_of("abc")) == bytes_of("abc")));
}

BOOST_AUTO_TEST_CASE(the_ends_of_a_pair_have_no_name) {
  auto pair = unix_pair();
  BOOST_TEST(pair.first.local_address().is_unnamed());
  BOOST_TEST(pair.first.remote_address().is_unnamed());
}

BOOST_AUTO_TEST_CASE(a_path_of_the_greatest_length_works) {
  std::string name = directory / "";
  // sun_path has 108 bytes, one for the terminator.
  name.append(107 - name.size(), 'x');
  const Address longest = Address::unix_from_path(name, err);
  BOOST_TEST_REQUIRE(err == 0);
  Listener listener = Listener::listen(loop, longest, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, longest);
  const Stream client = fetch(connecting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(client.remote_address() == longest);
  BOOST_TEST(error_of(accepting) == 0);
}

BOOST_AUTO_TEST_CASE(without_descriptors_there_is_no_pair) {
  const NoDescriptors none;
  const auto pair = Stream::socketpair(loop, err);
  BOOST_TEST(err == EMFILE);
  BOOST_TEST(!pair.first.is_open());
  BOOST_TEST(!pair.second.is_open());
}

// A peer that leaves bytes of ours unread is told as a reset; what it wrote before can still be read.
BOOST_AUTO_TEST_CASE(closing_with_bytes_unread_is_a_reset) {
  auto pair = unix_pair();
  BOOST_TEST(error_of(pair.first.write("never read")) == 0);
  BOOST_TEST(error_of(pair.second.write("bye")) == 0);
  pair.second = Stream();
  std::vector<std::byte> buffer(3);
  BOOST_TEST(error_of(pair.first.read(buffer)) == 0);
  BOOST_TEST(text_of(buffer) == "bye");
  BOOST_TEST(error_of(pair.first.read(buffer)) == ECONNRESET);
  BOOST_TEST(error_of(pair.first.write("x")) == ECONNRESET);
}

BOOST_AUTO_TEST_CASE(the_first_write_after_such_a_close_is_a_reset_too) {
  auto pair = unix_pair();
  BOOST_TEST(error_of(pair.first.write("never read")) == 0);
  pair.second = Stream();
  BOOST_TEST(error_of(pair.first.write("x")) == ECONNRESET);
  std::vector<std::byte> buffer(3);
  BOOST_TEST(error_of(pair.first.read(buffer)) == ECONNRESET);
}

BOOST_AUTO_TEST_SUITE_END()
