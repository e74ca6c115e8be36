// The floor of NPA in message mode: of a request it knows no more than the length, and each is answered
// alike. All messages of an event go back with one send, out of the buffer that they were read into.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/pooled_bytes.hpp"
#include "bench/server_options.hpp"
#include "support/npa_messages.hpp"

namespace {

using bench::Bytes;

constexpr std::size_t chunk = std::size_t{128} * 1024;
constexpr std::size_t largest = std::size_t{64} * 1024 + 1;

struct Connection {
  int fd = -1;
  bool is_established = false;
  Bytes in;   // an incomplete message
  Bytes out;  // what the kernel did not take; nothing is read meanwhile
};

// A message with its length: two bytes, little endian.
std::size_t data_size(const std::byte* bytes) {
  return std::size_t{2} +
         (std::to_integer<std::size_t>(bytes[0]) | std::to_integer<std::size_t>(bytes[1]) << 8U);
}

class PipeServer {
 public:
  explicit PipeServer(int listener) : listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
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
        auto* const connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (connection == nullptr) {
          accept_all();
        } else if (!(connection->out.empty() ? read(*connection) : flush(*connection))) {
          close(*connection);
        }
      }
    }
  }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      auto connection = std::make_unique<Connection>();
      connection->fd = fd;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection.release();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  static void close(Connection& connection) {
    const std::unique_ptr<Connection> owner(&connection);
    ::close(connection.fd);
  }

  void watch(Connection& connection, unsigned events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  // The size of the messages at the front that are complete.
  static std::size_t complete(const std::byte* bytes, std::size_t size) {
    std::size_t done = 0;
    while (size - done >= 2) {
      const std::size_t message = data_size(bytes + done);
      if (size - done < message) break;
      done += message;
    }
    return done;
  }

  // \return false when the connection is over, as all of these
  bool read(Connection& connection) {
    Bytes& in = connection.in;
    const std::size_t kept = in.size();
    if (kept != 0) std::memcpy(buffer_.get(), in.data(), kept);
    const ssize_t got = ::recv(connection.fd, buffer_.get() + kept, chunk, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    std::size_t size = kept + static_cast<std::size_t>(got);
    const std::byte* bytes = buffer_.get();
    in.clear();
    if (!connection.is_established) {
      const std::size_t request = size < 4 ? 4 : bench::message_size(bytes);
      if (request > largest) return false;
      if (size < request) {
        in.append(bytes, size);
        return true;
      }
      connection.is_established = true;
      if (!write(connection, reply_.data(), reply_.size())) return false;
      bytes += request;
      size -= request;
    }
    const std::size_t done = complete(bytes, size);
    if (done != size) in.append(bytes + done, size - done);
    return done == 0 || write(connection, bytes, done);
  }

  bool write(Connection& connection, const std::byte* bytes, std::size_t size) {
    const ssize_t sent = ::send(connection.fd, bytes, size, MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(size)) return true;
    if (sent < 0 && errno != EAGAIN) return false;
    const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    connection.out.append(bytes + done, size - done);
    watch(connection, EPOLLOUT);
    return true;
  }

  bool flush(Connection& connection) {
    Bytes& out = connection.out;
    const ssize_t sent = ::send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    out.drop(static_cast<std::size_t>(sent));
    if (out.empty()) watch(connection, EPOLLIN);
    return true;
  }

  int listener_;
  int epoll_;
  std::vector<std::byte> reply_ = tsock::test::from_hex(tsock::test::samba_reply);
  std::unique_ptr<std::byte[]> buffer_ = std::make_unique<std::byte[]>(largest + chunk);
};

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  if (options.mode != bench::Mode::echo) bench::unsupported();
  PipeServer(bench::listen_on_unix()).run();
}
