#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "channel.hpp"
#include "services.hpp"

namespace tsock_cat {

/// Where peers come to: a listening socket, or a socket for datagrams, of which each new sender is taken for
/// a connection of its own.
class Acceptor {
 public:
  /// From the loop; may destroy the acceptor.
  using OnAccept = std::function<void(int err, Channel channel)>;

  Acceptor() = default;
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  /// Nobody else is accepted; who was goes on.
  virtual ~Acceptor() = default;

  /// Takes the next peer. One at a time; peers that nobody asks for wait.
  virtual void accept(OnAccept on_accept) = 0;
  /// The address that is bound, as tsock-cat takes it for an ADDRESS.
  [[nodiscard]] virtual std::string address() const = 0;
  /// Counts the datagrams that came and were lost, other than those that a DatagramEnd counts, from the
  /// beginning and for as long as it is kept, also when the acceptor is gone. Null for streams.
  [[nodiscard]] virtual std::function<std::uint64_t()> drop_counter() const { return nullptr; }
};

/// Binds and listens; a host name is looked up before this returns. `on_refused` gets the handshakes that
/// fail, and may destroy the acceptor. On failure null, and `failure` says why.
[[nodiscard]] std::unique_ptr<Acceptor> open_acceptor(const Services& services, const Endpoint& endpoint,
                                                      const OnHandshakeFailure& on_refused, Failure& failure);

}  // namespace tsock_cat
