#pragma once

#include <cerrno>
#include <memory>
#include <tsock/address.hpp>
#include <tsock/export.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0 {

class Stream;

/// The events that a ListenerBackend reports to the Listener in front of it.
class TSOCK_EXPORT ListenerEvents {
 public:
  /// `try_accept()` is worth a call. May come without need.
  virtual void on_acceptable() noexcept = 0;

 protected:
  ~ListenerEvents() = default;
};

/// The interface behind a Listener; the rules are those of StreamBackend.
class TSOCK_EXPORT ListenerBackend {
 public:
  ListenerBackend() = default;
  ListenerBackend(const ListenerBackend&) = delete;
  ListenerBackend& operator=(const ListenerBackend&) = delete;
  /// Stops listening.
  virtual ~ListenerBackend() = default;

  /// Called once, before anything else. `events` outlives the backend.
  virtual void attach(ListenerEvents& events) noexcept = 0;
  /// Takes one connection. \return 0 with `stream` set, EAGAIN if none waits, or an errno value:
  ///  - EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC: the connection still waits, and a later try may work
  ///  - EBADF, ENOTSOCK, EINVAL, EFAULT, ENOTCONN: the listener is broken
  ///  - any other value: one connection failed and is lost, as in accept(2)
  virtual int try_accept(std::unique_ptr<StreamBackend>& stream) noexcept = 0;
  /// Takes one connection as a stream, which keeps all that belongs to it, such as bytes that were read
  /// ahead: for a backend whose connections are streams of its loop already. \return as `try_accept()`, which
  /// is not called then; ENOTSUP, the default, has that one called from then on
  virtual int try_accept_stream(Stream& /*stream*/) noexcept { return ENOTSUP; }
  /// Asks for one `on_acceptable()`, unless another call is already worth it.
  [[nodiscard]] virtual Readiness want_acceptable() noexcept = 0;
  [[nodiscard]] virtual Address local_address() const noexcept = 0;
  /// The listening socket, or `invalid_socket`.
  [[nodiscard]] virtual NativeSocket native_handle() const noexcept { return invalid_socket; }
};

}  // namespace tsock::inline v0
