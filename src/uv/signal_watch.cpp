#include "uv/signal_watch.hpp"

#include <algorithm>
#include <utility>

#include "uv/loop_impl.hpp"

namespace tsock::detail {

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
  error_ = -uv_signal_start(
      &handle_,
      [](uv_signal_t* handle, int /*signum*/) { static_cast<SignalWatch*>(handle->data)->on_signal(); },
      signum_);
  uv_unref(reinterpret_cast<uv_handle_t*>(&handle_));
}

void SignalWatch::close(uv_close_cb closed) noexcept {
  handle_.data = loop_;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), closed);
}

void SignalWatch::on_signal() {
  loop_->enter();
  if (waiting_.empty()) {
    pending_ = true;
  } else {
    for (SignalState* state : std::exchange(waiting_, {})) {
      state->set_watch(nullptr);
      state->finish_with(signum_);
    }
  }
  loop_->drain();
}

void SignalWatch::add(SignalState& state) {
  if (std::exchange(pending_, false)) {
    state.finish_with(signum_);
    return;
  }
  waiting_.push_back(&state);
  state.set_watch(this);
}

void SignalWatch::remove(SignalState& state) noexcept { std::erase(waiting_, &state); }

void SignalWatch::forget_waiters() noexcept {
  for (SignalState* state : std::exchange(waiting_, {})) state->set_watch(nullptr);
}

}  // namespace tsock::detail
