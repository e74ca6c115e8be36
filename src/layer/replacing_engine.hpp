#pragma once

#include <memory>
#include <tsock/layer/engine.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::layer {

/// A transparent engine that leaves something in its place, such as a backend with other addresses.
class ReplacingEngine : public Engine {
 public:
  [[nodiscard]] bool is_transparent() const noexcept override { return true; }
  /// Called once, after the handshake, if the engine is transparent.
  /// \param unread what came behind the handshake; the stream has what is left of it afterwards
  /// \return the backend of the stream: the one below, or one that owns it. May throw std::bad_alloc.
  virtual std::unique_ptr<StreamBackend> replace(std::unique_ptr<StreamBackend> below,
                                                 std::span<const std::byte>& unread) = 0;
};

}  // namespace tsock::inline v0::layer
