#pragma once

#include <memory>
#include <tsock/stream_backend.hpp>

#include "layer/layer_stream.hpp"

namespace tsock::inline v0::layer {

/// Has an OffloadingEngine leave wrapping to the socket that the layer stands on, if it wants to, the layer
/// stands on a socket itself, and nothing waits to be sent. \param layer moved from, as it may be what calls
/// \return what the stream is to stand on: the layer, or a backend in front of it that writes past it
[[nodiscard]] std::unique_ptr<StreamBackend> offload(std::unique_ptr<LayerStream>& layer) noexcept;

}  // namespace tsock::inline v0::layer
