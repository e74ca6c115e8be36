#include "core/stream/dcerpc_pdu_state.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>

#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

namespace {

// The length of the fragment, from its header.
std::uint32_t fragment_length(std::span<const std::byte, Framing::dcerpc_header_size> header) noexcept {
  constexpr std::size_t data_representation = 4;
  constexpr std::size_t length = 8;
  constexpr std::byte little_endian{0x10};
  const bool is_little = (header[data_representation] & little_endian) != std::byte{0};
  return std::to_integer<std::uint32_t>(header[is_little ? length + 1 : length]) << 8U |
         std::to_integer<std::uint32_t>(header[is_little ? length : length + 1]);
}

}  // namespace

std::span<std::byte> DcerpcPduState::room() noexcept {
  if (PduAccess::is_bare(value_)) return std::span(header_).subspan(got_);
  return {PduAccess::data(value_) + got_, PduAccess::size(value_) - got_};
}

// Called when the header is complete.
void DcerpcPduState::begin_body() {
  const std::uint32_t size = fragment_length(header_);
  if (size < header_.size() || size - header_.size() > max_body_) {
    set_fault(EMSGSIZE);
    return;
  }
  try {
    // A fragment has 64 KiB at most, so growing with what comes is not worth it.
    std::ranges::copy(header_, PduAccess::make(value_, core(), size, Framing::dcerpc_header_size));
  } catch (const std::bad_alloc&) {
    set_fault(ENOMEM);
  }
}

void DcerpcPduState::advance(std::size_t bytes) {
  got_ += bytes;
  add_transferred(bytes);
  if (PduAccess::is_bare(value_) && got_ == header_.size()) begin_body();
  if (got_ == PduAccess::size(value_)) finish(0);
}

std::size_t DcerpcPduState::feed(std::span<const std::byte> bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && is_unfinished() && fault() == 0) {
    const std::span<std::byte> place = room();
    const std::size_t step = std::min(bytes.size() - taken, place.size());
    std::memcpy(place.data(), bytes.data() + taken, step);
    taken += step;
    advance(step);
  }
  return taken;
}

std::size_t DcerpcPduState::space(std::span<iovec> out) {
  out[0] = make_vector(room());
  return 1;
}

void DcerpcPduState::give_back(StreamReadSide& stream) {
  if (got_ != 0) stream.unread({PduAccess::is_bare(value_) ? header_.data() : PduAccess::data(value_), got_});
  PduAccess::reset(value_);
  got_ = 0;
}

void DcerpcPduState::at_end(int /*err*/, StreamReadSide& stream) { give_back(stream); }

}  // namespace tsock::inline v0::detail
