#pragma once

#include <memory>
#include <string_view>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "endpoint.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "peer_report.hpp"
#include "tls_binding.hpp"

namespace tsock_cat {

/// An authentication that runs over a stream of any kind and puts a layer on it: GSSAPI or SASL. A build
/// without a part has none of it.
class SecurityLayer {
 public:
  /// \return null if no endpoint is for GSSAPI, or with a `failure`
  [[nodiscard]] static std::unique_ptr<SecurityLayer> make_gssapi(const Options& options, Failure& failure);
  /// Reads passwords from where the options say. \return null if no endpoint is for SASL, or with a `failure`
  [[nodiscard]] static std::unique_ptr<SecurityLayer> make_sasl(const Options& options, Failure& failure);

  SecurityLayer() = default;
  SecurityLayer(const SecurityLayer&) = delete;
  SecurityLayer& operator=(const SecurityLayer&) = delete;
  virtual ~SecurityLayer() = default;

  /// "GSSAPI".
  [[nodiscard]] virtual std::string_view protocol() const noexcept = 0;
  /// The client's handshake. It has no deadline. `tls` is that of the stream below, or empty.
  [[nodiscard]] virtual tsock::Request<tsock::Stream> connect(tsock::Stream below, const Endpoint& endpoint,
                                                              const TlsBinding& tls) const = 0;
  /// The server's.
  [[nodiscard]] virtual tsock::Request<tsock::Stream> accept(tsock::Stream below,
                                                             const TlsBinding& tls) const = 0;
  [[nodiscard]] virtual PeerReport describe(const tsock::Stream& stream) const = 0;
};

}  // namespace tsock_cat
