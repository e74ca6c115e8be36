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

/// What few streams have.
struct StreamCore::Extras {
  std::unique_ptr<WatermarkWatch> watermarks;
  NodeList followers;
  std::size_t queued_bytes = 0;
};

StreamCore::Extras& StreamCore::extras() {
  if (extras_ == nullptr) {
    extras_ = std::make_unique<Extras>();
    extras_->queued_bytes = sum_queued_bytes();
    flags_.has_extras = true;
  }
  return *extras_;
}

void StreamCore::add_follower(StreamFollower& follower) { extras().followers.push_back(follower); }

StreamCore::StreamCore(LoopCore& core, std::unique_ptr<StreamBackend> backend, const StreamOptions& options)
    : core_(&core), backend_(std::move(backend)) {
  backend_->attach(*this);
  set_behaviour(options);
  core_->add_resource(*this);
  if (core_->is_closed()) loop_closed();
}

StreamCore::~StreamCore() { free_unread(); }

void StreamCore::set_behaviour(const StreamOptions& options) {
  const StreamTraits traits = backend_->traits();
  reads_ahead_ = traits.read_ahead;
  short_is_final_ = traits.short_is_final;
  fail_on_first_error_ = options.fail_on_first_error;
  strict_ = options.strict_tsocket;
  if (fail_on_first_error_ || strict_) backend_->watch_for_breaks(true);
}

