#include "core/stream/stream_write_side.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <tsock/socket_control.hpp>

#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/stream_extras.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

namespace {

// How many calls of the backend one stream may make before others have their turn.
constexpr unsigned calls_per_flush = 4;
// What one call gets where writes are messages.
constexpr std::size_t messages_per_flush = 64;
constexpr std::size_t bytes_of_messages_per_call = std::size_t{32} * 1024;

}  // namespace

bool StreamWriteSide::exceeds_message(std::size_t bytes) const noexcept {
  return flags_.separate_writes && backend_ != nullptr && bytes > backend_->traits().message_size;
}

void StreamWriteSide::refuse_write(StreamWrite& write) {
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

// Not once the end of sending was asked for: it comes behind the writes that were under way then.
void StreamWriteSide::undo_starts(QueueCore& queue, bool but_the_first) noexcept {
  if (flags_.is_shutting_down) return;
  while (!writes_.empty()) {
    StreamWrite& write = write_at(*writes_.last());
    if (write.queue() != &queue || write.was_tried() || (but_the_first && &write == writes_.first())) return;
    write.unlink();
    add_waiting(write);
    queue.put_back(write);
  }
}

bool StreamWriteSide::claim_writing() { return !std::exchange(extras().writing_claimed, true); }

void StreamWriteSide::release_writing() noexcept { extras_->writing_claimed = false; }

bool StreamWriteSide::is_claimed() const noexcept { return extras_ != nullptr && extras_->writing_claimed; }

bool StreamWriteSide::is_claimed_by_another(const StreamOperation& operation) const noexcept {
  return is_claimed() && !operation.is_of_pump();
}

void StreamWriteSide::drop_write(StreamWrite& write) noexcept {
  remove_queued_bytes(write.remaining());
  if (write.queue() != nullptr && !write.is_started()) {
    write.unlink();
  } else {
    write.unlink();
    flags_.writes_adjoin = false;
    // Half a message is out: the peer would take what follows for the rest of it.
    if (write.is_partly_out()) {
      latch_write(EPROTO);
      fail_writes(EPROTO);
    } else if (writes_.empty() && flags_.is_shutting_down && !flags_.write_blocked) {
      schedule_flush();
    }
  }
  write.set_stream(nullptr);
}

void StreamWriteSide::flush_writes() {
  for (unsigned calls = 1; write_batch(); ++calls) {
    if (calls == calls_per_flush) {
      schedule_flush();
      return;
    }
  }
}

// Gathers as many writes as fit into one call of the backend. Returns the write that needs a call of its
// kind: one with descriptors, which go with its first byte, or one that gives its bytes itself; null if there
// is none.
StreamWrite* StreamWriteSide::gather_writes(WriteGather& gather) {
  for (ListNode* node = writes_.first(); node != writes_.end(); node = node->next) {
    StreamWrite& write = write_at(*node);
    if (!write.is_compound()) [[likely]] {
      if (!gather.add(write.front())) return nullptr;
      continue;
    }
    if (write.writes_itself()) return gather.empty() ? &write : nullptr;
    StreamWrite* const with_fds = write.fds().empty() ? nullptr : &write;
    if (with_fds != nullptr && !gather.empty()) return nullptr;
    bool has_room = gather.add(write.front());
    for (const iovec& vector : write.behind()) has_room = has_room && gather.add(vector);
    if (!has_room || with_fds != nullptr) return with_fds;
  }
  return nullptr;
}

// Calls the backend once with as many writes as fit. Returns whether there is more to do now.
bool StreamWriteSide::write_batch() {
  std::size_t offered = 0;
  int err = 0;
  ssize_t result = 0;
  if (flags_.writes_adjoin && !writes_.empty()) {
    const iovec vector = write_at(writes_.front()).up_to_end_of(write_at(*writes_.last()));
    offered = vector.iov_len;
    if (offered != 0) result = backend_->try_writev({&vector, 1}, err);
  } else if (flags_.separate_writes) [[unlikely]] {
    result = write_messages(offered, err);
  } else {
    result = write_gathered(offered, err);
  }
  return after_write(result, offered, err);
}

ssize_t StreamWriteSide::write_gathered(std::size_t& offered, int& err) {
  WriteGather gather(*core_);
  StreamWrite* const special = gather_writes(gather);
  gather.finish();
  if (special != nullptr && gather.empty()) {
    offered = special->remaining();
    return special->write_itself(*backend_, err);
  }
  offered = gather.bytes();
  if (gather.empty()) return 0;
  return write_vectors(gather.vectors(), special, err);
}

ssize_t StreamWriteSide::write_vectors(std::span<const iovec> vectors, const StreamWrite* with_fds,
                                       int& err) {
  SocketControl* const control = with_fds != nullptr ? backend_->socket_control() : nullptr;
  return control != nullptr ? control->try_writev_with_fds(vectors, with_fds->fds(), err)
                            : backend_->try_writev(vectors, err);
}

// Apart, because of the room that it needs on the stack.
[[gnu::noinline]] ssize_t StreamWriteSide::write_compound_message(const StreamWrite& write,
                                                                  std::size_t& offered, int& err) {
  MessageGather gather(*core_);
  gather.add(write.front());
  for (const iovec& vector : write.behind()) gather.add(vector);
  gather.finish();
  offered = gather.bytes();
  return write_vectors(gather.vectors(), write.fds().empty() ? nullptr : &write, err);
}

// Each message is a write; the backend may pass several on in one piece.
ssize_t StreamWriteSide::write_messages(std::size_t& offered, int& err) {
  std::array<iovec, messages_per_flush> messages;
  std::size_t count = 0;
  for (ListNode* node = writes_.first();
       node != writes_.end() && count != messages.size() && offered < bytes_of_messages_per_call;
       node = node->next) {
    const StreamWrite& write = write_at(*node);
    if (write.remaining() == 0) continue;
    if (write.is_compound()) {
      if (count == 0) return write_compound_message(write, offered, err);
      break;
    }
    messages[count++] = write.front();
    offered += write.remaining();
  }
  return count != 0 ? backend_->try_write_messages(std::span(messages).first(count), err) : 0;
}

// Handles the result of a call of the backend. Flushes after a short write as after a full one: bytes that
// were taken have not left before the backend says so.
bool StreamWriteSide::after_write(ssize_t result, std::size_t offered, int err) {
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
    if (flags_.separate_writes) finish_left();
  }
  if (sent < offered && short_is_final_) {
    await_writable();
    return false;
  }
  if (!writes_.empty() && write_at(*writes_.last()).remaining() != 0) return true;
  if (err != 0) {
    await_writable();
    return false;
  }
  if (flags_.is_shutting_down && writes_.empty()) writes_are_out();
  return false;
}

