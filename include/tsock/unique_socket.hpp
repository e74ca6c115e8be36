#pragma once

#include <tsock/export.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/unique_fd.hpp>
#include <utility>

namespace tsock::inline v0 {

/// Owns a socket and closes it. Files and pipes have UniqueFd: Windows closes the two in different ways.
class TSOCK_EXPORT UniqueSocket {
 public:
  UniqueSocket() noexcept = default;
  explicit UniqueSocket(NativeSocket socket) noexcept : socket_(socket) {}
#if !defined(_WIN32)
  /// Takes a descriptor that is known to be a socket, such as one of `Stream::take_received_fds()`.
  explicit UniqueSocket(UniqueFd&& fd) noexcept : socket_(fd.release()) {}
#endif
  UniqueSocket(UniqueSocket&& other) noexcept : socket_(other.release()) {}
  UniqueSocket& operator=(UniqueSocket&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueSocket(const UniqueSocket&) = delete;
  UniqueSocket& operator=(const UniqueSocket&) = delete;
  ~UniqueSocket() { reset(); }

  explicit operator bool() const noexcept { return socket_ != invalid_socket; }
  [[nodiscard]] NativeSocket get() const noexcept { return socket_; }
  /// Gives the socket away; the caller closes it.
  [[nodiscard]] NativeSocket release() noexcept { return std::exchange(socket_, invalid_socket); }
  /// Closes the socket and takes another one.
  void reset(NativeSocket socket = invalid_socket) noexcept;

 private:
  NativeSocket socket_ = invalid_socket;
};

}  // namespace tsock::inline v0
