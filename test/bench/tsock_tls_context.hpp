#pragma once

#include <string>
#include <tsock/tls/tls.hpp>

#include "bench/server_options.hpp"
#include "bench/tls_context.hpp"

namespace bench {

/// The context of servers on tsock::tls, with what all TLS contenders have in common.
[[nodiscard]] inline tsock::tls::Context make_tsock_tls_context() {
  const TlsIdentity identity = make_tls_identity();
  int err = 0;
  std::string reason;
  const tsock::tls::ServerOptions options{
      .identities = {{.certificate_pem = identity.certificate_pem, .key_pem = identity.key_pem}},
      .protocol = {.lowest = tsock::tls::Version::tls1_3, .cipher_suites = tls_cipher}};
  auto context = tsock::tls::Context::server(options, err, reason);
  if (err != 0) ServerOptions::fail("context", reason.c_str());
  return context;
}

}  // namespace bench
