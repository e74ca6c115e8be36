// The load for the echo servers: connections with a window of messages in flight each. Prints one JSON line:
// operations, wall seconds, and the CPU seconds that the server used meanwhile.
//
//   load PORT SERVER_PID CONNECTIONS IN_FLIGHT BODY_BYTES SECONDS

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  int fd = -1;
  std::size_t echoed = 0;   // bytes of the message that comes in
  std::size_t to_send = 0;  // bytes
  std::size_t phase = 0;    // where in a message the next byte to send is
  bool writing = false;
};

double cpu_seconds(pid_t pid) {
  clockid_t clock = 0;
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Load {
 public:
  Load(std::uint16_t port, std::size_t connections, std::size_t in_flight, std::size_t body)
      : message_(body + 4), epoll_(::epoll_create1(EPOLL_CLOEXEC)), connections_(connections) {
    pattern_.resize(message_ * 64 < 1 << 20 ? message_ * ((1U << 20U) / message_ + 2) : message_ * 4);
    for (std::size_t i = 0; i < pattern_.size(); i += message_) {
      for (unsigned b = 0; b < 4; ++b) pattern_[i + b] = static_cast<unsigned char>(body >> (24U - 8U * b));
    }
    for (Connection& connection : connections_) {
      connection.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(port);
      if (::connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
        std::perror("connect");
        std::exit(1);
      }
      const int one = 1;
      ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connection;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
      connection.to_send = in_flight * message_;
    }
    for (Connection& connection : connections_) send(connection);
  }

  std::uint64_t run_until(Clock::time_point end) {
    std::uint64_t before = operations_;
    std::vector<epoll_event> events(1024);
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        auto& connection = *static_cast<Connection*>(event.data.ptr);
        if ((event.events & EPOLLIN) != 0) receive(connection);
        if (connection.to_send != 0) send(connection);
      }
    }
    return operations_ - before;
  }

 private:
  void receive(Connection& connection) {
    const ssize_t got = ::recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got <= 0) {
      if (got == 0 || errno != EAGAIN) {
        std::fprintf(stderr, "the server closed a connection\n");
        std::exit(1);
      }
      return;
    }
    connection.echoed += static_cast<std::size_t>(got);
    const std::size_t messages = connection.echoed / message_;
    connection.echoed %= message_;
    operations_ += messages;
    connection.to_send += messages * message_;
  }

  void send(Connection& connection) {
    while (connection.to_send != 0) {
      const std::size_t size = std::min(connection.to_send, pattern_.size() - connection.phase);
      const ssize_t sent =
          ::send(connection.fd, pattern_.data() + connection.phase, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) break;
      connection.to_send -= static_cast<std::size_t>(sent);
      connection.phase = (connection.phase + static_cast<std::size_t>(sent)) % message_;
    }
    const bool writing = connection.to_send != 0;
    if (writing == connection.writing) return;
    connection.writing = writing;
    epoll_event event{};
    event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  std::size_t message_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<unsigned char> pattern_;
  std::vector<unsigned char> buffer_ = std::vector<unsigned char>(1 << 18);
  std::uint64_t operations_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: load PORT SERVER_PID CONNECTIONS IN_FLIGHT BODY_BYTES SECONDS\n");
    return 2;
  }
  const auto number = [argv](int i) { return std::strtoul(argv[i], nullptr, 10); };
  const auto pid = static_cast<pid_t>(number(2));
  const double seconds = std::strtod(argv[6], nullptr);
  Load load(static_cast<std::uint16_t>(number(1)), number(3), number(4), number(5));
  load.run_until(Clock::now() + std::chrono::milliseconds(200));
  const double cpu = cpu_seconds(pid);
  const auto begin = Clock::now();
  const std::uint64_t operations = load.run_until(
      begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
  const double used = cpu_seconds(pid) - cpu;
  const double wall = std::chrono::duration<double>(Clock::now() - begin).count();
  std::printf("{\"operations\":%llu,\"seconds\":%.6f,\"server_cpu\":%.6f,\"us_per_operation\":%.4f}\n",
              static_cast<unsigned long long>(operations), wall, used,
              operations != 0 ? used * 1e6 / static_cast<double>(operations) : 0.0);
}
