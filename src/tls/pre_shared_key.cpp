#include <openssl/crypto.h>

#include <tsock/tls/pre_shared_key.hpp>

namespace tsock::inline v0::tls {

PreSharedKey& PreSharedKey::operator=(const PreSharedKey& other) {
  if (this != &other) *this = PreSharedKey(other);
  return *this;
}

PreSharedKey& PreSharedKey::operator=(PreSharedKey&& other) noexcept {
  identity.swap(other.identity);
  key.swap(other.key);  // the other one wipes it
  return *this;
}

PreSharedKey::~PreSharedKey() { OPENSSL_cleanse(key.data(), key.size()); }

}  // namespace tsock::inline v0::tls
