#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/load_gss.hpp"

namespace bench {

[[noreturn]] void die(const char* what);
[[nodiscard]] sockaddr_in loopback(std::uint16_t port);
/// A blocking socket. With a `source` it has one of many addresses: closed connections keep their ports for a
/// minute.
[[nodiscard]] int connect_to(std::uint16_t port, std::int64_t source = -1);

/// The same for an abstract unix socket.
[[nodiscard]] int connect_to_unix(const std::string& name);
/// A request of NPA, on a blocking socket.
void send_npa_request(int fd);
/// Waits for the reply to it.
void read_npa_reply(int fd);

/// The load's end of a connection, plain, TLS or GSSAPI. Calls behave as those of sockets that do not block,
/// but for `write()` and `wait()`. A plain one leaves the socket to its user, the others close it.
class Wire {
 public:
  Wire() noexcept;
  Wire(int fd, bool is_tls, bool resumes = false);
  Wire(int fd, std::unique_ptr<GssChannel> gss) noexcept;
  Wire(Wire&&) noexcept;
  Wire& operator=(Wire&&) noexcept;
  ~Wire();

  [[nodiscard]] int fd() const { return fd_; }

  /// All bytes of one call leave together, and may wait for `flush()`.
  ssize_t send(const unsigned char* bytes, std::size_t size);
  ssize_t send(const msghdr& message);
  /// \return whether everything has left
  bool flush();
  /// Gives all that is there, up to `size`: EAGAIN is told when the socket has nothing more.
  ssize_t recv(unsigned char* to, std::size_t size);
  /// Until there is something to be read.
  void wait() const;
  /// Blocks. \return as writev(2)
  ssize_t write(const iovec& vector);

  /// \return whether it is done
  bool handshake();
  [[nodiscard]] bool is_resumed() const;
  [[nodiscard]] bool has_ticket() const;
  void say_goodbye();

 private:
  struct Tls;
  ssize_t result_of(int result) const;

  int fd_ = -1;
  std::unique_ptr<Tls> tls_;
  std::unique_ptr<GssChannel> gss_;
};

}  // namespace bench
