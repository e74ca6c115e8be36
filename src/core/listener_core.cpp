#include "core/listener_core.hpp"

#include <cerrno>
#include <chrono>
#include <new>
#include <ostream>
#include <string>
#include <tsock/error.hpp>
#include <tsock/loop.hpp>

#include "core/shortage.hpp"
#include "core/sleep_state.hpp"

namespace tsock::detail {

namespace {

constexpr std::chrono::milliseconds pause_length{100};

}  // namespace

void AcceptState::interrupt(int err) {
  if (listener_ != nullptr) listener_->end_accept(*this);
  listener_ = nullptr;
  finish(err);
}

void AcceptState::describe(std::ostream& out) const {
  if (!is_unfinished() || listener_ == nullptr || listener_->backend() == nullptr) return;
  out << ", on " << listener_->backend()->local_address().string();
  if (listener_->is_paused()) out << ", paused";
}

void AcceptState::on_delivery() noexcept {
  if (listener_ != nullptr) listener_->end_accept(*this);
}

void AcceptState::on_abandon() noexcept {
  if (listener_ == nullptr) return;
  listener_->end_accept(*this);
  if (value_.is_open()) listener_->give_back(std::move(value_));
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
  if (accepting_ != nullptr) {
    accept.finish(EBUSY);
    return;
  }
  accepting_ = &accept;
  accept.set_listener(this);
  if (returned_.is_open()) {
    accept.finish_with(std::move(returned_));
  } else if (may_have_more_) {
    try_accept();
  } else if (!is_paused()) {
    backend_->want_acceptable();
  }
}

void ListenerCore::end_accept(const AcceptState& accept) noexcept {
  if (accepting_ == &accept) accepting_ = nullptr;
}

void ListenerCore::on_acceptable() noexcept {
  may_have_more_ = true;
  try_accept();
}

void ListenerCore::try_accept() noexcept {
  if (accepting_ == nullptr || !accepting_->is_unfinished() || is_paused()) return;
  int err = accepted_backend_ != nullptr ? 0 : backend_->try_accept(accepted_backend_);
  if (err == 0) {
    try {
      accepting_->finish_with(Stream(core_->loop(), std::move(accepted_backend_), accepted_));
      return;
    } catch (const std::bad_alloc&) {
      err = ENOMEM;
    }
  }
  may_have_more_ = false;
  if (err == EAGAIN) {
    backend_->want_acceptable();
  } else if (is_shortage(err)) {
    pause(err);
  } else {
    accepting_->finish(err);
  }
}

void ListenerCore::pause(int err) {
  try {
    const std::string text =
        "listener on " + backend_->local_address().string() + " pauses: " + error_text(err);
    core_->log_warning(text.c_str());
    auto* const state = make_state<SleepState>(*core_, CallSite::current());
    pause_ = Request<void>(state);
    state->sleep_until(Clock::now() + pause_length);
  } catch (const std::bad_alloc&) {
    // Not even memory to wait with: the one who accepts decides what to do.
    pause_ = Request<void>();
    may_have_more_ = true;
    accepting_->finish(err);
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
  if (accepting_ != nullptr) accepting_->set_listener(nullptr);
  accepting_ = nullptr;
  if (ReadyTask::is_linked()) ReadyTask::unlink();
  pause_ = Request<void>();
  returned_ = Stream();
  accepted_backend_.reset();
  backend_.reset();
}

void ListenerCore::release_listener() noexcept {
  AcceptState* const accept = accepting_;
  loop_closed();
  if (accept != nullptr) accept->finish(ECANCELED);
  LoopCore& core = *core_;
  this->~ListenerCore();
  core.deallocate(static_cast<void*>(this), sizeof(ListenerCore));
}

}  // namespace tsock::detail
