// The floor: what somebody writes by hand on epoll who counts system calls and copies. One read and one write
// for all messages of an event, straight out of where they were read; memory only for what is incomplete.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/pooled_bytes.hpp"
#include "bench/server_options.hpp"

namespace {

using bench::Bytes;

struct Connection {
  int fd = -1;
  Bytes in;   // an incomplete message
  Bytes out;  // what the kernel did not take; nothing is read meanwhile
};

class EchoServer {
 public:
  explicit EchoServer(int listener) : listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
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
        } else if (connection->out.empty()) {
          read(*connection);
        } else {
          flush(*connection);
        }
      }
    }
  }

 private:
  // Larger than most of what one event brings, small enough for the processor's second cache.
  static constexpr std::size_t chunk = std::size_t{128} * 1024;
  // A beginning up to this size is copied in front of the next read; a longer one is completed where it is.
  static constexpr std::size_t small = 2048;

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
    while (size - done >= 4) {
      const std::size_t message = bench::message_size(bytes + done);
      if (size - done < message) break;
      done += message;
    }
    return done;
  }

  static bool is_end(ssize_t got) { return got == 0 || (got < 0 && errno != EAGAIN); }

  void read(Connection& connection) {
    Bytes& in = connection.in;
    if (in.size() > small) {
      read_rest(connection);
      return;
    }
    const std::size_t kept = in.size();
    if (kept != 0) std::memcpy(buffer_.get(), in.data(), kept);
    const ssize_t got = ::recv(connection.fd, buffer_.get() + kept, chunk, 0);
    if (got <= 0) {
      if (is_end(got)) close(connection);
      return;
    }
    const std::size_t size = kept + static_cast<std::size_t>(got);
    const std::size_t done = complete(buffer_.get(), size);
    in.clear();
    if (done != size && !keep(in, buffer_.get() + done, size - done)) {
      close(connection);
      return;
    }
    if (done != 0) write(connection, {iovec{buffer_.get(), done}, iovec{}});
  }

  // The end of a message whose beginning waits, in place, and what comes behind it.
  void read_rest(Connection& connection) {
    Bytes& in = connection.in;
    const std::size_t rest = bench::message_size(in.data()) - in.size();
    const std::array<iovec, 2> vectors{iovec{in.end(), rest}, iovec{buffer_.get(), chunk}};
    const ssize_t got = ::readv(connection.fd, vectors.data(), 2);
    if (got <= 0) {
      if (is_end(got)) close(connection);
      return;
    }
    if (static_cast<std::size_t>(got) < rest) {
      in.grown(static_cast<std::size_t>(got));
      return;
    }
    in.grown(rest);
    const std::size_t size = static_cast<std::size_t>(got) - rest;
    const std::size_t done = complete(buffer_.get(), size);
    if (!write(connection, {iovec{in.data(), in.size()}, iovec{buffer_.get(), done}})) return;
    in.clear();
    if (done != size && !keep(in, buffer_.get() + done, size - done)) close(connection);
  }

  // Puts the beginning of a message aside, with room for the whole of it.
  static bool keep(Bytes& in, const std::byte* bytes, std::size_t size) {
    if (size >= 4) {
      const std::size_t message = bench::message_size(bytes);
      if (message > bench::largest_message) return false;
      in.reserve(message);
    }
    in.append(bytes, size);
    return true;
  }

  bool write(Connection& connection, std::array<iovec, 2> vectors) {
    const std::size_t size = vectors[0].iov_len + vectors[1].iov_len;
    ssize_t sent = 0;
    if (vectors[1].iov_len == 0) {
      sent = ::send(connection.fd, vectors[0].iov_base, size, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = vectors.size();
      sent = ::sendmsg(connection.fd, &message, MSG_NOSIGNAL);
    }
    if (sent == static_cast<ssize_t>(size)) return true;
    if (sent < 0 && errno != EAGAIN) {
      close(connection);
      return false;
    }
    std::size_t skip = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    connection.out.reserve(size - skip);
    for (const iovec& vector : vectors) {
      const std::size_t gone = std::min(skip, vector.iov_len);
      skip -= gone;
      connection.out.append(static_cast<const std::byte*>(vector.iov_base) + gone, vector.iov_len - gone);
    }
    watch(connection, EPOLLOUT);
    return true;
  }

  void flush(Connection& connection) {
    Bytes& out = connection.out;
    const ssize_t sent = ::send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) close(connection);
      return;
    }
    out.drop(static_cast<std::size_t>(sent));
    if (out.empty()) watch(connection, EPOLLIN);
  }

  int listener_;
  int epoll_;
  std::unique_ptr<std::byte[]> buffer_ = std::make_unique<std::byte[]>(small + chunk);
};

