#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/syscall_injector.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct AdoptFixture : LoopFixture {
  int err = 0;

  /// Two connected sockets that block and survive an exec.
  static std::pair<UniqueSocket, UniqueSocket> raw_pair(int type = SOCK_STREAM) {
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, type, 0, fds.data()) == 0);
    return {UniqueSocket(fds[0]), UniqueSocket(fds[1])};
  }
  Stream adopt(UniqueSocket fd) {
    Stream stream = Stream::adopt(loop, fd, {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(!fd);
    return stream;
  }
  void check_refused(UniqueSocket fd, int expected) {
    const int number = fd.get();
    const Stream stream = Stream::adopt(loop, fd, {}, err);
    BOOST_TEST(err == expected);
    BOOST_TEST(!stream.is_open());
    BOOST_TEST(fd.get() == number);
    BOOST_TEST((number < 0 || is_open(number)));
  }
};

/// Closes stdin for a while.
class NoStdin {
 public:
  NoStdin() : saved_(::fcntl(0, F_DUPFD_CLOEXEC, 100)) {
    BOOST_TEST_REQUIRE(saved_.get() >= 0);
    ::close(0);
  }
  NoStdin(const NoStdin&) = delete;
  NoStdin& operator=(const NoStdin&) = delete;
  ~NoStdin() { ::dup2(saved_.get(), 0); }

 private:
  UniqueSocket saved_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(adopt, AdoptFixture)

BOOST_AUTO_TEST_CASE(an_adopted_socket_does_not_block_and_does_not_survive_an_exec) {
  auto pair = raw_pair();
  BOOST_TEST(!is_non_blocking(pair.first.get()));
  BOOST_TEST(!is_close_on_exec(pair.first.get()));
  const Stream stream = adopt(std::move(pair.first));
  BOOST_TEST(is_non_blocking(stream.native_handle()));
  BOOST_TEST(is_close_on_exec(stream.native_handle()));
}

BOOST_AUTO_TEST_CASE(it_talks_to_whoever_has_the_other_end) {
  auto pair = raw_pair();
  Stream stream = adopt(std::move(pair.first));
  BOOST_TEST(error_of(stream.write("there")) == 0);
  std::array<char, 16> text{};
  BOOST_TEST(::read(pair.second.get(), text.data(), text.size()) == 5);
  BOOST_TEST(std::string(text.data()) == "there");
  BOOST_TEST(::write(pair.second.get(), "back", 4) == 4);
  std::vector<std::byte> buffer(4);
  BOOST_TEST(error_of(stream.read(buffer)) == 0);
  BOOST_TEST(text_of(buffer) == "back");
  // What the library made non-blocking is one end only.
  BOOST_TEST(!is_non_blocking(pair.second.get()));
}

BOOST_AUTO_TEST_CASE(the_descriptor_is_closed_with_the_stream) {
  auto pair = raw_pair();
  const int number = pair.first.get();
  Stream stream = adopt(std::move(pair.first));
  BOOST_TEST(stream.native_handle() == number);
  stream = {};
  BOOST_TEST(!is_open(number));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_adopted_stays_with_the_caller) {
  check_refused(UniqueSocket(), EBADF);
  check_refused(UniqueSocket(::open("/dev/null", O_RDONLY | O_CLOEXEC)), ENOTSOCK);
  check_refused(raw_socket(AF_INET, SOCK_DGRAM), EPROTOTYPE);
  check_refused(raw_pair(SOCK_DGRAM).first, EPROTOTYPE);
  check_refused(raw_listener(loopback_v4(), 1), EINVAL);
  UniqueSocket closed = raw_socket(AF_INET, SOCK_STREAM);
  ::close(closed.get());
  const int number = closed.get();
  const Stream stream = Stream::adopt(loop, closed, {}, err);
  BOOST_TEST(err == EBADF);
  BOOST_TEST(closed.release() == number);
}

BOOST_AUTO_TEST_CASE(a_socket_of_an_unknown_family_is_eafnosupport) {
  UniqueSocket fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd) check_refused(std::move(fd), EAFNOSUPPORT);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_the_loop_watches_already_is_eexist) {
  auto pair = unix_pair();
  std::vector<std::byte> buffer(1);
  Request<ssize_t> reading = pair.first.read(buffer);
  loop.run_until_idle();
  UniqueSocket same(pair.first.native_handle());
  const Stream stream = Stream::adopt(loop, same, {}, err);
  BOOST_TEST(err == EEXIST);
  BOOST_TEST(same.release() == pair.first.native_handle());
  BOOST_TEST(reading.is_in_progress());
  BOOST_TEST(error_of(pair.second.write("x")) == 0);
  BOOST_TEST(error_of(reading) == 0);
}

BOOST_AUTO_TEST_CASE(the_standard_descriptors_are_left_free) {
  const NoStdin none;
  auto pair = raw_pair();
  BOOST_TEST(pair.first.get() == 0);
  const Stream stream = adopt(std::move(pair.first));
  BOOST_TEST(stream.native_handle() >= 3);
  BOOST_TEST(!is_open(0));
  BOOST_TEST(error_of(Stream::connect(loop, loopback_v4(1))) != 0);
  BOOST_TEST(!is_open(0));
}

BOOST_AUTO_TEST_CASE(sockets_of_the_library_leave_the_standard_descriptors_free) {
  const NoStdin none;
  auto tcp = tcp_pair();
  auto local = unix_pair();
  for (const Stream* stream : {&tcp.first, &tcp.second, &local.first, &local.second})
    BOOST_TEST(stream->native_handle() >= 3);
  BOOST_TEST(!is_open(0));
  // A socket file has a descriptor of its own, for the directory.
  const TempDirectory directory;
  const Listener listener =
      Listener::listen(loop, Address::unix_from_path(directory / "stream", err), {}, err);
  BOOST_TEST(err == 0);
  const Datagram datagram =
      Datagram::unix_datagram(loop, Address::unix_from_path(directory / "datagram", err), {}, {}, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(!is_open(0));
}

// ---- giving away ----

BOOST_AUTO_TEST_CASE(a_released_socket_comes_with_what_was_read_ahead) {
  for (const StreamKind kind : {StreamKind::tcp, StreamKind::tcp6, StreamKind::unix_socket}) {
    BOOST_TEST_CONTEXT(kind) {
      auto pair = stream_pair(kind);
      BOOST_TEST(error_of(pair.second.write("hello world")) == 0);
      std::vector<std::byte> buffer(5);
      BOOST_TEST(error_of(pair.first.read(buffer)) == 0);
      std::vector<std::byte> unread = bytes_of("old");
      UniqueSocket fd = pair.first.release_socket(unread, err);
      BOOST_TEST(err == 0);
      BOOST_TEST(!pair.first.is_open());
      BOOST_TEST(text_of(unread) == " world");
      // And the rest comes from the socket.
      BOOST_TEST(error_of(pair.second.write(" again")) == 0);
      Stream again = adopt(std::move(fd));
      buffer.resize(6);
      BOOST_TEST(error_of(again.read(buffer)) == 0);
      BOOST_TEST(text_of(buffer) == " again");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_released_socket_is_not_closed_by_the_stream_nor_used) {
  auto pair = unix_pair();
  std::vector<std::byte> unread;
  Request<void> watching = pair.first.monitor();
  const UniqueSocket fd = pair.first.release_socket(unread, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(watching) == ECONNABORTED);
  BOOST_TEST(error_of(pair.first.disconnect()) == ENOTCONN);
  pair.first = Stream();
  BOOST_TEST(is_open(fd.get()));
  BOOST_TEST(::write(fd.get(), "x", 1) == 1);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(pair.second.read(buffer)) == 0);
}

BOOST_AUTO_TEST_CASE(a_busy_stream_keeps_its_socket) {
  auto pair = unix_pair();
  std::vector<std::byte> unread;
  std::vector<std::byte> buffer(1);
  const auto check_busy = [&] {
    const UniqueSocket fd = pair.first.release_socket(unread, err);
    BOOST_TEST(err == EBUSY);
    BOOST_TEST(!fd);
    BOOST_TEST(pair.first.is_open());
  };
  {
    const Request<ssize_t> reading = pair.first.read(buffer);
    check_busy();
  }
  {
    const Request<ssize_t> writing = pair.first.write("x");
    check_busy();
  }
  {
    const Request<void> ending = pair.first.shutdown_write();
    check_busy();
  }
  {
    Queue queue(loop);
    queue.stop();
    const Request<ssize_t> waiting = pair.first.write(queue, "x");
    check_busy();
  }
  BOOST_TEST(pair.first.release_socket(unread, err).get() >= 3);
  BOOST_TEST(err == 0);
}

BOOST_AUTO_TEST_CASE(a_stream_without_a_socket_has_none_to_give) {
  auto pair = memory_pair();
  std::vector<std::byte> unread;
  BOOST_TEST(!pair.first.release_socket(unread, err));
  BOOST_TEST(err == ENOTSUP);
  BOOST_TEST(pair.first.native_handle() == -1);
  Stream empty;
  BOOST_TEST(!empty.release_socket(unread, err));
  BOOST_TEST(err == ENOTCONN);
}

BOOST_AUTO_TEST_CASE(a_closed_descriptor_that_is_used_again_is_somebody_elses) {
  auto pair = unix_pair();
  std::vector<std::byte> buffer(1);
  const Request<ssize_t> reading = pair.first.read(buffer);
  loop.run_until_idle();
  const int number = pair.first.native_handle();
  pair.first = Stream();
  // The same number, watched by the same loop, before libuv has closed the old handle.
  auto next = raw_pair();
  const int duplicate = ::fcntl(next.first.get(), F_DUPFD_CLOEXEC, number);
  BOOST_TEST(duplicate >= number);
  Stream stream = adopt(UniqueSocket(duplicate));
  Request<ssize_t> second = stream.read(buffer);
  BOOST_TEST(::write(next.second.get(), "x", 1) == 1);
  BOOST_TEST(error_of(second) == 0);
  BOOST_TEST(text_of(buffer) == "x");
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_an_idle_stream_or_datagram_socket_has_is_eexist) {
  {
    auto [fd, other] = raw_pair();
    const int number = fd.get();
    const Stream stream = adopt(std::move(fd));
    UniqueSocket same(number);
    Stream::adopt(loop, same, {}, err);
    BOOST_TEST(err == EEXIST);
    BOOST_TEST(same.release() == number);
  }
  auto [fd, other] = raw_pair(SOCK_DGRAM);
  const int number = fd.get();
  {
    const Datagram datagram = Datagram::adopt(loop, fd, {}, err);
    BOOST_TEST(err == 0);
    UniqueSocket same(number);
    Datagram::adopt(loop, same, {}, err);
    BOOST_TEST(err == EEXIST);
    BOOST_TEST(same.release() == number);
  }
  // The number is free again with its owner.
  fd = UniqueSocket(::fcntl(other.get(), F_DUPFD_CLOEXEC, number));
  BOOST_TEST(fd.get() == number);
  const Datagram again = Datagram::adopt(loop, fd, {}, err);
  BOOST_TEST(err == 0);
}

BOOST_AUTO_TEST_CASE(without_memory_a_datagram_descriptor_stays_with_the_caller) {
  for (std::size_t n = 0;; ++n) {
    BOOST_TEST_REQUIRE(n < 50U);
    auto [fd, other] = raw_pair(SOCK_DGRAM);
    const int number = fd.get();
    bool failed = false;
    {
      const FailNthAllocation failing(n);
      const Datagram datagram = Datagram::adopt(loop, fd, {}, err);
      failed = failing.was_injected();
    }
    if (!failed) break;
    BOOST_TEST(err == ENOMEM);
    BOOST_TEST(fd.get() == number);
    BOOST_TEST(is_open(number));
  }
}

BOOST_AUTO_TEST_SUITE_END()
