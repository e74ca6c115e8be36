#include "core/stream/stream_read_side.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "core/stream/stream_core.hpp"
#include "core/stream/stream_extras.hpp"

namespace tsock::inline v0::detail {

namespace {

// A read of at least this many bytes goes straight into the caller's vectors; below it, copying out of the
// receive buffer costs less than another vector in the system call.
constexpr std::size_t in_place_read = 4096;
// From this size on, nothing is read ahead: a system call for the next read costs less than the copy.
constexpr std::size_t lone_read = std::size_t{64} * 1024;
constexpr std::size_t vectors_per_call = 256;
// How many calls of the kernel one stream may make before others have their turn.
constexpr unsigned calls_per_event = 4;

}  // namespace

void StreamReadSide::set_read_ahead(std::size_t most) noexcept {
  constexpr std::size_t no_bound = ReceiveChunk::size;
  reads_ahead_ = most >= no_bound;
  read_ahead_width_ = static_cast<std::uint8_t>(std::bit_width(std::min(most, no_bound))) & 31U;
}

std::size_t StreamReadSide::read_ahead() const noexcept {
  return reads_ahead_ ? StreamOptions().max_read_ahead : most_read_ahead();
}

[[gnu::noinline]] void StreamReadSide::fail_with_fault() {
  const int fault = reader()->fault();
  reader()->give_back(*this);
  reader()->finish(fault);
}

void StreamReadSide::refuse_read(StreamRead& read) {
  const int err = is_disconnecting() ? ECONNABORTED : receiver_ != nullptr ? EBUSY : ENOTCONN;
  read.set_stream(nullptr);
  read.finish(err);
}

void StreamReadSide::serve_reader(bool may_read) {
  unsigned calls = 0;
  while (receiver_ != nullptr && reader()->is_unfinished() && reader()->can_take()) {
    if (unread_ != nullptr) [[likely]] {
      consume_unread(reader()->feed(unread_->bytes()));
      check_fault();
      continue;
    }
    if (read_error_ != 0) {
      fail_reader(read_error_);
      return;
    }
    if (!may_read || calls == calls_per_event) {
      const Readiness readiness = backend_->want_readable();
      if (readiness == Readiness::later) return;
      if (readiness == Readiness::next_turn || calls == calls_per_event) {
        read_in_next_turn();
        return;
      }
    }
    ++calls;
    may_read = read_from_backend();
  }
}

void StreamReadSide::readable_already(Readiness readiness) noexcept {
  if (readiness == Readiness::now) {
    serve_reader(true);
  } else {
    read_in_next_turn();
  }
}

void StreamReadSide::read_in_next_turn() noexcept {
  reads_in_next_turn_ = true;
  ask_for_next_turn();
}

// A look that has moved no bytes is the last one, whatever the backend says.
bool StreamReadSide::has_more_in_time(StreamRead& read) noexcept {
  if (!read.can_take()) return true;
  int ignored = 0;
  const std::size_t there = pending_bytes(ignored);
  if (there == 0) {
    if (read_error_ != 0) serve_reader(false);
    return false;
  }
  const std::size_t moved = read.transferred();
  try {
    LateRead& late = extras().late_read;
    const bool is_first = late.id != read.id();
    if (is_first) late = {read.id(), moved, moved + there};
    const std::size_t before = std::exchange(late.moved, moved);
    return is_first || (moved != before && moved < late.in_time);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool StreamReadSide::has_late_reader() const noexcept {
  return extras_ != nullptr && receiver_ != nullptr && extras_->late_read.id == receiver_->id();
}

void StreamReadSide::reserve_read(StreamRead& read) {
  if (!may_begin_read()) {
    refuse_read(read);
  } else {
    receiver_ = &read;
  }
}

void StreamReadSide::begin_reserved_read(StreamRead& read) {
  if (receiver_ != &read || !read.is_unfinished()) return;
  read.on_reading();
  serve_reader(false);
}

// Calls the backend once. Returns whether another call may give more at once.
bool StreamReadSide::read_from_backend() {
  if (!reads_ahead_ || !reader()->is_buffered())
    return has_messages() && reader()->reads_itself() ? read_by_reader() : read_in_place();
  const std::span<std::byte> buffer = core_->leases().borrow_receive_buffer(*this);
  if (buffer.empty()) [[unlikely]]
    return read_in_place();
  int err = 0;
  const iovec vector = make_vector(buffer);
  const ssize_t got = backend_->try_readv({&vector, 1}, err);
  if (got <= 0) [[unlikely]] {
    read_failed(got, err);
    return false;
  }
  take_received(buffer.data(), static_cast<std::size_t>(got));
  return static_cast<std::size_t>(got) == buffer.size() || !short_is_final_;
}

// As above, for a reader whose space is large enough, or when there is no buffer.
bool StreamReadSide::read_in_place() {
  std::array<iovec, vectors_per_call + 1> vectors;
  std::size_t count = reader()->space(std::span(vectors).first(vectors_per_call));
  std::size_t direct = 0;
  for (std::size_t i = 0; i < count; ++i) direct += vectors[i].iov_len;
  std::size_t offered = direct;
  std::span<std::byte> buffer;
  if (direct < lone_read && read_ahead_width_ != 0 && reader()->wants_read_ahead())
    buffer = core_->leases().borrow_receive_buffer(*this);
  if (!buffer.empty()) {
    const std::size_t asked_for = direct;
    if (direct < in_place_read) count = direct = offered = 0;
    if (!reads_ahead_) buffer = buffer.first(std::min(buffer.size(), asked_for - direct + most_read_ahead()));
    vectors[count++] = make_vector(buffer);
    offered += buffer.size();
  }
  if (count == 0) {
    if (reader()->reads_itself()) return read_by_reader();
    // Out of memory for the reader's space.
    check_fault();
    return false;
  }

  int err = 0;
  const ssize_t got = backend_->try_readv(std::span(vectors).first(count), err);
  if (got <= 0) {
    read_failed(got, err);
    return false;
  }
  const auto bytes = static_cast<std::size_t>(got);
  if (bytes > direct) take_received(buffer.data(), bytes - direct);
  if (direct != 0) reader()->advance(std::min(bytes, direct));
  check_fault();
  // After a long read, more is usually on its way: a try costs less than an event.
  return bytes == offered || !short_is_final_ || (direct >= lone_read && bytes >= lone_read);
}

// As above, for a reader without space.
bool StreamReadSide::read_by_reader() {
  int err = 0;
  const ssize_t got = reader()->read_itself(*backend_, err);
  if (got > 0) {
    reader()->advance(static_cast<std::size_t>(got));
  } else {
    read_failed(got, err);
  }
  check_fault();
  return false;
}

// Makes bytes in the receive buffer the unread ones.
void StreamReadSide::take_received(std::byte* begin, std::size_t bytes) noexcept {
  UnreadBytes& leased = core_->leases().leased_bytes();
  leased.begin = begin;
  leased.end = begin + bytes;
  unread_ = &leased;
  core_->leases().receive_buffer().use_until(leased.end);
  core_->leases().lease_receive_buffer(*this);
}

void StreamReadSide::read_failed(ssize_t result, int err) noexcept {
  if (result == 0) {
    latch_read(EPIPE);
  } else if (err != EAGAIN) {
    latch_read(err);
  }
}

void StreamReadSide::latch_read(int err) noexcept {
  keep_read_error(err);
  if (strict_) whole().share_read_error(err);
  break_monitor(err);
}

void StreamReadSide::poison_reads() noexcept {
  reads_poisoned_ = true;
  free_unread();
  latch_read(EPROTO);
}

void StreamReadSide::fail_reader(int err) {
  StreamRead& read = *reader();
  read.at_end(err, *this);
  if (err != EPIPE) explain(read);
  read.finish(err);
}

// Makes an empty block, to be filled from its end. When out of memory, the bytes are lost, and with them the
// place in the stream.
UnreadBlock* StreamReadSide::allocate_unread(std::size_t bytes) noexcept {
  try {
    const std::size_t size = Pool::usable_size(sizeof(UnreadBlock) + bytes);
    auto* const block = ::new (core_->allocate(size)) UnreadBlock;
    block->capacity = size - sizeof(UnreadBlock);
    block->begin = block->end = block->room() + block->capacity;
    return block;
  } catch (const std::bad_alloc&) {
    poison_reads();
    return nullptr;
  }
}

void StreamReadSide::free_unread() noexcept {
  if (owns_unread_) {
    auto* const block = static_cast<UnreadBlock*>(unread_);
    core_->deallocate(block, sizeof(UnreadBlock) + block->capacity);
  } else if (unread_ != nullptr) {
    core_->leases().end_lease(*this);
  }
  unread_ = nullptr;
  owns_unread_ = false;
}

void StreamReadSide::move_out_of_lease() noexcept {
  if (unread_ == nullptr || owns_unread_) return;
  UnreadBlock* const block = allocate_unread(unread_->size());
  if (block == nullptr) return;
  block->begin -= unread_->size();
  std::memcpy(block->begin, unread_->begin, unread_->size());
  core_->leases().end_lease(*this);
  unread_ = block;
  owns_unread_ = true;
}

void StreamReadSide::unread(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty() || flags_.state == State::closed || reads_poisoned_) return;
  const std::span<const std::byte> behind = unread_bytes();
  if (owns_unread_ && static_cast<UnreadBlock*>(unread_)->capacity - behind.size() >= bytes.size()) {
    unread_->begin -= bytes.size();
    std::memcpy(unread_->begin, bytes.data(), bytes.size());
    return;
  }
  UnreadBlock* const block = allocate_unread(bytes.size() + behind.size());
  if (block == nullptr) return;
  block->begin -= bytes.size() + behind.size();
  std::memcpy(block->begin, bytes.data(), bytes.size());
  if (!behind.empty()) std::memcpy(block->begin + bytes.size(), behind.data(), behind.size());
  free_unread();
  unread_ = block;
  owns_unread_ = true;
}

std::size_t StreamReadSide::pending_bytes(int& err) noexcept {
  err = 0;
  if (flags_.state != State::open) {
    err = is_disconnecting() ? ECONNABORTED : ENOTCONN;
    return 0;
  }
  std::size_t bytes = unread_size();
  if (read_error_ == 0) {
    int below = 0;
    bytes += backend_->pending_bytes(below);
    if (bytes == 0 && below != 0) latch_read(below);
  }
  if (bytes == 0) err = read_error_;
  return bytes;
}

bool StreamReadSide::is_draining_reader() const noexcept {
  return !fail_on_first_error_ && receiver_ != nullptr && reader()->is_unfinished() && read_error_ == 0;
}

// A write that fails is about to end reading, too: the reader first gets what is there, in however many
// calls.
void StreamReadSide::drain_reader() {
  int ignored = 0;
  std::size_t there = backend_->pending_bytes(ignored);
  std::size_t moved = 0;
  do {
    if (receiver_ == nullptr || !reader()->is_unfinished() || read_error_ != 0) return;
    const std::size_t before = reader()->transferred();
    serve_reader(true);
    moved = receiver_ != nullptr ? std::min(there, reader()->transferred() - before) : 0;
    there -= moved;
  } while (moved != 0 && there != 0);
}

void StreamReadSide::fail_waiting_reader(int err) {
  if (receiver_ == nullptr || !reader()->is_unfinished() || !reader()->can_take()) return;
  reader()->give_back(*this);
  reader()->finish(err);
}

}  // namespace tsock::inline v0::detail
