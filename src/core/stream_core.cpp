#include "core/stream_core.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>
#include <tsock/socket_control.hpp>

#include "core/stream_control.hpp"
#include "core/stream_write.hpp"
#include "core/watermark_watch.hpp"
#include "core/write_gather.hpp"

namespace tsock::detail {

namespace {

// A read of at least this many bytes goes straight into the caller's vectors; below it, copying out of the
// receive buffer costs less than another vector in the system call.
constexpr std::size_t in_place_read = 4096;
// From here on nothing is read ahead: a system call for the next read costs less than the copy.
constexpr std::size_t lone_read = std::size_t{64} * 1024;
constexpr std::size_t vectors_per_call = 256;
// How often one stream may go to the kernel before others have their turn.
constexpr unsigned calls_per_flush = 4;
constexpr unsigned calls_per_event = 4;

}  // namespace

StreamCore::StreamCore(LoopCore& core, std::unique_ptr<StreamBackend> backend, const StreamOptions& options)
    : core_(&core), backend_(std::move(backend)) {
  backend_->attach(*this);
  set_behaviour(options);
  core_->add_resource(*this);
  if (core_->is_closed()) loop_closed();
}

StreamCore::~StreamCore() {
  free_unread();
  if (FlushNode::is_linked()) FlushNode::unlink();
}

void StreamCore::set_behaviour(const StreamOptions& options) {
  traits_ = backend_->traits();
  fail_on_first_error_ = options.fail_on_first_error;
  strict_ = options.strict_tsocket;
  if (fail_on_first_error_ || strict_) backend_->watch_for_breaks(true);
}

void StreamCore::release_stream() noexcept {
  state_ = State::closed;
  detach_operations(ECANCELED);
  while (!followers_.empty()) {
    auto& follower = static_cast<StreamFollower&>(followers_.front());
    follower.unlink();
    follower.stream_gone();
  }
  backend_.reset();
  LoopCore& core = *core_;
  this->~StreamCore();
  core.deallocate(static_cast<void*>(this), sizeof(StreamCore));
}

// In two passes: one that ends may start the next entry of its queue, which must find its stream gone.
void StreamCore::detach_operations(int err) noexcept {
  const std::array<StreamOperation*, 4> single{reading_, disconnecting_, shutting_down_, monitoring_};
  reading_ = nullptr;
  disconnecting_ = shutting_down_ = monitoring_ = nullptr;
  NodeList listed;
  for (NodeList* list : {&writes_, &waiting_}) {
    if (!list->empty()) listed.take_front(*list, *list->end()->prev);
  }
  for (StreamOperation* operation : single) {
    if (operation != nullptr) operation->set_stream(nullptr);
  }
  for (ListNode* node = listed.first(); node != listed.end(); node = node->next)
    static_cast<StreamOperation&>(*node).set_stream(nullptr);

  const auto end = [this, err](StreamOperation& operation) {
    if (err != 0) {
      operation.finish(err);
    } else if (!operation.is_linked()) {
      core_->list_unfinished(operation);
    }
  };
  for (StreamOperation* operation : single) {
    if (operation != nullptr) end(*operation);
  }
  while (!listed.empty()) {
    auto& operation = static_cast<StreamOperation&>(listed.front());
    operation.unlink();
    end(operation);
  }
}

void StreamCore::for_each_request(void (*visit)(void* context, RequestState& state), void* context) {
  for (StreamOperation* operation :
       {static_cast<StreamOperation*>(reading_), static_cast<StreamOperation*>(disconnecting_),
        static_cast<StreamOperation*>(shutting_down_), static_cast<StreamOperation*>(monitoring_)}) {
    if (operation != nullptr && !operation->is_linked()) visit(context, *operation);
  }
  for (NodeList* list : {&writes_, &waiting_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next)
      visit(context, static_cast<StreamOperation&>(*node));
  }
}

void StreamCore::loop_closed() noexcept {
  state_ = State::closed;
  detach_operations(0);
  queued_bytes_ = 0;
  free_unread();
  if (FlushNode::is_linked()) FlushNode::unlink();
  backend_.reset();
}

void StreamCore::detach_backend() noexcept {
  state_ = State::closed;
  break_monitor(ECONNABORTED);
  free_unread();
  if (FlushNode::is_linked()) FlushNode::unlink();
}

void StreamCore::abort() noexcept {
  if (state_ == State::closed) return;
  state_ = State::closed;
  detach_operations(ECONNABORTED);
  free_unread();
  queued_bytes_ = 0;
  backend_->abort();
}

// ---- reads ----

void StreamCore::check_fault() {
  const int fault = reading_->fault();
  if (fault == 0) [[likely]]
    return;
  reading_->give_back(*this);
  reading_->finish(fault);
}

void StreamCore::refuse_read(StreamRead& read) {
  const int err = state_ == State::disconnecting ? ECONNABORTED : reading_ != nullptr ? EBUSY : ENOTCONN;
  read.set_stream(nullptr);
  read.finish(err);
}

void StreamCore::serve_reader(bool may_read) {
  unsigned calls = 0;
  while (reading_ != nullptr && reading_->is_unfinished() && reading_->can_take()) {
    if (unread_begin_ != unread_end_) [[likely]] {
      consume_unread(reading_->feed(unread_bytes()));
      check_fault();
      continue;
    }
    if (read_error_ != 0) {
      fail_reader(read_error_);
      return;
    }
    if (!may_read || calls == calls_per_event) {
      backend_->want_readable();
      return;
    }
    ++calls;
    may_read = read_from_backend();
  }
}

void StreamCore::on_readable() { serve_reader(true); }

// One call of the backend. Returns whether another one may give more at once.
bool StreamCore::read_from_backend() {
  std::array<iovec, vectors_per_call + 1> vectors;
  std::size_t count = reading_->space(std::span(vectors).first(vectors_per_call));
  std::size_t direct = 0;
  for (std::size_t i = 0; i < count; ++i) direct += vectors[i].iov_len;
  std::size_t offered = direct;
  std::span<std::byte> buffer;
  if (direct < lone_read && traits_.read_ahead && reading_->wants_read_ahead())
    buffer = core_->borrow_receive_buffer(*this);
  if (!buffer.empty()) {
    if (direct < in_place_read) count = direct = offered = 0;
    vectors[count++] = make_vector(buffer);
    offered += buffer.size();
  }
  if (count == 0) return false;

  int err = 0;
  const ssize_t got = backend_->try_readv(std::span(vectors).first(count), err);
  if (got < 0) {
    if (err != EAGAIN) latch_read(err);
    return false;
  }
  if (got == 0) {
    latch_read(EPIPE);
    return false;
  }
  const auto bytes = static_cast<std::size_t>(got);
  taken_ += bytes;
  if (bytes > direct) {
    unread_ = buffer.data();
    unread_begin_ = 0;
    unread_end_ = bytes - direct;
    unread_capacity_ = 0;
    core_->lease_receive_buffer(*this);
  }
  if (direct != 0) reading_->advance(std::min(bytes, direct));
  check_fault();
  return bytes == offered || !traits_.short_is_final;
}

void StreamCore::latch_read(int err) noexcept {
  if (read_error_ == 0) read_error_ = err;
  if (strict_) {
    if (write_error_ == 0) write_error_ = err;
    fail_writes(err);
  }
  break_monitor(err);
}

void StreamCore::poison_reads() noexcept {
  reads_poisoned_ = true;
  free_unread();
  latch_read(EPROTO);
}

void StreamCore::fail_reader(int err) {
  StreamRead& read = *reading_;
  read.at_end(err, *this);
  read.finish(err);
}

void StreamCore::free_unread() noexcept {
  if (unread_capacity_ != 0) {
    core_->deallocate(unread_, unread_capacity_);
  } else if (unread_ != nullptr) {
    core_->end_lease(*this);
  }
  unread_ = nullptr;
  unread_begin_ = unread_end_ = unread_capacity_ = 0;
}

void StreamCore::keep_unread_bytes() noexcept {
  if (unread_ == nullptr || unread_capacity_ != 0) return;
  const std::size_t size = unread_end_ - unread_begin_;
  const std::size_t capacity = Pool::usable_size(size);
  std::byte* const block = allocate_unread(capacity);
  if (block == nullptr) return;
  std::memcpy(block, unread_ + unread_begin_, size);
  core_->end_lease(*this);
  unread_ = block;
  unread_begin_ = 0;
  unread_end_ = size;
  unread_capacity_ = capacity;
}

// Without memory the bytes are lost, and with them the place in the stream.
std::byte* StreamCore::allocate_unread(std::size_t capacity) noexcept {
  try {
    return static_cast<std::byte*>(core_->allocate(capacity));
  } catch (const std::bad_alloc&) {
    poison_reads();
    return nullptr;
  }
}

void StreamCore::unread(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty() || state_ == State::closed || reads_poisoned_) return;
  if (unread_capacity_ != 0 && unread_begin_ >= bytes.size()) {
    unread_begin_ -= bytes.size();
    std::memcpy(unread_ + unread_begin_, bytes.data(), bytes.size());
    return;
  }
  const std::size_t behind = unread_end_ - unread_begin_;
  const std::size_t capacity = Pool::usable_size(bytes.size() + behind);
  std::byte* const block = allocate_unread(capacity);
  if (block == nullptr) return;
  // Room stays in front: bytes that come back in several parts come last part first.
  const std::size_t begin = capacity - bytes.size() - behind;
  std::memcpy(block + begin, bytes.data(), bytes.size());
  if (behind != 0) std::memcpy(block + begin + bytes.size(), unread_ + unread_begin_, behind);
  free_unread();
  unread_ = block;
  unread_begin_ = begin;
  unread_end_ = capacity;
  unread_capacity_ = capacity;
}

