#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <tsock/tls/ticket_keys.hpp>

#include "tls/ticket_key_ring.hpp"

namespace tsock::tls {

namespace {

bool fill(TicketKeyRing::Key& key) noexcept {
  return RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
         RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1 &&
         RAND_priv_bytes(key.hmac.data(), static_cast<int>(key.hmac.size())) == 1;
}

void wipe(TicketKeyRing::Key& key) noexcept { OPENSSL_cleanse(&key, sizeof key); }

}  // namespace

TicketKeyRing::TicketKeyRing(const Key& first) noexcept : keys_{first} {}

TicketKeyRing::~TicketKeyRing() {
  for (Key& key : keys_) wipe(key);
}

void TicketKeyRing::rotate(const Key& next) noexcept {
  const std::lock_guard lock(mutex_);
  std::shift_right(keys_.begin(), keys_.end(), 1);
  keys_.front() = next;
  count_ = std::min(count_ + 1, keys_.size());
}

TicketKeyRing::Key TicketKeyRing::newest() const noexcept {
  const std::lock_guard lock(mutex_);
  return keys_.front();
}

std::optional<TicketKeyRing::Found> TicketKeyRing::find(
    std::span<const unsigned char, 16> name) const noexcept {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < count_; ++i) {
    if (std::equal(name.begin(), name.end(), keys_[i].name.begin()))
      return Found{.key = keys_[i], .is_old = i != 0};
  }
  return std::nullopt;
}

TicketKeys::TicketKeys() {
  TicketKeyRing::Key key{};
  if (!fill(key)) throw std::runtime_error("OpenSSL gives no random numbers");
  ring_ = std::make_shared<TicketKeyRing>(key);
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

}  // namespace tsock::tls
