#pragma once

#include <cstdint>
#include <string>

namespace tsock::inline v0::proxy {

/// What the proxy says about the TLS connection of the client (PP2_TYPE_SSL). Text as it came, which may hold
/// any byte; empty where the proxy says nothing.
struct SslInfo {
  bool over_tls = false;  ///< the client came over TLS
  bool has_certificate = false;
  bool session_has_certificate = false;  ///< given in this connection, or in the session that it resumes
  /// The client gave a certificate, and the proxy has verified it.
  bool is_verified = false;
  std::uint32_t verify_result = 0;       ///< of the proxy's TLS library; 0 is success, or no certificate
  std::string version = {};              ///< "TLSv1.3"
  std::string common_name = {};          ///< of the client's certificate
  std::string cipher = {};               ///< "ECDHE-RSA-AES128-GCM-SHA256"
  std::string signature_algorithm = {};  ///< of the proxy's certificate, "SHA256"
  std::string key_algorithm = {};        ///< of the proxy's certificate, "RSA2048"
};

}  // namespace tsock::inline v0::proxy
