#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>

using tsock::UniqueFd;
using tsock::UniqueSocket;

namespace {

bool is_socket_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

int make_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  BOOST_TEST_REQUIRE(fd >= 0);
  return fd;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(unique_socket)

BOOST_AUTO_TEST_CASE(a_default_constructed_one_has_no_socket) {
  UniqueSocket none;
  BOOST_TEST(!none);
  BOOST_TEST(none.get() == tsock::invalid_socket);
  BOOST_TEST(none.release() == tsock::invalid_socket);
}

BOOST_AUTO_TEST_CASE(a_socket_is_closed_at_the_end_of_its_owner) {
  const int fd = make_socket();
  {
    const UniqueSocket socket(fd);
    BOOST_TEST(static_cast<bool>(socket));
    BOOST_TEST(socket.get() == fd);
  }
  BOOST_TEST(!is_socket_open(fd));
}

BOOST_AUTO_TEST_CASE(a_moved_socket_has_one_owner) {
  UniqueSocket first(make_socket());
  const int fd = first.get();
  UniqueSocket second(std::move(first));
  BOOST_TEST(!first);
  const int replaced = make_socket();
  UniqueSocket third(replaced);
  third = std::move(second);
  BOOST_TEST(!is_socket_open(replaced));
  BOOST_TEST(third.get() == fd);
  UniqueSocket& same = third;
  third = std::move(same);
  BOOST_TEST(is_socket_open(fd));
}

BOOST_AUTO_TEST_CASE(a_released_socket_stays_open) {
  UniqueSocket socket(make_socket());
  const UniqueSocket taken(socket.release());
  BOOST_TEST(!socket);
  BOOST_TEST(is_socket_open(taken.get()));
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_a_socket_is_taken_over) {
  UniqueFd fd(make_socket());
  const int number = fd.get();
  const UniqueSocket socket(std::move(fd));
  BOOST_TEST(!fd);
  BOOST_TEST(socket.get() == number);
}

BOOST_AUTO_TEST_SUITE_END()
