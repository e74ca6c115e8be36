#pragma once

#include <tsock/export.hpp>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/reply.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::npa {

/// Who the client is that a stream was accepted from (`npa::accept()`), in byte mode, too. Null for every
/// other stream, and for one that is closed. Valid until the stream is closed or destroyed.
[[nodiscard]] TSOCK_EXPORT const Identity* identity(const Stream& stream) noexcept;

/// What the server has answered, on either side; ENOTSUP in `err` for any other stream, and for one that is
/// closed.
[[nodiscard]] TSOCK_EXPORT Reply reply(const Stream& stream, int& err) noexcept;

/// The level that is spoken; as `reply()`.
[[nodiscard]] TSOCK_EXPORT Level level(const Stream& stream, int& err) noexcept;

}  // namespace tsock::inline v0::npa
