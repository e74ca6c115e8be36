#pragma once

#include <cstddef>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/export.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <vector>

namespace tsock::inline v0 {

/// A stream backend that is a socket, with what a socket offers beyond bytes.
class TSOCK_EXPORT SocketControl : public StreamBackend {
 public:
  [[nodiscard]] SocketControl* socket_control() noexcept final { return this; }
  /// The socket, still owned by the backend; `invalid_socket` once closed.
  [[nodiscard]] virtual NativeSocket native_handle() const noexcept = 0;
  /// Bytes that were taken from the socket and that `try_readv()` has not given yet.
  [[nodiscard]] virtual std::span<const std::byte> kept_bytes() const noexcept { return {}; }
  /// Gives the socket away; the backend is closed afterwards.
  virtual UniqueSocket release_socket() noexcept = 0;
  /// \return 0 or an errno value: ENOTSUP if the socket is not a unix socket.
  virtual int peer_credentials(PeerCredentials& credentials) const noexcept = 0;
  /// As `StreamBackend::try_writev()`, with descriptors attached to the first byte.
  virtual ssize_t try_writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                                      int& err) noexcept = 0;
  /// Moves descriptors into `taken`, which is empty: those that came with the bytes `try_readv()` has
  /// returned, except the last `unread` bytes. \return 0, or ENOMEM, with none moved.
  virtual int take_received_fds(std::size_t unread, std::vector<UniqueFd>& taken) noexcept = 0;
};

}  // namespace tsock::inline v0
