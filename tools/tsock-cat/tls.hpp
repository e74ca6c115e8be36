#pragma once

#include <memory>
#include <tsock/listener.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "endpoint.hpp"
#include "failure.hpp"
#include "handshake.hpp"
#include "options.hpp"
#include "report.hpp"
#include "tls_binding.hpp"
#include "tls_report.hpp"

namespace tsock_cat {

/// TLS as the options want it: certificates and keys are read once, for all connections. A build without TLS
/// has none.
class Tls {
 public:
  /// Reads the files that the options name. \return null if no endpoint is for TLS, or with a `failure`
  [[nodiscard]] static std::unique_ptr<Tls> make(const Options& options, Report& report, Failure& failure);

  Tls() = default;
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;
  virtual ~Tls() = default;

  /// The client's handshake. It has no deadline.
  [[nodiscard]] virtual tsock::Request<tsock::Stream> connect(tsock::Stream below,
                                                              const Endpoint& endpoint) const = 0;
  /// `on_failure` is called for each handshake that fails, and may destroy the listener.
  [[nodiscard]] virtual tsock::Listener listen(tsock::Listener below,
                                               OnHandshakeFailure on_failure) const = 0;
  [[nodiscard]] virtual TlsReport describe(const tsock::Stream& stream) const = 0;
  /// What an authentication inside wants to know.
  [[nodiscard]] virtual TlsBinding binding(const tsock::Stream& stream) const = 0;
};

}  // namespace tsock_cat
