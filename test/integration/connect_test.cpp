#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;
using namespace std::chrono_literals;

namespace {

struct ConnectFixture : LoopFixture {
  int err = 0;
  TempDirectory directory;

  Address unix_address(const char* name = "socket") { return Address::unix_from_path(directory / name, err); }
  static Address ip(const char* family, const char* text, std::uint16_t port = 0) {
    int problem = 0;
    return Address::inet_from_strings(family, text, port, problem);
  }
  // Loopback has 16 million addresses: one for this process, so that a port that was free once stays free.
  static std::string own_loopback() {
    const auto pid = static_cast<unsigned>(::getpid());
    return "127." + std::to_string(1 + pid / 65536 % 200) + '.' + std::to_string(pid / 256 % 256) + '.' +
           std::to_string(pid % 256);
  }
  Listener listen(const Address& address, const ListenerOptions& options = {}) {
    Listener listener = Listener::listen(loop, address, options, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  int connect_error(const Address& remote, const ConnectOptions& options = {}) {
    return error_of(Stream::connect(loop, remote, options));
  }
  Stream connect(const Address& remote, const ConnectOptions& options = {}) {
    Request<Stream> request = Stream::connect(loop, remote, options);
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
};

/// A TCP listener that answers nobody any more: its queue is full and nothing is accepted.
struct Blackhole {
  explicit Blackhole(ConnectFixture& fixture)
      : fd(raw_listener(loopback_v4(), 0)), address(local_address_of(fd.get())) {
    for (int i = 0; i < 8; ++i) {
      Request<Stream> request = Stream::connect(fixture.loop, address, {.timeout = 100ms});
      Stream stream = fixture.fetch(request, fixture.err);
      if (fixture.err == ETIMEDOUT) return;
      BOOST_TEST_REQUIRE(fixture.err == 0);
      connected.push_back(std::move(stream));
    }
    BOOST_FAIL("the queue of the listener does not get full");
  }
  UniqueSocket fd;
  Address address;
  std::vector<Stream> connected;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stream_connect, ConnectFixture)

BOOST_AUTO_TEST_CASE(a_connection_carries_bytes_both_ways) {
  const std::array addresses{loopback_v4(), loopback_v6(), unix_address()};
  for (const Address& address : addresses) {
    BOOST_TEST_CONTEXT(address) {
      Listener listener = listen(address);
      Request<Stream> accepting = listener.accept();
      Stream ours = connect(listener.local_address());
      Stream theirs = fetch(accepting, err);
      BOOST_TEST_REQUIRE(err == 0);
      BOOST_TEST((send_through(ours, theirs, bytes_of("there")) == bytes_of("there")));
      BOOST_TEST((send_through(theirs, ours, bytes_of("back")) == bytes_of("back")));
      BOOST_TEST(ours.remote_address() == listener.local_address());
      BOOST_TEST(theirs.local_address() == listener.local_address());
      if (address.is_inet()) {
        BOOST_TEST(ours.local_address() == theirs.remote_address());
        BOOST_TEST(ours.local_address().port().value_or(0) != 0);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(it_completes_from_the_loop_also_when_it_is_immediate) {
  Listener listener = listen(unix_address());
  Request<Stream> request = Stream::connect(loop, listener.local_address());
  bool called = false;
  request.set_callback([&](Request<Stream>&) { called = true; });
  BOOST_TEST(request.is_in_progress());
  BOOST_TEST(!called);
  BOOST_TEST(error_of(request) == 0);
  BOOST_TEST(called);
}

BOOST_AUTO_TEST_CASE(nobody_listening_is_econnrefused) {
  const UniqueSocket bound = raw_bound(loopback_v4());
  BOOST_TEST(connect_error(local_address_of(bound.get())) == ECONNREFUSED);
  const UniqueSocket bound6 = raw_bound(loopback_v6());
  BOOST_TEST(connect_error(local_address_of(bound6.get())) == ECONNREFUSED);
  const UniqueSocket path = raw_bound(unix_address());
  BOOST_TEST(connect_error(unix_address()) == ECONNREFUSED);
  if (uses_posix_alone()) return;
  BOOST_TEST(connect_error(Address::unix_abstract("tsock-test-nobody", err)) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(a_path_without_a_socket_is_enoent) {
  BOOST_TEST(connect_error(unix_address("nothing")) == ENOENT);
}

BOOST_AUTO_TEST_CASE(an_address_that_cannot_be_connected_to_is_einval) {
  BOOST_TEST(connect_error(Address()) == EINVAL);
  BOOST_TEST(connect_error(Address::unix_unnamed()) == EINVAL);
}

BOOST_AUTO_TEST_CASE(a_local_address_of_another_family_is_einval) {
  Listener v4 = listen(loopback_v4());
  Listener v6 = listen(loopback_v6());
  Listener path = listen(unix_address());
  BOOST_TEST(connect_error(v4.local_address(), {.local = loopback_v6()}) == EINVAL);
  BOOST_TEST(connect_error(v6.local_address(), {.local = loopback_v4()}) == EINVAL);
  BOOST_TEST(connect_error(v4.local_address(), {.local = unix_address("local")}) == EINVAL);
  BOOST_TEST(connect_error(path.local_address(), {.local = loopback_v4()}) == EINVAL);
  BOOST_TEST(connect_error(path.local_address(), {.local = ip("ipv4", "0.0.0.0")}) == EINVAL);
}

BOOST_AUTO_TEST_CASE(the_functions_for_one_kind_refuse_the_other) {
  Listener v4 = listen(loopback_v4());
  Listener path = listen(unix_address());
  BOOST_TEST(error_of(Stream::tcp_connect(loop, Address(), path.local_address())) == EINVAL);
  BOOST_TEST(error_of(Stream::tcp_connect(loop, unix_address("local"), v4.local_address())) == EINVAL);
  BOOST_TEST(error_of(Stream::unix_connect(loop, Address(), v4.local_address())) == EINVAL);
  BOOST_TEST(error_of(Stream::unix_connect(loop, loopback_v4(), path.local_address())) == EINVAL);
  BOOST_TEST(error_of(Stream::tcp_connect(loop, ip("ip", nullptr), v4.local_address())) == 0);
  BOOST_TEST(error_of(Stream::unix_connect(loop, Address::unix_unnamed(), path.local_address())) == 0);
}

BOOST_AUTO_TEST_CASE(an_unspecific_local_address_follows_the_family_of_the_remote) {
  Listener v4 = listen(loopback_v4());
  Listener v6 = listen(loopback_v6());
  BOOST_TEST(connect(v4.local_address(), {.local = ip("ip", nullptr)}).local_address().is_ipv4());
  BOOST_TEST(connect(v4.local_address(), {.local = ip("ipv6", "::")}).local_address().is_ipv4());
  BOOST_TEST(connect(v6.local_address(), {.local = ip("ipv4", "0.0.0.0")}).local_address().is_ipv6());
  BOOST_TEST(connect(v6.local_address(), {.local = ip("ipv6", "::")}).local_address().is_ipv6());
}

BOOST_AUTO_TEST_CASE(a_local_address_is_bound) {
  Listener listener = listen(loopback_v4());
  const Stream stream = connect(listener.local_address(), {.local = ip("ipv4", own_loopback().c_str())});
  BOOST_TEST(stream.local_address().ip_string(err) == own_loopback());
  BOOST_TEST(stream.local_address().port().value_or(0) != 0);
}

BOOST_AUTO_TEST_CASE(a_local_port_is_bound_and_may_be_used_again_at_once) {
  Listener listener = listen(loopback_v4());
  const Address local =
      local_address_of(raw_bound(ip("ipv4", own_loopback().c_str())).get());  // free again by now
  {
    Request<Stream> accepting = listener.accept();
    Stream stream = connect(listener.local_address(), {.local = local});
    BOOST_TEST(stream.local_address() == local);
    Stream accepted = fetch(accepting, err);
    BOOST_TEST(accepted.remote_address() == local);
    // Who closes first keeps the port for a while.
    BOOST_TEST(error_of(stream.disconnect()) == 0);
    std::array<std::byte, 1> byte{};
    BOOST_TEST(error_of(accepted.read(byte)) == EPIPE);
  }
  const Listener other = listen(loopback_v4());
  ConnectOptions options{.local = local};
  options.stream.reuse_address = false;
  BOOST_TEST(connect_error(other.local_address(), options) == EADDRINUSE);
  const Stream again = connect(other.local_address(), {.local = local});
  BOOST_TEST(again.local_address() == local);
}

BOOST_AUTO_TEST_CASE(a_wildcard_with_a_port_is_bound_in_the_family_of_the_remote) {
  Listener listener = listen(loopback_v4());
  const UniqueSocket probe = raw_bound(ip("ipv4", "0.0.0.0"));
  const std::uint16_t port = local_address_of(probe.get()).port().value_or(0);
  // The port is taken, so to see EADDRINUSE is to see that it was bound.
  BOOST_TEST(::listen(probe.get(), 1) == 0);
  ConnectOptions options{.local = ip("ipv6", "::", port)};
  options.stream.reuse_address = false;
  BOOST_TEST(connect_error(listener.local_address(), options) == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(a_local_unix_path_is_bound_and_seen_by_the_peer) {
  Listener listener = listen(unix_address());
  Request<Stream> accepting = listener.accept();
  const Stream stream = connect(listener.local_address(), {.local = unix_address("client")});
  const Stream accepted = fetch(accepting, err);
  BOOST_TEST(accepted.remote_address() == unix_address("client"));
  BOOST_TEST(connect_error(listener.local_address(), {.local = unix_address("client")}) == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_not_answered_ends_at_the_timeout) {
  const Blackhole blackhole(*this);
  const DescriptorCheck descriptors;
  const auto begin = Clock::now();
  BOOST_TEST(connect_error(blackhole.address, {.timeout = 50ms}) == ETIMEDOUT);
  BOOST_TEST((Clock::now() - begin >= 50ms));
  Request<Stream> request = Stream::connect(loop, blackhole.address);
  request.set_timeout(10ms);
  BOOST_TEST(error_of(request) == ETIMEDOUT);
  BOOST_TEST(descriptors.count() == 0U);
}

BOOST_AUTO_TEST_CASE(cancelling_and_destroying_close_the_socket) {
  const Blackhole blackhole(*this);
  const DescriptorCheck descriptors;
  Request<Stream> request = Stream::connect(loop, blackhole.address);
  loop.run_until_idle();
  BOOST_TEST(descriptors.count() == 1U);
  BOOST_TEST(request.cancel());
  BOOST_TEST(error_of(request) == ECANCELED);
  BOOST_TEST(descriptors.count() == 0U);
  request = Stream::connect(loop, blackhole.address);
  loop.run_until_idle();
  request = {};
  BOOST_TEST(descriptors.count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_connection_that_nobody_takes_is_closed_with_its_request) {
  Listener listener = listen(unix_address());
  Request<Stream> accepting = listener.accept();
  {
    const Request<Stream> request = Stream::connect(loop, listener.local_address());
    // It is there at once, but was not delivered.
  }
  Stream accepted = fetch(accepting, err);
  BOOST_TEST(err == 0);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(accepted.read(buffer)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(a_full_unix_backlog_is_eagain_only_for_who_asks_for_that) {
  const UniqueSocket full = raw_listener(unix_address(), 0);
  const Stream first = connect(unix_address());
  BOOST_TEST(connect_error(unix_address(), {.retry_full_backlog = false}) == EAGAIN);
}

BOOST_AUTO_TEST_CASE(a_socket_that_would_be_connected_to_itself_is_refused) {
  for (const Address& any : {loopback_v4(), loopback_v6()}) {
    if (any.is_ipv6() && !has_ipv6()) continue;
    // A port that is free.
    const Address self = listen(any).local_address();
    BOOST_TEST(connect_error(self, {.local = self}) == ECONNREFUSED);
    // Nothing lingers: whoever should have been there can still come.
    const Listener late = Listener::listen(loop, self, {.reuse_address = false}, err);
    BOOST_TEST(err == 0);
    err = 0;
  }
}

BOOST_AUTO_TEST_CASE(a_full_unix_backlog_is_waited_for_also_with_a_local_address) {
  const UniqueSocket full = raw_listener(unix_address(), 0);
  const Stream first = connect(unix_address());
  ConnectOptions options;
  options.local = Address::unix_from_path(directory / "client", err);
  Request<Stream> request = Stream::connect(loop, unix_address(), options);
  Request<void> pause = loop.sleep(20ms);
  wait_for(pause);
  BOOST_TEST(request.is_in_progress());
  const UniqueSocket accepted(::accept(full.get(), nullptr, nullptr));
  BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_CASE(a_full_unix_backlog_is_waited_for) {
  const UniqueSocket full = raw_listener(unix_address(), 0);
  const Stream first = connect(unix_address());
  Request<Stream> request = Stream::connect(loop, unix_address());
  loop.run_until_idle();
  BOOST_TEST(request.is_in_progress());
  const UniqueSocket accepted(::accept(full.get(), nullptr, nullptr));
  BOOST_TEST(accepted.get() >= 0);
  BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_CASE(trying_a_full_backlog_again_ends_by_timeout_cancel_or_destruction) {
  const UniqueSocket full = raw_listener(unix_address(), 0);
  const Stream first = connect(unix_address());
  const DescriptorCheck descriptors;
  BOOST_TEST(connect_error(unix_address(), {.timeout = 30ms}) == ETIMEDOUT);
  Request<Stream> request = Stream::connect(loop, unix_address());
  loop.run_until_idle();
  BOOST_TEST(request.cancel());
  BOOST_TEST(error_of(request) == ECANCELED);
  request = Stream::connect(loop, unix_address());
  loop.run_until_idle();
  request = {};
  BOOST_TEST(descriptors.count() == 0U);
}

BOOST_AUTO_TEST_CASE(a_listener_that_goes_while_a_full_backlog_is_tried_again_is_told) {
  UniqueSocket full = raw_listener(unix_address(), 0);
  const Stream first = connect(unix_address());
  Request<Stream> request = Stream::connect(loop, unix_address());
  loop.run_until_idle();
  full.reset();
  BOOST_TEST(error_of(request) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(no_descriptor_left_is_emfile) {
  Listener listener = listen(loopback_v4());
  {
    const NoDescriptors none;
    Request<Stream> request = Stream::connect(loop, listener.local_address());
    int error = 0;
    loop.run_until_idle();
    request.recv(error);
    BOOST_TEST(error == EMFILE);
  }
  BOOST_TEST(connect_error(listener.local_address()) == 0);
}

BOOST_AUTO_TEST_CASE(every_descriptor_is_close_on_exec_and_non_blocking) {
  const DescriptorCheck descriptors;
  Loop own_loop;
  Listener v4 = listen(loopback_v4());
  Listener path = listen(unix_address());
  Request<Stream> accepting_v4 = v4.accept();
  Request<Stream> accepting_path = path.accept();
  const Stream to_v4 = connect(v4.local_address());
  const Stream to_path = connect(path.local_address());
  const Stream from_v4 = fetch(accepting_v4, err);
  const Stream from_path = fetch(accepting_path, err);
  const auto pair = Stream::socketpair(loop, err);
  BOOST_TEST(descriptors.count() >= 8U);
  descriptors.check();
}

BOOST_AUTO_TEST_CASE(options_are_set_before_the_connection_is_made) {
  Listener listener = listen(loopback_v4());
  ConnectOptions options;
  options.stream.nodelay = false;
  options.stream.keepalive = true;
  options.stream.receive_buffer = 20000;
  const Stream stream = connect(listener.local_address(), options);
  BOOST_TEST(socket_option(stream.native_handle(), SOL_SOCKET, SO_KEEPALIVE) == 1);
  // The kernel doubles what it is given (socket(7)).
  BOOST_TEST(socket_option(stream.native_handle(), SOL_SOCKET, SO_RCVBUF) == 40000);
}

BOOST_AUTO_TEST_CASE(v6only_is_on_unless_told_otherwise) {
  if (!has_ipv6()) return;
  const Listener listener = listen(loopback_v6());
  ConnectOptions options;
  Stream stream = connect(listener.local_address(), options);
  BOOST_TEST(socket_option(stream.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
  options.stream.v6only = false;
  stream = connect(listener.local_address(), options);
  BOOST_TEST(socket_option(stream.native_handle(), IPPROTO_IPV6, IPV6_V6ONLY) == 0);
}

// Both options are seen by what a stream does after the peer has written and ended its side.
BOOST_AUTO_TEST_CASE(options_of_behaviour_hold_however_the_stream_was_made) {
  const auto check = [this](Stream& ours, Stream& peer, bool strict) {
    BOOST_TEST(error_of(peer.write("x")) == 0);
    BOOST_TEST(error_of(peer.shutdown_write()) == 0);
    std::array<std::byte, 2> bytes{};
    const int read_error = error_of(ours.read(bytes));
    BOOST_TEST(read_error != 0);
    if (strict) {
      BOOST_TEST(error_of(ours.write("y")) == read_error);
    } else {
      BOOST_TEST(text_of(bytes) == std::string(2, '\0'));  // what is buffered is not handed out
    }
  };
  for (const bool strict : {true, false}) {
    const StreamOptions options{.fail_on_first_error = !strict, .strict_tsocket = strict};
    Listener listener = listen(loopback_v4(), {.stream = options});
    Request<Stream> accepting = listener.accept();
    Stream connected = connect(listener.local_address());
    Stream accepted = fetch(accepting, err);
    check(accepted, connected, strict);

    accepting = listener.accept();
    connected = connect(listener.local_address(), {.stream = options});
    accepted = fetch(accepting, err);
    BOOST_TEST(accepted.set_options({}) == 0);
    check(connected, accepted, strict);

    auto [left, right] = unix_pair();
    std::vector<std::byte> unread;
    UniqueSocket fd = left.release_socket(unread, err);
    Stream adopted = Stream::adopt(loop, fd, options, err);
    check(adopted, right, strict);
  }
}

BOOST_AUTO_TEST_CASE(a_callback_may_destroy_the_request_and_take_the_stream) {
  Listener listener = listen(loopback_v4());
  auto request = std::make_unique<Request<Stream>>(Stream::connect(loop, listener.local_address()));
  Stream stream;
  request->set_callback([&](Request<Stream>& done) {
    stream = done.recv(err);
    request.reset();
  });
  BOOST_TEST(run_until([&] { return !request; }));
  BOOST_TEST(err == 0);
  BOOST_TEST(stream.is_open());
}

BOOST_AUTO_TEST_CASE(many_connects_at_once_all_arrive) {
  Listener listener = listen(loopback_v4());
  unsigned accepted = 0;
  for_each_accept(listener, [&](const Stream&) { ++accepted; });
  std::vector<Request<Stream>> requests;
  for (int i = 0; i < 100; ++i) requests.push_back(Stream::connect(loop, listener.local_address()));
  for (Request<Stream>& request : requests) BOOST_TEST(error_of(request) == 0);
  BOOST_TEST(run_until([&] { return accepted == 100; }));
}

BOOST_AUTO_TEST_SUITE_END()
