#include "core/stream/stream_core.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>
#include <ostream>

#include "core/loop/leaving_backend.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_extras.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

// Small, because many streams are idle.
static_assert(sizeof(StreamCore) <= 112);

void StreamCore::add_follower(StreamFollower& follower) { extras().followers.push_back(follower); }

bool StreamCore::has_followers() const noexcept { return extras_ != nullptr && !extras_->followers.empty(); }

void StreamCore::dismiss_followers() noexcept {
  while (extras_ != nullptr && !extras_->followers.empty())
    static_cast<StreamFollower&>(extras_->followers.front()).stream_given_away();
}

StreamCore::StreamCore(LoopCore& core, std::unique_ptr<StreamBackend> backend, const StreamOptions& options)
    : StreamWriteSide(core, std::move(backend)) {
  backend_->attach(*this);
  set_behaviour(options);
  core_->add_resource(*this);
  if (core_->is_closed()) loop_closed();
}

void StreamCore::set_behaviour(const StreamOptions& options) {
  const StreamTraits traits = backend_->traits();
  set_read_ahead(traits.read_ahead ? options.max_read_ahead : 0);
  short_is_final_ = traits.short_is_final;
  if (traits.message_size != 0) [[unlikely]] {
    flags_.separate_writes = flags_.takes_general_way = true;
    flags_.message_width =
        std::min(static_cast<unsigned>(std::bit_width(traits.message_size)) - 1U, 31U) & 31U;
  }
  fail_on_first_error_ = options.fail_on_first_error;
  strict_ = options.strict_tsocket;
  if (fail_on_first_error_ || strict_) backend_->watch_for_breaks(true);
}

void StreamCore::release_stream() noexcept {
  core_->end_if_at_rest();
  if (extras_ != nullptr && extras_->life != nullptr) [[unlikely]] {
    const int read = read_error() != EPIPE ? read_error() : 0;
    const int err = read != 0 || flags_.write_error == EPIPE ? read : static_cast<int>(flags_.write_error);
    tell_end("destroyed", err, err != 0 && backend_ != nullptr ? backend_->reason() : std::string_view());
  }
  if (flags_.state != State::disconnected) flags_.state = State::closed;
  detach_operations(ECANCELED);
  if (extras_ != nullptr) [[unlikely]]
    take_extras().reset();
  backend_.reset();  // may destroy a disconnect that was not delivered, which changes the state
  if (flags_.state == State::disconnected) {
    released_ = true;
  } else {
    destroy();
  }
}

// Captures of the watermark function may destroy the loop or an undelivered disconnect, and both call this
// object: it must still be whole.
[[gnu::noinline]] std::unique_ptr<StreamExtras> StreamCore::take_extras() noexcept {
  while (!extras_->followers.empty()) {
    auto& follower = static_cast<StreamFollower&>(extras_->followers.front());
    follower.unlink();
    follower.stream_gone();
  }
  return std::move(extras_);
}

void StreamCore::tell_end(const char* how, int err, std::string_view reason) noexcept {
  if (const std::unique_ptr<StreamLife> life = take_life(); life != nullptr)
    life->end(*core_, how, err, reason);
}

void StreamCore::destroy() noexcept {
  LoopCore& core = *core_;
  this->~StreamCore();
  core.deallocate(static_cast<void*>(this), sizeof(StreamCore));
}

// In two passes: a request that ends may start the next entry of its queue, which must find its stream gone.
void StreamCore::detach_operations(int err) noexcept {
  StreamRead* const reading = static_cast<StreamRead*>(std::exchange(receiver_, nullptr));
  flags_.is_shutting_down = false;
  QueueCore* const queue = writes_.empty() ? nullptr : write_at(writes_.front()).queue();
  NodeList listed;
  for (NodeList* list : {&writes_, &others_}) {
    if (!list->empty()) listed.take_front(*list, *list->end()->prev);
  }
  if (reading != nullptr) reading->set_stream(nullptr);
  if (queue != nullptr) queue->pipeline_gone();
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
  if (receiver_ != nullptr && !reader()->is_linked()) visit(context, *receiver_);
  for (NodeList* list : {&others_, &writes_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next)
      visit(context, static_cast<StreamOperation&>(*node));
  }
}

