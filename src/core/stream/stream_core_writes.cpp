// The writing half of StreamCore.
#include <algorithm>
#include <cerrno>
#include <tsock/socket_control.hpp>

#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/stream_extras.hpp"
#include "core/stream/stream_write.hpp"
#include "core/stream/write_gather.hpp"

namespace tsock::detail {

namespace {

// How often one stream may go to the kernel before others have their turn.
constexpr unsigned calls_per_flush = 4;

}  // namespace

void StreamCore::refuse_write(StreamWrite& write) {
  int err = EPIPE;
  if (is_disconnecting()) {
    err = ECONNABORTED;
  } else if (is_writing_for_another(write.queue()) || is_claimed_by_another(write)) {
    err = EBUSY;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  } else if (flags_.write_error != 0) {
    err = flags_.write_error;
  }
  remove_queued_bytes(write.remaining());
  if (flags_.write_error != 0) explain(write);
  write.fail(err);
}

// Not when an end of the sending side was asked for, which comes behind what was under way then.
void StreamCore::undo_starts(QueueCore& queue, bool but_the_first) noexcept {
  if (flags_.is_shutting_down) return;
  while (!writes_.empty()) {
    StreamWrite& write = write_at(*writes_.last());
    if (write.queue() != &queue || write.was_tried() || (but_the_first && &write == writes_.first())) return;
    write.unlink();
    add_waiting(write);
    queue.put_back(write);
  }
}

bool StreamCore::claim_writing() { return !std::exchange(extras().writing_claimed, true); }

void StreamCore::release_writing() noexcept { extras_->writing_claimed = false; }

bool StreamCore::is_claimed() const noexcept { return extras_ != nullptr && extras_->writing_claimed; }

bool StreamCore::is_claimed_by_another(const StreamOperation& operation) const noexcept {
  return is_claimed() && !operation.has(StreamOperation::of_pump);
}

void StreamCore::drop_write(StreamWrite& write) noexcept {
  remove_queued_bytes(write.remaining());
  if (write.queue() != nullptr && !write.is_started()) {
    write.unlink();
  } else {
    write.unlink();
    flags_.writes_adjoin = false;
    // Half a message is out: what would follow it is not what the peer waits for.
    if (write.is_partly_out()) {
      latch_write(EPROTO);
      fail_writes(EPROTO);
    } else if (writes_.empty() && flags_.is_shutting_down && !flags_.write_blocked) {
      schedule_flush();
    }
  }
  write.set_stream(nullptr);
}

// Nothing follows `flush()` as a rule, so that it needs no frame around it.
void StreamCore::on_flush() {
  flags_.flush_scheduled = false;
  if (reads_in_next_turn_ || writes_in_next_turn_) [[unlikely]] {
    flush_before_next_turn();
    return;
  }
  flush();
}

[[gnu::noinline]] void StreamCore::flush_before_next_turn() {
  flush();
  if (flags_.flush_scheduled) {
    on_next_turn();  // writes that go on for many turns hold up no reader
  } else {
    ask_for_next_turn();
  }
}

// A resource is in one list: one that is scheduled to flush asks when it has flushed.
void StreamCore::ask_for_next_turn() noexcept {
  if (!flags_.flush_scheduled) core_->schedule_next_turn(*this);
}

// As if the events of the backend had come.
void StreamCore::on_next_turn() {
  const bool reads = reads_in_next_turn_;
  const bool writes = writes_in_next_turn_;
  reads_in_next_turn_ = writes_in_next_turn_ = false;
  if (writes) on_writable();
  if (reads) on_readable();
}

void StreamCore::flush() {
  if (flags_.state != State::open || flags_.write_blocked) {
    if (flags_.state == State::disconnecting) resume_disconnect();
    return;
  }
  for (unsigned calls = 1; write_batch(); ++calls) {
    if (calls == calls_per_flush) {
      schedule_flush();
      return;
    }
  }
}

// As many writes as fit into one call of the backend. Returns the one that brings descriptors, which go with
// its first byte.
StreamWrite* StreamCore::gather_writes(WriteGather& gather) {
  for (ListNode* node = writes_.first(); node != writes_.end(); node = node->next) {
    StreamWrite& write = write_at(*node);
    if (separate_writes_ && !gather.empty()) return nullptr;
    if (!write.is_compound()) [[likely]] {
      if (!gather.add(write.front())) return nullptr;
      continue;
    }
    StreamWrite* const with_fds = write.fds().empty() ? nullptr : &write;
    if (with_fds != nullptr && !gather.empty()) return nullptr;
    bool has_room = gather.add(write.front());
    for (const iovec& vector : write.behind()) has_room = has_room && gather.add(vector);
    if (!has_room || with_fds != nullptr) return with_fds;
  }
  return nullptr;
}

// One call of the backend with as many writes as fit. Returns whether there is more to do now.
bool StreamCore::write_batch() {
  std::size_t offered = 0;
  int err = 0;
  ssize_t result = 0;
  if (flags_.writes_adjoin && !writes_.empty()) {
    const iovec vector = write_at(writes_.front()).up_to_end_of(write_at(*writes_.last()));
    offered = vector.iov_len;
    if (offered != 0) result = backend_->try_writev({&vector, 1}, err);
  } else {
    result = write_gathered(offered, err);
  }
  return after_write(result, offered, err);
}

ssize_t StreamCore::write_gathered(std::size_t& offered, int& err) {
  WriteGather gather(*core_);
  const StreamWrite* const with_fds = gather_writes(gather);
  gather.finish();
  offered = gather.bytes();
  if (gather.empty()) return 0;
  SocketControl* const control = with_fds != nullptr ? backend_->socket_control() : nullptr;
  return control != nullptr ? control->try_writev_with_fds(gather.vectors(), with_fds->fds(), err)
                            : backend_->try_writev(gather.vectors(), err);
}

// What a call of the backend has come to. A short write is flushed like a full one: what was taken has not
// left before the backend says so.
bool StreamCore::after_write(ssize_t result, std::size_t offered, int err) {
  if (result < 0) {
    write_failed(err);
    return false;
  }
  const auto sent = static_cast<std::size_t>(result);
  err = backend_->try_flush();
  if (err == 0) {
    finish_written(sent);
  } else {
    account_written(sent);
    if (err != EAGAIN) {
      write_failed(err);
      return false;
    }
  }
  if (sent < offered && short_is_final_) {
    await_writable();
    return false;
  }
  if (!writes_.empty() && write_at(*writes_.end()->prev).remaining() != 0) return true;
  if (err != 0) {
    await_writable();
    return false;
  }
  if (flags_.is_shutting_down && writes_.empty()) writes_are_out();
  return false;
}

void StreamCore::await_writable() noexcept {
  flags_.write_blocked = true;
  if (backend_->want_writable() == Readiness::later) return;
  writes_in_next_turn_ = true;
  ask_for_next_turn();
}

// Of `try_writev()` or `try_flush()`.
void StreamCore::write_failed(int err) {
  if (err == EAGAIN) {
    if (!writes_.empty()) write_at(writes_.front()).set_tried();
    await_writable();
  } else {
    if (const std::size_t unsent = backend_->unsent_bytes(); unsent != 0) {
      discount_unsent(unsent);
      finish_written(0);  // those in front of them have left
    }
    latch_write(err);
    fail_writes(err);
  }
}

// Bytes that were taken last and have not left.
void StreamCore::discount_unsent(std::size_t bytes) noexcept {
  for (ListNode* node = writes_.last(); node != writes_.end() && bytes != 0; node = node->prev) {
    StreamWrite& write = write_at(*node);
    const std::size_t step = std::min(bytes, write.transferred());
    bytes -= step;
    write.discount(step);
    add_queued_bytes(step);
  }
}

void StreamCore::on_shortage(int err) noexcept {
  if (receiver_ != nullptr && reader()->is_unfinished() && reader()->can_take()) {
    reader()->give_back(*this);
    reader()->finish(err);
  }
  if (!flags_.write_blocked) return;
  flags_.write_blocked = false;
  if (writes_.empty()) return;
  if (write_at(writes_.front()).transferred() != 0) latch_write(err);
  fail_writes(err);
}

// Bytes that the backend has taken but may not have passed on.
void StreamCore::account_written(std::size_t bytes) {
  remove_queued_bytes(bytes);
  for (ListNode* node = writes_.first(); node != writes_.end() && bytes != 0; node = node->next) {
    StreamWrite& write = write_at(*node);
    const std::size_t step = std::min(bytes, write.remaining());
    bytes -= step;
    write.advance(step);
  }
}

// Bytes that have left, and with them all that was taken before.
void StreamCore::finish_written(std::size_t bytes) {
  remove_queued_bytes(bytes);
  if (writes_.empty()) return;
  const bool traced = core_->is_traced();
  QueueCore* const queue = write_at(writes_.front()).queue();
  std::uint32_t count = 0;
  ListNode* last = nullptr;
  for (ListNode* node = writes_.first(); node != writes_.end(); node = node->next) {
    StreamWrite& write = write_at(*node);
    if (write.remaining() > bytes) {
      if (bytes != 0) write.advance(bytes);
      break;
    }
    bytes -= write.remaining();
    write.complete();
    // The function itself may have ended the trace.
    if (traced && core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::finished, write);
    ++count;
    last = node;
  }
  if (last == nullptr) return;
  core_->make_ready_until(writes_, *last);
  if (queue != nullptr) queue->leave(count);
}

void StreamCore::latch_write(int err) noexcept {
  const unsigned error = fitting(err);
  if (flags_.write_error == 0) flags_.write_error = error & largest_error;
  if (strict_ && read_error_ == 0) {
    drain_reader();
    // EPIPE would tell readers of an end that did not come.
    if (read_error_ == 0) read_error_ = error == EPIPE ? ECONNRESET : error & largest_error;
  }
  break_monitor(err);
}

void StreamCore::fail_writes(int err) noexcept {
  while (!writes_.empty()) {
    StreamWrite& write = write_at(writes_.front());
    write.unlink();
    remove_queued_bytes(write.remaining());
    explain(write);
    write.fail(err);
  }
  finish_control(StreamControlKind::shutdown_write, err);
  finish_control(StreamControlKind::drain, err);
}

void StreamCore::count_queued_bytes(std::size_t more, std::size_t less) noexcept {
  std::size_t& count = extras_->queued_bytes;
  count = count + more - std::min(less, count + more);
  if (extras_->watermarks != nullptr) extras_->watermarks->update(count);
}

std::size_t StreamCore::sum_queued_bytes() noexcept {
  std::size_t bytes = 0;
  for (NodeList* list : {&writes_, &others_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next)
      bytes += static_cast<StreamOperation&>(*node).bytes_to_write();
  }
  return bytes;
}

std::size_t StreamCore::queued_bytes() noexcept {
  try {
    return extras().queued_bytes;
  } catch (const std::bad_alloc&) {
    return sum_queued_bytes();
  }
}

void StreamCore::set_watermark_watch(std::unique_ptr<WatermarkWatch> watch) {
  // The old function goes last: what it captured may own the stream.
  const std::unique_ptr<WatermarkWatch> old = std::exchange(extras().watermarks, std::move(watch));
  has_watermarks_ = true;
  count_queued_bytes(0, 0);
}

bool StreamCore::exceeds_cap(std::size_t bytes) const noexcept {
  if (!has_watermarks_) return false;
  const std::size_t cap = extras_->watermarks->cap();
  return bytes > cap - std::min(extras_->queued_bytes, cap);
}

// Writes that were taken as a whole are over before more is given to the backend: an error of what follows is
// not theirs.
bool StreamCore::finish_taken() {
  if (writes_.empty() || write_at(writes_.front()).remaining() != 0) return true;
  const int err = backend_->try_flush();
  if (err == 0) {
    finish_written(0);
  } else if (err != EAGAIN) {
    write_failed(err);
    return false;
  }
  return true;
}

void StreamCore::on_writable() noexcept {
  flags_.write_blocked = false;
  if (flags_.state == State::disconnecting) {
    schedule_flush();  // a disconnect reads, which must not happen inside a read of the other end of a pair
  } else if (flags_.state == State::open && finish_taken()) {
    flush();
  }
}

}  // namespace tsock::detail