void StreamWriteSide::await_writable() noexcept {
  flags_.write_blocked = true;
  if (backend_->want_writable() == Readiness::later) return;
  writes_in_next_turn_ = true;
  ask_for_next_turn();
}

// Handles an error of `try_writev()` or `try_flush()`.
void StreamWriteSide::write_failed(int err) {
  if (err == EAGAIN) {
    if (!writes_.empty()) write_at(writes_.front()).set_tried();
    await_writable();
  } else {
    if (const std::size_t unsent = backend_->unsent_bytes(); unsent != 0) {
      discount_unsent(unsent);
      finish_written(0);  // the writes in front of them have left
    }
    latch_write(err);
    fail_writes(err);
  }
}

// Takes back bytes that were counted as taken last but have not left.
void StreamWriteSide::discount_unsent(std::size_t bytes) noexcept {
  for (ListNode* node = writes_.last(); node != writes_.end() && bytes != 0; node = node->prev) {
    StreamWrite& write = write_at(*node);
    const std::size_t step = std::min(bytes, write.transferred());
    bytes -= step;
    write.discount(step);
    add_queued_bytes(step);
  }
}

void StreamWriteSide::fail_blocked_writes(int err) {
  if (!flags_.write_blocked) return;
  flags_.write_blocked = false;
  if (writes_.empty()) return;
  if (write_at(writes_.front()).transferred() != 0) latch_write(err);
  fail_writes(err);
}

// Counts bytes that the backend has taken but may not have passed on.
void StreamWriteSide::account_written(std::size_t bytes) {
  remove_queued_bytes(bytes);
  for (ListNode* node = writes_.first(); node != writes_.end() && bytes != 0; node = node->next) {
    StreamWrite& write = write_at(*node);
    const std::size_t step = std::min(bytes, write.remaining());
    bytes -= step;
    write.advance(step);
  }
}

// Completes writes: these bytes have left, and with them all that was taken before.
void StreamWriteSide::finish_written(std::size_t bytes) {
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
    // The trace function may have ended the trace.
    if (traced && core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::finished, write);
    ++count;
    last = node;
  }
  if (last == nullptr) return;
  core_->make_ready_until(writes_, *last);
  if (queue != nullptr) queue->leave(count);
}

