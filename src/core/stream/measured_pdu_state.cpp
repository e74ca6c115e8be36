#include "core/stream/measured_pdu_state.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <tsock/detail/measure_call.hpp>

#include "core/stream/pdu_room.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

int MeasuredPduState::set_function(InlineFunction measure) noexcept {
  measure_ = std::move(measure);
  if (max_message_ == 0 || max_message_ > largest_message) return EINVAL;
  return this->measure();
}

int MeasuredPduState::measure() noexcept {
  MeasureCall call{std::span(begin_).first(got_), MessageSize::invalid()};
  try {
    measure_(&call);
  } catch (...) {
    return EIO;
  }
  const MessageSize& size = call.size;
  if (size.is_known()) return begin_message(size.size(), size.header());
  if (size.err() != 0) return size.err();
  if (size.size() <= got_ || size.size() > begin_.size()) return EINVAL;
  needed_ = size.size();
  return 0;
}

int MeasuredPduState::begin_message(std::size_t size, std::size_t header) noexcept {
  if (size == 0 || size < got_ || size > max_message_) return EMSGSIZE;
  if (header > size || header > largest_header) return EINVAL;
  try {
    std::memcpy(PduAccess::make_begin(value_, core(), static_cast<std::uint32_t>(size),
                                      static_cast<std::uint32_t>(header), room_for(size, got_)),
                begin_.data(), got_);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  return 0;
}

// Called when the room is full and the message is incomplete.
void MeasuredPduState::grow() noexcept {
  try {
    Pdu larger;
    std::byte* const data =
        PduAccess::make_begin(larger, core(), PduAccess::size(value_), PduAccess::body_begin(value_),
                              room_for(PduAccess::size(value_), got_));
    std::memcpy(data, PduAccess::data(value_), got_);
    value_ = std::move(larger);
  } catch (const std::bad_alloc&) {
    set_fault(ENOMEM);
  }
}

std::span<std::byte> MeasuredPduState::room() noexcept {
  if (PduAccess::is_bare(value_)) return std::span(begin_).subspan(got_, needed_ - got_);
  const std::size_t end = std::min<std::size_t>(PduAccess::size(value_), PduAccess::capacity(value_));
  return {PduAccess::data(value_) + got_, end - got_};
}

void MeasuredPduState::advance(std::size_t bytes) {
  got_ += bytes;
  add_transferred(bytes);
  if (PduAccess::is_bare(value_)) {
    if (got_ != needed_) return;
    if (const int err = measure(); err != 0) {
      set_fault(err);
      return;
    }
    if (PduAccess::is_bare(value_)) return;
  }
  if (got_ == PduAccess::size(value_)) {
    finish(0);
  } else if (got_ == PduAccess::capacity(value_)) {
    grow();
  }
}

std::size_t MeasuredPduState::feed(std::span<const std::byte> bytes) {
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

std::size_t MeasuredPduState::space(std::span<iovec> out) {
  out[0] = make_vector(room());
  return 1;
}

void MeasuredPduState::give_back(StreamReadSide& stream) {
  if (got_ != 0) stream.unread({PduAccess::is_bare(value_) ? begin_.data() : PduAccess::data(value_), got_});
  PduAccess::reset(value_);
  got_ = 0;
}

void MeasuredPduState::at_end(int /*err*/, StreamReadSide& stream) { give_back(stream); }

}  // namespace tsock::inline v0::detail
