#include "support/certificates/private_key.hpp"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include <array>
#include <map>
#include <mutex>

#include "support/certificates/openssl_objects.hpp"

namespace tsock::test {

using openssl::check;

PrivateKey::PrivateKey(evp_pkey_st* key) : key_(check(key, "making a key"), &EVP_PKEY_free) {}

PrivateKey PrivateKey::ec(const std::string& curve) { return PrivateKey(EVP_EC_gen(curve.c_str())); }

PrivateKey PrivateKey::ed25519() { return PrivateKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

const PrivateKey& PrivateKey::shared_rsa(unsigned bits) {
  static std::mutex mutex;
  static std::map<unsigned, PrivateKey> keys;
  const std::lock_guard lock(mutex);
  auto found = keys.find(bits);
  if (found == keys.end()) found = keys.emplace(bits, PrivateKey(EVP_RSA_gen(bits))).first;
  return found->second;
}

std::string PrivateKey::pem(const std::string& password) const {
  const openssl::Bio bio = openssl::memory_bio();
  const EVP_CIPHER* const cipher = password.empty() ? nullptr : EVP_aes_256_cbc();
  check(PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), cipher, password.data(),
                                      static_cast<int>(password.size()), nullptr, nullptr),
        "PEM_write_bio_PKCS8PrivateKey");
  return openssl::text_of(bio);
}

std::string PrivateKey::public_key_sha256() const {
  const std::string der = openssl::der_of(key_.get(), &i2d_PUBKEY);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(openssl::bytes_of(der), der.size(), digest.data());
  return {digest.begin(), digest.end()};
}

}  // namespace tsock::test
