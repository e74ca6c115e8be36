#pragma once

#include <cstddef>
#include <string>
#include <tsock/tls/identity.hpp>
#include <vector>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// An Identity, read.
struct KeyMaterial {
  OpenSslPointer<X509> certificate;
  OpenSslPointer<EVP_PKEY> key;
  OpenSslPointer<STACK_OF(X509)> chain;  // may be null
  std::string ocsp_response;
  std::vector<std::byte> certificate_hash;  // for channel bindings; empty where there is none
};

// All \return 0 or an errno value, with the reason in words.

/// Reads an identity. One that names nothing gives none. The key belongs to the certificate.
int read_identity(const Identity& identity, KeyMaterial& material, std::string& reason);
/// All certificates of a PEM text, at least one. \param source says where it is from
int read_certificates(const std::string& pem, const std::string& source,
                      std::vector<OpenSslPointer<X509>>& certificates, std::string& reason);
/// The same for revocation lists.
int read_revocation_lists(const std::string& pem, const std::string& source,
                          std::vector<OpenSslPointer<X509_CRL>>& lists, std::string& reason);
/// Appends a file to the text.
int read_file(const std::string& path, std::string& text, std::string& reason);

/// The words for what OpenSSL has last complained of, behind what was done.
int openssl_failure(int err, const std::string& what, std::string& reason);

}  // namespace tsock::inline v0::tls
