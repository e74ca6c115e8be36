#include <algorithm>
#include <cassert>
#include <cerrno>
#include <ostream>
#include <tsock/detail/request_state.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

RequestState::RequestState(LoopCore& core, CallSite site) noexcept
    : core_(&core),
      id_(core.next_id()),
      parent_id_(core.current_parent()),
      site_(site),
      started_ms_(static_cast<std::uint32_t>(core.now_ms())) {
  core.request_started(*this);
}

void RequestState::trace_start() {
  if (core_->is_traced()) [[unlikely]]
    core_->trace(TraceKind::started, *this);
}

// Still linked only when the constructor of a derived state threw.
RequestState::~RequestState() {
  if (is_linked()) {
    unlink();
    core_->request_ended();
  }
}

Loop& RequestState::loop() const noexcept { return core_->loop(); }

void RequestState::describe(std::ostream& /*out*/) const {}

void RequestState::on_deadline() { interrupt(ETIMEDOUT); }

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
  if (phase_ != Phase::in_progress) return;
  phase_ = Phase::finished;
  error_ = err;
  drop_deadline();
  unlink();
  core_->make_ready(*this);
  if (core_->is_traced()) [[unlikely]]
    core_->trace(TraceKind::finished, *this);
}

void RequestState::schedule_begin() noexcept {
  if (phase_ != Phase::in_progress) return;
  unlink();
  core_->make_ready(*this);
}

inline void RequestState::destroy() noexcept {
  if (is_linked()) [[unlikely]]
    unlink();
  LoopCore& core = *core_;
  if ((marks_ & awaited) != 0) [[unlikely]]
    core.request_gone(this);
  const std::size_t size = block_size_;
  this->~RequestState();
  core.deallocate(static_cast<void*>(this), size);
}

// Returns whether the state is still there.
inline bool RequestState::deliver() noexcept {
  marks_ |= in_delivery;
  on_delivery();
  marks_ &= static_cast<std::uint8_t>(~in_delivery);
  if (handle_ != nullptr) [[likely]]
    return true;
  destroy();
  return false;
}

// The callable moves out first: it may destroy this state, or set another callback.
inline void RequestState::call() {
  if (!callback_) return;
  InlineFunction callback(std::move(callback_));
  LoopCore& core = *core_;
  const std::uint64_t parent = core.exchange_parent(parent_id_);
  callback(handle_);
  core.exchange_parent(parent);
}

void RequestState::run() {
  LoopCore& core = *core_;
  if (phase_ == Phase::in_progress) [[unlikely]] {
    marks_ |= awaited;
    core.set_beginning(this);
    core.relink_unfinished(*this);
    const std::uint64_t parent = core.exchange_parent(parent_id_);
    begin();
    core.exchange_parent(parent);
    return;
  }
  if (phase_ == Phase::finished) [[likely]] {
    phase_ = Phase::delivered;
    core.request_ended();
    core.count_completion();
    if (core.is_traced()) [[unlikely]]
      core.trace(TraceKind::delivered, *this);
    if (!deliver()) return;
  }
  call();
}

bool RequestState::can_call_back() const noexcept { return !is_received() && !core_->is_closed(); }

void RequestState::deliver_late() {
  if (!is_linked()) core_->make_ready(*this);
}

void RequestState::release() noexcept {
  handle_ = nullptr;
  if (phase_ >= Phase::delivered && (marks_ & in_delivery) == 0) [[likely]] {
    destroy();
    return;
  }
  if ((marks_ & in_delivery) != 0) {
    on_abandon_in_delivery();
    return;
  }
  if (is_in_progress()) {
    if (core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::abandoned, *this);
    drop_deadline();
    on_abandon();
    core_->request_ended();
  }
  destroy();
}

// The loop ends: nobody is left to call, so callback and captures go now.
void RequestState::leave_loop() noexcept {
  if (phase_ == Phase::in_progress) error_ = ECANCELED;
  drop_deadline();
  if (is_in_progress()) {
    phase_ = Phase::delivered;
    core_->request_ended();
    if (!deliver()) return;
  }
  if (handle_ == static_cast<void*>(this)) {
    destroy();
  } else {
    clear_callback();
  }
}

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
    marks_ |= awaited;
    core.set_waited_for(this);
    core.run_once();
    if (!core.is_waited_for(this) || (core.is_stopped() && is_in_progress())) {
      err = ECANCELED;
      return false;
    }
  }
  return true;
}

void* allocate_block(LoopCore& core, std::size_t size) { return core.allocate(size); }

void free_block(LoopCore& core, void* block, std::size_t size) noexcept { core.deallocate(block, size); }

}  // namespace tsock::detail
