#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// What a server does with what it gets.
enum class Mode {
  echo,      ///< length-prefixed messages (u32, big endian) go back as they came
  sink,      ///< reads vectors of `bulk_vector` bytes and drops them
  source,    ///< writes vectors of `bulk_vector` bytes for as long as the peer takes them
  datagram,  ///< UDP datagrams go back to their sender
  deadline,  ///< no network: sets and clears deadlines, see `report()`
  post,      ///< no network: one thread gives functions to a loop on another, see `report()`
};

inline constexpr std::size_t bulk_vector = std::size_t{1} << 20;
/// What the servers of these modes read into, or write: the same for all, at the begin of a page. Where a
/// buffer begins weighs more than the library: on AMD's Zen a copy to 1 to 31 bytes behind its source, modulo
/// 4 KiB, as from the page of a packet into what malloc() maps, takes ten times as long.
inline std::span<std::byte> bulk_bytes() {
  alignas(4096) static std::array<std::byte, bulk_vector> bytes;
  static const bool is_there = (bytes.fill(std::byte{1}), true);
  return std::span(bytes).first(is_there ? bytes.size() : 0);
}
inline constexpr std::size_t largest_message = std::size_t{1} << 24;
inline constexpr std::size_t largest_datagram = 2048;
/// Operations that wait with a deadline of their own while one more is set and cleared.
inline constexpr std::size_t waiting_deadlines = 1000;
inline constexpr std::size_t deadline_operations = 2'000'000;
inline constexpr std::size_t post_operations = 4'000'000;

/// What every contender is told: `server_x [--mode MODE] [--variant NAME] [--sockets N]`.
/// It prints the ports it listens on in one line, or @ and the name of an abstract unix socket, or what it
/// measured, and ends with its parent.
struct ServerOptions {
  ServerOptions(int argc, char** argv) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The tests with ten thousand connections need as many descriptors.
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string_view name = argv[i];
      const std::string_view value = argv[i + 1];
      if (name == "--mode") {
        mode = mode_of(value);
      } else if (name == "--variant") {
        variant = value;
      } else if (name == "--sockets") {
        sockets = std::strtoul(argv[i + 1], nullptr, 10);
      } else {
        fail("unknown option", argv[i]);
      }
    }
  }

  [[noreturn]] static void fail(const char* what, const char* which) {
    std::fprintf(stderr, "%s: %s\n", what, which);
    std::exit(2);
  }

  Mode mode = Mode::echo;
  std::string_view variant;
  std::size_t sockets = 1;  ///< of a datagram server

 private:
  static Mode mode_of(std::string_view name) {
    if (name == "echo") return Mode::echo;
    if (name == "sink") return Mode::sink;
    if (name == "source") return Mode::source;
    if (name == "datagram") return Mode::datagram;
    if (name == "deadline") return Mode::deadline;
    if (name == "post") return Mode::post;
    fail("unknown mode", name.data());
  }
};

[[noreturn]] inline void unsupported() { ServerOptions::fail("unsupported", "mode or variant"); }

inline void announce(const std::vector<std::uint16_t>& ports) {
  for (const std::uint16_t port : ports) std::printf("%u ", unsigned{port});
  std::printf("\n");
  std::fflush(stdout);
}

/// The abstract unix socket of this server.
inline std::string unix_name() { return "tsock-bench-" + std::to_string(::getpid()); }

inline void announce_unix(const std::string& name) {
  std::printf("@%s\n", name.c_str());
  std::fflush(stdout);
}

/// The result of a server that measures itself.
inline void report(std::size_t operations, std::chrono::steady_clock::duration elapsed) {
  std::printf("{\"operations\": %zu, \"seconds\": %.9f}\n", operations,
              std::chrono::duration<double>(elapsed).count());
  std::fflush(stdout);
}

namespace detail {
inline int bound_to_loopback(int type, std::uint16_t& port) {
  const int fd = ::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const pointer = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (::bind(fd, pointer, size) != 0 || ::getsockname(fd, pointer, &size) != 0) {
    std::perror("bind");
    std::exit(1);
  }
  port = ntohs(address.sin_port);
  return fd;
}
}  // namespace detail

/// A non-blocking listener, announced. Accepted sockets inherit TCP_NODELAY.
inline int listen_on_loopback() {
  std::uint16_t port = 0;
  const int fd = detail::bound_to_loopback(SOCK_STREAM, port);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (::listen(fd, 4096) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  announce({port});
  return fd;
}

/// A non-blocking listener on a unix socket, announced.
inline int listen_on_unix() {
  const std::string name = unix_name();
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd, 4096) != 0) {
    std::perror("listen");
    std::exit(1);
  }
  announce_unix(name);
  return fd;
}

/// Non-blocking datagram sockets, announced.
inline std::vector<int> datagram_sockets(std::size_t count) {
  std::vector<int> sockets;
  std::vector<std::uint16_t> ports(count);
  for (std::uint16_t& port : ports) sockets.push_back(detail::bound_to_loopback(SOCK_DGRAM, port));
  announce(ports);
  return sockets;
}

/// The length of the message that begins at `p`, with its prefix.
inline std::size_t message_size(const void* p) {
  const auto* const u = static_cast<const unsigned char*>(p);
  return std::size_t{4} +
         (std::size_t{u[0]} << 24U | std::size_t{u[1]} << 16U | std::size_t{u[2]} << 8U | std::size_t{u[3]});
}

}  // namespace bench
