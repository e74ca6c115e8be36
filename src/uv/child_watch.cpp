#include "uv/child_watch.hpp"

#include <cerrno>
#include <ostream>
#include <utility>

namespace tsock::inline v0::detail {

namespace {

// How long the end of a Loop waits for a process that it has killed.
constexpr std::chrono::milliseconds last_wait{200};

}  // namespace

void ExitState::interrupt(int err) {
  leave();
  finish(err);
}

void ExitState::describe(std::ostream& out) const {
  if (watch_ != nullptr) out << ", of process " << watch_->pid();
}

void ExitState::leave() noexcept {
  if (std::exchange(watch_, nullptr) != nullptr) place_.unlink();
}

ChildWatch* ChildWatch::make(LoopImpl& loop, os::StartedChild& started, int& err) noexcept {
  void* block = nullptr;
  try {
    block = loop.allocate(sizeof(ChildWatch));
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return nullptr;
  }
  auto* const watch = ::new (block) ChildWatch(loop);
  loop.add_resource(*watch);
  err = watch->start_watching_fd(started.exit.get(), os::readable);
  if (err != 0) {
    watch->free();
    return nullptr;
  }
  watch->child_ = std::move(started.child);
  watch->exit_ = std::move(started.exit);
  watch->await_readable();
  return watch;
}

void ChildWatch::free() noexcept {
  LoopImpl& loop = loop_impl();
  stop_watching();
  this->~ChildWatch();
  loop.deallocate(static_cast<void*>(this), sizeof(ChildWatch));
}

void ChildWatch::add(ExitState& state) noexcept {
  if (!child_.is_there()) {
    if (error_ == 0 && status_ == ExitStatus{}) error_ = ECHILD;  // in a forked process
    if (error_ != 0) {
      state.finish(error_);
    } else {
      state.finish_with(status_);
    }
    return;
  }
  state.place_.state = &state;
  state.watch_ = this;
  waiting_.push_back(state.place_);
}

void ChildWatch::on_fd_event(FdEvent /*event*/) {
  take_status();
  if (child_.is_there()) {
    await_readable();
  } else if (is_abandoned_) {
    free();
  }
}

void ChildWatch::take_status() noexcept {
  const int err = child_.take_status(status_);
  if (err == EAGAIN) return;
  error_ = err;
  stop_watching();
  exit_.reset();
  end_waits(err);
}

void ChildWatch::end_waits(int err) noexcept {
  // A trace function may end other requests of this list, and make new ones.
  NodeList ending;
  if (!waiting_.empty()) ending.take_front(waiting_, *waiting_.last());
  while (!ending.empty()) {
    ExitState& state = *static_cast<ExitState::Place&>(ending.take_first()).state;
    state.watch_ = nullptr;
    if (err == 0) {
      state.finish_with(status_);
    } else {
      state.finish(err);
    }
  }
}

void ChildWatch::let_go() noexcept {
  is_abandoned_ = true;
  end_waits(ECANCELED);
  if (child_.is_there()) child_.meet_fate();
  // The loop waits for the process.
  if (!child_.is_there() || loop_impl().is_closed()) free();
}

void ChildWatch::describe(std::ostream& out) const { out << "process " << pid(); }

// The requests that wait are the loop's to end.
void ChildWatch::loop_closed() noexcept {
  while (!waiting_.empty()) static_cast<ExitState::Place&>(waiting_.take_first()).state->watch_ = nullptr;
  if (child_.is_there() && child_.is_to_be_killed()) {
    child_.meet_fate();
    os::wait_for_exit(exit_, last_wait);
  }
  stop_watching();
  const os::Child last = std::move(child_);
  exit_.reset();
  if (is_abandoned_) free();
}

}  // namespace tsock::inline v0::detail
