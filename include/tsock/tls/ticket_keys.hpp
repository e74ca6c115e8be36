#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <tsock/export.hpp>

namespace tsock::inline v0::tls {

class TicketKeyRing;

/// The keys that seal a server's session tickets. A value that is cheap to copy: all copies are the same
/// keys. Give one to all contexts, of all loops and threads, that resume each other's sessions, and to the
/// next context when certificates are reloaded.
class TSOCK_EXPORT TicketKeys {
 public:
  static constexpr std::size_t key_size = 80;

  /// One random key. Throws std::bad_alloc without memory, and std::runtime_error where OpenSSL gives no
  /// random numbers or has no AES-256-CBC.
  TicketKeys();
  TicketKeys(const TicketKeys&) noexcept = default;
  TicketKeys& operator=(const TicketKeys&) noexcept = default;
  ~TicketKeys() = default;

  /// Tickets are sealed with a new random key from now on; the two keys before it still open theirs. Call it
  /// from a timer, about as often as tickets live, from any thread. \return 0, or EIO without random
  /// numbers: the keys are as they were
  int rotate() noexcept;
  /// The same with a key that servers of other processes have, too: a name of 16 bytes, then 32 bytes for
  /// AES-256 and 32 bytes for HMAC-SHA256. \return 0, or EINVAL for another size
  int rotate(std::span<const std::byte> key) noexcept;

  /// For implementers.
  [[nodiscard]] const std::shared_ptr<TicketKeyRing>& ring() const noexcept { return ring_; }

 private:
  std::shared_ptr<TicketKeyRing> ring_;
};

}  // namespace tsock::inline v0::tls
