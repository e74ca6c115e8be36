// What a process inherits and what it leaves: standard descriptors, signals, forks, flags of descriptors.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

/// Runs `body` in a child, which is killed when it hangs. \return what `waitpid()` tells; 0 when it gave
/// true.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
  return status;
}

using Handler = void (*)(int);
Handler handler_of(int signum) {
  struct sigaction action {};
  ::sigaction(signum, nullptr, &action);
  return action.sa_handler;
}
void own_handler(int /*signum*/) {}

std::array<UniqueSocket, 2> blocking_pair(int type) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {UniqueSocket(fds[0]), UniqueSocket(fds[1])};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(process)

BOOST_AUTO_TEST_CASE(loop_made_without_standard_descriptors_gets_none_of_their_numbers) {
  const auto body = [] {
    for (const int fd : {0, 1, 2}) ::close(fd);
    {
      Loop loop;
      int err = 0;
      loop.signal(SIGUSR1).detach();
      const Stream file = open_file(loop, "/proc/self/stat", FileMode::read, err);
      loop.sleep(1ms).wait(err);
      if (is_open(0) || is_open(1) || is_open(2)) return false;
      if (loop.after_fork_in_child() != 0) return false;
      if (is_open(0) || is_open(1) || is_open(2)) return false;
    }
    return !is_open(0) && !is_open(1) && !is_open(2);
  };
  BOOST_TEST(in_child(body) == 0);
}

BOOST_AUTO_TEST_CASE(fork_without_standard_descriptors_gives_the_child_none_of_their_numbers) {
  const auto body = [] {
    for (const int fd : {0, 1, 2}) ::close(fd);
    const Loop loop;
    return in_child([] { return !is_open(0) && !is_open(1) && !is_open(2); }) == 0;
  };
  BOOST_TEST(in_child(body) == 0);
}

BOOST_AUTO_TEST_CASE(signal_has_its_disposition_again_after_the_loop) {
  for (const Handler before : {SIG_DFL, SIG_IGN, &own_handler}) {
    std::signal(SIGUSR2, before);
    {
      Loop first;
      auto waiting = first.signal(SIGUSR2);
      BOOST_TEST((handler_of(SIGUSR2) != before));
      auto second = std::make_unique<Loop>();
      auto more = second->signal(SIGUSR2);
      auto again = second->signal(SIGUSR2);
      second.reset();
      BOOST_TEST((handler_of(SIGUSR2) != before));
      ::raise(SIGUSR2);
      int err = 0;
      BOOST_TEST(waiting.wait(err));
      BOOST_TEST(waiting.recv(err) == SIGUSR2);
    }
    BOOST_TEST((handler_of(SIGUSR2) == before));
  }
  std::signal(SIGUSR2, SIG_DFL);
}

BOOST_AUTO_TEST_CASE(signal_that_the_application_has_changed_meanwhile_is_left_alone) {
  std::signal(SIGUSR2, SIG_IGN);
  {
    Loop loop;
    const auto waiting = loop.signal(SIGUSR2);
    std::signal(SIGUSR2, &own_handler);
  }
  // libuv has put the default in its place; what was there before the loop is the nearest.
  BOOST_TEST((handler_of(SIGUSR2) == SIG_IGN));
  std::signal(SIGUSR2, SIG_DFL);
}

BOOST_AUTO_TEST_CASE(signal_that_a_loop_of_the_application_still_catches_stays_caught) {
  std::signal(SIGUSR2, SIG_IGN);
  uv_loop_t other;
  uv_signal_t handle;
  BOOST_TEST_REQUIRE(uv_loop_init(&other) == 0);
  BOOST_TEST_REQUIRE(uv_signal_init(&other, &handle) == 0);
  {
    Loop loop;
    const auto waiting = loop.signal(SIGUSR2);
    BOOST_TEST_REQUIRE(uv_signal_start(
                           &handle, [](uv_signal_t*, int) {}, SIGUSR2) == 0);
  }
  BOOST_TEST((handler_of(SIGUSR2) != SIG_IGN && handler_of(SIGUSR2) != SIG_DFL));
  uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
  uv_run(&other, UV_RUN_DEFAULT);
  BOOST_TEST(uv_loop_close(&other) == 0);
  std::signal(SIGUSR2, SIG_DFL);
}

