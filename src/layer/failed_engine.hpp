#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tsock/layer/engine.hpp>
#include <utility>

namespace tsock::inline v0::layer {

/// In place of an engine that could not be made: its handshake fails, and nothing was read from the peer.
class FailedEngine final : public Engine {
 public:
  FailedEngine(int err, std::string reason) noexcept : err_(err), reason_(std::move(reason)) {}
  Step handshake(ByteBlock& /*in*/, bool /*at_end*/, ByteBlock& /*out*/) noexcept override {
    return {.err = err_};
  }
  Step unwrap(ByteBlock& /*in*/, bool /*at_end*/, std::span<const iovec> /*to*/, std::size_t& /*given*/,
              ByteBlock& /*out*/) noexcept override {
    return {.err = err_};
  }
  Step wrap(std::span<const iovec> /*from*/, std::size_t& /*taken*/, ByteBlock& /*out*/) noexcept override {
    return {.err = err_};
  }
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  int err_;
  std::string reason_;
};

}  // namespace tsock::inline v0::layer
