#pragma once

#include <memory>
#include <string>
#include <tsock/listener.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "failure.hpp"
#include "handshake.hpp"
#include "options.hpp"
#include "peer_report.hpp"
#include "secret.hpp"

namespace tsock_cat {

/// Proxies as the options want them; the password is read once.
class Proxies {
 public:
  /// \return null if no option is about proxies, or with a `failure`
  [[nodiscard]] static std::unique_ptr<Proxies> make(const Options& options, Failure& failure);

  explicit Proxies(const Options& options) : options_(options) {}
  /// Asks the proxy at the other end of `below` for the target. It has no deadline.
  [[nodiscard]] tsock::Request<tsock::Stream> connect(tsock::Stream below, const Endpoint& target) const;
  /// What became of it.
  [[nodiscard]] Failure failure(const Endpoint& target, int err, std::string_view reason) const;
  /// "through socks5://127.0.0.1:1080".
  [[nodiscard]] PeerReport describe() const;

  /// The header for a connection that is passed on, or for one of our own.
  [[nodiscard]] tsock::Request<tsock::ssize_t> send_header(tsock::Stream& stream,
                                                           tsock::proxy::Header header) const;

  /// A listener behind a proxy. `on_failure` is called for each header that fails.
  [[nodiscard]] tsock::Listener listen(tsock::Listener below, const OnHandshakeFailure& on_failure) const;
  /// What came with an accepted stream.
  [[nodiscard]] static std::optional<PeerReport> describe(const tsock::Stream& accepted);

 private:
  [[nodiscard]] Failure read_password();

  const Options& options_;
  Secret password_;
};

}  // namespace tsock_cat
