#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/export.hpp>
#include <tsock/listener.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <tsock/stream_options.hpp>

namespace tsock::inline v0::layer {

/// How a listener runs the handshakes of its connections.
struct ListenOptions {
  /// Handshakes that run and finished connections that wait to be accepted, together. Further connections
  /// wait in the backlog. 0 takes none.
  std::size_t most_handshakes = 256;
  /// What each handshake may take. A client that stops in the middle holds one place for that time.
  std::chrono::milliseconds handshake_time = std::chrono::seconds(10);
  /// Called from the loop for each handshake that has failed, with the address of the peer, the errno value,
  /// and the reason in words, which may be empty. May destroy the listener. Without it at most one line a
  /// second is logged.
  std::function<void(const Address& peer, int err, std::string_view reason)> on_failure = {};
  /// What accepted streams do; the options of sockets are those of the listener below.
  StreamOptions stream = {};
};

/// A listener of finished connections: takes connections from the listener below, runs a handshake on each,
/// many at a time, and gives those whose handshake has succeeded. It begins with the first `accept()`, and
/// works ahead from then on.
///
/// A handshake that fails never ends or pauses accepting. Destroying the listener ends those that run.
/// \param below owned by the listener from now on; what accepts from it ends (ECANCELED) \param handshake
/// starts the handshake of one connection, as `layer_over()` does; called from the loop, and may destroy the
/// listener. What it throws, std::bad_alloc say, and an empty request cost the connection. \return the
/// listener; an empty one if `below` is empty. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT Listener listen_over(Listener below,
                                                std::function<Request<Stream>(Stream)> handshake,
                                                ListenOptions options = {});

}  // namespace tsock::inline v0::layer
