#include <algorithm>
#include <cassert>
#include <cerrno>
#include <ostream>
#include <tsock/detail/request_state.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

RequestState::RequestState(LoopCore& core, CallSite site) noexcept : RequestState(core, site, Here{}) {}

void RequestState::enter_loop(bool listed) {
  // On a loop that is closed, the request is over before it begins: nothing would end it.
  if (has(loop_gone)) [[unlikely]] {
    error_ = ECANCELED;
    phase_ = Phase::delivered;
    return;
  }
  // Counted here and not earlier: a constructor that throws leaves nothing to count.
  id_ = core_->census().next_id();
  core_->request_started();
  if (listed && !is_linked()) core_->list_unfinished(*this);
  if (core_->is_traced()) [[unlikely]]
    core_->trace(TraceKind::started, *this);
}

Loop& RequestState::loop() const noexcept { return core_->loop(); }

void RequestState::describe(std::ostream& /*out*/) const {}

void RequestState::on_deadline() { interrupt(ETIMEDOUT); }

// Looks again while requests end: each step of the operation ends requests of its own. The requests of others
// count as well and may delay a deadline for a few turns.
bool RequestState::look_again() noexcept {
  constexpr unsigned most_looks = 8;
  const unsigned looks = static_cast<unsigned>(marks_) >> mark_bits;
  if (looks == most_looks || !core_->census().has_ended_since_look()) return false;
  marks_ = static_cast<MarkSet>(static_cast<unsigned>(marks_) + (1U << mark_bits));
  postpone_deadline();
  return true;
}

// Cannot throw: the deadline was just removed from the heap, so there is room for it.
void RequestState::postpone_deadline() noexcept {
  core_->set_deadline(*this, Clock::now() + std::chrono::nanoseconds(1));
}

bool RequestState::cancel() {
  if (!is_in_progress()) return false;
  if (phase_ == Phase::in_progress) {
    if (core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::cancelled, *this);
    interrupt(ECANCELED);
  }
  return true;
}

void RequestState::set_deadline(Clock::time_point when) {
  if (phase_ == Phase::in_progress) core_->set_deadline(*this, std::min(when, own_deadline()));
}

void RequestState::clear_deadline() noexcept {
  drop_deadline();
  if (own_deadline() != Clock::time_point::max()) set_deadline(own_deadline());
}

void RequestState::drop_deadline() noexcept {
  if (deadline_index_ != no_deadline) core_->clear_deadline(*this);
}

void RequestState::finish(int err) noexcept {
  if (phase_ == Phase::in_progress) finish_here(err);
}

void RequestState::schedule_begin() noexcept {
  if (phase_ != Phase::in_progress) return;
  if (is_linked()) unlink();
  core_->make_ready(*this);
}

bool RequestState::can_call_back_late() const noexcept { return !is_received() && !core_->is_closed(); }

void RequestState::on_delivery() noexcept { leave_resource(); }

void RequestState::run() {
  if (is_unfinished()) {
    core_->begin(*this);
  } else {
    call_back();
  }
}

// A callback that can never be called is destroyed at once, with all its captures.
void RequestState::deliver_late() {
  if (has(in_delivery)) return;  // the call follows right after the delivery
  // A detached request is in its callback: the Request there owns the state now, not the loop.
  if (handle_ == static_cast<void*>(this)) handle_ = nullptr;
  if (!can_call_back_late()) {
    clear_callback();
  } else if (!is_linked()) {
    core_->make_ready(*this);
  }
}

void RequestState::release() noexcept {
  // The usual case: the callback has run or is running, and nothing else refers to the state.
  if (phase_ >= Phase::delivered && !has(in_delivery, known_to_loop) && !is_linked()) [[likely]] {
    free();
  } else {
    end_early();
  }
}

void RequestState::destroy() noexcept {
  if (is_linked()) unlink();
  if (has(known_to_loop)) core_->request_gone(this);
  free();
}

void RequestState::explain(std::string_view reason) noexcept {
  if (phase_ != Phase::in_progress || reason.empty()) return;
  core_->reasons().set(*this, reason);
  mark(known_to_loop);
}

std::string_view RequestState::reason() const noexcept {
  return has(known_to_loop) ? core_->reasons().find(*this) : std::string_view();
}

void RequestState::end_early() noexcept {
  core_->end_if_at_rest();
  handle_ = nullptr;
  if (has(in_delivery)) {
    on_abandon_in_delivery();
    return;
  }
  if (is_in_progress()) {
    if (core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::abandoned, *this);
    drop_deadline();
    on_abandon();
    phase_ = Phase::received;
    core_->request_dropped();
  }
  destroy();
}

void RequestState::drop_call_of_closed_loop() noexcept {
  if (!core_->is_closed()) return;
  if (handle_ == static_cast<void*>(this)) handle_ = nullptr;
  clear_callback();
}

// The loop ends before the callback was called: treats the request as `leave_loop()` treats a delivered one.
void RequestState::leave_before_call() noexcept {
  if (!deliver()) return;
  if (handle_ == static_cast<void*>(this)) {
    destroy();
  } else {
    clear_callback();
  }
}

// The loop ends and will not call back, so callback and captures are destroyed now.
void RequestState::leave_loop() noexcept {
  if (phase_ == Phase::in_progress) error_ = ECANCELED;
  drop_deadline();
  if (is_in_progress()) {
    phase_ = Phase::delivered;
    core_->request_dropped();
    leave_before_call();
  } else if (handle_ == static_cast<void*>(this)) {
    destroy();
  } else {
    clear_callback();
  }
}

namespace {

// Returns whether the wait goes on. A callback may destroy the Loop and the state.
bool run_once_for(LoopCore& core, const RequestState& state) {
  const LoopCore::Keeper keeper(core);
  core.run_once();
  return core.is_waited_for(&state) && !(core.is_stopped() && state.is_in_progress());
}

}  // namespace

bool RequestState::wait(int& err) {
  err = 0;
  LoopCore& core = *core_;
  while (is_in_progress()) {
    if (core.is_closed()) {
      err = ECANCELED;
      return false;
    }
    if (core.is_running()) {
      err = EDEADLK;
      return false;
    }
    mark(known_to_loop);
    core.set_waited_for(this);
    if (!run_once_for(core, *this)) {
      err = ECANCELED;
      return false;
    }
  }
  return true;
}

void* allocate_block(LoopCore& core, std::size_t size) { return core.allocate(size); }

void free_block(LoopCore& core, void* block, std::size_t size) noexcept { core.deallocate(block, size); }

}  // namespace tsock::inline v0::detail
