#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <tsock/proxy/accept.hpp>

#include "layer/handshake_engine.hpp"

namespace tsock::inline v0::proxy {

/// Reads one header, and leaves a backend with its addresses.
class AcceptEngine final : public layer::HandshakeEngine {
 public:
  AcceptEngine(AcceptOptions::Presence presence, std::size_t most_v2) noexcept
      : presence_(presence), most_v2_(most_v2) {}

  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept override;
  std::unique_ptr<StreamBackend> replace(std::unique_ptr<StreamBackend> below,
                                         std::span<const std::byte>& unread) override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }
  /// What was read; none where the connection has no header.
  [[nodiscard]] const std::optional<Header>& header() const noexcept { return header_; }

 private:
  layer::Step fail(int err, std::string_view reason) noexcept {
    reason_ = reason;
    return {.err = err};
  }

  AcceptOptions::Presence presence_;
  std::size_t most_v2_;
  std::optional<Header> header_;
  std::string_view reason_;  // a literal
};

}  // namespace tsock::inline v0::proxy
