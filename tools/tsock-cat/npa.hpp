#pragma once

#include <memory>
#include <string_view>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "channel.hpp"
#include "endpoint.hpp"
#include "failure.hpp"
#include "handshake.hpp"
#include "options.hpp"

namespace tsock_cat {

/// Named pipes of Samba, as the options want them. A build without NPA has none.
class Npa {
 public:
  /// Checks the endpoints. \return null if none is for NPA, or with a `failure`
  [[nodiscard]] static std::unique_ptr<Npa> make(const Options& options, Failure& failure);

  Npa() = default;
  Npa(const Npa&) = delete;
  Npa& operator=(const Npa&) = delete;
  virtual ~Npa() = default;

  /// Connects, with the identity that the options tell. It has no deadline.
  [[nodiscard]] virtual tsock::Request<tsock::Stream> connect(tsock::Loop& loop,
                                                              const Endpoint& endpoint) const = 0;
  /// Whether an error of `connect()` is one of the handshake, not of the socket.
  [[nodiscard]] virtual bool is_of_handshake(int err, std::string_view reason) const = 0;
  /// `on_failure` is called for each handshake that fails, and may destroy the listener. \return an empty one
  /// with a `failure`
  [[nodiscard]] virtual tsock::Listener listen(tsock::Loop& loop, const Endpoint& endpoint,
                                               OnHandshakeFailure on_failure, Failure& failure) const = 0;
  /// Adds what is known of the peer.
  virtual void describe(Channel& channel) const = 0;
};

}  // namespace tsock_cat
