#pragma once

#include <openssl/evp.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <tsock/tls/version.hpp>
#include <utility>
#include <vector>

namespace tsock::test {

/// One direction of TLS records, wrapped and opened as RFC 8446 section 5 and RFC 5246 section 6.2.3.3 say,
/// by nothing of OpenSSL but its ciphers.
class TlsRecords {
 public:
  using Bytes = std::vector<std::byte>;
  static constexpr std::size_t header_size = 5;
  static constexpr std::size_t tag_size = 16;

  /// \param nonce 12 bytes; of AES-GCM in TLS 1.2 the last 8 are those of the first record that is wrapped
  /// \param sequence the number of the first record
  TlsRecords(tls::Version version, const EVP_CIPHER* cipher, std::span<const std::byte> key,
             std::span<const std::byte> nonce, std::uint64_t sequence)
      : version_(version),
        cipher_(cipher),
        key_(key.begin(), key.end()),
        sends_nonce_(version == tls::Version::tls1_2 && EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE),
        sequence_(sequence) {
    BOOST_TEST_REQUIRE(nonce.size() == nonce_.size());
    BOOST_TEST_REQUIRE(std::cmp_equal(key.size(), EVP_CIPHER_get_key_length(cipher)));
    std::memcpy(nonce_.data(), nonce.data(), nonce_.size());
  }

  [[nodiscard]] Bytes wrap(std::uint8_t type, std::span<const std::byte> content) {
    Bytes plain(content.begin(), content.end());
    if (version_ == tls::Version::tls1_3) plain.push_back(std::byte{type});
    const std::uint8_t outside = version_ == tls::Version::tls1_3 ? std::uint8_t{23} : type;
    Bytes record = header(outside, explicit_size() + plain.size() + tag_size);
    if (sends_nonce_) record.insert(record.end(), nonce_.begin() + salt_size, nonce_.end());
    const Bytes associated = associated_with(record, outside, plain.size());
    record.resize(record.size() + plain.size() + tag_size);
    std::byte* const place = record.data() + header_size + explicit_size();
    const Context context = make_context(nonce_of_record(), associated, true);
    int size = 0;
    BOOST_TEST_REQUIRE(EVP_CipherUpdate(context.get(), raw(place), &size, raw(plain.data()),
                                        static_cast<int>(plain.size())) == 1);
    BOOST_TEST_REQUIRE(EVP_CipherFinal_ex(context.get(), raw(place) + size, &size) == 1);
    BOOST_TEST_REQUIRE(
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, place + plain.size()) == 1);
    ++sequence_;
    // The part that is sent with each record.
    for (std::size_t i = nonce_.size(); sends_nonce_ && i-- != salt_size;) {
      nonce_[i] = static_cast<std::byte>(std::to_integer<unsigned>(nonce_[i]) + 1);
      if (nonce_[i] != std::byte{0}) break;
    }
    return record;
  }

  /// \return the content; nothing where the record is of another key, number or length
  [[nodiscard]] std::optional<Bytes> open(std::span<const std::byte> record, std::uint8_t& type) {
    if (record.size() < header_size + explicit_size() + tag_size) return std::nullopt;
    std::array<std::byte, 12> nonce = nonce_of_record();
    if (sends_nonce_) std::memcpy(nonce.data() + salt_size, record.data() + header_size, explicit_size());
    const auto wrapped = record.subspan(header_size + explicit_size());
    Bytes plain(wrapped.size() - tag_size);
    type = std::to_integer<std::uint8_t>(record[0]);
    const Bytes associated = associated_with(record.first(header_size), type, plain.size());
    const Context context = make_context(nonce, associated, false);
    int size = 0;
    std::array<std::byte, tag_size> tag{};
    std::memcpy(tag.data(), wrapped.data() + plain.size(), tag.size());
    BOOST_TEST_REQUIRE(EVP_CipherUpdate(context.get(), raw(plain.data()), &size, raw(wrapped.data()),
                                        static_cast<int>(plain.size())) == 1);
    BOOST_TEST_REQUIRE(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) == 1);
    if (EVP_CipherFinal_ex(context.get(), raw(plain.data()) + size, &size) != 1) return std::nullopt;
    ++sequence_;
    if (version_ == tls::Version::tls1_3) {
      while (!plain.empty() && plain.back() == std::byte{0}) plain.pop_back();
      if (plain.empty()) return std::nullopt;
      type = std::to_integer<std::uint8_t>(plain.back());
      plain.pop_back();
    }
    return plain;
  }

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;
  static constexpr std::size_t salt_size = 4;

  static unsigned char* raw(std::byte* bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes); }
  static const unsigned char* raw(const std::byte* bytes) noexcept {
    return reinterpret_cast<const unsigned char*>(bytes);
  }
  static Bytes header(std::uint8_t type, std::size_t size) {
    return {std::byte{type}, std::byte{3}, std::byte{3}, static_cast<std::byte>(size >> 8U),
            static_cast<std::byte>(size)};
  }
  [[nodiscard]] std::size_t explicit_size() const noexcept { return sends_nonce_ ? 8 : 0; }
  [[nodiscard]] std::byte byte_of_sequence(std::size_t i) const noexcept {
    return static_cast<std::byte>(sequence_ >> 8U * (7 - i));
  }
  [[nodiscard]] std::array<std::byte, 12> nonce_of_record() const noexcept {
    std::array<std::byte, 12> nonce = nonce_;
    for (std::size_t i = 0; i != 8 && !sends_nonce_; ++i) nonce[salt_size + i] ^= byte_of_sequence(i);
    return nonce;
  }
  [[nodiscard]] Bytes associated_with(std::span<const std::byte> record, std::uint8_t type,
                                      std::size_t plain) const {
    if (version_ == tls::Version::tls1_3) return {record.begin(), record.begin() + header_size};
    Bytes bytes;
    for (std::size_t i = 0; i != 8; ++i) bytes.push_back(byte_of_sequence(i));
    const Bytes rest = header(type, plain);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
  }
  [[nodiscard]] Context make_context(std::span<const std::byte> nonce, const Bytes& associated,
                                     bool wraps) const {
    Context context(EVP_CIPHER_CTX_new());
    int size = 0;
    BOOST_TEST_REQUIRE(EVP_CipherInit_ex(context.get(), cipher_, nullptr, raw(key_.data()), raw(nonce.data()),
                                         wraps ? 1 : 0) == 1);
    BOOST_TEST_REQUIRE(EVP_CipherUpdate(context.get(), nullptr, &size, raw(associated.data()),
                                        static_cast<int>(associated.size())) == 1);
    return context;
  }

  tls::Version version_;
  const EVP_CIPHER* cipher_;
  Bytes key_;
  std::array<std::byte, 12> nonce_{};
  bool sends_nonce_;
  std::uint64_t sequence_;
};

}  // namespace tsock::test
