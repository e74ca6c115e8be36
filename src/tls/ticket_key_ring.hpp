#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <tsock/tls/ticket_keys.hpp>

namespace tsock::tls {

/// What is behind TicketKeys: the key that seals, and the ones before it, which still open.
class TicketKeyRing {
 public:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> hmac;
  };
  static_assert(sizeof(Key) == TicketKeys::key_size);
  /// A key that was found, and whether it is an old one: the client should get a new ticket.
  struct Found {
    Key key;
    bool is_old;
  };

  explicit TicketKeyRing(const Key& first) noexcept;
  TicketKeyRing(const TicketKeyRing&) = delete;
  TicketKeyRing& operator=(const TicketKeyRing&) = delete;
  ~TicketKeyRing();

  void rotate(const Key& next) noexcept;
  [[nodiscard]] Key newest() const noexcept;
  [[nodiscard]] std::optional<Found> find(std::span<const unsigned char, 16> name) const noexcept;

 private:
  mutable std::mutex mutex_;
  std::array<Key, 3> keys_;  // the newest first
  std::size_t count_ = 1;
};

}  // namespace tsock::tls