void StreamCore::release_stream() noexcept {
  flags_.state = State::closed;
  detach_operations(ECANCELED);
  while (extras_ != nullptr && !extras_->followers.empty()) {
    auto& follower = static_cast<StreamFollower&>(extras_->followers.front());
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
  StreamRead* const reading = std::exchange(reading_, nullptr);
  flags_.is_shutting_down = false;
  NodeList listed;
  for (NodeList* list : {&writes_, &others_}) {
    if (!list->empty()) listed.take_front(*list, *list->end()->prev);
  }
  if (reading != nullptr) reading->set_stream(nullptr);
  for (ListNode* node = listed.first(); node != listed.end(); node = node->next)
    static_cast<StreamOperation&>(*node).set_stream(nullptr);

  const auto end = [this, err](StreamOperation& operation) {
    if (err != 0) {
      operation.finish(err);
    } else if (!operation.is_linked()) {
      core_->list_unfinished(operation);
    }
  };
  if (reading != nullptr) end(*reading);
  while (!listed.empty()) {
    auto& operation = static_cast<StreamOperation&>(listed.front());
    operation.unlink();
    end(operation);
  }
}

void StreamCore::for_each_request(void (*visit)(void* context, RequestState& state), void* context) {
  if (reading_ != nullptr && !reading_->is_linked()) visit(context, *reading_);
  for (NodeList* list : {&others_, &writes_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next)
      visit(context, static_cast<StreamOperation&>(*node));
  }
}

void StreamCore::loop_closed() noexcept {
  flags_.state = State::closed;
  detach_operations(0);
  if (extras_ != nullptr) extras_->queued_bytes = 0;
  free_unread();
  cancel_flush();
  backend_.reset();
}

void StreamCore::detach_backend() noexcept {
  flags_.state = State::closed;
  break_monitor(ECONNABORTED);
  free_unread();
  cancel_flush();
}

void StreamCore::cancel_flush() noexcept {
  if (!flags_.flush_scheduled) return;
  flags_.flush_scheduled = false;
  // Not when the loop goes, which has taken it out.
  if (is_linked()) core_->cancel_flush(*this);
}

void StreamCore::abort() noexcept {
  if (flags_.state == State::closed) return;
  flags_.state = State::closed;
  detach_operations(ECONNABORTED);
  free_unread();
  if (extras_ != nullptr) extras_->queued_bytes = 0;
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
  const int err = flags_.state == State::disconnecting ? ECONNABORTED
                  : reading_ != nullptr                ? EBUSY
                                                       : ENOTCONN;
  read.set_stream(nullptr);
  read.finish(err);
}

void StreamCore::serve_reader(bool may_read) {
  unsigned calls = 0;
  while (reading_ != nullptr && reading_->is_unfinished() && reading_->can_take()) {
    if (unread_ != nullptr) [[likely]] {
      consume_unread(reading_->feed(unread_->bytes()));
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
  if (!reads_ahead_ || !reading_->is_buffered()) return read_in_place();
  const std::span<std::byte> buffer = core_->borrow_receive_buffer(*this);
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

// The same for a reader whose space is worth it, or for which there is no buffer.
bool StreamCore::read_in_place() {
  std::array<iovec, vectors_per_call + 1> vectors;
  std::size_t count = reading_->space(std::span(vectors).first(vectors_per_call));
  std::size_t direct = 0;
  for (std::size_t i = 0; i < count; ++i) direct += vectors[i].iov_len;
  std::size_t offered = direct;
  std::span<std::byte> buffer;
  if (direct < lone_read && reads_ahead_ && reading_->wants_read_ahead())
    buffer = core_->borrow_receive_buffer(*this);
  if (!buffer.empty()) {
    if (direct < in_place_read) count = direct = offered = 0;
    vectors[count++] = make_vector(buffer);
    offered += buffer.size();
  }
  if (count == 0) return false;

  int err = 0;
  const ssize_t got = backend_->try_readv(std::span(vectors).first(count), err);
  if (got <= 0) {
    read_failed(got, err);
    return false;
  }
  const auto bytes = static_cast<std::size_t>(got);
  if (bytes > direct) take_received(buffer.data(), bytes - direct);
  if (direct != 0) reading_->advance(std::min(bytes, direct));
  check_fault();
  return bytes == offered || !short_is_final_;
}

// Bytes are in the receive buffer.
void StreamCore::take_received(std::byte* begin, std::size_t bytes) noexcept {
  UnreadBytes& leased = core_->leased_bytes();
  leased.begin = begin;
  leased.end = begin + bytes;
  unread_ = &leased;
  core_->receive_buffer().use_until(leased.end);
  core_->lease_receive_buffer(*this);
}

void StreamCore::read_failed(ssize_t result, int err) noexcept {
  if (result == 0) {
    latch_read(EPIPE);
  } else if (err != EAGAIN) {
    latch_read(err);
  }
}

unsigned StreamCore::fitting(int err) noexcept {
  return err > 0 && static_cast<unsigned>(err) <= largest_error ? static_cast<unsigned>(err) : EIO;
}

void StreamCore::latch_read(int err) noexcept {
  const unsigned error = fitting(err);
  if (read_error_ == 0) read_error_ = error & largest_error;
  if (strict_) {
    if (flags_.write_error == 0) flags_.write_error = error & largest_error;
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

// Empty, at its end. Without memory the bytes are lost, and with them the place in the stream.
UnreadBlock* StreamCore::allocate_unread(std::size_t bytes) noexcept {
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

void StreamCore::free_unread() noexcept {
  if (owns_unread_) {
    auto* const block = static_cast<UnreadBlock*>(unread_);
    core_->deallocate(block, sizeof(UnreadBlock) + block->capacity);
  } else if (unread_ != nullptr) {
    core_->end_lease(*this);
  }
  unread_ = nullptr;
  owns_unread_ = false;
}

void StreamCore::keep_unread_bytes() noexcept {
  if (unread_ == nullptr || owns_unread_) return;
  UnreadBlock* const block = allocate_unread(unread_->size());
  if (block == nullptr) return;
  block->begin -= unread_->size();
  std::memcpy(block->begin, unread_->begin, unread_->size());
  core_->end_lease(*this);
  unread_ = block;
  owns_unread_ = true;
}

void StreamCore::unread(std::span<const std::byte> bytes) noexcept {
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

std::size_t StreamCore::pending_bytes(int& err) {
  err = 0;
  if (flags_.state == State::closed) {
    err = ENOTCONN;
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

// ---- writes ----

void StreamCore::refuse_write(StreamWrite& write, bool busy) {
  int err = EPIPE;
  if (flags_.state == State::disconnecting) {
    err = ECONNABORTED;
  } else if (busy) {
    err = EBUSY;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  } else if (flags_.write_error != 0) {
    err = flags_.write_error;
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

void StreamCore::on_flush() {
  flags_.flush_scheduled = false;
  flush();
}

void StreamCore::flush() {
  if (flags_.state != State::open || flags_.write_blocked) return;
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

// What a call of the backend has come to.
bool StreamCore::after_write(ssize_t result, std::size_t offered, int err) {
  if (result < 0) {
    write_failed(err);
    return false;
  }
  const auto sent = static_cast<std::size_t>(result);
  const bool is_short = sent < offered && short_is_final_;
  err = is_short ? 0 : backend_->try_flush();
  if (err == 0) {
    finish_written(sent);
  } else {
    account_written(sent);
  }
  if (is_short) {
    flags_.write_blocked = true;
    backend_->want_writable();
    return false;
  }
  if (!writes_.empty() && write_at(*writes_.end()->prev).remaining() != 0) return true;
  if (err != 0) {
    write_failed(err);
    return false;
  }
  if (flags_.is_shutting_down && writes_.empty()) try_shutdown();
  return false;
}

// Of `try_writev()` or `try_flush()`.
void StreamCore::write_failed(int err) {
  if (err == EAGAIN) {
    flags_.write_blocked = true;
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
  if (strict_ && read_error_ == 0) read_error_ = error & largest_error;
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
  finish_control(StreamControlKind::shutdown_write, err);
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

void StreamCore::on_writable() {
  flags_.write_blocked = false;
  if (flags_.state == State::disconnecting) {
    try_disconnect();
  } else {
    flush();
  }
}

// ---- control ----

// At the front, where they are found without a look at what waits.
void StreamCore::add_control(StreamControl& control) noexcept {
  control.mark(RequestState::controlling);
  control.set_stream(this);
  others_.push_front(control);
}

void StreamCore::remove_control(StreamControl& control) noexcept {
  control.unmark(RequestState::controlling);
  control.set_stream(nullptr);
  control.unlink();
  if (control.kind() == StreamControlKind::shutdown_write) flags_.is_shutting_down = false;
}

StreamControl* StreamCore::find_control(StreamControlKind kind) noexcept {
  for (ListNode* node = others_.first(); node != others_.end(); node = node->next) {
    if (!static_cast<StreamOperation&>(*node).has(RequestState::controlling)) break;
    auto& control = static_cast<StreamControl&>(*node);
    if (control.kind() == kind) return &control;
  }
  return nullptr;
}

void StreamCore::finish_control(StreamControlKind kind, int err) noexcept {
  StreamControl* const control = find_control(kind);
  if (control == nullptr) return;
  remove_control(*control);
  control->finish(err);
}

bool StreamCore::has_waiting() const noexcept {
  return !others_.empty() &&
         !static_cast<const StreamOperation*>(others_.last())->has(RequestState::controlling);
}

void StreamCore::start_disconnect(StreamControl& control) {
  int err = 0;
  if (flags_.state == State::open && is_busy()) {
    err = EBUSY;
  } else if (flags_.state == State::disconnecting) {
    err = EALREADY;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  }
  if (err != 0) {
    control.finish(err);
    return;
  }
  flags_.state = State::disconnecting;
  add_control(control);
  break_monitor(ECONNABORTED);
  finish_control(StreamControlKind::shutdown_write, ECONNABORTED);
  free_unread();
  try_disconnect();
}

void StreamCore::try_disconnect() {
  const int err = backend_->try_disconnect();
  if (err == EAGAIN) {
    backend_->want_writable();
    return;
  }
  flags_.state = State::closed;
  finish_control(StreamControlKind::disconnect, err);
}

void StreamCore::start_shutdown(StreamControl& control) {
  int err = 0;
  if (flags_.state == State::disconnecting) {
    err = ECONNABORTED;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  } else if (flags_.shut_down || flags_.is_shutting_down) {
    err = EALREADY;
  } else if (flags_.write_error != 0) {
    err = flags_.write_error;
  }
  if (err != 0) {
    control.set_stream(nullptr);
    control.finish(err);
    return;
  }
  add_control(control);
  flags_.is_shutting_down = true;
  if (!flags_.write_blocked) schedule_flush();
}

void StreamCore::try_shutdown() {
  const int err = backend_->try_shutdown_write();
  if (err == EAGAIN) {
    flags_.write_blocked = true;
    backend_->want_writable();
    return;
  }
  StreamControl& control = *find_control(StreamControlKind::shutdown_write);
  remove_control(control);
  if (err == 0) {
    flags_.shut_down = true;
  } else if (err != ENOTSUP) {
    latch_write(err);
  }
  control.finish(err);
}

void StreamCore::start_monitor(StreamControl& control) {
  int err = 0;
  if (flags_.state == State::disconnecting) {
    err = ECONNABORTED;
  } else if (find_control(StreamControlKind::monitor) != nullptr) {
    err = EALREADY;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  } else if (read_error_ != 0) {
    err = read_error_;
  } else if (flags_.write_error != 0) {
    err = flags_.write_error;
  }
  if (err != 0) {
    control.finish(err);
    return;
  }
  add_control(control);
  backend_->want_broken();
}

void StreamCore::break_monitor(int err) noexcept { finish_control(StreamControlKind::monitor, err); }

void StreamCore::end_control(StreamControl& control) noexcept {
  remove_control(control);
  if (control.kind() != StreamControlKind::disconnect) return;
  // Nobody waits for the goodbye any more.
  flags_.state = State::closed;
  backend_.reset();
}

void StreamCore::on_broken(int err) {
  if (strict_) {
    if (err == EPIPE) err = ECONNRESET;
    if (flags_.write_blocked && !writes_.empty()) {
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
