#pragma once

#include <winsock2.h>
// The order matters: these headers need the one above.
#include <mstcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <ws2tcpip.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/native_socket.hpp>

namespace tsock::inline v0::os {

/// The errno value that means the same as an error of Winsock or of the system; EIO for what has none. 0 for
/// 0.
int errno_of_system(unsigned long code) noexcept;

/// The errno value of the last call of Winsock that failed in this thread.
inline int last_socket_error() noexcept {
  return errno_of_system(static_cast<unsigned long>(::WSAGetLastError()));
}

/// Sets a socket option that is an int. \return 0 or an errno value.
inline int set_int(NativeSocket socket, int level, int name, int value) noexcept {
  return ::setsockopt(socket, level, name, reinterpret_cast<const char*>(&value), sizeof(value)) == 0
             ? 0
             : last_socket_error();
}

/// Reads an option that is an int. \return 0 or an errno value.
inline int get_int(NativeSocket socket, int level, int name, int& value) noexcept {
  int size = sizeof(value);
  value = 0;  // some options are a byte
  return ::getsockopt(socket, level, name, reinterpret_cast<char*>(&value), &size) == 0 ? 0
                                                                                        : last_socket_error();
}

/// Switches blocking calls on or off. \return 0 or an errno value.
inline int set_nonblocking(NativeSocket socket, bool on) noexcept {
  u_long value = on ? 1 : 0;
  return ::ioctlsocket(socket, static_cast<long>(FIONBIO), &value) == 0 ? 0 : last_socket_error();
}

/// Started programs do not inherit it. \return 0 or an errno value.
inline int set_private(NativeSocket socket) noexcept {
  return ::SetHandleInformation(reinterpret_cast<HANDLE>(socket), HANDLE_FLAG_INHERIT, 0) != 0
             ? 0
             : errno_of_system(::GetLastError());
}

/// The address family and the type of a socket, whether it is bound or not; zeros when it is none.
struct SocketKind {
  int family = 0;
  int type = 0;
};
inline SocketKind kind_of(NativeSocket socket) noexcept {
  WSAPROTOCOL_INFOW info{};
  int size = sizeof(info);
  if (::getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&info), &size) != 0)
    return {};
  return {.family = info.iAddressFamily, .type = info.iSocketType};
}

/// The front of a vector list as Winsock wants it, as much of it as one call is given.
template <std::size_t most_vectors = 64>
class WsaVectors {
 public:
  explicit WsaVectors(std::span<const iovec> vectors) noexcept {
    std::size_t bytes = 0;
    for (const iovec& vector : vectors.first(std::min(vectors.size(), vectors_.size()))) {
      const std::size_t size = std::min(vector.iov_len, most_bytes - bytes);
      vectors_[count_++] = {.len = static_cast<ULONG>(size), .buf = static_cast<char*>(vector.iov_base)};
      bytes += size;
      if (size != vector.iov_len) break;  // the rest of this vector comes before the next one
    }
  }
  [[nodiscard]] WSABUF* data() noexcept { return vectors_.data(); }
  [[nodiscard]] DWORD count() const noexcept { return count_; }

 private:
  // A call's result is a number of 32 bits.
  static constexpr std::size_t most_bytes = std::size_t{1} << 30U;
  std::array<WSABUF, most_vectors> vectors_;
  DWORD count_ = 0;
};

}  // namespace tsock::inline v0::os
