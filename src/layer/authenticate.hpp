#pragma once

#include <memory>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "layer/codec.hpp"
#include "layer/mechanism.hpp"
#include "layer/record_engine.hpp"

namespace tsock::inline v0::layer {

/// Authenticates both sides of a stream by tokens in the frames of `format.handshake`, then protects what
/// follows as the mechanism says, in messages of `format.data`.
///
/// The stream may have been used: what it has read ahead are the peer's first tokens, and writes that were
/// started leave first. It reads each token exactly: what comes behind the last one belongs to the user.
/// \param below owned by the request from now on; closed when it fails, is cancelled or abandoned, all of
/// which it can be at once, also while a step of the mechanism is stuck \param mechanism shared with a worker
/// thread while that runs a step \param name a literal \return a request for the stream: `below` with a layer
/// on it, or `below` itself when the mechanism has none. Errors:
///  - what the mechanism says, with its reason
///  - EMSGSIZE: the peer's token or ours has a length that is not allowed
///  - EPROTO: the peer has ended the stream in the middle
///  - ENOTCONN, ECONNABORTED, EBUSY: as `layer_over()`
///  - ENOMEM, and the errors of the stream below
[[nodiscard]] TSOCK_EXPORT Request<Stream> authenticate(Stream below, std::shared_ptr<Mechanism> mechanism,
                                                        const RecordEngine::Format& format, const char* name,
                                                        CallSite site = CallSite::current());

/// The last part of it alone: protects a stream with a codec that needs no handshake. Without a codec the
/// stream stays as it is.
[[nodiscard]] TSOCK_EXPORT Request<Stream> protect(Stream below, std::unique_ptr<Codec> codec,
                                                   const RecordEngine::Format& format, const char* name,
                                                   CallSite site = CallSite::current());

/// The codec of the topmost layer of a stream; null where there is none. Valid until the stream is closed or
/// destroyed.
[[nodiscard]] TSOCK_EXPORT const Codec* codec_of(const Stream& stream) noexcept;

}  // namespace tsock::inline v0::layer
