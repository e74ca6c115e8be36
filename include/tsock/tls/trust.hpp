#pragma once

#include <string>
#include <vector>

namespace tsock::inline v0::tls {

/// Whom to trust. CAs come from the system, a file, a directory with hashed names (openssl-rehash(1)) and
/// memory, all together.
struct Trust {
  bool system_cas = false;
  std::string ca_file = {};
  std::string ca_directory = {};
  std::string ca_pem = {};
  /// Revocation lists as PEM. With one each certificate is looked up in the list of its issuer, and a peer
  /// whose own issuer has none is refused.
  std::string crl_file = {};
  std::string crl_pem = {};
  /// Public keys, of which one has to be in the peer's chain, as curl writes them: "sha256//" and the hash of
  /// the SubjectPublicKeyInfo in base64. They are asked for beside the CA, and alone at
  /// VerifyLevel::no_check.
  std::vector<std::string> pinned_keys = {};
};

}  // namespace tsock::inline v0::tls