// What was there when this loop began is a handler of libuv's, which goes with its last user.
BOOST_AUTO_TEST_CASE(signal_that_a_loop_of_the_application_has_caught_first_gets_the_default_in_the_end) {
  std::signal(SIGUSR2, SIG_DFL);
  uv_loop_t other;
  uv_signal_t handle;
  BOOST_TEST_REQUIRE(uv_loop_init(&other) == 0);
  BOOST_TEST_REQUIRE(uv_signal_init(&other, &handle) == 0);
  BOOST_TEST_REQUIRE(uv_signal_start(
                         &handle, [](uv_signal_t*, int) {}, SIGUSR2) == 0);
  {
    Loop loop;
    const auto waiting = loop.signal(SIGUSR2);
    uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
    uv_run(&other, UV_RUN_DEFAULT);
    BOOST_TEST(uv_loop_close(&other) == 0);
  }
  BOOST_TEST((handler_of(SIGUSR2) == SIG_DFL));
}

BOOST_AUTO_TEST_CASE(child_that_lets_its_copies_go_leaves_the_parent_its_events) {
  LoopFixture fixture;
  auto streams = fixture.unix_pair();
  Stream& left = streams.first;
  Stream& right = streams.second;
  int err = 0;
  Listener listener = Listener::tcp(fixture.loop, test::loopback_v4(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  std::array<std::byte, 5> buffer{};
  auto reading = right.read(buffer);
  auto accepting = listener.accept();
  fixture.loop.run_until_idle();  // both are watched
  const auto body = [&] {
    reading = {};
    accepting = {};
    right.abort();
    left = Stream();
    listener = Listener();
    return true;
  };
  BOOST_TEST(in_child(body) == 0);
  BOOST_TEST(fixture.error_of(left.write("hello")) == 0);
  BOOST_TEST(fixture.error_of(reading) == 0);
  auto connecting = Stream::connect(fixture.loop, listener.local_address());
  BOOST_TEST(fixture.error_of(accepting) == 0);
  BOOST_TEST(fixture.error_of(connecting) == 0);
}

BOOST_AUTO_TEST_CASE(child_that_destroys_the_loop_leaves_the_parent_its_events) {
  auto loop = std::make_unique<Loop>();
  int err = 0;
  auto [left, right] = Stream::socketpair(*loop, err);
  std::array<std::byte, 5> buffer{};
  auto reading = right.read(buffer);
  loop->run_until_idle();
  const auto body = [&loop = loop] {
    loop.reset();
    return true;
  };
  BOOST_TEST(in_child(body) == 0);
  auto writing = left.write("hello");
  BOOST_TEST(reading.wait(err));
  BOOST_TEST(reading.recv(err) == 5);
}

BOOST_AUTO_TEST_CASE(child_goes_on_with_a_loop_that_nobody_told_of_the_fork) {
  LoopFixture fixture;
  auto [left, right] = fixture.unix_pair();
  std::array<std::byte, 5> buffer{};
  auto reading = right.read(buffer);
  fixture.loop.run_until_idle();
  const auto body = [&, &near = left] {
    int err = 0;
    auto writing = near.write("child");
    if (!reading.wait(err)) return false;
    return reading.recv(err) == 5;
  };
  BOOST_TEST(in_child(body) == 0);
  BOOST_TEST(fixture.error_of(left.write("after")) == 0);
  BOOST_TEST(fixture.error_of(reading) == 0);
  BOOST_TEST(test::text_of(buffer) == "after");
}

BOOST_AUTO_TEST_CASE(child_reads_files_with_threads_of_its_own,
                     *boost::unit_test::precondition(test::children_may_have_threads)) {
  LoopFixture fixture;
  int err = 0;
  Stream file = open_file(fixture.loop, "/proc/self/cmdline", FileMode::read, err);
  std::byte byte{};
  BOOST_TEST(fixture.error_of(file.read({&byte, 1})) == 0);
  const auto body = [&] {
    Stream other = open_file(fixture.loop, "/proc/self/cmdline", FileMode::read, err);
    return fixture.error_of(other.read({&byte, 1})) == 0;
  };
  BOOST_TEST(in_child(body) == 0);
  file = Stream();
  fixture.loop.run();
}

BOOST_AUTO_TEST_CASE(child_that_destroys_its_listener_or_datagram_leaves_the_parent_the_socket_file) {
  LoopFixture fixture;
  const test::TempDirectory directory;
  int err = 0;
  const std::string stream_path = directory / "stream";
  const std::string datagram_path = directory / "datagram";
  auto listener = std::make_unique<Listener>(
      Listener::listen(fixture.loop, Address::unix_from_path(stream_path, err), {}, err));
  BOOST_TEST_REQUIRE(err == 0);
  auto datagram = std::make_unique<Datagram>(
      Datagram::unix_datagram(fixture.loop, Address::unix_from_path(datagram_path, err), {}, {}, err));
  BOOST_TEST_REQUIRE(err == 0);
  for (const bool is_told : {false, true}) {
    const auto body = [&] {
      if (is_told && fixture.loop.after_fork_in_child() != 0) return false;
      listener.reset();
      datagram.reset();
      return true;
    };
    BOOST_TEST(in_child(body) == 0);
    BOOST_TEST(std::filesystem::exists(stream_path));
    BOOST_TEST(std::filesystem::exists(datagram_path));
  }
  listener.reset();
  datagram.reset();
  BOOST_TEST(!std::filesystem::exists(stream_path));
  BOOST_TEST(!std::filesystem::exists(datagram_path));
}

BOOST_AUTO_TEST_CASE(device_that_is_always_ready_is_never_made_non_blocking) {
  LoopFixture fixture;
  int err = 0;
  UniqueFd zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  const UniqueFd shared(::fcntl(zero.get(), F_DUPFD_CLOEXEC, 3));
  {
    Stream stream = open_stdio(fixture.loop, zero.release(), err);
    BOOST_TEST_REQUIRE(err == 0);
    std::byte byte{};
    BOOST_TEST(fixture.error_of(stream.read({&byte, 1})) == 0);
    BOOST_TEST(is_blocking(shared.get()));
  }
  BOOST_TEST(is_blocking(shared.get()));
}

BOOST_AUTO_TEST_CASE(adopted_socket_is_blocking_again_when_it_was) {
  LoopFixture fixture;
  int err = 0;
  for (const bool gives_away : {false, true}) {
    auto [first, second] = blocking_pair(SOCK_STREAM);
    const UniqueFd shared(::fcntl(first.get(), F_DUPFD_CLOEXEC, 3));
    Stream stream = Stream::adopt(fixture.loop, first, {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(!is_blocking(shared.get()));
    if (gives_away) {
      std::vector<std::byte> unread;
      const UniqueSocket given = stream.release_socket(unread, err);
      BOOST_TEST(is_blocking(given.get()));
    } else {
      stream = Stream();
    }
    BOOST_TEST(is_blocking(shared.get()));
  }
  {
    auto [first, second] = blocking_pair(SOCK_DGRAM);
    const UniqueFd shared(::fcntl(first.get(), F_DUPFD_CLOEXEC, 3));
    { const Datagram datagram = Datagram::adopt(fixture.loop, first, {}, err); }
    BOOST_TEST(err == 0);
    BOOST_TEST(is_blocking(shared.get()));
  }
  {
    UniqueSocket listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sa_family_t family = AF_UNIX;
    BOOST_TEST_REQUIRE(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&family), sizeof(family)) ==
                       0);
    BOOST_TEST_REQUIRE(::listen(listening.get(), 1) == 0);
    const UniqueFd shared(::fcntl(listening.get(), F_DUPFD_CLOEXEC, 3));
    { const Listener listener = Listener::adopt(fixture.loop, listening, {}, err); }
    BOOST_TEST(err == 0);
    BOOST_TEST(is_blocking(shared.get()));
  }
}

BOOST_AUTO_TEST_CASE(adopted_socket_that_was_not_blocking_stays_so) {
  LoopFixture fixture;
  int err = 0;
  auto [first, second] = blocking_pair(SOCK_STREAM | SOCK_NONBLOCK);
  const UniqueFd shared(::fcntl(first.get(), F_DUPFD_CLOEXEC, 3));
  { const Stream stream = Stream::adopt(fixture.loop, first, {}, err); }
  BOOST_TEST(!is_blocking(shared.get()));
}

BOOST_AUTO_TEST_CASE(standard_socket_is_blocking_again_when_its_stream_ends) {
  LoopFixture fixture;
  int err = 0;
  auto [first, second] = blocking_pair(SOCK_STREAM);
  const UniqueFd shared(::fcntl(first.get(), F_DUPFD_CLOEXEC, 3));
  { const Stream stream = open_stdio(fixture.loop, first.release(), err); }
  BOOST_TEST(err == 0);
  BOOST_TEST(is_blocking(shared.get()));
}

BOOST_AUTO_TEST_CASE(many_wait_for_one_signal_and_some_go) {
  LoopFixture fixture;
  std::vector<Request<int>> requests;
  for (int i = 0; i < 50000; ++i) requests.push_back(fixture.loop.signal(SIGUSR2));
  for (std::size_t i = 0; i < requests.size(); i += 2) BOOST_TEST_REQUIRE(requests[i].cancel());
  ::raise(SIGUSR2);
  BOOST_TEST(fixture.run_until([&] { return !requests.back().is_in_progress(); }));
  int delivered = 0;
  for (auto& request : requests) {
    int err = 0;
    if (request.recv(err) == SIGUSR2 && err == 0) ++delivered;
  }
  BOOST_TEST(delivered == 25000);
}

BOOST_AUTO_TEST_SUITE_END()
