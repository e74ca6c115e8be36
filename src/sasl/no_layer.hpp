#pragma once

#include <memory>
#include <tsock/layer/engine.hpp>

#include "sasl/session_state.hpp"

namespace tsock::inline v0::sasl {

/// Passes bytes on as they are, and knows whom they come from.
class NoLayer final : public layer::Engine {
 public:
  explicit NoLayer(std::shared_ptr<SessionState> session) noexcept : session_(std::move(session)) {}
  [[nodiscard]] const SessionState& session() const noexcept { return *session_; }

  layer::Step handshake(layer::ByteBlock& /*in*/, bool /*at_end*/,
                        layer::ByteBlock& /*out*/) noexcept override {
    return {};
  }
  layer::Step unwrap(layer::ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                     layer::ByteBlock& out) noexcept override;
  layer::Step wrap(std::span<const iovec> from, std::size_t& taken, layer::ByteBlock& out) noexcept override;

 private:
  std::shared_ptr<SessionState> session_;
};

}  // namespace tsock::inline v0::sasl