// One stream. For each direction what moved the most bytes: a blocking writev, and a readv on a socket that
// does not block, which has less to do for a wake-up than one that does.
[[noreturn]] void source(int listener) {
  const iovec vector{bench::bulk_bytes().data(), bench::bulk_vector};
  ::fcntl(listener, F_SETFL, 0);
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) std::exit(1);
    while (::writev(fd, &vector, 1) > 0) {
    }
    ::close(fd);
  }
}

[[noreturn]] void sink(int listener) {
  const iovec vector{bench::bulk_bytes().data(), bench::bulk_vector};
  ::fcntl(listener, F_SETFL, 0);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) std::exit(1);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    for (;;) {
      const ssize_t got = ::readv(fd, &vector, 1);
      if (got > 0) continue;
      if (got == 0 || errno != EAGAIN) break;
      ::epoll_wait(epoll, &event, 1, -1);
    }
    ::close(fd);
  }
}

// What waits on a socket comes in with one call and leaves with one call.
class DatagramServer {
 public:
  explicit DatagramServer(const std::vector<int>& sockets) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (const int fd : sockets) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
    for (std::size_t i = 0; i < batch; ++i) {
      vectors_[i].iov_base = buffers_.get() + i * bench::largest_datagram;
      msghdr& header = messages_[i].msg_hdr;
      header.msg_iov = &vectors_[i];
      header.msg_iovlen = 1;
      header.msg_name = &peers_[i];
    }
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(256);
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) echo(events[static_cast<std::size_t>(i)].data.fd);
    }
  }

 private:
  static constexpr std::size_t batch = 64;

  void echo(int fd) {
    for (std::size_t i = 0; i < used_; ++i) {
      vectors_[i].iov_len = bench::largest_datagram;
      messages_[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    }
    const int got = ::recvmmsg(fd, messages_.data(), batch, MSG_DONTWAIT, nullptr);
    if (got <= 0) return;
    used_ = static_cast<std::size_t>(got);
    for (std::size_t i = 0; i < used_; ++i) vectors_[i].iov_len = messages_[i].msg_len;
    for (std::size_t sent = 0; sent < used_;) {
      const int now =
          ::sendmmsg(fd, messages_.data() + sent, static_cast<unsigned>(used_ - sent), MSG_DONTWAIT);
      // A datagram that cannot leave is lost, as on any network.
      sent += now > 0 ? static_cast<std::size_t>(now) : 1;
    }
  }

  int epoll_;
  std::size_t used_ = batch;
  std::unique_ptr<std::byte[]> buffers_ = std::make_unique<std::byte[]>(batch * bench::largest_datagram);
  std::array<mmsghdr, batch> messages_{};
  std::array<iovec, batch> vectors_{};
  std::array<sockaddr_in, batch> peers_{};
};

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  switch (options.mode) {
    case bench::Mode::echo:
      EchoServer(bench::listen_on_loopback()).run();
    case bench::Mode::sink:
      sink(bench::listen_on_loopback());
    case bench::Mode::source:
      source(bench::listen_on_loopback());
    case bench::Mode::datagram:
      DatagramServer(bench::datagram_sockets(options.sockets)).run();
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
}
