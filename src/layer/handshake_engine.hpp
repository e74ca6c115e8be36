#pragma once

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "layer/replacing_engine.hpp"

namespace tsock::inline v0::layer {

/// An engine that is nothing but a handshake.
class HandshakeEngine : public ReplacingEngine {
 public:
  Step unwrap(ByteBlock& /*in*/, bool /*at_end*/, std::span<const iovec> /*to*/, std::size_t& /*given*/,
              ByteBlock& /*out*/) noexcept final {
    return {.err = EIO};
  }
  Step wrap(std::span<const iovec> /*from*/, std::size_t& /*taken*/, ByteBlock& /*out*/) noexcept final {
    return {.err = EIO};
  }
  std::unique_ptr<StreamBackend> replace(std::unique_ptr<StreamBackend> below,
                                         std::span<const std::byte>& /*unread*/) override {
    return below;
  }
};

}  // namespace tsock::inline v0::layer
