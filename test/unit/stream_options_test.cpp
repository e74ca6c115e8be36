#include "tsock/stream_options.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/system.hpp"

namespace tsock::test {
namespace {

using namespace std::chrono_literals;

struct OptionsFixture : LoopFixture {
  int err = 0;
  TempDirectory directory;

  // Files are closed by worker threads.
  ~OptionsFixture() { loop.run(); }

  Stream pipe_end() {
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    const UniqueFd writer(fds[1]);
    Stream stream = open_stdio(loop, fds[0], err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Stream file() {
    Stream stream = open_file(loop, (directory / "file").c_str(), FileMode::write, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
};

// What only a socket can do.
const std::vector<StreamOptions> options_of_sockets{
    {.keepalive = true},    {.keepalive_idle = 1s},   {.keepalive_interval = 1s}, {.keepalive_count = 3},
    {.receive_buffer = 1U}, {.send_buffer = 100000U}, {.user_timeout = 1ms},      {.receive_fds = true}};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stream_options, OptionsFixture)

BOOST_AUTO_TEST_CASE(an_option_of_a_socket_is_enotsup_on_a_stream_without_one) {
  auto pair = memory_pair();
  Stream pipe = pipe_end();
  Stream disk = file();
  for (Stream* stream : {&pair.first, &pipe, &disk}) {
    for (const StreamOptions& options : options_of_sockets)
      BOOST_TEST(stream->set_options(options) == ENOTSUP);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_given_and_what_counts_before_connecting_is_no_error) {
  auto pair = memory_pair();
  BOOST_TEST(pair.first.set_options({}) == 0);
  BOOST_TEST(pair.first.set_options({.nodelay = false, .reuse_address = true, .v6only = false}) == 0);
}

BOOST_AUTO_TEST_CASE(what_concerns_the_stream_itself_is_set_on_every_stream_also_beside_what_is_not_had) {
  auto pair = memory_pair();
  BOOST_TEST(pair.first.set_options({.keepalive = true, .strict_tsocket = true}) == ENOTSUP);
  pair.second = Stream();
  std::array<std::byte, 1> byte{};
  BOOST_TEST(error_of(pair.first.read(byte)) == EPIPE);
  BOOST_TEST(error_of(pair.first.write(byte)) == EPIPE);  // the latch of both directions
}

BOOST_AUTO_TEST_CASE(sockets_take_them) {
  auto pair = tcp_pair();
  for (const StreamOptions& options : options_of_sockets) {
    const bool is_missing = options.user_timeout.has_value() && uses_posix_alone();
    BOOST_TEST(pair.first.set_options(options) == (is_missing ? ENOTSUP : 0));
  }
}

BOOST_AUTO_TEST_CASE(a_closed_stream_gives_enotconn) {
  auto pair = memory_pair();
  pair.first.abort();
  BOOST_TEST(pair.first.set_options({.keepalive = true}) == ENOTCONN);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
