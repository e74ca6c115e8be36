#pragma once

#include <memory>
#include <tsock/layer/engine.hpp>
#include <utility>

#include "core/stream/stream_attachment.hpp"

namespace tsock::inline v0::layer {

/// The engine of a layer that has stepped aside, kept by the stream, as it knows how the handshake went. No
/// other attachment is made in the library.
class KeptEngine final : public detail::StreamAttachment {
 public:
  explicit KeptEngine(std::unique_ptr<Engine> engine) noexcept : engine_(std::move(engine)) {}
  [[nodiscard]] const Engine& engine() const noexcept { return *engine_; }

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace tsock::inline v0::layer
