#include "core/stream/read_states.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/stream/pdu_access.hpp"
#include "core/stream/pdu_room.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

// ---- readv ----

void ReadvState::check_done() {
  if (cursor_.done()) finish_with(static_cast<ssize_t>(transferred()));
}

std::size_t ReadvState::feed(std::span<const std::byte> bytes) {
  const std::size_t taken = cursor_.fill(bytes);
  add_transferred(taken);
  check_done();
  return taken;
}

void ReadvState::advance(std::size_t bytes) {
  cursor_.advance(bytes);
  add_transferred(bytes);
  check_done();
}

void ReadvState::give_back(StreamReadSide& stream) {
  cursor_.for_each_behind_backwards([&stream](std::span<const std::byte> part) { stream.unread(part); });
}

// ---- read_some ----

std::size_t ReadSomeState::feed(std::span<const std::byte> bytes) {
  const std::size_t taken = std::min(bytes.size(), buffer_.size());
  std::memcpy(buffer_.data(), bytes.data(), taken);
  advance(taken);
  return taken;
}

std::size_t ReadSomeState::space(std::span<iovec> out) {
  out[0] = make_vector(buffer_);
  return 1;
}

void ReadSomeState::advance(std::size_t bytes) {
  add_transferred(bytes);
  finish_with(static_cast<ssize_t>(bytes));
}

void ReadSomeState::give_back(StreamReadSide& stream) { stream.unread(buffer_.first(transferred())); }

// ---- length-prefixed messages ----

// Makes room for a message whose header is known and of which `here` bytes have come. Returns false, with a
// fault, when out of memory.
inline bool PrefixedPduState::reserve(std::uint32_t size, std::size_t here) {
  const std::uint32_t header_size = format().header_size();
  try {
    std::memcpy(PduAccess::make_begin(value_, core(), size, header_size, room_for(size, here)), header(),
                header_size);
  } catch (const std::bad_alloc&) {
    set_fault(ENOMEM);
    return false;
  }
  unmark(buffered);
  return true;
}

// Called when the room is full and the message is incomplete.
void PrefixedPduState::grow() {
  try {
    Pdu larger;
    std::byte* const data = PduAccess::make_begin(larger, core(), size(), PduAccess::body_begin(value_),
                                                  room_for(size(), transferred()));
    std::memcpy(data, PduAccess::data(value_), transferred());
    value_ = std::move(larger);
  } catch (const std::bad_alloc&) {
    set_fault(ENOMEM);
  }
}

