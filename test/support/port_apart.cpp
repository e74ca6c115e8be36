#include "support/port_apart.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <tsock/unique_fd.hpp>

namespace tsock::test {

namespace {

// Below what Linux (ip_local_port_range) and others give to programs that ask for any port.
constexpr unsigned first_port = 10'000;
constexpr unsigned ports = 20'000;
constexpr unsigned ports_of_process = 16;

template <class Address>
bool can_bind(int family, int type, const Address& address) {
  const UniqueSocket socket(::socket(family, type | SOCK_CLOEXEC, 0));
  return socket.get() < 0 ||
         ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool is_free(std::uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  bool is_free = true;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM})
    is_free = is_free && can_bind(AF_INET, type, v4) && can_bind(AF_INET6, type, v6);
  return is_free;
}

}  // namespace

// Test programs that run at once begin at different places, by the number of their process.
std::uint16_t port_apart() {
  static std::atomic<unsigned> next = static_cast<unsigned>(::getpid()) * ports_of_process;
  for (unsigned tries = 0; tries < ports; ++tries) {
    const auto port = static_cast<std::uint16_t>(first_port + next++ % ports);
    if (is_free(port)) return port;
  }
  BOOST_FAIL("no port is free");
  return 0;
}

}  // namespace tsock::test
