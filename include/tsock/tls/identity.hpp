#pragma once

#include <string>
#include <tsock/export.hpp>

namespace tsock::inline v0::tls {

/// Who one is: a certificate with the chain that leads to a CA, and its key. Give each of the two in a file
/// or in memory, as PEM, or both together as PKCS#12. What is in memory comes first.
/// What is secret is wiped when it goes.
struct TSOCK_EXPORT Identity {
  std::string certificate_file = {};  ///< the certificate first, then the chain
  std::string key_file = {};
  std::string certificate_pem = {};
  std::string key_pem = {};
  std::string pkcs12_file = {};
  std::string pkcs12 = {};    ///< the bytes of such a file
  std::string password = {};  ///< of the key, or of the PKCS#12 file; none is asked for on a terminal
  /// Takes a key file, or a PKCS#12 file, that others than owner and group may read or write.
  bool allow_readable_key = false;
  /// A response of the CA's OCSP server (DER), which a server staples to its certificate when a client asks.
  std::string ocsp_response_file = {};
  std::string ocsp_response = {};

  ~Identity();
};

}  // namespace tsock::inline v0::tls