std::size_t StreamCore::pending_bytes(int& err) {
  err = 0;
  if (state_ == State::closed) {
    err = ENOTCONN;
    return 0;
  }
  std::size_t bytes = unread_end_ - unread_begin_;
  if (read_error_ == 0) {
    int below = 0;
    bytes += backend_->pending_bytes(below);
    if (bytes == 0 && below != 0) latch_read(below);
  }
  if (bytes == 0) err = read_error_;
  return bytes;
}

// ---- writes ----

void StreamCore::refuse_write(StreamWrite& write, bool busy) {
  int err = EPIPE;
  if (state_ == State::disconnecting) {
    err = ECONNABORTED;
  } else if (busy) {
    err = EBUSY;
  } else if (state_ == State::closed) {
    err = ENOTCONN;
  } else if (write_error_ != 0) {
    err = write_error_;
  }
  remove_queued_bytes(write.remaining());
  write.set_stream(nullptr);
  write.finish(err);
}

void StreamCore::drop_write(StreamWrite& write) noexcept {
  remove_queued_bytes(write.remaining());
  if (write.queue() != nullptr && !write.is_started()) {
    remove_waiting(write);
  } else {
    write.unlink();
    // Half a message is out: what would follow it is not what the peer waits for.
    if (write.is_partly_out()) {
      latch_write(EPROTO);
      fail_writes(EPROTO);
    } else if (writes_.empty() && shutting_down_ != nullptr && !write_blocked_) {
      core_->schedule_flush(*this);
    }
  }
  write.set_stream(nullptr);
}

