#include "core/stream/message_state.hpp"

#include <cerrno>
#include <cstdint>
#include <new>
#include <tsock/framing.hpp>

#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

// The backend is asked for one message at a time, so unread bytes come from another read.
std::size_t MessageState::feed(std::span<const std::byte> /*bytes*/) {
  explain("the borders of bytes that an interrupted read has returned are lost");
  set_fault(EPROTO);
  return 0;
}

// The room is whole, or there is none: a message comes in one call.
std::span<std::byte> MessageState::take(std::size_t size) noexcept {
  PduAccess::reset(value_);
  if (size > Framing::largest_delimited_body) {
    set_fault(EMSGSIZE);
    return {};
  }
  try {
    return {PduAccess::make(value_, core(), static_cast<std::uint32_t>(size), 0), size};
  } catch (const std::bad_alloc&) {
    set_fault(ENOMEM);
    return {};
  }
}

void MessageState::advance(std::size_t bytes) {
  add_transferred(bytes);
  finish_here(0);
}

void MessageState::give_back(StreamReadSide& stream) {
  if (PduAccess::is_bare(value_)) return;
  stream.unread({PduAccess::data(value_), transferred()});
  PduAccess::reset(value_);
}

void MessageState::at_end(int /*err*/, StreamReadSide& stream) { give_back(stream); }

}  // namespace tsock::inline v0::detail