bool PrefixedPduState::copy_all(const std::byte* bytes, std::uint32_t size) noexcept {
  try {
    std::memcpy(PduAccess::make(value_, core(), size, format().header_size()), bytes, size);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

inline std::span<std::byte> PrefixedPduState::room() noexcept {
  const std::size_t got = transferred();
  const std::size_t end = std::min<std::size_t>(size(), PduAccess::capacity(value_));
  return {PduAccess::data(value_) + got, end - got};
}

// Takes bytes that are in `header()` already; `behind` more bytes are known to follow.
inline void PrefixedPduState::take_header(std::size_t bytes, std::size_t behind) {
  add_transferred(bytes);
  const std::uint32_t header_size = format().header_size();
  if (transferred() < header_size) return;
  const std::uint32_t size = format().message_size({header(), header_size});
  if (size == PrefixFormat::no_message) {
    set_fault(EMSGSIZE);
  } else if (reserve(size, header_size + behind) && transferred() == size) {
    finish_here(0);
  }
}

// Takes bytes that are in place already.
inline void PrefixedPduState::take(std::size_t bytes) {
  add_transferred(bytes);
  if (transferred() == size()) {
    finish_here(0);
  } else if (transferred() == PduAccess::capacity(value_)) {
    grow();
  }
}

std::size_t PrefixedPduState::feed_part(std::span<const std::byte> bytes) {
  std::size_t taken = 0;
  if (size() == 0) {
    taken = std::min<std::size_t>(bytes.size(), format().header_size() - transferred());
    std::memcpy(header() + transferred(), bytes.data(), taken);
    take_header(taken, bytes.size() - taken);
    if (size() == 0) return taken;
  }
  while (taken < bytes.size() && is_unfinished() && fault() == 0) {
    const std::span<std::byte> place = room();
    const std::size_t step = std::min(bytes.size() - taken, place.size());
    std::memcpy(place.data(), bytes.data() + taken, step);
    take(step);
    taken += step;
  }
  return taken;
}

std::size_t PrefixedPduState::space(std::span<iovec> out) {
  const std::size_t got = transferred();
  out[0] = size() == 0 ? iovec{header() + got, format().header_size() - got} : make_vector(room());
  return 1;
}

void PrefixedPduState::advance(std::size_t bytes) {
  if (size() == 0) {
    take_header(bytes, 0);
  } else {
    take(bytes);
  }
}

void PrefixedPduState::give_back(StreamReadSide& stream) {
  if (has(given_back)) return;
  mark(given_back);
  stream.unread({size() == 0 ? header() : PduAccess::data(value_), transferred()});
  PduAccess::reset(value_);
}

void PrefixedPduState::at_end(int /*err*/, StreamReadSide& stream) { give_back(stream); }

// ---- delimited messages ----

bool DelimitedPduState::reserve(std::size_t size) {
  const std::size_t capacity = PduAccess::capacity(value_);
  if (size <= capacity) return true;
  try {
    Pdu larger;
    PduAccess::make(larger, core(),
                    static_cast<std::uint32_t>(std::min(longest(), std::max(size, capacity * 2))), 0);
    if (got_ != 0) std::memcpy(PduAccess::data(larger), PduAccess::data(value_), got_);
    value_ = std::move(larger);
  } catch (const std::bad_alloc&) {
    set_fault(ENOMEM);
    return false;
  }
  return true;
}

void DelimitedPduState::append(std::span<const std::byte> bytes) {
  if (!reserve(got_ + bytes.size())) return;
  std::memcpy(PduAccess::data(value_) + got_, bytes.data(), bytes.size());
  got_ += bytes.size();
  add_transferred(bytes.size());
}

// Ends the read if the message so far ends with the delimiter.
void DelimitedPduState::check_tail() {
  const std::size_t end_size = framing_.delimiter_size;
  if (got_ < end_size) return;
  const std::byte* const data = PduAccess::data(value_);
  if (std::memcmp(data + got_ - end_size, framing_.delimiter.data(), end_size) != 0) return;
  std::size_t body = got_ - end_size;
  if (framing_.strip_carriage_return && body != 0 && data[body - 1] == std::byte{'\r'}) --body;
  if (body > framing_.max_body) {
    set_fault(EMSGSIZE);
    return;
  }
  PduAccess::set_extent(value_, static_cast<std::uint32_t>(got_), static_cast<std::uint32_t>(got_ - body));
  finish(0);
}

// Whether no delimiter can end the message within the limit any more: behind the longest body only the
// delimiter may come, or the CR that is not part of it.
bool DelimitedPduState::is_too_long() noexcept {
  if (got_ == longest()) return true;
  return framing_.strip_carriage_return && got_ > framing_.max_body &&
         PduAccess::data(value_)[framing_.max_body] != std::byte{'\r'};
}

std::size_t DelimitedPduState::feed(std::span<const std::byte> bytes) {
  const auto last =
      std::to_integer<int>(static_cast<std::byte>(framing_.delimiter[framing_.delimiter_size - 1U]));
  std::size_t taken = 0;
  while (taken < bytes.size() && is_unfinished() && fault() == 0) {
    const std::size_t room = longest() - got_;
    if (room == 0) {
      set_fault(EMSGSIZE);
      break;
    }
    const auto rest = bytes.subspan(taken, std::min(room, bytes.size() - taken));
    const auto* const hit = static_cast<const std::byte*>(std::memchr(rest.data(), last, rest.size()));
    const std::size_t step = hit != nullptr ? static_cast<std::size_t>(hit - rest.data()) + 1 : rest.size();
    append(rest.first(step));
    if (fault() != 0) break;
    taken += step;
    if (hit != nullptr) check_tail();
  }
  if (is_unfinished() && fault() == 0 && is_too_long()) set_fault(EMSGSIZE);
  return taken;
}

std::size_t DelimitedPduState::space(std::span<iovec> out) {
  out[0] = iovec{&next_, 1};
  return 1;
}

// A byte for which there is no memory or no room is given back with the others.
void DelimitedPduState::advance(std::size_t bytes) { has_next_ = feed({&next_, bytes}) != bytes; }

void DelimitedPduState::give_back(StreamReadSide& stream) {
  if (std::exchange(has_next_, false)) stream.unread({&next_, 1});
  if (got_ != 0) stream.unread({PduAccess::data(value_), got_});
  PduAccess::reset(value_);
  got_ = 0;
}

void DelimitedPduState::at_end(int /*err*/, StreamReadSide& stream) { give_back(stream); }

// ---- messages by next-vector function ----

void NextVectorState::ask() {
  mark(asking);
  schedule_begin();
}

// Called from the loop: the function may destroy this request, its stream, anything.
void NextVectorState::begin() {
  if (!is_unfinished() || stream() == nullptr) return;
  LoopCore& loop_core = core();
  VectorList list;
  NextVectorCall call{&list, 0};
  InlineFunction function(std::move(next_vector_));
  try {
    function(&call);
  } catch (const std::bad_alloc&) {
    // Usually from a list of many vectors.
    if (!loop_core.is_beginning(this)) return;
    call.result = ENOMEM;
  } catch (...) {
    if (loop_core.is_beginning(this)) finish(EIO);
    throw;
  }
  if (!loop_core.is_beginning(this) || !is_unfinished()) return;
  next_vector_ = std::move(function);

  std::size_t total = 0;
  if (call.result != 0) {
    finish(call.result);
  } else if (list.empty()) {
    finish_with(static_cast<ssize_t>(transferred()));
  } else if (!sum_vectors(list.vectors(), total)) {
    finish(EMSGSIZE);
  } else if (total == 0) {
    finish(EINVAL);
  } else {
    try {
      cursor_.assign(core(), list.vectors());
      unmark(asking);
    } catch (const std::bad_alloc&) {
      finish(ENOMEM);
    }
    if (is_unfinished()) stream()->serve_reader(false);
  }
  if (!is_unfinished()) stream()->reader_is_over();
}

void NextVectorState::check_done() {
  if (!cursor_.done()) return;
  remember();
  ask();
}

std::size_t NextVectorState::feed(std::span<const std::byte> bytes) {
  const std::size_t taken = cursor_.fill(bytes);
  add_transferred(taken);
  check_done();
  return taken;
}

void NextVectorState::advance(std::size_t bytes) {
  cursor_.advance(bytes);
  add_transferred(bytes);
  check_done();
}

// Copies the vectors of a step when all are full, before they belong to the caller again.
void NextVectorState::remember() {
  if (history_lost_) return;
  if (transferred() > longest_history) {
    history_lost_ = true;
    free_history();
    return;
  }
  if (transferred() > history_capacity_) {
    const std::size_t capacity = Pool::usable_size(std::max<std::size_t>(transferred(), 64));
    std::byte* block = nullptr;
    try {
      block = static_cast<std::byte*>(core().allocate(capacity));
    } catch (const std::bad_alloc&) {
      history_lost_ = true;
      free_history();
      return;
    }
    const std::size_t size = history_size_;
    if (size != 0) std::memcpy(block, history_, size);
    free_history();
    history_ = block;
    history_capacity_ = capacity;
    history_size_ = size;
  }
  std::size_t end = transferred();
  cursor_.for_each_behind_backwards([this, &end](std::span<const std::byte> part) {
    end -= part.size();
    std::memcpy(history_ + end, part.data(), part.size());
  });
  history_size_ = transferred();
}

void NextVectorState::free_history() noexcept {
  if (history_ != nullptr) core().deallocate(history_, history_capacity_);
  history_ = nullptr;
  history_size_ = history_capacity_ = 0;
}

void NextVectorState::give_back(StreamReadSide& stream) {
  if (history_lost_) {
    stream.poison_reads();
    return;
  }
  if (!has(asking)) {
    cursor_.for_each_behind_backwards([&stream](std::span<const std::byte> part) { stream.unread(part); });
  }
  if (history_size_ != 0) stream.unread({history_, history_size_});
  free_history();
}

// Captures of the function may own this request, so the function is destroyed last.
void NextVectorState::on_delivery() noexcept {
  StreamRead::on_delivery();
  free_history();
  mark(in_delivery);
  { const InlineFunction function(std::move(next_vector_)); }
  drop_call_of_closed_loop();
  unmark(in_delivery);
}

}  // namespace tsock::inline v0::detail
