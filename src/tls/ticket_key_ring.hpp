#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <tsock/tls/ticket_keys.hpp>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// What is behind TicketKeys: the key that seals, and the ones before it, which still open.
class TicketKeyRing {
 public:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> hmac;
  };
  static_assert(sizeof(Key) == TicketKeys::key_size);
  /// What became of a ticket.
  enum class Opened : std::uint8_t { no_key, failed, by_old_key, by_newest_key };

  /// \throw std::runtime_error
  explicit TicketKeyRing(const Key& first);
  TicketKeyRing(const TicketKeyRing&) = delete;
  TicketKeyRing& operator=(const TicketKeyRing&) = delete;
  ~TicketKeyRing();

  void rotate(const Key& next) noexcept;
  /// Prepares the two for a new ticket, and fills the name of its key (16 bytes) and its vector. \return
  /// false on a failure of OpenSSL
  [[nodiscard]] bool seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX& cipher,
                          EVP_MAC_CTX& mac) const noexcept;
  /// Prepares the two for a ticket with that name and vector.
  [[nodiscard]] Opened open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX& cipher,
                            EVP_MAC_CTX& mac) const noexcept;

 private:
  bool prepare(const Key& key, const unsigned char* iv, EVP_CIPHER_CTX& cipher, EVP_MAC_CTX& mac,
               bool seals) const noexcept;

  // Fetched once: EVP_aes_256_cbc() is looked up by its name whenever it is used.
  const OpenSslPointer<EVP_CIPHER> cipher_;
  mutable std::mutex mutex_;
  std::array<Key, 3> keys_;  // the newest first
  std::size_t count_ = 1;
};

}  // namespace tsock::inline v0::tls
