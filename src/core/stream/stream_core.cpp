#include "core/stream/stream_core.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "core/stream/stream_control.hpp"
#include "core/stream/stream_extras.hpp"
#include "core/stream/stream_write.hpp"

namespace tsock::detail {

StreamCore::Extras& StreamCore::extras() {
  if (extras_ == nullptr) {
    extras_ = std::make_unique<Extras>();
    extras_->queued_bytes = sum_queued_bytes();
    flags_.takes_general_way = true;
  }
  return *extras_;
}

void StreamCore::add_follower(StreamFollower& follower) { extras().followers.push_back(follower); }

void StreamCore::dismiss_followers() noexcept {
  while (extras_ != nullptr && !extras_->followers.empty())
    static_cast<StreamFollower&>(extras_->followers.front()).stream_given_away();
}

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
  set_read_ahead(traits.read_ahead ? options.max_read_ahead : 0);
  short_is_final_ = traits.short_is_final;
  separate_writes_ = traits.message_size != 0;
  if (separate_writes_) flags_.takes_general_way = true;
  fail_on_first_error_ = options.fail_on_first_error;
  strict_ = options.strict_tsocket;
  if (fail_on_first_error_ || strict_) backend_->watch_for_breaks(true);
}

void StreamCore::release_stream() noexcept {
  const bool undelivered = flags_.state == State::disconnected;
  if (!undelivered) flags_.state = State::closed;
  detach_operations(ECANCELED);
  while (extras_ != nullptr && !extras_->followers.empty()) {
    auto& follower = static_cast<StreamFollower&>(extras_->followers.front());
    follower.unlink();
    follower.stream_gone();
  }
  backend_.reset();
  if (undelivered) {
    released_ = true;
  } else {
    destroy();
  }
}

void StreamCore::destroy() noexcept {
  LoopCore& core = *core_;
  this->~StreamCore();
  core.deallocate(static_cast<void*>(this), sizeof(StreamCore));
}

// In two passes: one that ends may start the next entry of its queue, which must find its stream gone.
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

int StreamCore::check_idle() const noexcept {
  if (!is_open()) return is_disconnecting() ? ECONNABORTED : ENOTCONN;
  return is_busy() || is_shutting_down() ? EBUSY : 0;
}

