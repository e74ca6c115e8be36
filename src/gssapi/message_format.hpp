#pragma once

#include <tsock/gssapi/message_options.hpp>

#include "layer/record_engine.hpp"

namespace tsock::inline v0::gssapi {

/// The options within what their frame allows.
MessageOptions limits_of(MessageOptions options) noexcept;
/// What a frame looks like, for the engine of a stream. \param options within the frame's limits
layer::RecordEngine::Format format_of(const MessageOptions& options, Protection protection) noexcept;

}  // namespace tsock::inline v0::gssapi
