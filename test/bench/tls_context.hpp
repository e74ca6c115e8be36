#pragma once

#include <openssl/ssl.h>

#include <string>

namespace bench {

/// What all TLS contenders have in common: TLS 1.3, this cipher, a certificate on P-256, and one ticket.
inline constexpr const char* tls_cipher = "TLS_AES_128_GCM_SHA256";

/// A certificate and its key, as PEM: made when the server starts.
struct TlsIdentity {
  std::string certificate_pem;
  std::string key_pem;
};
[[nodiscard]] TlsIdentity make_tls_identity();

/// Sets what is common on a context for servers.
void configure_tls_server(SSL_CTX* context);
/// A context for servers that use OpenSSL themselves. The program keeps it to its end.
[[nodiscard]] SSL_CTX* make_tls_server_context();

}  // namespace bench