void StreamCore::loop_closed() noexcept {
  if (flags_.state != State::disconnected) flags_.state = State::closed;
  detach_operations(0);
  forget_queued_bytes();
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

int StreamCore::check_idle() const noexcept {
  if (!is_open()) return is_disconnecting() ? ECONNABORTED : ENOTCONN;
  return is_busy() || is_shutting_down() ? EBUSY : 0;
}

std::unique_ptr<StreamBackend> StreamCore::take_backend(std::vector<std::byte>& unread, int& err) noexcept {
  err = check_idle();
  // The next reader meets the end of the stream again; the kernel reports other errors only once.
  if (err == 0 && read_error() != EPIPE) err = read_error();
  if (err == 0) err = static_cast<int>(flags_.write_error);
  if (err != 0) return nullptr;
  try {
    unread.assign(unread_bytes().begin(), unread_bytes().end());
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return nullptr;
  }
  if (find_control(StreamControlKind::monitor) != nullptr) backend_->unwant_broken();
  detach_backend();
  return std::move(backend_);
}

std::unique_ptr<StreamExtras> StreamCore::begin_again(std::unique_ptr<StreamBackend> backend) noexcept {
  LoopCore& core = *core_;
  const StreamOptions options = behaviour();
  std::unique_ptr<StreamExtras> carried = extras_ != nullptr ? take_extras() : nullptr;
  this->~StreamCore();
  ::new (static_cast<void*>(this)) StreamCore(core, std::move(backend), options);
  return carried;
}

StreamOptions StreamCore::behaviour() const noexcept {
  StreamOptions options;
  options.fail_on_first_error = fail_on_first_error_;
  options.strict_tsocket = strict_;
  options.max_read_ahead = read_ahead();
  return options;
}

void StreamCore::abort() noexcept {
  if (flags_.state == State::closed || flags_.state == State::disconnected) return;
  flags_.state = State::closed;
  detach_operations(ECONNABORTED);
  free_unread();
  forget_queued_bytes();
  backend_->abort();
  tell_end("abort", 0);
}

// ---- disconnect and monitor ----

void StreamCore::start_disconnect(StreamDisconnect& control) {
  int err = 0;
  if (flags_.state == State::open && is_busy()) {
    err = EBUSY;
  } else if (is_disconnecting()) {
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
  finish_control(StreamControlKind::drain, ECONNABORTED);
  control.linger().discard(unread_size());
  control.linger().gives_up_unsent = flags_.write_error != 0;
  free_unread();
  resume_disconnect();
}

void StreamCore::resume_disconnect() noexcept {
  if (flags_.state != State::disconnecting) return;
  auto& control = static_cast<StreamDisconnect&>(*find_control(StreamControlKind::disconnect));
  Linger& linger = control.linger();
  int err = backend_->try_disconnect(linger);
  if (err == EAGAIN && !linger.is_over) {
    try {
      control.wait();
      control.take_discarded();
      await_writable();
      return;
    } catch (const std::bad_alloc&) {
      // Without memory, nothing could end the wait.
      linger.is_over = true;
      err = backend_->try_disconnect(linger);
      if (err == EAGAIN) backend_->abort();
      if (err == EAGAIN || err == ETIMEDOUT) err = ENOMEM;
    }
  }
  if (err == EAGAIN) {
    backend_->abort();
    err = ETIMEDOUT;
  }
  control.take_discarded();
  if (err != 0) explain(control);
  finish_disconnect(control, err);
}

// The control keeps this stream, which stays as it is until the completion is delivered.
void StreamCore::finish_disconnect(StreamDisconnect& control, int err) noexcept {
  remove_control(control);
  control.set_stream(this);
  flags_.state = State::disconnected;
  control.finish(err);
  tell_end("disconnect", err, control.reason());
}

void StreamCore::start_monitor(StreamControl& control) {
  int err = 0;
  if (is_disconnecting()) {
    err = ECONNABORTED;
  } else if (find_control(StreamControlKind::monitor) != nullptr) {
    err = EALREADY;
  } else if (flags_.state == State::closed) {
    err = ENOTCONN;
  } else if (read_error() != 0) {
    err = read_error();
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

void StreamCore::monitor_is_over() noexcept {
  if (flags_.state != State::open) return;
  backend_->unwant_broken();
  // A blocked write asked for this event, too.
  if (strict_ && receiver_ == nullptr && has_blocked_write()) backend_->want_broken();
}

void StreamCore::interrupt_control(StreamControl& control, int err) noexcept {
  if (control.kind() != StreamControlKind::disconnect) {
    remove_control(control);
    if (control.kind() == StreamControlKind::monitor) monitor_is_over();
    control.finish(err);
    return;
  }
  // The disconnect was interrupted: close without waiting for the peer.
  const LeavingBackend leaving(*core_, std::move(backend_));
  finish_disconnect(static_cast<StreamDisconnect&>(control), err);
}

void StreamCore::end_control(StreamControl& control) noexcept {
  if (flags_.state == State::disconnected && control.kind() == StreamControlKind::disconnect) {
    control.set_stream(nullptr);
    flags_.state = State::closed;
    if (released_) destroy();
    return;
  }
  remove_control(control);
  if (control.kind() == StreamControlKind::monitor) monitor_is_over();
  if (control.kind() != StreamControlKind::disconnect) return;
  flags_.state = State::closed;
  const LeavingBackend leaving(*core_, std::move(backend_));
  tell_end("disconnect", ECANCELED);
}

void StreamCore::cancel_all_but_writes(const QueueCore* kept) {
  const auto remaining = [this, kept]() -> StreamOperation* {
    if (receiver_ != nullptr && reader()->is_unfinished()) return reader();
    for (ListNode* node = others_.first(); node != others_.end(); node = node->next) {
      auto& operation = static_cast<StreamOperation&>(*node);
      if (!operation.is_controlling() && operation.queue() != kept) return &operation;
    }
    return nullptr;
  };
  // A request that ends may start the entry behind it.
  while (StreamOperation* const operation = remaining()) operation->cancel();
}

// ---- events ----

void StreamCore::on_readable() noexcept {
  if (receiver_ == nullptr) [[unlikely]] {
    resume_disconnect();
    return;
  }
  serve_reader(true);
}

void StreamCore::on_writable() noexcept {
  flags_.write_blocked = false;
  if (flags_.state == State::disconnecting) {
    schedule_flush();  // a disconnect reads, which must not happen inside a read of the other end of a pair
  } else if (flags_.state == State::open && finish_taken()) {
    flush();
  }
}

void StreamCore::on_shortage(int err) noexcept {
  fail_waiting_reader(err);
  fail_blocked_writes(err);
}

// As a rule nothing follows `flush()`, so that it needs no stack frame around it.
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
    on_next_turn();  // writes that take many turns hold up no reader
  } else {
    ask_for_next_turn();
  }
}

// Does what the events of the backend would do.
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
  flush_writes();
}

void StreamCore::on_broken(int err) noexcept {
  if (fail_on_first_error_) break_reads(err);
  if (strict_) {
    if (err == EPIPE) err = ECONNRESET;
    if (has_blocked_write()) {
      // The reader comes first; it meets the end, or this event comes again.
      if (is_draining_reader()) {
        if (reader()->can_take()) backend_->want_broken();
      } else {
        latch_write(err);
        fail_writes(err);
      }
    }
  }
  break_monitor(err);
}

// Drops what is unread. The reader must learn that there was something: EPIPE means an end with nothing
// behind it.
void StreamCore::break_reads(int err) {
  if (!strict_) break_monitor(err);
  if (err == EPIPE) {
    int ignored = 0;
    const bool drops = unread_size() != 0 || backend_->pending_bytes(ignored) != 0;
    if (drops || strict_) err = ECONNRESET;
  }
  latch_read(err);
  free_unread();
  if (receiver_ != nullptr && reader()->is_unfinished()) fail_reader(err);
}

// ---- what one direction does to the other ----

void StreamCore::reader_is_over() noexcept {
  if (flags_.state == State::open) backend_->unwant_readable();
  if (strict_ && flags_.state == State::open && has_blocked_write()) backend_->want_broken();
}

void StreamCore::share_read_error(int err) noexcept {
  keep_write_error(err);
  fail_writes(err);
}

// EPIPE would tell readers of an end that has not come.
void StreamCore::share_write_error(int err) noexcept {
  if (read_error() != 0) return;
  drain_reader();
  keep_read_error(err == EPIPE ? ECONNRESET : err);
}

void StreamCore::describe(std::ostream& out) const {
  out << "stream";
  if (backend() == nullptr) return;
  const Address local = backend()->local_address();
  const Address remote = backend()->remote_address();
  if (!local.is_empty()) out << ' ' << local.string();
  if (!remote.is_empty()) out << " peer " << remote.string();
}

}  // namespace tsock::inline v0::detail
