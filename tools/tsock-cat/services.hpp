#pragma once

#include <tsock/loop.hpp>

#include "npa.hpp"
#include "options.hpp"
#include "proxies.hpp"
#include "report.hpp"
#include "security_layer.hpp"
#include "tls.hpp"
#include "transcript.hpp"

namespace tsock_cat {

/// What every part needs; all of it lives as long as the process.
struct Services {
  tsock::Loop& loop;
  const Options& options;
  Report& report;
  Transcript& transcript;
  const Tls* tls = nullptr;               ///< there if an endpoint is for TLS
  const Npa* npa = nullptr;               ///< there if an endpoint is for NPA
  const SecurityLayer* gssapi = nullptr;  ///< likewise
  const SecurityLayer* sasl = nullptr;    ///< likewise
  const Proxies* proxies = nullptr;       ///< there if an option is about proxies

  /// That of the endpoint, or null.
  [[nodiscard]] const SecurityLayer* layer_of(const Endpoint& endpoint) const noexcept {
    if (endpoint.layer == Endpoint::Layer::none) return nullptr;
    return endpoint.layer == Endpoint::Layer::gssapi ? gssapi : sasl;
  }
};

}  // namespace tsock_cat
