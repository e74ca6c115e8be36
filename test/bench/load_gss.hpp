#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace bench {

/// The load's end of a connection over GSSAPI: "bench@localhost" with the tickets of the environment. Owns
/// the socket.
class GssChannel {
 public:
  /// Blocks for the handshake.
  GssChannel(int fd, bool seals);
  GssChannel(const GssChannel&) = delete;
  GssChannel& operator=(const GssChannel&) = delete;
  ~GssChannel();

  /// As those of a Wire.
  ssize_t send(const unsigned char* bytes, std::size_t size);
  bool flush();
  ssize_t recv(unsigned char* to, std::size_t size);

 private:
  void shake();
  void open_all();

  struct Context;
  int fd_;
  std::unique_ptr<Context> context_;
  std::vector<std::byte> cipher_;
  std::vector<std::byte> plain_;  // opened and not given yet
  std::size_t given_ = 0;         // of these
  std::vector<std::byte> unsent_;
};

}  // namespace bench