std::unique_ptr<StreamBackend> StreamCore::take_backend(std::vector<std::byte>& unread, int& err) noexcept {
  err = check_idle();
  // The end of the stream is met again by whoever reads next; the kernel tells other errors once.
  if (err == 0 && read_error_ != EPIPE) err = static_cast<int>(read_error_);
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

StreamOptions StreamCore::behaviour() const noexcept {
  StreamOptions options;
  options.fail_on_first_error = fail_on_first_error_;
  options.strict_tsocket = strict_;
  if (!reads_ahead_) options.max_read_ahead = most_read_ahead();
  return options;
}

bool StreamCore::exceeds_message(std::size_t bytes) const noexcept {
  return separate_writes_ && backend_ != nullptr && bytes > backend_->traits().message_size;
}

// What a layer has to say about its failure goes with each request that it ends.
void StreamCore::explain(RequestState& state) const noexcept {
  if (backend_ != nullptr) state.explain(backend_->reason());
}

void StreamCore::cancel_flush() noexcept {
  if (!flags_.flush_scheduled) return;
  flags_.flush_scheduled = false;
  // Not when the loop goes, which has taken it out.
  if (is_linked()) core_->cancel_flush(*this);
}

void StreamCore::abort() noexcept {
  if (flags_.state == State::closed || flags_.state == State::disconnected) return;
  flags_.state = State::closed;
  detach_operations(ECONNABORTED);
  free_unread();
  if (extras_ != nullptr) extras_->queued_bytes = 0;
  backend_->abort();
}

// ---- disconnect, shutdown, monitor ----

// At the front, where they are found without a look at what waits.
void StreamCore::add_control(StreamControl& control) noexcept {
  control.mark(StreamOperation::controlling);
  control.set_stream(this);
  others_.push_front(control);
}

void StreamCore::remove_control(StreamControl& control) noexcept {
  control.unmark(StreamOperation::controlling);
  control.set_stream(nullptr);
  control.unlink();
  if (flags_.is_shutting_down) {
    flags_.is_shutting_down = find_control(StreamControlKind::shutdown_write) != nullptr ||
                              find_control(StreamControlKind::drain) != nullptr;
  }
}

StreamControl* StreamCore::find_control(StreamControlKind kind) noexcept {
  for (ListNode* node = others_.first(); node != others_.end(); node = node->next) {
    if (!static_cast<StreamOperation&>(*node).has(StreamOperation::controlling)) break;
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
         !static_cast<const StreamOperation*>(others_.last())->has(StreamOperation::controlling);
}

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
      // Nothing could end the wait.
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

// The control still knows this stream, which stays as it is until the completion is delivered.
void StreamCore::finish_disconnect(StreamDisconnect& control, int err) noexcept {
  remove_control(control);
  control.set_stream(this);
  flags_.state = State::disconnected;
  control.finish(err);
}

void StreamCore::start_shutdown(StreamControl& control) {
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
  // One pump may have told the end, and another one goes on where it was interrupted.
  const bool is_done = err == EALREADY && flags_.shut_down && control.has(StreamOperation::of_pump);
  if (err != 0) {
    control.set_stream(nullptr);
    control.finish(is_done ? 0 : err);
    return;
  }
  add_control(control);
  flags_.is_shutting_down = true;
  if (!flags_.write_blocked) schedule_flush();
}

void StreamCore::writes_are_out() {
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

void StreamCore::start_monitor(StreamControl& control) {
  int err = 0;
  if (is_disconnecting()) {
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

void StreamCore::monitor_is_over() noexcept {
  if (flags_.state != State::open) return;
  backend_->unwant_broken();
  // A blocked write asked for it, too.
  if (strict_ && receiver_ == nullptr && has_blocked_write()) backend_->want_broken();
}

void StreamCore::interrupt_control(StreamControl& control, int err) noexcept {
  if (control.kind() != StreamControlKind::disconnect) {
    remove_control(control);
    if (control.kind() == StreamControlKind::monitor) monitor_is_over();
    control.finish(err);
    return;
  }
  // Nobody waits for the goodbye any more.
  backend_.reset();
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
  backend_.reset();
}

void StreamCore::cancel_all_but_writes(const QueueCore* kept) {
  const auto remaining = [this, kept]() -> StreamOperation* {
    if (receiver_ != nullptr && reader()->is_unfinished()) return reader();
    for (ListNode* node = others_.first(); node != others_.end(); node = node->next) {
      auto& operation = static_cast<StreamOperation&>(*node);
      if (!operation.has(StreamOperation::controlling) && operation.queue() != kept) return &operation;
    }
    return nullptr;
  };
  // One that ends may start the entry behind it.
  while (StreamOperation* const operation = remaining()) operation->cancel();
}

void StreamCore::on_broken(int err) noexcept {
  if (fail_on_first_error_) break_reads(err);
  if (strict_) {
    if (err == EPIPE) err = ECONNRESET;
    if (has_blocked_write()) {
      // The reader goes first; it meets the end, or this comes again.
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

// What is unread is dropped, and who reads hears that there was something: EPIPE is an end with nothing
// behind it.
void StreamCore::break_reads(int err) {
  if (!strict_) break_monitor(err);
  if (err == EPIPE) {
    int ignored = 0;
    const bool drops = unread_ != nullptr || backend_->pending_bytes(ignored) != 0;
    if (drops || strict_) err = ECONNRESET;
  }
  latch_read(err);
  free_unread();
  if (receiver_ != nullptr && reader()->is_unfinished()) fail_reader(err);
}

bool StreamCore::has_blocked_write() noexcept { return flags_.write_blocked && !writes_.empty(); }

bool StreamCore::is_draining_reader() const noexcept {
  return !fail_on_first_error_ && receiver_ != nullptr && reader()->is_unfinished() && read_error_ == 0;
}

// Before a write that fails takes the reading side with it, its reader gets what is there, in however many
// calls.
void StreamCore::drain_reader() {
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

// A blocked write may have waited for it.
void StreamCore::reader_is_over() noexcept {
  if (flags_.state == State::open) backend_->unwant_readable();
  if (strict_ && flags_.state == State::open && has_blocked_write()) backend_->want_broken();
}

}  // namespace tsock::detail
