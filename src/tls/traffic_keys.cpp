#include "tls/traffic_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tsock::inline v0::tls {

namespace {

constexpr std::size_t salt_size = 4;
constexpr std::size_t random_size = SSL3_RANDOM_SIZE;

struct KdfFree {
  void operator()(EVP_KDF* kdf) const noexcept { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const noexcept { EVP_KDF_CTX_free(context); }
};

/// \param name, parameters as EVP_KDF(7) says
bool derive(const char* name, const OSSL_PARAM* parameters, std::span<std::byte> bytes) noexcept {
  const std::unique_ptr<EVP_KDF, KdfFree> kdf(EVP_KDF_fetch(nullptr, name, nullptr));
  const std::unique_ptr<EVP_KDF_CTX, KdfFree> context(kdf != nullptr ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  return context != nullptr && EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                                              bytes.size(), parameters) == 1;
}

OSSL_PARAM text_parameter(const char* key, const char* text) noexcept {
  return OSSL_PARAM_construct_utf8_string(key, const_cast<char*>(text), 0);
}

OSSL_PARAM bytes_parameter(const char* key, std::span<const std::byte> bytes) noexcept {
  return OSSL_PARAM_construct_octet_string(key, const_cast<std::byte*>(bytes.data()), bytes.size());
}

// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
bool expand(const EVP_MD* hash, std::span<const std::byte> secret, std::string_view label,
            std::span<std::byte> bytes) noexcept {
  std::array<std::byte, 32> info{};
  std::size_t size = 0;
  const auto put = [&](std::size_t number) { info[size++] = static_cast<std::byte>(number); };
  put(0);
  put(bytes.size());
  put(label.size());
  std::memcpy(info.data() + size, label.data(), label.size());
  size += label.size();
  put(0);
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const OSSL_PARAM parameters[] = {
      text_parameter(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(hash)),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode), bytes_parameter(OSSL_KDF_PARAM_KEY, secret),
      bytes_parameter(OSSL_KDF_PARAM_INFO, std::span(info).first(size)), OSSL_PARAM_construct_end()};
  return derive("HKDF", parameters, bytes);
}

// The key block of TLS 1.2 (RFC 5246 section 6.3), of a cipher without a key for a MAC: the keys of the
// client and the server, then the secret part of their nonces.
bool derive_from_master_key(SSL& ssl, const EVP_MD* hash, TrafficKeys& keys) noexcept {
  constexpr std::string_view label = "key expansion";
  std::array<unsigned char, label.size() + 2 * random_size> seed{};
  std::memcpy(seed.data(), label.data(), label.size());
  SSL_get_server_random(&ssl, seed.data() + label.size(), random_size);
  SSL_get_client_random(&ssl, seed.data() + label.size() + random_size, random_size);
  std::array<std::byte, SSL_MAX_MASTER_KEY_LENGTH> master{};
  const std::size_t master_size = SSL_SESSION_get_master_key(
      SSL_get_session(&ssl), reinterpret_cast<unsigned char*>(master.data()), master.size());

  const std::size_t key_size = keys.key_size();
  const std::size_t iv_size = keys.sends_nonce() ? salt_size : keys.iv.size();
  std::array<std::byte, 2 * (sizeof(TrafficKeys::key) + sizeof(TrafficKeys::iv))> block{};
  const OSSL_PARAM parameters[] = {
      text_parameter(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(hash)),
      bytes_parameter(OSSL_KDF_PARAM_SECRET, std::span(master).first(master_size)),
      bytes_parameter(OSSL_KDF_PARAM_SEED, std::as_bytes(std::span(seed))), OSSL_PARAM_construct_end()};
  const bool is_derived = derive("TLS1-PRF", parameters, std::span(block).first(2 * (key_size + iv_size)));
  if (is_derived) {
    const std::size_t side = SSL_is_server(&ssl) == 1 ? 1 : 0;
    std::memcpy(keys.key.data(), block.data() + side * key_size, key_size);
    std::memcpy(keys.iv.data(), block.data() + 2 * key_size + side * iv_size, iv_size);
    // The number of a record as the part that is sent makes each nonce another one (RFC 5288 section 3).
    // OpenSSL has taken a random one for the record that it has sent before, its Finished message.
    for (std::size_t i = iv_size; i != keys.iv.size(); ++i)
      keys.iv[i] = static_cast<std::byte>(keys.sequence >> 8U * (keys.iv.size() - 1 - i));
  }
  layer::wipe(master);
  layer::wipe(block);
  return is_derived;
}

bool find_cipher(const SSL_CIPHER* cipher, TrafficKeys& keys) noexcept {
  switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm:
      keys.cipher = TrafficKeys::Cipher::aes_128_gcm;
      return true;
    case NID_aes_256_gcm:
      keys.cipher = TrafficKeys::Cipher::aes_256_gcm;
      return true;
    case NID_chacha20_poly1305:
      keys.cipher = TrafficKeys::Cipher::chacha20_poly1305;
      return true;
    default:
      return false;
  }
}

}  // namespace

bool derive_sending_keys(SSL& ssl, std::span<const std::byte> secret, std::uint64_t sequence,
                         TrafficKeys& keys) noexcept {
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(&ssl);
  if (cipher == nullptr || !find_cipher(cipher, keys)) return false;
  const EVP_MD* const hash = SSL_CIPHER_get_handshake_digest(cipher);
  keys.version = SSL_version(&ssl) >= TLS1_3_VERSION ? Version::tls1_3 : Version::tls1_2;
  keys.sequence = sequence;
  bool is_derived = false;
  if (keys.version == Version::tls1_2) {
    is_derived = derive_from_master_key(ssl, hash, keys);
  } else {
    is_derived = !secret.empty() &&
                 expand(hash, secret, "tls13 key", std::span(keys.key).first(keys.key_size())) &&
                 expand(hash, secret, "tls13 iv", keys.iv);
  }
  if (!is_derived) ERR_clear_error();
  return is_derived;
}

}  // namespace tsock::inline v0::tls
