#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <tsock/tls/ticket_keys.hpp>

#include "tls/ticket_key_ring.hpp"

namespace tsock::inline v0::tls {

namespace {

bool fill(TicketKeyRing::Key& key) noexcept {
  return RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
         RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1 &&
         RAND_priv_bytes(key.hmac.data(), static_cast<int>(key.hmac.size())) == 1;
}

void wipe(TicketKeyRing::Key& key) noexcept { OPENSSL_cleanse(&key, sizeof key); }

}  // namespace

TicketKeyRing::TicketKeyRing(const Key& first)
    : cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)), keys_{first} {
  if (cipher_ == nullptr) throw std::runtime_error("OpenSSL has no AES-256-CBC");
}

TicketKeyRing::~TicketKeyRing() {
  for (Key& key : keys_) wipe(key);
}

bool TicketKeyRing::prepare(const Key& key, const unsigned char* iv, EVP_CIPHER_CTX& cipher, EVP_MAC_CTX& mac,
                            bool seals) const noexcept {
  // OpenSSL's parameters are not const; it only reads these.
  std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.hmac.data()),
                                        key.hmac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(&mac, parameters.data()) == 1 &&
         EVP_CipherInit_ex2(&cipher, cipher_.get(), key.cipher.data(), iv, seals ? 1 : 0, nullptr) == 1;
}

void TicketKeyRing::rotate(const Key& next) noexcept {
  const std::lock_guard lock(mutex_);
  std::shift_right(keys_.begin(), keys_.end(), 1);
  keys_.front() = next;
  count_ = std::min(count_ + 1, keys_.size());
}

bool TicketKeyRing::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX& cipher,
                         EVP_MAC_CTX& mac) const noexcept {
  if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_.get())) != 1) return false;
  const std::lock_guard lock(mutex_);
  std::copy(keys_.front().name.begin(), keys_.front().name.end(), name);
  return prepare(keys_.front(), iv, cipher, mac, true);
}

TicketKeyRing::Opened TicketKeyRing::open(const unsigned char* name, const unsigned char* iv,
                                          EVP_CIPHER_CTX& cipher, EVP_MAC_CTX& mac) const noexcept {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < count_; ++i) {
    if (!std::equal(keys_[i].name.begin(), keys_[i].name.end(), name)) continue;
    if (!prepare(keys_[i], iv, cipher, mac, false)) return Opened::failed;
    return i == 0 ? Opened::by_newest_key : Opened::by_old_key;
  }
  return Opened::no_key;
}

TicketKeys::TicketKeys() {
  TicketKeyRing::Key key{};
  if (!fill(key)) throw std::runtime_error("OpenSSL gives no random numbers");
  try {
    ring_ = std::make_shared<TicketKeyRing>(key);
  } catch (...) {
    wipe(key);
    throw;
  }
  wipe(key);
}

int TicketKeys::rotate() noexcept {
  TicketKeyRing::Key key{};
  if (!fill(key)) return EIO;
  ring_->rotate(key);
  wipe(key);
  return 0;
}

int TicketKeys::rotate(std::span<const std::byte> key) noexcept {
  if (key.size() != key_size) return EINVAL;
  TicketKeyRing::Key copy{};
  std::memcpy(&copy, key.data(), key.size());
  ring_->rotate(copy);
  wipe(copy);
  return 0;
}

}  // namespace tsock::inline v0::tls
