// TCP fast open. What a connection does with it depends on net.ipv4.tcp_fastopen;
// test/network/check_fast_open runs these where it is switched off, and where it is on for both sides.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

constexpr unsigned syn_data = 32;  // TCPI_OPT_SYN_DATA: data came with the first packet

struct FastOpenFixture : LoopFixture {
  int err = 0;
  Listener listener;
  Stream client;
  Stream server;

  [[nodiscard]] static bool is_switched_on() {
    unsigned value = 0;
    std::ifstream("/proc/sys/net/ipv4/tcp_fastopen") >> value;
    const bool is_on = (value & 3U) == 3U && !uses_posix_alone();
    if (!is_on) BOOST_TEST_MESSAGE("skipped: the system has TCP fast open switched off");
    return is_on;
  }
  void listen() {
    listener = Listener::listen(loop, loopback_v4(), {.fast_open = 16}, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  /// The client writes first, and is answered.
  void talk() {
    Request<Stream> accepting = listener.accept();
    Request<Stream> connecting = Stream::connect(loop, listener.local_address(), {.fast_open = true});
    client = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    std::vector<std::byte> answer(6);
    Request<ssize_t> reading = client.read(answer);
    loop.run_until_idle();  // it waits for an answer to what was not asked yet
    BOOST_TEST(error_of(client.write("question")) == 0);
    server = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    std::vector<std::byte> question(8);
    BOOST_TEST(error_of(server.read(question)) == 0);
    BOOST_TEST(text_of(question) == "question");
    BOOST_TEST(error_of(server.write("answer")) == 0);
    BOOST_TEST(error_of(reading) == 0);
    BOOST_TEST(text_of(answer) == "answer");
    BOOST_TEST(client.remote_address() == listener.local_address());
  }
  [[nodiscard]] static bool came_with_first_packet(const Stream& stream) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    BOOST_TEST_REQUIRE(::getsockopt(stream.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    return (info.tcpi_options & syn_data) != 0;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fast_open, FastOpenFixture)

BOOST_AUTO_TEST_CASE(a_listener_takes_the_option, *boost::unit_test::precondition(more_than_posix)) {
  listen();
  BOOST_TEST(socket_option(listener.native_handle(), IPPROTO_TCP, TCP_FASTOPEN) == 16);
  listener = Listener::listen(loop, loopback_v4(), {}, err);
  BOOST_TEST(socket_option(listener.native_handle(), IPPROTO_TCP, TCP_FASTOPEN) == 0);
  listener = Listener::listen(loop, loopback_v4(), {.fast_open = -1}, err);
  BOOST_TEST(err == EINVAL);
}

BOOST_AUTO_TEST_CASE(unix_sockets_ignore_it) {
  const TempDirectory directory;
  const Address address = Address::unix_from_path(directory / "socket", err);
  listener = Listener::listen(loop, address, {.fast_open = 16}, err);
  BOOST_TEST(err == 0);
  Request<Stream> accepting = listener.accept();
  BOOST_TEST(error_of(Stream::connect(loop, address, {.fast_open = true})) == 0);
  BOOST_TEST(error_of(accepting) == 0);
}

BOOST_AUTO_TEST_CASE(it_is_enotsup_where_there_is_no_such_option,
                     *boost::unit_test::precondition(posix_alone)) {
  listener = Listener::listen(loop, loopback_v4(), {.fast_open = 16}, err);
  BOOST_TEST(err == ENOTSUP);
  listener = Listener::listen(loop, loopback_v4(), {}, err);
  BOOST_TEST(error_of(Stream::connect(loop, listener.local_address(), {.fast_open = true})) == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(a_connection_works_whether_it_is_switched_on_or_not,
                     *boost::unit_test::precondition(more_than_posix)) {
  listen();
  talk();
  talk();
}

BOOST_AUTO_TEST_CASE(the_first_write_goes_with_the_first_packet_once_there_is_a_cookie,
                     *boost::unit_test::precondition(more_than_posix)) {
  listen();
  talk();
  if (!is_switched_on()) {
    talk();
    BOOST_TEST(!came_with_first_packet(client));
    return;
  }
  Request<Stream> connecting = Stream::connect(loop, listener.local_address(), {.fast_open = true});
  {
    const Stream unused = fetch(connecting, err);
    BOOST_TEST(err == 0);
    BOOST_TEST(unused.remote_address().is_empty());  // nothing was sent
  }
  talk();
  BOOST_TEST(came_with_first_packet(client));
  BOOST_TEST(came_with_first_packet(server));
}

BOOST_AUTO_TEST_CASE(a_refusal_ends_what_was_begun, *boost::unit_test::precondition(more_than_posix)) {
  listen();
  talk();
  const Address nobody = listener.local_address();
  listener = {};
  Request<Stream> connecting = Stream::connect(loop, nobody, {.fast_open = true});
  client = fetch(connecting, err);
  if (!is_switched_on()) {
    BOOST_TEST(err == ECONNREFUSED);
    return;
  }
  BOOST_TEST_REQUIRE(err == 0);
  Request<ssize_t> writing = client.write("question");
  std::vector<std::byte> answer(1);
  BOOST_TEST(error_of(client.read(answer)) == ECONNREFUSED);
  const int how = error_of(writing);
  BOOST_TEST((how == 0 || how == ECONNREFUSED));
}

BOOST_AUTO_TEST_SUITE_END()
