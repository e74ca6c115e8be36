// The floor: an echo server for length-prefixed messages by hand on epoll, as somebody writes it who counts
// system calls.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/server_options.hpp"

namespace {

constexpr std::size_t chunk = 64 * 1024;

std::uint32_t length_at(const std::byte* p) {
  return std::to_integer<std::uint32_t>(p[0]) << 24U | std::to_integer<std::uint32_t>(p[1]) << 16U |
         std::to_integer<std::uint32_t>(p[2]) << 8U | std::to_integer<std::uint32_t>(p[3]);
}

struct Connection {
  int fd = -1;
  std::vector<std::byte> in;   // an incomplete message
  std::vector<std::byte> out;  // what the kernel did not take
  std::size_t out_sent = 0;
  bool writing = false;
};

class Server {
 public:
  explicit Server(int listener) : listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(1024);
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr) {
          accept_all();
          continue;
        }
        auto* const connection = static_cast<Connection*>(event.data.ptr);
        if ((event.events & EPOLLOUT) != 0 && !flush(*connection)) continue;
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(*connection);
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      auto connection = std::make_unique<Connection>();
      connection->fd = fd;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection.release();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  void close(Connection& connection) {
    const std::unique_ptr<Connection> owner(&connection);
    ::close(connection.fd);
  }

  void arm(Connection& connection, bool writing) {
    if (connection.writing == writing) return;
    connection.writing = writing;
    epoll_event event{};
    event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  // Complete messages leave straight from where they were read.
  void read(Connection& connection) {
    const std::size_t kept = connection.in.size();
    if (kept != 0) std::memcpy(buffer_.data(), connection.in.data(), kept);
    std::size_t wanted = chunk;
    if (kept >= 4) wanted = std::max<std::size_t>(wanted, length_at(buffer_.data()) + 4);
    if (buffer_.size() < kept + wanted) buffer_.resize(kept + wanted);
    const ssize_t got = ::recv(connection.fd, buffer_.data() + kept, buffer_.size() - kept, 0);
    if (got <= 0) {
      if (got == 0 || errno != EAGAIN) close(connection);
      return;
    }
    const std::size_t size = kept + static_cast<std::size_t>(got);
    std::size_t complete = 0;
    while (size - complete >= 4) {
      const std::size_t message = length_at(buffer_.data() + complete) + 4U;
      if (size - complete < message) break;
      complete += message;
    }
    connection.in.assign(buffer_.begin() + static_cast<std::ptrdiff_t>(complete),
                         buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    if (complete != 0) write(connection, complete);
  }

  void write(Connection& connection, std::size_t size) {
    std::size_t sent = 0;
    if (connection.out.empty()) {
      const ssize_t now = ::send(connection.fd, buffer_.data(), size, MSG_NOSIGNAL);
      if (now < 0 && errno != EAGAIN) {
        close(connection);
        return;
      }
      if (now > 0) sent = static_cast<std::size_t>(now);
    }
    if (sent == size) return;
    connection.out.insert(connection.out.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(sent),
                          buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    arm(connection, true);
  }

  bool flush(Connection& connection) {
    const ssize_t sent = ::send(connection.fd, connection.out.data() + connection.out_sent,
                                connection.out.size() - connection.out_sent, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return true;
      close(connection);
      return false;
    }
    connection.out_sent += static_cast<std::size_t>(sent);
    if (connection.out_sent == connection.out.size()) {
      connection.out.clear();
      connection.out_sent = 0;
      arm(connection, false);
    }
    return true;
  }

  int listener_;
  int epoll_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(chunk * 2);
};

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  Server(bench::listen_on_loopback(options.port)).run();
}