void StreamCore::flush() {
  if (state_ != State::open || write_blocked_) return;
  for (unsigned calls = 1; write_batch(); ++calls) {
    if (calls == calls_per_flush) {
      core_->schedule_flush(*this);
      return;
    }
  }
}

// As many writes as fit into one call of the backend. Returns the one that brings descriptors, which go with
// its first byte.
StreamWrite* StreamCore::gather_writes(WriteGather& gather) {
  if (writes_.empty()) return nullptr;
  // What leaves alone needs no copy.
  const bool alone = writes_.first()->next == writes_.end() && write_at(writes_.front()).cursor().size() == 1;
  for (ListNode* node = writes_.first(); node != writes_.end(); node = node->next) {
    StreamWrite& write = write_at(*node);
    if (write.remaining() == 0) [[unlikely]]
      continue;
    StreamWrite* const with_fds = write.fds().empty() ? nullptr : &write;
    if (with_fds != nullptr && !gather.empty()) return nullptr;
    const bool has_room = write.cursor().for_each_ahead([&gather, alone](const iovec& vector) {
      return alone || vector.iov_len > WriteGather::small ? gather.add(vector) : gather.add_copy(vector);
    });
    if (!has_room || with_fds != nullptr) return with_fds;
  }
  return nullptr;
}

