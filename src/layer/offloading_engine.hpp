#pragma once

#include <cstddef>
#include <span>
#include <tsock/layer/engine.hpp>
#include <tsock/socket_control.hpp>

namespace tsock::inline v0::layer {

/// An engine that may leave wrapping to the socket below once its handshake is done, as to a kernel that
/// knows TLS. The other direction stays with the engine.
class OffloadingEngine : public Engine {
 public:
  /// Whether `offload()` is worth a call.
  [[nodiscard]] virtual bool wants_offload() const noexcept = 0;
  /// Called once, behind the handshake, when all that was appended to `out` has left. \return whether the
  /// socket wraps from now on: it gets the user's bytes as they are, `wrap()` is not called again, and what
  /// the engine appends to `out` goes to `send_own()`
  virtual bool offload(SocketControl& below) noexcept = 0;
  /// Why the socket is to get nothing more of the user; 0 if it may.
  [[nodiscard]] virtual int write_error() const noexcept = 0;
  /// Sends what the engine has appended to `out`, as much of it as the socket takes, in whole messages.
  /// \return as `StreamBackend::try_writev()`
  virtual ssize_t send_own(SocketControl& below, std::span<const std::byte> out, int& err) noexcept = 0;
};

}  // namespace tsock::inline v0::layer
