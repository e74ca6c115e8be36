#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/certificates/certificate_profile.hpp"
#include "support/certificates/private_key.hpp"

struct x509_st;  // OpenSSL's X509

namespace tsock::test {

/// What a response of the Online Certificate Status Protocol says of a certificate.
enum class OcspStatus : std::uint8_t { good, revoked, unknown };

struct OcspProfile {
  OcspStatus status = OcspStatus::good;
  std::chrono::seconds this_update = -std::chrono::hours(1);
  std::chrono::seconds next_update = std::chrono::hours(24);
};

/// A certificate and its private key, so that it can issue others, as an authority does, and as one that is
/// no authority should not. Made at run time, so nothing expires that somebody would have to renew. A copy is
/// the same certificate. What goes wrong inside OpenSSL is a std::runtime_error with its words.
class Certificate {
 public:
  /// Signed with its own key.
  static Certificate self_signed(const CertificateProfile& profile, PrivateKey key = PrivateKey::ec());
  /// Signed with the key of this one.
  [[nodiscard]] Certificate issue(const CertificateProfile& profile, PrivateKey key = PrivateKey::ec()) const;

  /// The certificate alone. A chain is several of them one after the other, that of the peer first.
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] std::string der() const;
  [[nodiscard]] std::string key_pem() const { return key_.pem(); }
  [[nodiscard]] const PrivateKey& key() const noexcept { return key_; }
  [[nodiscard]] std::uint64_t serial() const;

  /// A list of certificates of this one that are revoked, as PEM.
  [[nodiscard]] std::string crl(const CrlProfile& profile) const;
  [[nodiscard]] std::string crl() const { return crl(CrlProfile{}); }
  /// PKCS#12, as bytes: the certificate, its key, and `authorities`.
  [[nodiscard]] std::string pkcs12(const std::string& password,
                                   const std::vector<Certificate>& authorities = {}) const;
  /// What this one, as an issuer, says of `subject`: a response in DER.
  [[nodiscard]] std::string ocsp_response(const Certificate& subject, const OcspProfile& profile) const;
  [[nodiscard]] std::string ocsp_response(const Certificate& subject, OcspStatus status) const {
    return ocsp_response(subject, OcspProfile{.status = status});
  }
  /// The same, signed by `responder`, whose certificate the response has with it.
  [[nodiscard]] std::string ocsp_response(const Certificate& subject, const OcspProfile& profile,
                                          const Certificate& responder) const;

  [[nodiscard]] x509_st* get() const noexcept { return x509_.get(); }

 private:
  Certificate(std::shared_ptr<x509_st> x509, PrivateKey key);
  static Certificate make(const CertificateProfile& profile, PrivateKey key, const Certificate* issuer);

  std::shared_ptr<x509_st> x509_;
  PrivateKey key_;
};

}  // namespace tsock::test
