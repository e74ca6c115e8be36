// poll(), Interval, the service manager, std::error_code, SessionServer.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <tsock/error_code.hpp>
#include <tsock/interval.hpp>
#include <tsock/poll.hpp>
#include <tsock/service_manager.hpp>
#include <tsock/session_server.hpp>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

BOOST_AUTO_TEST_SUITE(daemon_parts)

namespace {

struct PipeFixture : LoopFixture {
  PipeFixture() {
    std::array<int, 2> ends{};
    BOOST_TEST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

/// Runs `body` in a child, as the environment and descriptors are those of the process. \return its status
template <class F>
int in_child(F body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A session of a client, that ends when it is told to, or never.
class TestSession {
 public:
  TestSession(SessionServer<TestSession>& server, Stream stream, bool is_stubborn)
      : server_(&server), stream_(std::move(stream)), is_stubborn_(is_stubborn) {}
  void start() { ++started; }
  void finish() {
    if (!is_stubborn_) server_->remove(*this);
  }
  static inline int started = 0;

 private:
  SessionServer<TestSession>* server_;
  Stream stream_;
  bool is_stubborn_;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(poll_completes_when_the_descriptor_is_ready, PipeFixture) {
  auto reading = poll(loop, reader.get(), PollEvents::readable);
  loop.run_until_idle();
  BOOST_TEST(reading.is_in_progress());
  auto writing = poll(loop, writer.get(), PollEvents::writable | PollEvents::readable);
  int err = 0;
  BOOST_TEST((fetch(writing, err) == PollEvents::writable));
  BOOST_TEST(::write(writer.get(), "x", 1) == 1);
  BOOST_TEST((fetch(reading, err) == PollEvents::readable));
  BOOST_TEST(err == 0);
  // Level-triggered: the byte is still there.
  reading = poll(loop, reader.get(), PollEvents::readable);
  BOOST_TEST(error_of(reading) == 0);
}

BOOST_FIXTURE_TEST_CASE(poll_can_be_interrupted_and_begins_again, PipeFixture) {
  auto reading = poll(loop, reader.get(), PollEvents::readable);
  auto second = poll(loop, reader.get(), PollEvents::readable);
  BOOST_TEST(error_of(second) == EEXIST);
  reading.cancel();
  BOOST_TEST(error_of(reading) == ECANCELED);
  reading = poll(loop, reader.get(), PollEvents::readable);
  reading.set_timeout(1ms);
  BOOST_TEST(error_of(reading) == ETIMEDOUT);
  reading = poll(loop, reader.get(), PollEvents::readable);
  reading = {};
  auto again = poll(loop, reader.get(), PollEvents::readable);
  BOOST_TEST(::write(writer.get(), "x", 1) == 1);
  BOOST_TEST(error_of(again) == 0);
}

BOOST_FIXTURE_TEST_CASE(poll_refuses_what_cannot_be_waited_for, PipeFixture) {
  BOOST_TEST(error_of(poll(loop, reader.get(), PollEvents::none)) == EINVAL);
  BOOST_TEST(error_of(poll(loop, reader.get(), PollEvents::error)) == EINVAL);
  BOOST_TEST(error_of(poll(loop, -1, PollEvents::readable)) == EBADF);
  const tsock::test::TempDirectory directory;
  const UniqueFd file(::open((directory / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  BOOST_TEST(error_of(poll(loop, file.get(), PollEvents::readable)) == EPERM);
}

BOOST_FIXTURE_TEST_CASE(poll_ends_with_its_loop, PipeFixture) {
  Request<PollEvents> reading;
  {
    Loop own;
    reading = poll(own, reader.get(), PollEvents::readable);
  }
  const auto [events, err] = reading.recv();
  BOOST_TEST(err == ECANCELED);
}

BOOST_FIXTURE_TEST_CASE(sleep_until_is_not_early_and_the_past_is_the_next_turn, LoopFixture) {
  const auto when = std::chrono::steady_clock::now() + 3ms;
  auto sleeping = loop.sleep_until(when);
  BOOST_TEST(error_of(sleeping) == 0);
  BOOST_TEST((std::chrono::steady_clock::now() >= when));
  auto late = loop.sleep_until(when);
  BOOST_TEST(late.is_in_progress());
  BOOST_TEST(error_of(late) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_interval_does_not_drift_and_counts_what_was_missed, LoopFixture) {
  const auto begin = std::chrono::steady_clock::now();
  Interval interval(loop, 5ms);
  std::uint64_t ticks = 0;
  while (ticks < 10) {
    auto tick = interval.next();
    int err = 0;
    ticks += fetch(tick, err);
    BOOST_TEST_REQUIRE(err == 0);
    // The n-th tick is never before its time, however late the one before was.
    BOOST_TEST((std::chrono::steady_clock::now() - begin >= ticks * 5ms));
  }
  const auto pause = std::chrono::steady_clock::now() + 20ms;
  while (std::chrono::steady_clock::now() < pause) {
  }
  auto missed = interval.next();
  int err = 0;
  BOOST_TEST(fetch(missed, err) >= 4U);
  auto never = Interval(loop, 0ms).next();
  BOOST_TEST(error_of(never) == EINVAL);
}

BOOST_AUTO_TEST_CASE(activated_sockets_are_taken_once_and_by_their_process_only) {
  const int status = in_child([] {
    const int listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const int other = ::socket(AF_UNIX, SOCK_DGRAM, 0);
    const int high_listening = ::fcntl(listening, F_DUPFD, 10);
    const int high_other = ::fcntl(other, F_DUPFD, 10);
    if (::dup2(high_listening, 3) != 3 || ::dup2(high_other, 4) != 4) return 1;
    ::setenv("LISTEN_PID", "1", 1);
    ::setenv("LISTEN_FDS", "2", 1);
    ::setenv("LISTEN_FDNAMES", "control", 1);
    int err = -1;
    if (!take_activated_sockets(err).empty() || err != 0) return 2;
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "2x", 1);
    if (!take_activated_sockets(err).empty() || err != EINVAL) return 3;
    ::setenv("LISTEN_FDS", "2", 1);
    auto sockets = take_activated_sockets(err);
    if (err != 0 || sockets.size() != 2) return 4;
    if (sockets[0].name != "control" || sockets[1].name != "unknown") return 5;
    if (sockets[0].socket.get() != 3 || (::fcntl(4, F_GETFD) & FD_CLOEXEC) == 0) return 6;
    if (::getenv("LISTEN_FDS") != nullptr) return 7;
    return take_activated_sockets(err).empty() && err == 0 ? 0 : 8;
  });
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(the_service_manager_is_told_at_a_path_and_at_an_abstract_name) {
  const tsock::test::TempDirectory directory;
  const std::string path = directory / "notify";
  const int status = in_child([&] {
    ::unsetenv("NOTIFY_SOCKET");
    if (notify_service_manager("READY=1") != ENOENT) return 1;
    ::setenv("NOTIFY_SOCKET", "relative", 1);
    if (notify_service_manager("READY=1") != EINVAL) return 2;
    const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return 3;
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    if (notify_service_manager("READY=1") != 0) return 4;
    std::array<char, 32> text{};
    if (::recv(manager.get(), text.data(), text.size(), MSG_DONTWAIT) != 7) return 5;
    const UniqueFd abstract(::socket(AF_UNIX, SOCK_DGRAM, 0));
    const std::string name = "tsock-notify-" + std::to_string(::getpid());
    address.sun_path[0] = '\0';
    name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (::bind(abstract.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) return 6;
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    if (notify_service_manager("STOPPING=1") != 0) return 7;
    return ::recv(abstract.get(), text.data(), text.size(), MSG_DONTWAIT) == 10 ? 0 : 8;
  });
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(error_codes_go_both_ways) {
  const std::error_code refused = error_code(ECONNREFUSED);
  BOOST_TEST(refused.message() == error_text(ECONNREFUSED));
  BOOST_TEST((refused == std::errc::connection_refused));
  BOOST_TEST(std::string(refused.category().name()) == "tsock");
  BOOST_TEST(!error_code(0));
  BOOST_TEST(errno_of(refused) == ECONNREFUSED);
  BOOST_TEST(errno_of(std::make_error_code(std::errc::timed_out)) == ETIMEDOUT);
  BOOST_TEST(errno_of({EACCES, std::system_category()}) == EACCES);
  BOOST_TEST(errno_of({}) == 0);
  BOOST_TEST(errno_of({1, std::iostream_category()}) == EIO);
}

BOOST_FIXTURE_TEST_CASE(a_server_ends_when_its_last_session_has_ended, LoopFixture) {
  int err = 0;
  SessionServer<TestSession> server(loop);
  auto listener = Listener::tcp(loop, tsock::test::loopback_v4(), {}, err);
  const Address address = listener.local_address();
  server.accept_from(std::move(listener), [&](Stream stream) {
    return std::make_unique<TestSession>(server, std::move(stream), false);
  });
  auto connecting = Stream::connect(loop, address);
  const Stream client = fetch(connecting, err);
  BOOST_TEST(run_until([&] { return server.size() == 1; }));
  BOOST_TEST(TestSession::started == 1);
  auto ending = server.end(20s);
  BOOST_TEST(fetch(ending, err) == 0U);
  BOOST_TEST(err == 0);
  BOOST_TEST(server.empty());
  auto refused = Stream::connect(loop, address);
  BOOST_TEST(error_of(refused) == ECONNREFUSED);
}

BOOST_FIXTURE_TEST_CASE(sessions_that_do_not_end_are_aborted_when_the_grace_is_over, LoopFixture) {
  SessionServer<TestSession> server(loop);
  server.add(std::make_unique<TestSession>(server, Stream(), true));
  server.add(std::make_unique<TestSession>(server, Stream(), false));
  auto ending = server.end(1ms);
  BOOST_TEST(server.size() == 1U);
  int err = 0;
  BOOST_TEST(fetch(ending, err) == 1U);
  BOOST_TEST(server.empty());
}

BOOST_FIXTURE_TEST_CASE(the_end_of_a_server_can_be_cancelled_hurried_and_destroyed, LoopFixture) {
  std::optional<SessionServer<TestSession>> server(std::in_place, loop);
  server->add(std::make_unique<TestSession>(*server, Stream(), true));
  auto ending = server->end(1h);
  auto second = server->end(1h);
  BOOST_TEST(error_of(second) == EALREADY);
  ending.cancel();
  BOOST_TEST(error_of(ending) == ECANCELED);
  BOOST_TEST(server->size() == 1U);
  ending = server->end(1h);
  server->abort();
  int err = 0;
  BOOST_TEST(fetch(ending, err) == 1U);
  server->add(std::make_unique<TestSession>(*server, Stream(), true));
  ending = server->end(1h);
  server.reset();
  BOOST_TEST(error_of(ending) == ECANCELED);
}

BOOST_AUTO_TEST_SUITE_END()
