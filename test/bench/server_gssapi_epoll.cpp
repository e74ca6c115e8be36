// The floor of GSSAPI: MIT's calls by hand on epoll, with the frames of tsock::gssapi. What an event brings
// is opened where it was read, and all messages that are complete leave in one wrapped message, made in
// place. Variants: (none) for messages that are sealed, "integrity" for messages that are signed.

#include <gssapi/gssapi.h>
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

#include "bench/gss_messages.hpp"
#include "bench/pooled_bytes.hpp"
#include "bench/server_options.hpp"

namespace {

using bench::Bytes;

constexpr std::size_t chunk = std::size_t{128} * 1024;
// A message of the user that is not complete, and room around one for what GSSAPI adds.
constexpr std::size_t largest = std::size_t{64} * 1024;
constexpr std::size_t around = 1024;
// In one wrapped message, which is then no longer than tsock's.
constexpr std::size_t step_size = bench::most_gss_message - around;

struct Connection {
  int fd = -1;
  bench::GssMessages messages;
  bool is_established = false;
  Bytes cipher;  // an incomplete token or wrapped message
  Bytes plain;   // an incomplete message of the user
  Bytes out;     // what the kernel did not take; nothing is read meanwhile
};

class GssServer {
 public:
  GssServer(bench::Mode mode, bool seals, int listener)
      : mode_(mode), seals_(seals), listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    OM_uint32 minor = 0;
    const OM_uint32 major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                                             GSS_C_ACCEPT, &credentials_, nullptr, nullptr);
    if (major != GSS_S_COMPLETE) bench::fail_gss("gss_acquire_cred", major, minor);
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
      connection->messages.seals = seals_;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = connection.release();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  static void close(Connection& connection) {
    const std::unique_ptr<Connection> owner(&connection);
    OM_uint32 minor = 0;
    gss_delete_sec_context(&minor, &connection.messages.context, GSS_C_NO_BUFFER);
    ::close(connection.fd);
  }