// One call of the backend with as many writes as fit. Returns whether there is more to do now.
bool StreamCore::write_batch() {
  WriteGather gather(*core_);
  const StreamWrite* const with_fds = gather_writes(gather);
  std::size_t sent = 0;
  if (!gather.empty()) {
    int err = 0;
    SocketControl* const control = with_fds != nullptr ? backend_->socket_control() : nullptr;
    const ssize_t result = control != nullptr
                               ? control->try_writev_with_fds(gather.vectors(), with_fds->fds(), err)
                               : backend_->try_writev(gather.vectors(), err);
    if (result < 0) {
      write_failed(err);
      return false;
    }
    sent = static_cast<std::size_t>(result);
  }
  const bool is_short = sent < gather.bytes() && traits_.short_is_final;
  const int err = is_short ? 0 : backend_->try_flush();
  if (err == 0) {
    finish_written(sent);
  } else {
    account_written(sent);
  }
  if (is_short) {
    write_blocked_ = true;
    backend_->want_writable();
    return false;
  }
  if (!writes_.empty() && write_at(*writes_.end()->prev).remaining() != 0) return true;
  if (err != 0) {
    write_failed(err);
    return false;
  }
  if (shutting_down_ != nullptr && writes_.empty()) try_shutdown();
  return false;
}

// Of `try_writev()` or `try_flush()`.
void StreamCore::write_failed(int err) {
  if (err == EAGAIN) {
    write_blocked_ = true;
    backend_->want_writable();
  } else {
    latch_write(err);
    fail_writes(err);
  }
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
  ListNode* last = nullptr;
  for (ListNode* node = writes_.first(); node != writes_.end(); node = node->next) {
    StreamWrite& write = write_at(*node);
    if (write.remaining() > bytes) {
      if (bytes != 0) write.advance(bytes);
      break;
    }
    bytes -= write.remaining();
    write.complete();
    if (core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::finished, write);
    last = node;
  }
  if (last != nullptr) core_->make_ready_until(writes_, *last);
}

void StreamCore::latch_write(int err) noexcept {
  if (write_error_ == 0) write_error_ = err;
  if (strict_ && read_error_ == 0) read_error_ = err;
  break_monitor(err);
}

void StreamCore::fail_writes(int err) noexcept {
  while (!writes_.empty()) {
    StreamWrite& write = write_at(writes_.front());
    write.unlink();
    remove_queued_bytes(write.remaining());
    write.set_stream(nullptr);
    write.finish(err);
  }
  if (shutting_down_ != nullptr) {
    StreamControl& control = *std::exchange(shutting_down_, nullptr);
    control.set_stream(nullptr);
    control.finish(err);
  }
}

void StreamCore::add_queued_bytes(std::size_t bytes) noexcept {
  queued_bytes_ += bytes;
  if (watermarks_ != nullptr) watermarks_->update(queued_bytes_);
}

void StreamCore::remove_queued_bytes(std::size_t bytes) noexcept {
  queued_bytes_ -= std::min(bytes, queued_bytes_);
  if (watermarks_ != nullptr) watermarks_->update(queued_bytes_);
}

void StreamCore::set_watermark_watch(std::unique_ptr<WatermarkWatch> watch) noexcept {
  // The old function goes last: what it captured may own the stream.
  const std::unique_ptr<WatermarkWatch> old = std::exchange(watermarks_, std::move(watch));
  if (watermarks_ != nullptr) watermarks_->update(queued_bytes_);
}

bool StreamCore::exceeds_cap(std::size_t bytes) const noexcept {
  return watermarks_ != nullptr && bytes > watermarks_->cap() - std::min(queued_bytes_, watermarks_->cap());
}

