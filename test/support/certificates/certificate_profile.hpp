#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tsock::test {

/// An extension in the raw, for what no certificate should have.
struct RawExtension {
  std::string oid;
  bool is_critical = false;
  std::string der;
};

/// What a certificate says. Times are relative to now. Extensions are in the words of OpenSSL's
/// configuration files (man x509v3_config); empty text leaves the extension out.
struct CertificateProfile {
  std::string common_name = {};  ///< empty: no name at all
  /// Subject alternative names, byte by byte: a NUL, a wildcard, whatever.
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_addresses = {};  ///< as text, of both families
  std::vector<std::string> email_addresses = {};
  std::vector<std::string> uris = {};
  std::chrono::seconds not_before = -std::chrono::hours(1);
  std::chrono::seconds not_after = std::chrono::hours(24);
  bool is_authority = false;
  std::optional<int> path_length = {};
  /// If not given, what an authority or else a server needs.
  std::optional<std::string> key_usage = {};
  /// If not given, `serverAuth`, and none for an authority.
  std::optional<std::string> extended_key_usage = {};
  std::string name_constraints = {};  ///< such as "critical,permitted;DNS:example.com"
  bool has_basic_constraints = true;
  bool has_key_identifiers = true;  ///< of the subject and of the issuer
  std::vector<RawExtension> raw_extensions = {};
  int version = 3;                           ///< version 1 has no extensions
  std::optional<std::uint64_t> serial = {};  ///< a random one if not given
  std::string signature_hash = "SHA256";     ///< by OpenSSL's name; SHA1 and MD5 as well
  bool is_signature_broken = false;
};

/// What a list of revoked certificates says.
struct CrlProfile {
  std::vector<std::uint64_t> serials = {};
  std::chrono::seconds this_update = -std::chrono::hours(1);
  std::chrono::seconds next_update = std::chrono::hours(24);
  std::vector<RawExtension> raw_extensions = {};
  std::string signature_hash = "SHA256";
  bool is_signature_broken = false;
};

/// A certification authority.
inline CertificateProfile authority_profile(std::string common_name) {
  return {.common_name = std::move(common_name), .is_authority = true};
}

/// A server of that DNS name.
inline CertificateProfile server_profile(std::string dns_name) {
  return {.common_name = dns_name, .dns_names = {std::move(dns_name)}};
}

/// A client, with its name as common name.
inline CertificateProfile client_profile(std::string common_name) {
  return {.common_name = std::move(common_name), .extended_key_usage = "clientAuth"};
}

}  // namespace tsock::test
