#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/tls/version.hpp>

#include "layer/wiped_bytes.hpp"
#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// What wraps the records of one side, from one of them on. Wiped when it goes.
struct TrafficKeys {
  enum class Cipher : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };

  TrafficKeys() noexcept = default;
  TrafficKeys(const TrafficKeys&) = delete;
  TrafficKeys& operator=(const TrafficKeys&) = delete;
  ~TrafficKeys() {
    layer::wipe(key);
    layer::wipe(iv);
  }

  [[nodiscard]] std::size_t key_size() const noexcept {
    return cipher == Cipher::aes_128_gcm ? 16 : key.size();
  }
  /// AES-GCM of TLS 1.2 has a nonce of 4 secret bytes and 8 that are sent with each record.
  [[nodiscard]] bool sends_nonce() const noexcept {
    return version == Version::tls1_2 && cipher != Cipher::chacha20_poly1305;
  }

  Version version = Version::tls1_3;
  Cipher cipher = Cipher::aes_128_gcm;
  std::array<std::byte, 32> key{};  // key_size() of them
  /// The number of a record is added to it (xor); with `sends_nonce()` it is the nonce of the next record.
  std::array<std::byte, 12> iv{};
  std::uint64_t sequence = 0;  ///< the number of the next record
};

/// The keys with which a connection sends, from what OpenSSL tells about it. \param secret the traffic secret
/// of TLS 1.3, as a key log has it; TLS 1.2 needs none \param sequence how many records were sent with them
/// \return false for a cipher that `TrafficKeys` does not know, and where there is no memory
[[nodiscard]] bool derive_sending_keys(SSL& ssl, std::span<const std::byte> secret, std::uint64_t sequence,
                                       TrafficKeys& keys) noexcept;

}  // namespace tsock::inline v0::tls
