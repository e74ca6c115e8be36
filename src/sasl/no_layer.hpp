#pragma once

#include <memory>
#include <tsock/layer/engine.hpp>

#include "sasl/session_state.hpp"

namespace tsock::sasl {

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

/// A layer that cannot be: its handshake fails.
class FailedLayer final : public layer::Engine {
 public:
  FailedLayer(int err, std::string reason) noexcept : err_(err), reason_(std::move(reason)) {}
  layer::Step handshake(layer::ByteBlock& /*in*/, bool /*at_end*/,
                        layer::ByteBlock& /*out*/) noexcept override {
    return {.err = err_};
  }
  layer::Step unwrap(layer::ByteBlock& /*in*/, bool /*at_end*/, std::span<const iovec> /*to*/,
                     std::size_t& /*given*/, layer::ByteBlock& /*out*/) noexcept override {
    return {.err = err_};
  }
  layer::Step wrap(std::span<const iovec> /*from*/, std::size_t& /*taken*/,
                   layer::ByteBlock& /*out*/) noexcept override {
    return {.err = err_};
  }
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  int err_;
  std::string reason_;
};

}  // namespace tsock::sasl