// Completes those of the taken messages that have left, although others wait behind them.
void StreamWriteSide::finish_left() {
  std::size_t taken = 0;
  for (ListNode* node = writes_.first(); node != writes_.end(); node = node->next) {
    const StreamWrite& write = write_at(*node);
    taken += write.transferred();
    if (!write.is_taken()) break;
  }
  const std::size_t unsent = backend_->unsent_bytes();
  for (std::size_t left = taken - std::min(taken, unsent); !writes_.empty();) {
    StreamWrite& write = write_at(writes_.front());
    if (write.remaining() != 0 || write.transferred() > left) return;
    left -= write.transferred();
    QueueCore* const queue = write.queue();
    write.complete();
    if (core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::finished, write);
    core_->make_ready_until(writes_, write);
    if (queue != nullptr) queue->leave(1);
  }
}

void StreamWriteSide::latch_write(int err) noexcept {
  keep_write_error(err);
  if (strict_) whole().share_write_error(err);
  break_monitor(err);
}

void StreamWriteSide::fail_writes(int err) noexcept {
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

StreamExtras& StreamWriteSide::count_from_now() {
  StreamExtras& extras = this->extras();
  if (!std::exchange(extras.counts_queued_bytes, true)) extras.queued_bytes = sum_queued_bytes();
  return extras;
}

void StreamWriteSide::forget_queued_bytes() noexcept {
  if (extras_ != nullptr) extras_->queued_bytes = 0;
}

void StreamWriteSide::count_queued_bytes(std::size_t more, std::size_t less) noexcept {
  if (!extras_->counts_queued_bytes) return;
  std::size_t& count = extras_->queued_bytes;
  count = count + more - std::min(less, count + more);
  if (extras_->watermarks != nullptr) extras_->watermarks->update(count);
}

std::size_t StreamWriteSide::sum_queued_bytes() noexcept {
  std::size_t bytes = 0;
  for (NodeList* list : {&writes_, &others_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next)
      bytes += static_cast<StreamOperation&>(*node).bytes_to_write();
  }
  return bytes;
}

std::size_t StreamWriteSide::queued_bytes() noexcept {
  try {
    return count_from_now().queued_bytes;
  } catch (const std::bad_alloc&) {
    return sum_queued_bytes();
  }
}

void StreamWriteSide::set_watermark_watch(std::unique_ptr<WatermarkWatch> watch) {
  // The old function is destroyed last: its captures may own the stream.
  const std::unique_ptr<WatermarkWatch> old = std::exchange(count_from_now().watermarks, std::move(watch));
  flags_.has_watermarks = true;
  count_queued_bytes(0, 0);
}

bool StreamWriteSide::exceeds_cap(std::size_t bytes) const noexcept {
  if (!flags_.has_watermarks) return false;
  const std::size_t cap = extras_->watermarks->cap();
  return bytes > cap - std::min(extras_->queued_bytes, cap);
}

bool StreamWriteSide::finish_taken() {
  if (writes_.empty() || write_at(writes_.front()).remaining() != 0) return true;
  const int err = backend_->try_flush();
  if (err == 0) {
    finish_written(0);
  } else if (err == EAGAIN) {
    if (flags_.separate_writes) finish_left();
  } else {
    write_failed(err);
    return false;
  }
  return true;
}

// ---- the end of sending ----

void StreamWriteSide::start_shutdown(StreamControl& control) {
  const bool drains = control.kind() == StreamControlKind::drain;
  int err = 0;
  if (is_disconnecting()) {
    err = ECONNABORTED;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  } else if (is_claimed_by_another(control)) {
    err = EBUSY;
  } else if (!drains && (flags_.shut_down || find_control(control.kind()) != nullptr)) {
    err = EALREADY;
  } else if (flags_.write_error != 0) {
    err = flags_.write_error;
  }
  // A pump that was interrupted may have ended sending already; the pump that continues it succeeds.
  const bool is_done = err == EALREADY && flags_.shut_down && control.is_of_pump();
  if (err != 0) {
    control.set_stream(nullptr);
    if (!is_done && flags_.write_error != 0) explain(control);
    control.finish(is_done ? 0 : err);
    return;
  }
  add_control(control);
  flags_.is_shutting_down = true;
  if (!flags_.write_blocked) schedule_flush();
}

void StreamWriteSide::writes_are_out() {
  if (StreamControl* const control = find_control(StreamControlKind::shutdown_write); control != nullptr) {
    const int err = backend_->try_shutdown_write();
    if (err == EAGAIN) {
      await_writable();
      return;
    }
    remove_control(*control);
    if (err == 0) {
      flags_.shut_down = true;
    } else if (err != ENOTSUP) {
      latch_write(err);
    }
    if (err != 0) explain(*control);
    control->finish(err);
  }
  finish_control(StreamControlKind::drain, 0);
}

}  // namespace tsock::inline v0::detail