void StreamCore::on_writable() {
  write_blocked_ = false;
  if (state_ == State::disconnecting) {
    try_disconnect();
  } else {
    flush();
  }
}

// ---- control ----

void StreamCore::start_disconnect(StreamControl& control) {
  int err = 0;
  if (state_ == State::open && is_busy()) {
    err = EBUSY;
  } else if (state_ == State::disconnecting) {
    err = EALREADY;
  } else if (state_ == State::closed) {
    err = ENOTCONN;
  }
  if (err != 0) {
    control.finish(err);
    return;
  }
  state_ = State::disconnecting;
  disconnecting_ = &control;
  control.set_stream(this);
  break_monitor(ECONNABORTED);
  if (shutting_down_ != nullptr) {
    StreamControl& shutdown = *std::exchange(shutting_down_, nullptr);
    shutdown.set_stream(nullptr);
    shutdown.finish(ECONNABORTED);
  }
  free_unread();
  try_disconnect();
}

void StreamCore::try_disconnect() {
  const int err = backend_->try_disconnect();
  if (err == EAGAIN) {
    backend_->want_writable();
    return;
  }
  state_ = State::closed;
  if (disconnecting_ != nullptr) {
    StreamControl& control = *std::exchange(disconnecting_, nullptr);
    control.set_stream(nullptr);
    control.finish(err);
  }
}

void StreamCore::start_shutdown(StreamControl& control) {
  int err = 0;
  if (state_ == State::disconnecting) {
    err = ECONNABORTED;
  } else if (state_ == State::closed) {
    err = ENOTCONN;
  } else if (shut_down_ || shutting_down_ != nullptr) {
    err = EALREADY;
  } else if (write_error_ != 0) {
    err = write_error_;
  }
  if (err != 0) {
    control.set_stream(nullptr);
    control.finish(err);
    return;
  }
  shutting_down_ = &control;
  control.set_stream(this);
  if (!write_blocked_) core_->schedule_flush(*this);
}

void StreamCore::try_shutdown() {
  const int err = backend_->try_shutdown_write();
  if (err == EAGAIN) {
    write_blocked_ = true;
    backend_->want_writable();
    return;
  }
  StreamControl& control = *std::exchange(shutting_down_, nullptr);
  control.set_stream(nullptr);
  if (err == 0) {
    shut_down_ = true;
  } else if (err != ENOTSUP) {
    latch_write(err);
  }
  control.finish(err);
}

void StreamCore::start_monitor(StreamControl& control) {
  int err = 0;
  if (state_ == State::disconnecting) {
    err = ECONNABORTED;
  } else if (monitoring_ != nullptr) {
    err = EALREADY;
  } else if (state_ == State::closed) {
    err = ENOTCONN;
  } else if (read_error_ != 0) {
    err = read_error_;
  } else if (write_error_ != 0) {
    err = write_error_;
  }
  if (err != 0) {
    control.finish(err);
    return;
  }
  monitoring_ = &control;
  control.set_stream(this);
  backend_->want_broken();
}

void StreamCore::break_monitor(int err) noexcept {
  if (monitoring_ == nullptr) return;
  StreamControl& control = *std::exchange(monitoring_, nullptr);
  control.set_stream(nullptr);
  control.finish(err);
}

void StreamCore::end_control(StreamControl& control) noexcept {
  if (monitoring_ == &control) monitoring_ = nullptr;
  if (shutting_down_ == &control) shutting_down_ = nullptr;
  if (disconnecting_ == &control) {
    // Nobody waits for the goodbye any more.
    disconnecting_ = nullptr;
    state_ = State::closed;
    backend_.reset();
  }
}

void StreamCore::on_broken(int err) {
  if (strict_) {
    if (err == EPIPE) err = ECONNRESET;
    if (write_blocked_ && !writes_.empty()) {
      latch_write(err);
      fail_writes(err);
    }
  }
  if (fail_on_first_error_) {
    latch_read(err);
    free_unread();
    if (reading_ != nullptr && reading_->is_unfinished()) fail_reader(err);
  }
  break_monitor(err);
}

}  // namespace tsock::detail
