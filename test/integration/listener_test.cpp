#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <tsock/error.hpp>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/syscall_injector.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;
using namespace std::chrono_literals;

namespace {

struct ListenerFixture : LoopFixture {
  int err = 0;
  TempDirectory directory;

  Address path(const char* name = "socket") { return Address::unix_from_path(directory / name, err); }
  Listener listen(const Address& address, const ListenerOptions& options = {}) {
    Listener listener = Listener::listen(loop, address, options, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(static_cast<bool>(listener));
    return listener;
  }
  int listen_error(const Address& address, const ListenerOptions& options = {}) {
    const Listener listener = Listener::listen(loop, address, options, err);
    BOOST_TEST(static_cast<bool>(listener) == (err == 0));
    return err;
  }
  Stream connect(const Listener& listener) { return connect(listener.local_address()); }
  Stream connect(const Address& address) {
    Request<Stream> request = Stream::connect(loop, address);
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Stream accept(Listener& listener) {
    Request<Stream> request = listener.accept();
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  void check_connected(Stream& one, Stream& other) {
    BOOST_TEST((send_through(one, other, bytes_of("hello")) == bytes_of("hello")));
  }
  [[nodiscard]] bool exists(const char* name) const { return std::filesystem::exists(directory / name); }
  [[nodiscard]] struct stat status_of(const char* name) const {
    struct stat status {};
    BOOST_TEST_REQUIRE(::lstat((directory / name).c_str(), &status) == 0);
    return status;
  }
  /// Leaves a socket file behind that nobody listens on.
  void leave_stale_socket() { const UniqueSocket bound = raw_bound(path()); }
};

/// Root may connect to a socket of any mode; another user may not, while this lives. The directory is theirs.
class NotRoot {
 public:
  explicit NotRoot(const std::filesystem::path& directory) {
    if (!was_root_) return;
    constexpr uid_t nobody = 65534;
    BOOST_TEST_REQUIRE(::chown(directory.c_str(), nobody, static_cast<gid_t>(-1)) == 0);
    BOOST_TEST_REQUIRE(::seteuid(nobody) == 0);
  }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;
  ~NotRoot() {
    if (was_root_) BOOST_TEST(::seteuid(0) == 0);
  }

 private:
  bool was_root_ = ::geteuid() == 0;
};

constexpr std::array policies{StaleSocket::fail, StaleSocket::probe_and_replace, StaleSocket::replace};

UniqueSocket raw_connected(const Address& address) {
  UniqueSocket fd = raw_socket(address.family(), SOCK_STREAM);
  BOOST_TEST_REQUIRE(::connect(fd.get(), address.sockaddr_pointer(),
                               static_cast<socklen_t>(address.sockaddr_length())) == 0);
  return fd;
}

/// Another umask for a while.
class Umask {
 public:
  explicit Umask(mode_t mask) : saved_(::umask(mask)) {}
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;
  ~Umask() { ::umask(saved_); }

 private:
  mode_t saved_;
};

/// Another working directory for a while.
class WorkingDirectory {
 public:
  explicit WorkingDirectory(const std::filesystem::path& path) : saved_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  WorkingDirectory(const WorkingDirectory&) = delete;
  WorkingDirectory& operator=(const WorkingDirectory&) = delete;
  ~WorkingDirectory() { std::filesystem::current_path(saved_); }

 private:
  std::filesystem::path saved_;
};

ListenerOptions with(StaleSocket policy) {
  ListenerOptions options;
  options.stale_socket = policy;
  return options;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(listener, ListenerFixture)

// ---- accepting ----

BOOST_AUTO_TEST_CASE(connections_wait_until_they_are_asked_for_and_come_in_order) {
  for (const Address& address : {loopback_v4(), path()}) {
    BOOST_TEST_CONTEXT(address) {
      Listener listener = listen(address);
      std::vector<Stream> clients;
      for (int i = 0; i < 3; ++i) clients.push_back(connect(listener));
      loop.run_until_idle();
      for (Stream& client : clients) {
        Stream accepted = accept(listener);
        check_connected(client, accepted);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(port_zero_takes_a_free_port) {
  const Listener one = listen(loopback_v4());
  const Listener two = listen(loopback_v4());
  BOOST_TEST(one.local_address().port().value_or(0) != 0);
  BOOST_TEST(one.local_address() != two.local_address());
  BOOST_TEST(listen_error(one.local_address()) == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(a_second_accept_is_ebusy) {
  Listener listener = listen(loopback_v4());
  Request<Stream> first = listener.accept();
  BOOST_TEST(error_of(listener.accept()) == EBUSY);
  BOOST_TEST(first.is_in_progress());
  const Stream client = connect(listener);
  BOOST_TEST(error_of(first) == 0);
}

BOOST_AUTO_TEST_CASE(an_interrupted_accept_leaves_the_connection_to_the_next) {
  Listener listener = listen(loopback_v4());
  Request<Stream> accepting = listener.accept();
  loop.run_until_idle();
  BOOST_TEST(accepting.cancel());
  BOOST_TEST(error_of(accepting) == ECANCELED);
  accepting = listener.accept();
  accepting.set_timeout(1ms);
  BOOST_TEST(error_of(accepting) == ETIMEDOUT);
  accepting = listener.accept();
  accepting = {};
  Stream client = connect(listener);
  Stream accepted = accept(listener);
  check_connected(client, accepted);
}

BOOST_AUTO_TEST_CASE(a_connection_that_was_taken_but_not_delivered_goes_to_the_next_accept) {
  Listener listener = listen(loopback_v4());
  const Stream first = connect(listener);
  Stream second = connect(listener);
  Stream accepted = accept(listener);
  // More may wait, so this one looks at once; it has taken the second connection before it is destroyed.
  Request<Stream> accepting = listener.accept();
  accepting = {};
  accepted = accept(listener);
  check_connected(second, accepted);
  // Cancelling comes too late for a connection that is there.
  Stream third = connect(listener);
  Stream fourth = connect(listener);
  accepted = accept(listener);
  check_connected(third, accepted);
  accepting = listener.accept();
  accepting.cancel();
  accepted = fetch(accepting, err);
  BOOST_TEST(err == 0);
  check_connected(fourth, accepted);
}

BOOST_AUTO_TEST_CASE(a_destroyed_listener_ends_its_accept_with_ecanceled) {
  auto listener = std::make_unique<Listener>(listen(loopback_v4()));
  Request<Stream> accepting = listener->accept();
  bool called = false;
  accepting.set_callback([&](Request<Stream>&) { called = true; });
  listener.reset();
  BOOST_TEST(!called);
  BOOST_TEST(error_of(accepting) == ECANCELED);
}

BOOST_AUTO_TEST_CASE(a_listener_may_be_moved_while_it_accepts) {
  Listener listener = listen(loopback_v4());
  Request<Stream> accepting = listener.accept();
  Listener moved = std::move(listener);
  BOOST_TEST(!listener);
  const Stream client = connect(moved);
  BOOST_TEST(error_of(accepting) == 0);
}

BOOST_AUTO_TEST_CASE(an_empty_listener_gives_an_empty_request) {
  Listener listener;
  Request<Stream> accepting = listener.accept();
  BOOST_TEST(!accepting);
  accepting.recv(err);
  BOOST_TEST(err == EIO);
  BOOST_TEST(listener.local_address().is_empty());
  BOOST_TEST(listener.native_handle() == -1);
}

BOOST_AUTO_TEST_CASE(for_each_accept_takes_all_connections) {
  Listener listener = listen(loopback_v4());
  std::vector<Stream> accepted;
  for_each_accept(listener, [&](Stream stream) { accepted.push_back(std::move(stream)); });
  std::vector<Request<Stream>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(Stream::connect(loop, listener.local_address()));
  for (Request<Stream>& client : clients) BOOST_TEST(error_of(client) == 0);
  BOOST_TEST(run_until([&] { return accepted.size() == 50; }));
}

BOOST_AUTO_TEST_CASE(the_function_of_for_each_accept_may_destroy_the_listener) {
  auto listener = std::make_unique<Listener>(listen(loopback_v4()));
  std::vector<Stream> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect(*listener));
  unsigned accepted = 0;
  const auto failed = [](int error) { BOOST_ERROR("on_error was called with " << error); };
  for_each_accept(
      *listener,
      [&](const Stream&) {
        if (++accepted == 2) listener.reset();
      },
      failed);
  BOOST_TEST(run_until([&] { return listener == nullptr; }));
  loop.run_until_idle();
  // The third was taken already, but what the function uses may be gone with the listener: it is closed.
  BOOST_TEST(accepted == 2U);
  std::vector<std::byte> buffer(1);
  const int closed = error_of(clients[2].read(buffer));
  BOOST_TEST((closed == EPIPE || closed == ECONNRESET));
}

BOOST_AUTO_TEST_CASE(accepted_streams_have_the_options_of_the_listener) {
  ListenerOptions options;
  options.stream.nodelay = true;
  options.stream.keepalive = true;
  Listener listener = listen(loopback_v4(), options);
  const Stream client = connect(listener);
  const Stream accepted = accept(listener);
  BOOST_TEST(socket_option(accepted.native_handle(), IPPROTO_TCP, TCP_NODELAY) == 1);
  BOOST_TEST(socket_option(accepted.native_handle(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  BOOST_TEST(is_close_on_exec(accepted.native_handle()));
  BOOST_TEST(is_non_blocking(accepted.native_handle()));
}

BOOST_AUTO_TEST_CASE(an_idle_listener_with_waiting_connections_costs_nothing) {
  Listener listener = listen(loopback_v4());
  Request<Stream> accepting = listener.accept();
  const Stream first = connect(listener);
  BOOST_TEST(error_of(accepting) == 0);
  const Stream second = connect(listener);
  loop.run_until_idle();
  const std::uint64_t events = loop.metrics().events;
  Request<void> pause = loop.sleep(50ms);
  wait_for(pause);
  BOOST_TEST(loop.metrics().events - events <= 4U);
}

BOOST_AUTO_TEST_CASE(an_empty_listener_has_no_loop_and_accepts_nothing) {
  Listener listener;
  BOOST_CHECK_THROW(static_cast<void>(listener.loop()), std::logic_error);
  Accepting accepting = for_each_accept(listener, [](const Stream&) {});
  accepting.pause();
  accepting.resume();
  accepting.stop();
}

// ---- errors of one connection ----

BOOST_AUTO_TEST_CASE(errors_of_one_connection_never_end_accepting) {
  Listener listener = listen(loopback_v4());
  std::vector<Stream> accepted;
  for_each_accept(
      listener, [&](Stream stream) { accepted.push_back(std::move(stream)); },
      [](int error) { BOOST_ERROR("accepting ended with " << error); });
  std::size_t expected = 0;
  for (const int error : {ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                          EOPNOTSUPP, ENETUNREACH, EPERM, ECONNRESET, ETIMEDOUT, ENOSR, ESOCKTNOSUPPORT}) {
    BOOST_TEST_CONTEXT(error_text(error)) {
      const UniqueSocket client = raw_connected(listener.local_address());
      {
        const FailEveryCall failing(SystemCall::accept, error);
        // More in a row than it tries in a turn.
        BOOST_TEST(run_until([&] { return failing.calls() > 1000; }));
        loop.run_until_idle();
        // A turn does not go on for ever, and an error that stays makes it pause.
        BOOST_TEST(run_until([&] { return listener.is_paused(); }));
      }
      ++expected;
      BOOST_TEST(run_until([&] { return accepted.size() == expected; }));
    }
  }
}

BOOST_AUTO_TEST_CASE(errors_of_connections_are_logged_once_a_second_at_most) {
  Listener listener = listen(loopback_v4());
  std::ostringstream log;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
  loop.set_logger(std::make_shared<spdlog::logger>("test", sink));
  const UniqueSocket client = raw_connected(listener.local_address());
  Request<Stream> accepting;
  {
    const FailEveryCall failing(SystemCall::accept, EPERM);
    accepting = listener.accept();
    BOOST_TEST(run_until([&] { return listener.is_paused(); }));
  }
  BOOST_TEST(error_of(accepting) == 0);
  loop.set_logger(nullptr);
  const std::string text = log.str();
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 1);
}

// The deadline passes while a callback holds the loop up.
BOOST_AUTO_TEST_CASE(a_connection_behind_many_that_fail_was_there_before_the_deadline) {
  for (const unsigned failures : {500U, 100000U}) {
    Listener listener = listen(loopback_v4());
    const UniqueSocket client = raw_connected(listener.local_address());
    const FailEveryCall failing(SystemCall::accept, ECONNABORTED, failures);
    Request<Stream> accepting;
    loop.post([&] {
      accepting = listener.accept();
      accepting.set_timeout(1ms);
      const auto end = std::chrono::steady_clock::now() + 2ms;
      while (std::chrono::steady_clock::now() < end) continue;
    });
    BOOST_TEST(run_until([&] { return accepting && !accepting.is_in_progress(); }));
    // Those that fail for ever do not hold it.
    BOOST_TEST(error_of(accepting) == (failures == 500 ? 0 : ETIMEDOUT));
  }
}

// ---- limits and pauses ----

BOOST_AUTO_TEST_CASE(a_limit_of_connections_leaves_the_others_in_the_backlog) {
  struct Session {
    Stream stream;
    AcceptSlot slot;
  };
  Listener listener = listen(loopback_v4());
  std::vector<Session> sessions;
  Accepting accepting = for_each_accept(listener, {.most = 2}, [&](Stream stream, AcceptSlot slot) {
    sessions.push_back({std::move(stream), std::move(slot)});
  });
  std::vector<Stream> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(connect(listener));
  BOOST_TEST(run_until([&] { return sessions.size() == 2; }));
  loop.run_until_idle();
  BOOST_TEST(sessions.size() == 2U);
  BOOST_TEST(accepting.connections() == 2U);
  check_connected(clients[1], sessions[1].stream);
  sessions.erase(sessions.begin());
  BOOST_TEST(run_until([&] { return sessions.size() == 2; }));
  check_connected(clients[2], sessions[1].stream);
  // A slot may go before its stream.
  for (Session& session : sessions) session.slot.release();
  BOOST_TEST(run_until([&] { return sessions.size() == 4; }));
  check_connected(clients[4], sessions[3].stream);
  BOOST_TEST(accepting.connections() == 2U);
  listener = {};
  sessions.clear();
  BOOST_TEST(accepting.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(slots_may_outlive_the_loop) {
  std::vector<AcceptSlot> slots;
  Accepting accepting;
  {
    Loop own;
    Listener listener = Listener::listen(own, loopback_v4(), {}, err);
    accepting = for_each_accept(listener, {.most = 1},
                                [&](const Stream&, AcceptSlot slot) { slots.push_back(std::move(slot)); });
    const UniqueSocket client = raw_connected(listener.local_address());
    while (slots.empty()) own.run_once();
  }
  slots.clear();
  accepting.pause();
  accepting.resume();
  BOOST_TEST(accepting.connections() == 0U);
}

BOOST_AUTO_TEST_CASE(accepting_pauses_and_goes_on_without_a_loss) {
  Listener listener = listen(loopback_v4());
  std::vector<Stream> accepted;
  Accepting accepting =
      for_each_accept(listener, [&](Stream stream) { accepted.push_back(std::move(stream)); });
  std::vector<Stream> clients;
  clients.push_back(connect(listener));
  BOOST_TEST(run_until([&] { return accepted.size() == 1; }));
  accepting.pause();
  BOOST_TEST(accepting.is_paused());
  for (int i = 0; i < 3; ++i) clients.push_back(connect(listener));
  loop.run_until_idle();
  BOOST_TEST(accepted.size() == 1U);
  // Before the pause has come through.
  accepting.resume();
  accepting.pause();
  accepting.resume();
  BOOST_TEST(run_until([&] { return accepted.size() == 4; }));
  for (std::size_t i = 0; i < 4; ++i) check_connected(clients[i], accepted[i]);
}

BOOST_AUTO_TEST_CASE(the_function_may_pause_and_the_next_connection_is_kept) {
  Listener listener = listen(loopback_v4());
  std::vector<Stream> accepted;
  Accepting accepting;
  std::vector<Stream> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect(listener));
  accepting = for_each_accept(listener, [&](Stream stream) {
    accepted.push_back(std::move(stream));
    accepting.pause();
  });
  for (std::size_t i = 1; i <= 3; ++i) {
    BOOST_TEST(run_until([&] { return accepted.size() == i; }));
    loop.run_until_idle();
    BOOST_TEST(accepted.size() == i);
    check_connected(clients[i - 1], accepted[i - 1]);
    accepting.resume();
  }
}

BOOST_AUTO_TEST_CASE(a_listener_whose_accepting_was_stopped_can_accept_again) {
  Listener listener = listen(loopback_v4());
  Accepting accepting =
      for_each_accept(listener, [](const Stream&) { BOOST_ERROR("called although it was stopped"); });
  accepting.stop();
  Stream client = connect(listener);
  loop.run_until_idle();
  Stream accepted = accept(listener);
  check_connected(client, accepted);
}

// ---- what a listener may be opened on ----

BOOST_AUTO_TEST_CASE(addresses_and_options_that_do_not_fit_are_einval) {
  BOOST_TEST(listen_error(Address()) == EINVAL);
  BOOST_TEST(listen_error(Address::unix_unnamed()) == EINVAL);
  BOOST_TEST(listen_error(loopback_v4(), {.backlog = -1}) == EINVAL);
  BOOST_TEST(listen_error(path(), {.reuse_port = true}) == EINVAL);
  BOOST_TEST(!exists("socket"));
  Listener::tcp(loop, path(), {}, err);
  BOOST_TEST(err == EINVAL);
  Listener::unix_stream(loop, loopback_v4(), {}, err);
  BOOST_TEST(err == EINVAL);
}

BOOST_AUTO_TEST_CASE(two_listeners_share_a_port_when_both_ask_for_it) {
  const ListenerOptions shared{.reuse_port = true};
  Listener one = listen(loopback_v4(), shared);
  BOOST_TEST(listen_error(one.local_address()) == EADDRINUSE);
  Listener two = listen(one.local_address(), shared);
  unsigned by_one = 0;
  unsigned by_two = 0;
  for_each_accept(one, [&](const Stream&) { ++by_one; });
  for_each_accept(two, [&](const Stream&) { ++by_two; });
  for (int i = 0; i < 64; ++i) connect(one);
  BOOST_TEST(run_until([&] { return by_one + by_two == 64; }));
  BOOST_TEST(by_one > 0U);
  BOOST_TEST(by_two > 0U);
}

BOOST_AUTO_TEST_CASE(v6only_is_on_unless_told_otherwise) {
  const Address any = Address::inet_from_strings("ipv6", "::", 0, err);
  const Listener only = listen(any);
  BOOST_TEST(socket_option(only.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
  Listener both = listen(any, {.v6only = false});
  BOOST_TEST(socket_option(both.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY) == 0);
  Stream client = connect(loopback_v4(both.local_address().port().value_or(0)));
  Stream accepted = accept(both);
  BOOST_TEST(accepted.remote_address().is_v4_mapped());
  check_connected(client, accepted);
}

BOOST_AUTO_TEST_CASE(an_abstract_name_has_no_file_and_is_taken_while_it_listens,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  const Address name = Address::unix_abstract("tsock-listener-" + std::to_string(::getpid()), err);
  {
    Listener listener = listen(name);
    BOOST_TEST(listener.local_address() == name);
    for (const StaleSocket policy : policies) BOOST_TEST(listen_error(name, with(policy)) == EADDRINUSE);
    Stream client = connect(listener);
    Stream accepted = accept(listener);
    check_connected(client, accepted);
  }
  BOOST_TEST(listen_error(name) == 0);
}

// ---- socket files ----

BOOST_AUTO_TEST_CASE(a_socket_file_goes_with_its_listener) {
  {
    const Listener listener = listen(path());
    BOOST_TEST(exists("socket"));
  }
  BOOST_TEST(!exists("socket"));
  { const Listener listener = listen(path(), {.unlink_on_close = false}); }
  BOOST_TEST(exists("socket"));
}

BOOST_AUTO_TEST_CASE(a_file_that_somebody_else_put_there_since_is_left_alone) {
  {
    const Listener listener = listen(path());
    std::filesystem::remove(directory / "socket");
    leave_stale_socket();
  }
  BOOST_TEST(exists("socket"));
  std::filesystem::remove(directory / "socket");
  {
    const Listener listener = listen(path());
    std::filesystem::remove(directory / "socket");
    std::ofstream(directory / "socket") << "mine";
  }
  BOOST_TEST(exists("socket"));
}

BOOST_AUTO_TEST_CASE(a_stale_socket_is_kept_or_replaced_as_told) {
  leave_stale_socket();
  BOOST_TEST(listen_error(path(), with(StaleSocket::fail)) == EADDRINUSE);
  BOOST_TEST(exists("socket"));
  for (const StaleSocket policy : {StaleSocket::probe_and_replace, StaleSocket::replace}) {
    Listener listener = listen(path(), with(policy));
    Stream client = connect(listener);
    Stream accepted = accept(listener);
    check_connected(client, accepted);
    listener = {};
    leave_stale_socket();
  }
}

BOOST_AUTO_TEST_CASE(a_socket_that_somebody_listens_on_is_only_taken_over_by_replace) {
  Listener old = listen(path());
  BOOST_TEST(listen_error(path(), with(StaleSocket::fail)) == EADDRINUSE);
  BOOST_TEST(listen_error(path(), with(StaleSocket::probe_and_replace)) == EADDRINUSE);
  // The probe is a connection that comes to nothing.
  Stream probe = accept(old);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(probe.read(buffer)) == EPIPE);
  Stream client = connect(old);
  Stream accepted = accept(old);
  check_connected(client, accepted);

  Listener taken_over = listen(path(), with(StaleSocket::replace));
  Stream late = connect(path());
  Stream accepted_late = accept(taken_over);
  check_connected(late, accepted_late);
  // The old one does not take the new one's file along.
  old = {};
  BOOST_TEST(exists("socket"));
}

BOOST_AUTO_TEST_CASE(a_socket_whose_backlog_is_full_is_alive) {
  const UniqueSocket full = raw_listener(path(), 0);
  const Stream first = connect(path());
  BOOST_TEST(listen_error(path(), with(StaleSocket::probe_and_replace)) == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(what_is_no_socket_is_never_replaced) {
  std::ofstream(directory / "socket") << "precious";
  std::filesystem::create_directory(directory / "folder");
  std::filesystem::create_symlink(directory / "socket", directory / "link");
  for (const StaleSocket policy : policies) {
    for (const char* name : {"socket", "folder", "link"}) {
      BOOST_TEST_CONTEXT(name) {
        BOOST_TEST(listen_error(path(name), with(policy)) == EADDRINUSE);
        BOOST_TEST(exists(name));
      }
    }
  }
  std::ifstream file(directory / "socket");
  std::string text;
  file >> text;
  BOOST_TEST(text == "precious");
}

BOOST_AUTO_TEST_CASE(a_path_that_cannot_be_made_tells_why) {
  BOOST_TEST(listen_error(Address::unix_from_path(directory / "missing/socket", err)) == ENOENT);
}

BOOST_AUTO_TEST_CASE(the_socket_file_has_the_mode_and_group_that_were_asked_for) {
  for (const unsigned mode : {0600U, 0666U, 0640U}) {
    const Listener listener = listen(path(), {.mode = mode});
    BOOST_TEST((status_of("socket").st_mode & 07777U) == mode);
  }
  const gid_t group = ::getgid();
  {
    const Listener listener = listen(path(), {.group = std::to_string(group)});
    BOOST_TEST(status_of("socket").st_gid == group);
  }
  if (const auto* const entry = ::getgrgid(group); entry != nullptr) {
    const Listener listener = listen(path(), {.group = std::string(entry->gr_name)});
    BOOST_TEST(status_of("socket").st_gid == group);
  }
  if (::geteuid() == 0) {
    const Listener listener = listen(path(), {.mode = 0660, .group = "65534"});
    BOOST_TEST(status_of("socket").st_gid == 65534U);
    BOOST_TEST((status_of("socket").st_mode & 07777U) == 0660U);
  }
}

BOOST_AUTO_TEST_CASE(an_unknown_group_is_einval_and_leaves_no_file) {
  BOOST_TEST(listen_error(path(), {.group = "no such group"}) == EINVAL);
  BOOST_TEST(!exists("socket"));
}

BOOST_AUTO_TEST_CASE(the_umask_does_not_narrow_the_mode_that_was_asked_for) {
  for (const mode_t mask : {0777U, 0077U, 0022U, 0U}) {
    const Umask umask(mask);
    for (const unsigned mode : {0666U, 0777U, 0600U, 0U}) {
      const Listener listener = listen(path(), {.mode = mode});
      BOOST_TEST((status_of("socket").st_mode & 07777U) == mode);
    }
    const Listener listener = listen(path(), {.group = std::to_string(::getgid())});
    BOOST_TEST((status_of("socket").st_mode & 07777U) == (0777U & ~mask));
  }
}

BOOST_AUTO_TEST_CASE(of_many_who_listen_on_a_path_one_wins) {
  constexpr std::ptrdiff_t contenders = 3;
  for (const bool stale : {true, false}) {
    for (int round = 0; round < 150; ++round) {
      if (stale) leave_stale_socket();
      std::atomic<int> winners = 0;
      std::atomic<int> losers = 0;
      std::barrier begin(contenders);
      std::barrier end(contenders);
      const Address address = path();
      std::vector<std::thread> threads;
      for (std::ptrdiff_t i = 0; i < contenders; ++i) {
        threads.emplace_back([&] {
          Loop own;
          int error = 0;
          begin.arrive_and_wait();
          const Listener listener = Listener::listen(own, address, {.mode = 0600}, error);
          if (error == 0) ++winners;
          if (error == EADDRINUSE) ++losers;
          end.arrive_and_wait();
        });
      }
      for (std::thread& thread : threads) thread.join();
      BOOST_TEST_REQUIRE(winners == 1);
      BOOST_TEST_REQUIRE(losers == contenders - 1);
      BOOST_TEST_REQUIRE(std::filesystem::is_empty(directory.path()));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_socket_that_a_crash_left_unfinished_is_taken_over) {
  const NotRoot user(directory.path());
  leave_stale_socket();
  BOOST_TEST_REQUIRE(::chmod((directory / "socket").c_str(), S_ISVTX) == 0);
  Listener listener = listen(path(), {.mode = 0600});
  Stream client = connect(listener);
  Stream accepted = accept(listener);
  check_connected(client, accepted);
}

BOOST_AUTO_TEST_CASE(a_link_that_is_put_in_the_place_of_the_socket_is_not_followed) {
  std::ofstream(directory / "secret") << "precious";
  BOOST_TEST_REQUIRE(::chmod((directory / "secret").c_str(), 0600) == 0);
  const Address address = path();
  std::atomic<bool> done = false;
  std::thread attacker([&] {
    const std::string link = directory / "link";
    const std::string target = directory / "secret";
    const std::string place = directory / "socket";
    while (!done) {
      static_cast<void>(::symlink(target.c_str(), link.c_str()));
      static_cast<void>(::rename(link.c_str(), place.c_str()));
      ::unlink(place.c_str());
    }
  });
  for (int i = 0; i < 1500; ++i) {
    int error = 0;
    const Listener listener = Listener::listen(loop, address, {.mode = 0666, .group = "65534"}, error);
  }
  done = true;
  attacker.join();
  const struct stat status = status_of("secret");
  BOOST_TEST((status.st_mode & 07777U) == 0600U);
  BOOST_TEST(status.st_gid == ::getegid());
}

BOOST_AUTO_TEST_CASE(a_relative_path_is_removed_from_its_own_directory) {
  std::filesystem::create_directory(directory / "elsewhere");
  const WorkingDirectory here(directory.path());
  Listener listener = listen(Address::unix_from_path("socket", err));
  BOOST_TEST(exists("socket"));
  const WorkingDirectory elsewhere(directory / "elsewhere");
  // The same name in the directory of then is another file.
  const UniqueSocket other = raw_bound(path("elsewhere/socket"));
  listener = {};
  BOOST_TEST(!exists("socket"));
  BOOST_TEST(exists("elsewhere/socket"));
}

// ---- shortage of descriptors ----

BOOST_AUTO_TEST_CASE(without_descriptors_a_listener_pauses_says_so_and_goes_on) {
  Listener listener = listen(loopback_v4());
  std::vector<Stream> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect(listener));
  int reported = 0;
  unsigned reports = 0;
  listener.set_pause_callback([&](int error) {
    reported = error;
    ++reports;
  });
  Request<Stream> accepting;
  {
    const NoDescriptors none;
    accepting = listener.accept();
    BOOST_TEST(run_until([&] { return reports != 0; }));
    BOOST_TEST(reported == EMFILE);
    BOOST_TEST(listener.is_paused());
    BOOST_TEST(accepting.is_in_progress());
    // It waits, and does not ask again and again.
    const std::uint64_t events = loop.metrics().events;
    Request<void> pause = loop.sleep(50ms);
    wait_for(pause);
    BOOST_TEST(loop.metrics().events - events <= 2U);
    BOOST_TEST(reports == 1U);
    BOOST_TEST(run_until([&] { return reports == 2; }));
  }
  Stream accepted = fetch(accepting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(!listener.is_paused());
  check_connected(clients[0], accepted);
  for (std::size_t i = 1; i < clients.size(); ++i) {
    accepted = accept(listener);
    check_connected(clients[i], accepted);
  }
}

BOOST_AUTO_TEST_CASE(a_paused_listener_can_be_cancelled_and_destroyed) {
  auto listener = std::make_unique<Listener>(listen(loopback_v4()));
  const Stream client = connect(*listener);
  bool paused = false;
  listener->set_pause_callback([&](int) { paused = true; });
  {
    const NoDescriptors none;
    Request<Stream> accepting = listener->accept();
    BOOST_TEST(run_until([&] { return paused; }));
    accepting.cancel();
    BOOST_TEST(error_of(accepting) == ECANCELED);
    accepting = listener->accept();
    loop.run_until_idle();
    BOOST_TEST(accepting.is_in_progress());
    listener.reset();
    BOOST_TEST(error_of(accepting) == ECANCELED);
  }
}

BOOST_AUTO_TEST_CASE(the_pause_function_may_destroy_the_listener) {
  auto listener = std::make_unique<Listener>(listen(loopback_v4()));
  const Stream client = connect(*listener);
  listener->set_pause_callback([&](int) { listener.reset(); });
  Request<Stream> accepting;
  {
    const NoDescriptors none;
    accepting = listener->accept();
    BOOST_TEST(run_until([&] { return listener == nullptr; }));
  }
  BOOST_TEST(error_of(accepting) == ECANCELED);
}

BOOST_AUTO_TEST_CASE(the_pause_function_may_be_replaced_in_itself) {
  Listener listener = listen(loopback_v4());
  const Stream client = connect(listener);
  const std::weak_ptr<int> watch = [&listener] {
    auto held = std::make_shared<int>(0);
    std::weak_ptr<int> watched = held;
    listener.set_pause_callback([&listener, held, watched](int) {
      const std::weak_ptr<int> watching = watched;
      listener.set_pause_callback(nullptr);
      BOOST_TEST(!watching.expired());
    });
    return watched;
  }();
  Request<Stream> accepting;
  {
    const NoDescriptors none;
    accepting = listener.accept();
    BOOST_TEST(run_until([&] { return watch.expired(); }));
  }
  BOOST_TEST(error_of(accepting) == 0);
}

// ---- adopting ----

BOOST_AUTO_TEST_CASE(a_listening_socket_of_somebody_else_is_taken_over) {
  UniqueSocket fd = raw_listener(loopback_v4(), 5);
  const int number = fd.get();
  ::fcntl(number, F_SETFD, 0);
  BOOST_TEST(!is_non_blocking(number));
  Listener listener = Listener::adopt(loop, fd, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(!fd);
  BOOST_TEST(is_non_blocking(listener.native_handle()));
  BOOST_TEST(is_close_on_exec(listener.native_handle()));
  Stream client = connect(listener);
  Stream accepted = accept(listener);
  check_connected(client, accepted);
}

BOOST_AUTO_TEST_CASE(an_adopted_socket_file_is_not_ours_to_remove) {
  UniqueSocket fd = raw_listener(path(), 5);
  Listener listener = Listener::adopt(loop, fd, {}, err);
  BOOST_TEST(err == 0);
  listener = {};
  BOOST_TEST(exists("socket"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_adopted_stays_with_the_caller) {
  const auto check = [this](UniqueSocket fd, int expected) {
    const int number = fd.get();
    const Listener listener = Listener::adopt(loop, fd, {}, err);
    BOOST_TEST(err == expected);
    BOOST_TEST(!listener);
    BOOST_TEST(fd.get() == number);
    BOOST_TEST((number < 0 || is_open(number)));
  };
  check(UniqueSocket(), EBADF);
  check(UniqueSocket(::open("/dev/null", O_RDONLY | O_CLOEXEC)), ENOTSOCK);
  check(raw_socket(AF_INET, SOCK_DGRAM), EPROTOTYPE);
  check(raw_bound(loopback_v4()), EINVAL);
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_the_loop_watches_already_is_eexist_also_when_it_is_idle) {
  const Listener listener = listen(loopback_v4());
  UniqueSocket same(listener.native_handle());
  Listener::adopt(loop, same, {}, err);
  BOOST_TEST(err == EEXIST);
  BOOST_TEST(same.release() == listener.native_handle());
}

BOOST_AUTO_TEST_CASE(without_memory_an_adopted_descriptor_stays_with_the_caller) {
  for (std::size_t n = 0;; ++n) {
    BOOST_TEST_REQUIRE(n < 50U);
    UniqueSocket fd = raw_listener(loopback_v4(), 5);
    const int number = fd.get();
    bool failed = false;
    {
      const FailNthAllocation failing(n);
      const Listener listener = Listener::adopt(loop, fd, {}, err);
      failed = failing.was_injected();
    }
    if (!failed) break;
    BOOST_TEST(err == ENOMEM);
    BOOST_TEST(fd.get() == number);
    BOOST_TEST(is_open(number));
  }
}

BOOST_AUTO_TEST_SUITE_END()
