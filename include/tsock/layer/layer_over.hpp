#pragma once

#include <memory>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/layer/engine.hpp>
#include <tsock/layer/layer_options.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::layer {

/// Puts a layer on a stream: runs the engine's handshake over it and gives the stream of what is inside.
///
/// The stream may have been used: what it has read ahead is the handshake's first input, and writes that were
/// started leave before the handshake begins. Completes when the last message of the handshake has left.
/// \param below owned by the request from now on; it is closed when the handshake fails, is cancelled or
/// abandoned \param name what dumps and traces call the request; a literal \return a request for the layered
/// stream, with the options for behaviour that `below` had. Errors:
///  - ENOTCONN, ECONNABORTED: `below` is not open
///  - EBUSY: a read or a pump is in progress on it, or a write waits in a queue behind something else
///  - what ended its reads or writes before
///  - ENOMEM
///  - what the engine says, with `Request::reason()`
[[nodiscard]] TSOCK_EXPORT Request<Stream> layer_over(Stream below, std::unique_ptr<Engine> engine,
                                                      const char* name, const LayerOptions& options = {},
                                                      CallSite site = CallSite::current());

/// The engine of the topmost layer of a stream, also of one that is transparent; null where there is none, or
/// the stream is closed. Valid until the stream is closed or destroyed.
[[nodiscard]] TSOCK_EXPORT const Engine* engine_of(const Stream& stream) noexcept;

}  // namespace tsock::inline v0::layer
