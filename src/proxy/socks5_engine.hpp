#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tsock/proxy/socks5_connect.hpp>
#include <vector>

#include "layer/handshake_engine.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::proxy {

/// The client's side of SOCKS 5.
class Socks5Engine final : public layer::HandshakeEngine {
 public:
  /// Throws std::bad_alloc. What does not fit the protocol fails the handshake.
  Socks5Engine(const Target& target, const Socks5Options& options);

  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  enum class Phase : std::uint8_t { greeting, method, authentication, reply };

  layer::Step fail(int err, std::string_view reason) noexcept {
    reason_ = reason;
    return {.err = err};
  }
  layer::Step take_method(layer::ByteBlock& in, layer::ByteBlock& out) noexcept;
  layer::Step take_authentication(layer::ByteBlock& in, layer::ByteBlock& out) noexcept;
  layer::Step take_reply(layer::ByteBlock& in) noexcept;
  layer::Step send(std::span<const std::byte> message, Phase next, layer::ByteBlock& out) noexcept;

  std::vector<std::byte> request_;
  layer::WipedBytes credentials_;  // empty: not offered
  std::string_view reason_;        // a literal
  Phase phase_ = Phase::greeting;
  bool is_done_ = false;
};

}  // namespace tsock::inline v0::proxy
