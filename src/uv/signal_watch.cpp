#include "uv/signal_watch.hpp"

#include <utility>

#include "uv/loop_impl.hpp"
#include "uv/os/process.hpp"
#include "uv/uv_call.hpp"

namespace tsock::inline v0::detail {

void SignalState::interrupt(int err) {
  on_delivery();
  finish(err);
}

void SignalState::on_delivery() noexcept {
  if (watch_ != nullptr) std::exchange(watch_, nullptr)->remove(*this);
}

void SignalState::on_abandon() noexcept { on_delivery(); }

void SignalWatch::start() noexcept {
  uv_signal_init(loop_->uv(), &handle_);
  handle_.data = this;
  error_ = os::catch_signal(
      signum_,
      [](void* watch) {
        auto& self = *static_cast<SignalWatch*>(watch);
        return errno_of(uv_signal_start(
            &self.handle_,
            [](uv_signal_t* handle, int /*signum*/) { static_cast<SignalWatch*>(handle->data)->on_signal(); },
            self.signum_));
      },
      this);
  uv_unref(reinterpret_cast<uv_handle_t*>(&handle_));
}

void SignalWatch::close(uv_close_cb closed) noexcept {
  if (error_ == 0) {
    os::let_signal_go(
        signum_, [](void* watch) { uv_signal_stop(&static_cast<SignalWatch*>(watch)->handle_); }, this);
  }
  handle_.data = loop_;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), closed);
}

SignalState& SignalWatch::take_first(NodeList& waiting) noexcept {
  SignalState& state = *static_cast<SignalState::Place&>(waiting.take_first()).state;
  state.watch_ = nullptr;
  return state;
}

void SignalWatch::on_signal() noexcept {
  loop_->enter();
  if (waiting_.empty()) {
    pending_ = true;
  } else {
    // A trace function may end other requests of this list, and make new ones.
    NodeList waiting;
    waiting.take_front(waiting_, *waiting_.last());
    while (!waiting.empty()) take_first(waiting).finish_with(signum_);
  }
  loop_->drain();
}

void SignalWatch::add(SignalState& state) noexcept {
  if (std::exchange(pending_, false)) {
    state.finish_with(signum_);
    return;
  }
  state.place_.state = &state;
  waiting_.push_back(state.place_);
  state.watch_ = this;
}

void SignalWatch::remove(SignalState& state) noexcept { state.place_.unlink(); }

void SignalWatch::forget_waiters() noexcept {
  while (!waiting_.empty()) take_first(waiting_);
}

}  // namespace tsock::inline v0::detail
