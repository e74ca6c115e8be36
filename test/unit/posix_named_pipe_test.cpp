// Addresses `pipe:NAME` on a system that has no named pipes.
#include <cerrno>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::LoopFixture;

BOOST_FIXTURE_TEST_SUITE(named_pipe, LoopFixture)

BOOST_AUTO_TEST_CASE(connect_is_eafnosupport_and_says_what_there_is_instead) {
  int err = -1;
  const Address name = Address::parse("pipe:tsock", err);
  BOOST_TEST_REQUIRE(err == 0);
  auto connecting = Stream::connect(loop, name);
  BOOST_TEST(connecting.is_in_progress());
  BOOST_TEST(error_of(connecting) == EAFNOSUPPORT);
  BOOST_TEST(connecting.reason().find("no named pipes") != std::string_view::npos, connecting.reason());
  BOOST_TEST(connecting.reason().find("unix:PATH") != std::string_view::npos, connecting.reason());
  auto other = Stream::connect(loop, test::loopback_v4(1));
  BOOST_TEST(error_of(other) == ECONNREFUSED);
  BOOST_TEST(other.reason().empty());
}

BOOST_AUTO_TEST_CASE(listening_is_eafnosupport) {
  int err = -1;
  const Address name = Address::parse("pipe:tsock", err);
  BOOST_TEST(!Listener::listen(loop, name, {}, err));
  BOOST_TEST(err == EAFNOSUPPORT);
}

BOOST_AUTO_TEST_CASE(misuse_is_einval_as_where_there_are_pipes) {
  int err = -1;
  const Address name = Address::parse("pipe:tsock", err);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.message_borders = true})) == EINVAL);
  BOOST_TEST(error_of(Stream::connect(loop, name, {.local = name})) == EINVAL);
  BOOST_TEST(error_of(Stream::connect(loop, test::loopback_v4(1), {.local = name})) == EINVAL);
  BOOST_TEST(error_of(Stream::tcp_connect(loop, {}, name)) == EINVAL);
  BOOST_TEST(error_of(Stream::unix_connect(loop, {}, name)) == EINVAL);
  ListenerOptions options;
  options.backlog = -1;
  BOOST_TEST(!Listener::listen(loop, name, options, err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(!Listener::unix_stream(loop, name, {}, err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(!Datagram::udp(loop, name, {}, {}, err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(!Datagram::unix_datagram(loop, {}, name, {}, err));
  BOOST_TEST(err == EINVAL);
}

BOOST_AUTO_TEST_SUITE_END()
