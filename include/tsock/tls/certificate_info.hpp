#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <tsock/export.hpp>
#include <vector>

namespace tsock::inline v0::tls {

/// A certificate for people. Its texts come from whoever made the certificate: what is not printable ASCII is
/// escaped, so that they can go to a terminal or a log.
struct CertificateInfo {
  std::string subject;                       ///< RFC 2253: "CN=www.example.com,O=Example"; may be empty
  std::string issuer;                        ///< the same
  std::string serial;                        ///< in hexadecimal digits
  std::chrono::sys_seconds not_before = {};  ///< with whole seconds, as a certificate may live to 9999
  std::chrono::sys_seconds not_after = {};   ///< the last second of its life
  std::vector<std::string> names;            ///< alternative ones: DNS names and IP addresses as they are,
                                             ///< others behind their kind, "email:" and "URI:" say
  std::string key_kind;                      ///< "RSA", "EC", "ED25519"
  std::string key_group;                     ///< of an EC key: "prime256v1"; else empty
  int key_bits = 0;
  std::string signature_hash;  ///< "SHA256"; empty for signatures that have none, as Ed25519
  std::string public_key_pin;  ///< as `Trust::pinned_keys` takes it: "sha256//" and base64
  bool is_authority = false;   ///< it may sign other certificates
};

/// Reads the first certificate of a PEM text, such as an element of `Peer::chain`. It judges nothing.
/// \return with an empty pin and `err` on failure: EINVAL for a text that has none, ENOMEM. Throws
/// std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT CertificateInfo describe_certificate(std::string_view pem, int& err);

}  // namespace tsock::inline v0::tls
