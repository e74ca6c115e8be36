#include "core/listener/listener_core.hpp"

#include <cerrno>
#include <chrono>
#include <new>
#include <ostream>
#include <string>
#include <tsock/error.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/base/errno_class.hpp"
#include "core/loop/sleep_state.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/stream_life.hpp"

namespace tsock::inline v0::detail {

namespace {

constexpr std::chrono::milliseconds pause_length{100};
constexpr std::chrono::seconds log_distance{1};
// Limits for connections that cannot be accepted: the number tried in one turn, and the number in a row after
// which the listener pauses.
constexpr unsigned most_failed_in_turn = 64;
constexpr unsigned most_failed_in_row = 1024;

}  // namespace

void AcceptState::interrupt(int err) {
  leave_resource();
  finish(err);
}

// Postpones the deadline while connections fail: a good one may stand behind more bad ones than are tried in
// a turn.
void AcceptState::on_deadline() {
  const unsigned failed = listener() != nullptr ? listener()->failed_in_row() : 0;
  if (failed != 0 && std::exchange(spare_word(), failed) != failed) {
    postpone_deadline();
  } else {
    interrupt(ETIMEDOUT);
  }
}

void AcceptState::describe(std::ostream& out) const {
  if (!is_unfinished() || listener() == nullptr || listener()->backend() == nullptr) return;
  out << ", on " << listener()->backend()->local_address().string();
  if (listener()->is_paused()) out << ", paused";
}

void AcceptState::on_abandon() noexcept {
  ListenerCore* const from = listener();
  leave_resource();
  if (from != nullptr && value_.is_open()) from->give_back(std::move(value_));
}

// A stream of `listen_over()` has been told when the listener below accepted it.
void AcceptState::on_delivery() noexcept {
  leave_resource();
  if (value_.is_open() && StreamAccess::core(value_)->has_life()) return;
  try {
    tell_made(LifecycleKind::accepted, *this, value_, value_.remote_address(), nullptr);
  } catch (const std::bad_alloc&) {
    // It goes without a word.
  }
}

ListenerCore::ListenerCore(LoopCore& core, std::unique_ptr<ListenerBackend> backend,
                           const StreamOptions& accepted)
    : core_(&core), backend_(std::move(backend)), accepted_(accepted) {
  backend_->attach(*this);
  core_->add_resource(*this);
  if (core_->is_closed()) loop_closed();
}

void ListenerCore::start_accept(AcceptState& accept) {
  if (backend_ == nullptr) {
    accept.finish(ENOTCONN);
    return;
  }
  if (receiver_ != nullptr) {
    accept.finish(EBUSY);
    return;
  }
  receiver_ = &accept;
  accept.set_resource(this);
  if (returned_.is_open()) {
    accept.finish_with(std::move(returned_));
  } else if (may_have_more_) {
    try_accept();
  } else if (!is_paused()) {
    await_acceptable();
  }
}

void ListenerCore::cancel_accept(const AcceptState& accept) noexcept {
  if (receiver_ == &accept && receiver_->is_unfinished()) receiver_->interrupt(ECANCELED);
}

void ListenerCore::give_up_accepts() noexcept {
  if (handle_ != nullptr) *std::exchange(handle_, nullptr) = nullptr;
  if (receiver_ == nullptr) return;
  RequestState& waiting = *receiver_;
  waiting.leave_resource();
  waiting.finish(ECANCELED);
}

std::shared_ptr<ListenerCore*> ListenerCore::handle() {
  if (handle_ == nullptr) handle_ = std::make_shared<ListenerCore*>(this);
  return handle_;
}

void ListenerCore::on_acceptable() noexcept {
  may_have_more_ = true;
  try_accept();
}

// Calls the backend for one connection.
int ListenerCore::accept_one() noexcept {
  if (!gives_backends_) {
    const int err = accept_stream();
    if (err != ENOTSUP) return err;
    gives_backends_ = true;
  }
  return accept_backend();
}

int ListenerCore::accept_stream() noexcept {
  Stream stream;
  const int err = backend_->try_accept_stream(stream);
  if (err == 0) {
    StreamAccess::core(stream)->set_behaviour(accepted_);
    accept()->finish_with(std::move(stream));
  }
  return err;
}

// The engine's memory comes first, so that there is some for every connection accepted.
int ListenerCore::accept_backend() noexcept {
  void* block = nullptr;
  try {
    block = core_->allocate(sizeof(StreamCore));
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  std::unique_ptr<StreamBackend> taken;
  if (const int err = backend_->try_accept(taken); err != 0) {
    core_->deallocate(block, sizeof(StreamCore));
    return err;
  }
  accept()->finish_with(StreamAccess::make(*::new (block) StreamCore(*core_, std::move(taken), accepted_)));
  return 0;
}

void ListenerCore::try_accept() noexcept {
  if (receiver_ == nullptr || !receiver_->is_unfinished() || is_paused()) return;
  int err = 0;
  int failed = 0;
  for (unsigned tries = 0; tries < most_failed_in_turn; ++tries) {
    err = accept_one();
    if (err == 0 || err == EAGAIN || is_shortage(err) || is_listener_broken(err)) break;
    failed = err;
    ++failed_in_row_;
  }
  if (failed != 0) log("cannot take a connection", failed);
  if (err == 0) {
    failed_in_row_ = 0;
    return;
  }
  may_have_more_ = false;
  if (err == EAGAIN) {
    failed_in_row_ = 0;
    await_acceptable();
  } else if (is_shortage(err)) {
    pause(err);
  } else if (is_listener_broken(err)) {
    receiver_->finish(err);
  } else if (failed_in_row_ >= most_failed_in_row) {
    // A persistent error, such as a rule that forbids every connection, must not keep the loop busy.
    failed_in_row_ = 0;
    pause(err);
  } else {
    await_acceptable();
  }
}

void ListenerCore::await_acceptable() noexcept {
  if (backend_->want_acceptable() != Readiness::later) core_->schedule_next_turn(*this);
}

void ListenerCore::log(const char* what, int err) {
  const Clock::time_point now = Clock::now();
  if (now < next_log_) return;
  next_log_ = now + log_distance;
  try {
    const std::string text =
        "listener on " + backend_->local_address().string() + " " + what + ": " + error_text(err);
    core_->log_warning(text.c_str());
  } catch (const std::bad_alloc&) {
    // Goes on without logging.
  }
}

void ListenerCore::pause(int err) {
  log("pauses", err);
  try {
    auto* const state = make_state<SleepState>(*core_, CallSite::current());
    pause_ = Request<void>(state);
    state->sleep_until(Clock::now() + pause_length);
  } catch (const std::bad_alloc&) {
    // Not even memory to wait with: ends the accept, so that the caller decides what to do.
    pause_ = Request<void>();
    may_have_more_ = true;
    receiver_->finish(err);
    return;
  }
  pause_error_ = err;
  if (!ReadyTask::is_linked()) core_->make_ready(*this);
  pause_.set_callback([this](Request<void>&) {
    pause_ = Request<void>();
    may_have_more_ = true;
    try_accept();
  });
}

void ListenerCore::run() {
  const std::shared_ptr<std::function<void(int)>> callback = pause_callback_;
  if (callback != nullptr && *callback) (*callback)(pause_error_);
}

void ListenerCore::set_pause_callback(std::function<void(int)> function) {
  pause_callback_ = std::make_shared<std::function<void(int)>>(std::move(function));
}

void ListenerCore::loop_closed() noexcept {
  if (receiver_ != nullptr) receiver_->leave_resource();
  if (ReadyTask::is_linked()) ReadyTask::unlink();
  pause_ = Request<void>();
  // What these own may destroy the listener.
  const std::unique_ptr<ListenerBackend> backend = std::move(backend_);
  const Stream returned = std::move(returned_);
}

void ListenerCore::release_listener() noexcept {
  core_->end_if_at_rest();
  give_up_accepts();  // first: captures of the backend may destroy the request
  loop_closed();
  LoopCore& core = *core_;
  this->~ListenerCore();
  core.deallocate(static_cast<void*>(this), sizeof(ListenerCore));
}

void ListenerCore::describe(std::ostream& out) const {
  out << "listener";
  if (backend_ != nullptr) out << ' ' << backend_->local_address().string();
}

}  // namespace tsock::inline v0::detail