  void watch(Connection& connection, unsigned events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  // \return false when the connection is over, as all of these
  bool step(Connection& connection) {
    if (!connection.out.empty() && !flush(connection)) return false;
    if (!connection.out.empty()) return true;
    if (connection.is_established && mode_ == bench::Mode::source) return write_bulk(connection);
    const std::size_t kept = connection.cipher.size();
    if (kept != 0) std::memcpy(cipher_.get(), connection.cipher.data(), kept);
    const ssize_t got = ::recv(connection.fd, cipher_.get() + kept, chunk, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    connection.cipher.clear();
    return take(connection, {cipher_.get(), kept + static_cast<std::size_t>(got)});
  }

  bool take(Connection& connection, std::span<std::byte> bytes) {
    std::byte* const plain = out_.get() + around;
    std::size_t size = connection.plain.size();
    if (size != 0) std::memcpy(plain, connection.plain.data(), size);
    connection.plain.clear();
    while (bytes.size() >= 4) {
      const std::size_t message = bench::message_size(bytes.data());
      if (message > (connection.is_established ? largest + 4 : bench::most_gss_token)) return false;
      if (bytes.size() < message) break;
      const std::span<std::byte> body = bytes.subspan(4, message - 4);
      bytes = bytes.subspan(message);
      if (!connection.is_established) {
        if (!accept(connection, body)) return false;
        continue;
      }
      const std::span<std::byte> opened = connection.messages.unwrap(body);
      if (mode_ == bench::Mode::sink) {
        drop(opened);
      } else {
        std::memcpy(plain + size, opened.data(), opened.size());
        size += opened.size();
      }
    }
    if (!bytes.empty()) connection.cipher.append(bytes.data(), bytes.size());
    return size == 0 || echo(connection, plain, size);
  }

  bool accept(Connection& connection, std::span<std::byte> token) {
    gss_buffer_desc input{token.size(), token.data()};
    gss_buffer_desc output{};
    OM_uint32 minor = 0;
    const OM_uint32 major = gss_accept_sec_context(&minor, &connection.messages.context, credentials_, &input,
                                                   GSS_C_NO_CHANNEL_BINDINGS, nullptr, nullptr, &output,
                                                   nullptr, nullptr, nullptr);
    if (GSS_ERROR(major)) bench::fail_gss("gss_accept_sec_context", major, minor);
    connection.is_established = major == GSS_S_COMPLETE;
    bool is_sent = true;
    if (output.length != 0) {
      std::vector<std::byte> answer(4 + output.length);
      bench::write_gss_length(answer.data(), output.length);
      std::memcpy(answer.data() + 4, output.value, output.length);
      is_sent = send(connection, answer.data(), answer.size());
    }
    gss_release_buffer(&minor, &output);
    if (connection.is_established && mode_ == bench::Mode::source) watch(connection, EPOLLOUT);
    return is_sent;
  }

  void drop(std::span<const std::byte> opened) {
    const std::span<std::byte> bytes = bench::bulk_bytes();
    while (!opened.empty()) {
      const std::size_t step = std::min(opened.size(), bytes.size() - bulk_at_);
      std::memcpy(bytes.data() + bulk_at_, opened.data(), step);
      bulk_at_ = (bulk_at_ + step) % bytes.size();
      opened = opened.subspan(step);
    }
  }

  bool echo(Connection& connection, std::byte* plain, std::size_t size) {
    std::size_t done = 0;
    while (size - done >= 4) {
      const std::size_t message = bench::message_size(plain + done);
      if (message > largest) return false;
      if (size - done < message) break;
      done += message;
    }
    // Before the end of the wrapped message is written over it.
    if (done != size) connection.plain.append(plain + done, size - done);
    return done == 0 || write(connection, plain, done);
  }

  // One message is made where its bytes are; of several each would be written over the next one's bytes.
  bool write(Connection& connection, std::byte* plain, std::size_t size) {
    const std::size_t header = connection.messages.header_size() + 4;
    if (size <= step_size) {
      const std::size_t whole = size + connection.messages.wrap(plain, size);
      return send(connection, plain - header, whole);
    }
    for (std::size_t done = 0; done < size;) {
      const std::size_t step = std::min(size - done, step_size);
      std::byte* const part = part_.get() + around;
      std::memcpy(part, plain + done, step);
      const std::size_t whole = step + connection.messages.wrap(part, step);
      if (!send(connection, part - header, whole)) return false;
      done += step;
    }
    return true;
  }

  bool send(Connection& connection, const std::byte* bytes, std::size_t size) {
    std::size_t done = 0;
    if (connection.out.empty()) {
      const ssize_t sent = ::send(connection.fd, bytes, size, MSG_NOSIGNAL);
      if (sent == static_cast<ssize_t>(size)) return true;
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) done = static_cast<std::size_t>(sent);
      if (mode_ != bench::Mode::source) watch(connection, EPOLLOUT);
    }
    connection.out.append(bytes + done, size - done);
    return true;
  }

  bool flush(Connection& connection) {
    Bytes& out = connection.out;
    const ssize_t sent = ::send(connection.fd, out.data(), out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    out.drop(static_cast<std::size_t>(sent));
    if (out.empty() && mode_ != bench::Mode::source) watch(connection, EPOLLIN);
    return true;
  }

  bool write_bulk(Connection& connection) {
    const std::span<std::byte> bytes = bench::bulk_bytes();
    while (connection.out.empty()) {
      const std::size_t step = std::min(bytes.size() - bulk_at_, step_size);
      std::byte* const part = part_.get() + around;
      std::memcpy(part, bytes.data() + bulk_at_, step);
      bulk_at_ = (bulk_at_ + step) % bytes.size();
      const std::size_t whole = step + connection.messages.wrap(part, step);
      if (!send(connection, part - connection.messages.header_size() - 4, whole)) return false;
    }
    return true;
  }

  bench::Mode mode_;
  bool seals_;
  int listener_;
  int epoll_;
  gss_cred_id_t credentials_ = GSS_C_NO_CREDENTIAL;
  std::size_t bulk_at_ = 0;
  std::unique_ptr<std::byte[]> cipher_ = std::make_unique<std::byte[]>(bench::most_gss_token + chunk);
  std::unique_ptr<std::byte[]> out_ = std::make_unique<std::byte[]>(2 * chunk + largest + 2 * around);
  std::unique_ptr<std::byte[]> part_ = std::make_unique<std::byte[]>(bench::most_gss_message + 2 * around);
};

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  switch (options.mode) {
    case bench::Mode::echo:
    case bench::Mode::sink:
    case bench::Mode::source:
      GssServer(options.mode, options.variant != "integrity", bench::listen_on_loopback()).run();
    case bench::Mode::datagram:
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
}
