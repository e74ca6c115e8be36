#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/tls/peer.hpp>
#include <vector>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// The early data of a connection (0-RTT, RFC 8446 section 2.3): of a client, what is sent with its first
/// flight, and again when the server has refused it; of a server, what has come before the handshake is done.
/// Why a call of OpenSSL has failed is for the caller to find out.
class EarlyDataTransfer {
 public:
  /// What the server's OpenSSL has come to.
  enum class Reading : std::uint8_t {
    data,    ///< there is some for the user
    over,    ///< there is none, or no more: the handshake goes on
    failed,  ///< also when input is missing
    no_memory
  };

  /// Of a server.
  EarlyDataTransfer() noexcept = default;
  /// Of a client. Throws std::bad_alloc.
  explicit EarlyDataTransfer(std::span<const std::byte> bytes) : bytes_(bytes.begin(), bytes.end()) {}
  EarlyDataTransfer(const EarlyDataTransfer&) = delete;
  EarlyDataTransfer& operator=(const EarlyDataTransfer&) = delete;
  ~EarlyDataTransfer() { wipe(); }

  /// Of a server: \return whether no more comes
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }
  [[nodiscard]] EarlyData outcome() const noexcept { return outcome_; }

  // Of a client.
  /// To be called before the handshake. Sends nothing when the session does not allow as much. \return false
  /// when OpenSSL has failed
  [[nodiscard]] bool send_early(SSL& ssl) noexcept;
  /// To be called behind the handshake: sends what was not sent or not taken. \return as above
  [[nodiscard]] bool send_rest(SSL& ssl) noexcept;

  // Of a server.
  /// Reads what is there of one record, unless there are bytes to be given.
  [[nodiscard]] Reading read(SSL& ssl) noexcept;
  /// Gives bytes behind the first `given` of `to`; `given` grows.
  void give(std::span<const iovec> to, std::size_t& given) noexcept;
  /// Bytes to be given.
  [[nodiscard]] std::size_t ready() const noexcept { return bytes_.size() - done_; }

 private:
  void wipe() noexcept;

  std::vector<std::byte> bytes_;
  std::size_t done_ = 0;  // of these bytes
  EarlyData outcome_ = EarlyData::none;
  bool is_over_ = false;
};

}  // namespace tsock::inline v0::tls
