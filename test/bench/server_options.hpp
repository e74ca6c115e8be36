#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace bench {

/// What every contender is told: `server_x [PORT]`. The port it listens on is the first line of its output.
struct ServerOptions {
  ServerOptions(int argc, char** argv) {
    if (argc > 1) port = static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10));
  }
  std::uint16_t port = 0;
};

inline void announce(std::uint16_t port) {
  std::printf("%u\n", unsigned{port});
  std::fflush(stdout);
}

/// A non-blocking listener, announced.
inline int listen_on_loopback(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  auto* const pointer = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (::bind(fd, pointer, size) != 0 || ::listen(fd, 4096) != 0 || ::getsockname(fd, pointer, &size) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  announce(ntohs(address.sin_port));
  return fd;
}

}  // namespace bench
