#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <tsock/tls/client_options.hpp>
#include <tsock/tls/verify_level.hpp>
#include <vector>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// Judges the certificate of a peer: OpenSSL's verification, pinned keys, the stapled OCSP response.
class CertificateCheck {
 public:
  void set_level(VerifyLevel level) noexcept { level_ = level; }
  [[nodiscard]] VerifyLevel level() const noexcept { return level_; }
  void set_ocsp(OcspCheck ocsp) noexcept { ocsp_ = ocsp; }
  [[nodiscard]] OcspCheck ocsp() const noexcept { return ocsp_; }
  /// \return 0, or EINVAL with the reason in words
  int add_pin(const std::string& pin, std::string& reason);
  [[nodiscard]] bool has_pins() const noexcept { return !pins_.empty(); }

  /// Has `verify()` called for the certificates of all peers of the context. \param mode of
  /// SSL_CTX_set_verify(3)
  void install(SSL_CTX& context, int mode) const noexcept;

  /// Whether a stapled response says that the certificate is good. \param refusal why not
  [[nodiscard]] bool accepts_ocsp(SSL& ssl, std::string& refusal) const;

 private:
  using Pin = std::array<unsigned char, 32>;

  /// \return 1 or 0, for OpenSSL
  int verify(X509_STORE_CTX& store) const noexcept;
  [[nodiscard]] bool has_pinned_key(X509_STORE_CTX& store, bool is_verified) const noexcept;
  [[nodiscard]] bool is_pinned(X509* certificate) const noexcept;

  VerifyLevel level_ = VerifyLevel::ca_only;
  OcspCheck ocsp_ = OcspCheck::none;
  std::vector<Pin> pins_;
};

/// A certificate's subject for people, without characters that control a terminal.
[[nodiscard]] std::string subject_of(const X509* certificate);

}  // namespace tsock::inline v0::tls
