#pragma once

#include <tsock/buffer.hpp>
#include <tsock/message_room.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::detail {

/// Reads what is left of one message of a backend that tells its size: `pending_bytes()`, then `try_readv()`
/// until all of it is there. Returns what `StreamBackend::try_read_message()` does, whose default it is.
ssize_t read_sized_message(StreamBackend& backend, MessageRoom& room, int& err) noexcept;

}  // namespace tsock::inline v0::detail
