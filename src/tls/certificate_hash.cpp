#include "tls/certificate_hash.hpp"

#include <array>
#include <cerrno>
#include <span>

namespace tsock::inline v0::tls {

// The hash of the certificate's signature, and a better one in place of MD5 and SHA-1.
int hash_certificate(X509* certificate, std::vector<std::byte>& hash) {
  if (certificate == nullptr) return ENOTSUP;
  int kind = NID_undef;
  if (X509_get_signature_info(certificate, &kind, nullptr, nullptr, nullptr) != 1) return ENOTSUP;
  const EVP_MD* digest = kind == NID_undef ? nullptr : EVP_get_digestbynid(kind);
  if (digest == nullptr && kind != NID_undef) return ENOTSUP;
  if (digest == nullptr || kind == NID_md5 || kind == NID_sha1) digest = EVP_sha256();
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (X509_digest(certificate, digest, bytes.data(), &size) != 1) return ENOMEM;
  const auto view = std::as_bytes(std::span(bytes).first(size));
  hash.assign(view.begin(), view.end());
  return 0;
}

}  // namespace tsock::inline v0::tls
