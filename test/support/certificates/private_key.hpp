#pragma once

#include <memory>
#include <string>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace tsock::test {

/// A private key, made at run time. A copy is the same key.
class PrivateKey {
 public:
  /// A new key on P-256: made in no time, so that each certificate has one of its own.
  static PrivateKey ec() { return ec("P-256"); }
  /// On another curve, by OpenSSL's name.
  static PrivateKey ec(const std::string& curve);
  static PrivateKey ed25519();
  /// The RSA key of that size; 512 bits at least. Made at the first use, then the same one for the whole
  /// program, as they take long. From any thread.
  static const PrivateKey& shared_rsa(unsigned bits);

  /// PKCS#8; encrypted when there is a password.
  [[nodiscard]] std::string pem(const std::string& password = {}) const;
  /// SHA-256 of the public key (SubjectPublicKeyInfo), as 32 bytes: what a pin is.
  [[nodiscard]] std::string public_key_sha256() const;

  [[nodiscard]] evp_pkey_st* get() const noexcept { return key_.get(); }

 private:
  explicit PrivateKey(evp_pkey_st* key);

  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace tsock::test
