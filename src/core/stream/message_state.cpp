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

std::size_t MessageState::space(std::span<iovec> out) {
  if (PduAccess::is_bare(value_)) {
    int err = 0;
    const std::size_t size = stream()->pending_bytes(err);
    if (size == 0) return 0;
    if (size > Framing::largest_delimited_body) {
      set_fault(EMSGSIZE);
      return 0;
    }
    try {
      PduAccess::make(value_, core(), static_cast<std::uint32_t>(size), 0);
    } catch (const std::bad_alloc&) {
      set_fault(ENOMEM);
      return 0;
    }
  }
  const std::size_t got = transferred();
  out[0] = iovec{PduAccess::data(value_) + got, PduAccess::size(value_) - got};
  return 1;
}

void MessageState::advance(std::size_t bytes) {
  add_transferred(bytes);
  if (transferred() == PduAccess::size(value_)) finish(0);
}

void MessageState::give_back(StreamReadSide& stream) {
  if (PduAccess::is_bare(value_)) return;
  stream.unread({PduAccess::data(value_), transferred()});
  PduAccess::reset(value_);
}

void MessageState::at_end(int /*err*/, StreamReadSide& stream) { give_back(stream); }

}  // namespace tsock::inline v0::detail
