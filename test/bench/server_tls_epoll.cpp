// The floor of TLS: OpenSSL by hand on epoll. Messages of an event are read into one buffer and answered with
// one SSL_write. Variants:
//   memory  OpenSSL reads what one recv() brought, and what it writes leaves with one send()
//   fd      OpenSSL reads and writes the socket itself (SSL_set_fd)
// Which one is cheaper depends on the workload.

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "bench/pooled_bytes.hpp"
#include "bench/server_options.hpp"
#include "bench/tls_context.hpp"

namespace {

using bench::Bytes;

constexpr std::size_t chunk = std::size_t{128} * 1024;
constexpr std::size_t record = SSL3_RT_MAX_PLAIN_LENGTH;
// A beginning up to this size is copied in front of the next read, so that all of it leaves in whole records.
constexpr std::size_t small = std::size_t{32} * 1024;
constexpr std::size_t bulk_step = std::size_t{64} * 1024;

/// What OpenSSL reads and writes during one event, for the variant "memory".
struct Transfer {
  const std::byte* in = nullptr;
  std::size_t in_size = 0;
  std::vector<std::byte> out = std::vector<std::byte>(chunk);
  std::size_t out_size = 0;
};
Transfer transfer;

int read_transfer(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  if (transfer.in_size == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t step = std::min(transfer.in_size, static_cast<std::size_t>(size));
  std::memcpy(to, transfer.in, step);
  transfer.in += step;
  transfer.in_size -= step;
  return static_cast<int>(step);
}

int write_transfer(BIO*, const char* from, int size) {
  const auto step = static_cast<std::size_t>(size);
  if (transfer.out.size() - transfer.out_size < step) transfer.out.resize(2 * transfer.out.size() + step);
  std::memcpy(transfer.out.data() + transfer.out_size, from, step);
  transfer.out_size += step;
  return size;
}

long control_transfer(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* make_transfer_bio() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transfer");
    BIO_meth_set_read(made, read_transfer);
    BIO_meth_set_write(made, write_transfer);
    BIO_meth_set_ctrl(made, control_transfer);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return BIO_new(method);
}

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;
  Bytes in;  // an incomplete message
  Bytes
      out;  // what the kernel did not take: "memory" of records, "fd" of messages; nothing is read meanwhile
  bool is_established = false;
};

class TlsServer {
 public:
  TlsServer(bench::Mode mode, bool is_memory, int listener)
      : mode_(mode),
        is_memory_(is_memory),
        context_(bench::make_tls_server_context()),
        listener_(listener),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context_, 1);
    // Several records with one recv(), and small enough for the heap not to map pages for it.
    if (!is_memory_) SSL_CTX_set_default_read_buffer_len(context_, std::size_t{64} * 1024);
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
        } else if (!step(*connection)) {
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
      connection->ssl = SSL_new(context_);
      if (is_memory_) {
        BIO* const bio = make_transfer_bio();
        SSL_set_bio(connection->ssl, bio, bio);
      } else {
        SSL_set_fd(connection->ssl, fd);
      }
      SSL_set_accept_state(connection->ssl);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection.release();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  static void close(Connection& connection) {
    const std::unique_ptr<Connection> owner(&connection);
    SSL_free(connection.ssl);
    ::close(connection.fd);
  }

  void watch(Connection& connection, unsigned events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  // \return false when the connection is over
  bool step(Connection& connection) {
    ERR_clear_error();
    if (!connection.out.empty()) {
      if (!flush(connection)) return false;
      if (!connection.out.empty() || is_memory_ || mode_ == bench::Mode::source) return true;
      return !has_input(connection) || echo(connection);
    }
    if (connection.is_established && mode_ == bench::Mode::source) return write_bulk(connection);
    if (is_memory_) {
      const ssize_t got = ::recv(connection.fd, cipher_.get(), chunk, 0);
      if (got <= 0) return got < 0 && errno == EAGAIN;
      transfer.in = cipher_.get();
      transfer.in_size = static_cast<std::size_t>(got);
      transfer.out_size = 0;
    }
    if (!connection.is_established) {
      const int result = SSL_do_handshake(connection.ssl);
      if (is_memory_ && transfer.out_size != 0 && !send(connection)) return false;
      if (result != 1) return SSL_get_error(connection.ssl, result) == SSL_ERROR_WANT_READ;
      connection.is_established = true;
      transfer.out_size = 0;
      if (mode_ == bench::Mode::source) {
        watch(connection, EPOLLOUT);
        return true;
      }
      if (!has_input(connection)) return true;
    }
    return mode_ == bench::Mode::sink ? read_bulk(connection) : echo(connection);
  }

  [[nodiscard]] bool has_input(const Connection& connection) const {
    return (is_memory_ && transfer.in_size != 0) || SSL_has_pending(connection.ssl) == 1;
  }

  // Reads what there is, up to `room`; `is_dry_` says whether that was all. \return false at the end
  bool read(Connection& connection, std::byte* to, std::size_t room, std::size_t& size) {
    size = 0;
    is_dry_ = false;
    while (size < room && !is_dry_) {
      std::size_t got = 0;
      const int result = SSL_read_ex(connection.ssl, to + size, room - size, &got);
      is_dry_ = result != 1;
      if (is_dry_ && SSL_get_error(connection.ssl, result) != SSL_ERROR_WANT_READ) return false;
      size += got;
      if (!has_input(connection)) is_dry_ = true;
    }
    return true;
  }

  static std::size_t complete(const std::byte* bytes, std::size_t size) {
    std::size_t done = 0;
    while (size - done >= 4) {
      const std::size_t message = bench::message_size(bytes + done);
      if (size - done < message) break;
      done += message;
    }
    return done;
  }

  bool echo(Connection& connection) {
    do {
      Bytes& in = connection.in;
      if (in.size() > small) {
        if (!read_rest(connection)) return false;
        continue;
      }
      const std::size_t kept = in.size();
      if (kept != 0) std::memcpy(plain_.get(), in.data(), kept);
      std::size_t size = 0;
      if (!read(connection, plain_.get() + kept, chunk + record, size)) return false;
      size += kept;
      const std::size_t done = complete(plain_.get(), size);
      in.clear();
      if (done != size && !keep(in, plain_.get() + done, size - done)) return false;
      if (done != 0 && !write(connection, plain_.get(), done)) return false;
    } while (!is_dry_ && (is_memory_ || connection.out.empty()));
    return true;
  }

  // The end of a long message, in place.
  bool read_rest(Connection& connection) {
    Bytes& in = connection.in;
    std::size_t size = 0;
    if (!read(connection, in.end(), bench::message_size(in.data()) - in.size(), size)) return false;
    in.grown(size);
    if (in.size() < bench::message_size(in.data())) return true;
    if (!write(connection, in.data(), in.size())) return false;
    in.clear();
    return true;
  }

  static bool keep(Bytes& in, const std::byte* bytes, std::size_t size) {
    if (size >= 4) {
      const std::size_t message = bench::message_size(bytes);
      if (message > bench::largest_message) return false;
      in.reserve(message);
    }
    in.append(bytes, size);
    return true;
  }

  bool write(Connection& connection, const std::byte* bytes, std::size_t size) {
    transfer.out_size = 0;
    for (std::size_t done = 0; done < size;) {
      std::size_t written = 0;
      const int result = SSL_write_ex(connection.ssl, bytes + done, size - done, &written);
      if (result == 1) {
        done += written;
        continue;
      }
      if (SSL_get_error(connection.ssl, result) != SSL_ERROR_WANT_WRITE) return false;
      connection.out.append(bytes + done, size - done);
      watch(connection, EPOLLOUT);
      return true;
    }
    return !is_memory_ || send(connection);
  }

  // What OpenSSL has written, with one call.
  bool send(Connection& connection) {
    std::size_t done = 0;
    if (connection.out.empty()) {
      const ssize_t sent = ::send(connection.fd, transfer.out.data(), transfer.out_size, MSG_NOSIGNAL);
      if (sent == static_cast<ssize_t>(transfer.out_size)) return true;
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) done = static_cast<std::size_t>(sent);
    }
    connection.out.append(transfer.out.data() + done, transfer.out_size - done);
    if (mode_ != bench::Mode::source) watch(connection, EPOLLOUT);
    return true;
  }

  bool flush(Connection& connection) {
    Bytes& out = connection.out;
    while (!out.empty()) {
      std::size_t done = 0;
      if (is_memory_) {
        const ssize_t sent = ::send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        done = static_cast<std::size_t>(sent);
      } else if (const int result = SSL_write_ex(connection.ssl, out.data(), out.size(), &done);
                 result != 1) {
        return SSL_get_error(connection.ssl, result) == SSL_ERROR_WANT_WRITE;
      }
      out.drop(done);
    }
    if (mode_ != bench::Mode::source) watch(connection, EPOLLIN);
    return true;
  }

  bool read_bulk(Connection& connection) {
    const std::span<std::byte> bytes = bench::bulk_bytes();
    do {
      std::size_t size = 0;
      if (!read(connection, bytes.data() + bulk_at_, bytes.size() - bulk_at_, size)) return false;
      bulk_at_ = (bulk_at_ + size) % bytes.size();
    } while (!is_dry_);
    return true;
  }

  // "fd" makes as much as the kernel takes; a vector that is half out goes on where it was.
  bool write_bulk(Connection& connection) {
    const std::span<std::byte> bytes = bench::bulk_bytes();
    for (;;) {
      const std::size_t step = is_memory_ ? bulk_step : bytes.size() - bulk_at_;
      if (is_memory_) {
        if (!write(connection, bytes.data() + bulk_at_, step)) return false;
        bulk_at_ = (bulk_at_ + step) % bytes.size();
        if (!connection.out.empty()) return true;
        continue;
      }
      std::size_t written = 0;
      const int result = SSL_write_ex(connection.ssl, bytes.data() + bulk_at_, step, &written);
      if (result != 1) return SSL_get_error(connection.ssl, result) == SSL_ERROR_WANT_WRITE;
      bulk_at_ = (bulk_at_ + written) % bytes.size();
    }
  }

  bench::Mode mode_;
  bool is_memory_;
  SSL_CTX* context_;
  int listener_;
  int epoll_;
  bool is_dry_ = false;
  std::size_t bulk_at_ = 0;  // bytes of the vector; there is one connection
  std::unique_ptr<std::byte[]> cipher_ = std::make_unique<std::byte[]>(chunk);
  std::unique_ptr<std::byte[]> plain_ = std::make_unique<std::byte[]>(small + chunk + record);
};

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  const bool is_memory = options.variant == "memory";
  if (!is_memory && options.variant != "fd") bench::unsupported();
  switch (options.mode) {
    case bench::Mode::echo:
    case bench::Mode::sink:
    case bench::Mode::source:
      TlsServer(options.mode, is_memory, bench::listen_on_loopback()).run();
    case bench::Mode::datagram:
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
}
