#include "uv/loop_turns.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "uv/epoll_watch_set.hpp"
#include "uv/loop_impl.hpp"
#include "uv/poll_watch_set.hpp"

namespace tsock::inline v0::detail {

LoopTurns::LoopTurns(LoopImpl& loop, std::chrono::milliseconds trim_after) noexcept
    : loop_(&loop), trim_after_(-1) {
  constexpr std::chrono::milliseconds most(std::numeric_limits<int>::max());
  if (trim_after != std::chrono::milliseconds::max())
    trim_after_ = static_cast<int>(std::clamp(trim_after, std::chrono::milliseconds::zero(), most).count());
}

std::unique_ptr<WatchSet> LoopTurns::make_watches(bool is_own_loop) {
  int err = is_own_loop ? 0 : ENOTSUP;
  UniqueFd epoll;
  if (err == 0) epoll = os::open_epoll(err);
  if (err == ENOTSUP) return std::make_unique<PollWatchSet>(*loop_);
  if (err != 0) throw std::system_error(err, std::generic_category(), "epoll_create1");
  auto set = std::make_unique<EpollWatchSet>(*loop_, std::move(epoll));
  err = set->add_libuv();
  if (err != 0) throw std::system_error(err, std::generic_category(), "epoll_ctl");
  set_ = set.get();
  return set;
}

bool LoopTurns::run(uv_run_mode mode) noexcept {
  uv_loop_t* const uv = loop_->uv();
  if (set_ == nullptr) return uv_run(uv, mode) != 0;
  runs_ = true;
  is_interrupted_ = false;
  bool is_alive = mode == UV_RUN_NOWAIT || is_woken_ || uv_loop_alive(uv) != 0;
  while (is_alive && !is_interrupted_ && set_ != nullptr && !loop_->is_closed()) {
    is_alive = run_turn(mode != UV_RUN_NOWAIT);
    if (is_to_be_left_) hand_over();
    if (mode != UV_RUN_DEFAULT) break;
  }
  runs_ = false;
  if (mode == UV_RUN_DEFAULT && set_ == nullptr && is_alive && !is_interrupted_ && !loop_->is_closed())
    return uv_run(uv, mode) != 0;
  return is_alive;
}

bool LoopTurns::run_turn(bool may_wait) noexcept {
  uv_loop_t* const uv = loop_->uv();
  const bool was_woken = std::exchange(is_woken_, false);
  if (was_woken) loop_->begin_woken_turn();
  int timeout = 0;
  if (may_wait && !was_woken) {
    timeout = uv_backend_timeout(uv);
    if (timeout > 0) {  // for a timer, whose distance is that from libuv's time
      uv_update_time(uv);
      timeout = uv_backend_timeout(uv);
    }
  }
  wait(timeout);
  const bool libuv_is_ready = set_->tell_events();
  end_turn();
  if (libuv_is_ready || uv_backend_timeout(uv) == 0) {
    // libuv tells nothing unless something keeps it running, and the events above may have ended the last
    // request: posted functions and signals of this turn are told all the same.
    loop_->hold_alive();
    uv_run(uv, UV_RUN_NOWAIT);
    end_turn();
    loop_->release_hold();
  }
  return is_woken_ || uv_loop_alive(uv) != 0;
}

void LoopTurns::wait(int timeout) noexcept {
  const bool trims = loop_->is_mostly_free() && trim_after_ >= 0;
  if (!trims || (timeout >= 0 && timeout <= trim_after_)) [[likely]] {
    set_->wait(timeout);
  } else if (set_->wait(trim_after_) == 0) {
    loop_->trim_and_pass_on();
    uv_update_time(loop_->uv());
    set_->wait(timeout < 0 ? timeout : uv_backend_timeout(loop_->uv()));
  }
}

void LoopTurns::end_turn() noexcept {
  if (std::exchange(end_is_due_, false) && !loop_->is_closed()) loop_->end_turn();
}

void LoopTurns::take_events() noexcept {
  if (std::exchange(is_woken_, false)) loop_->begin_woken_turn();
  set_->take_events(0);
  end_turn();
}

void LoopTurns::leave_to_libuv() noexcept {
  if (set_ == nullptr || loop_->is_closed()) return;
  if (runs_) {
    is_to_be_left_ = true;
  } else {
    hand_over();
  }
}

void LoopTurns::hand_over() noexcept {
  is_to_be_left_ = false;
  if (loop_->is_closed()) return;
  if (set_->put_under_libuv() != 0) {
    loop_->log_warning("out of memory: libuv does not see the descriptors of the loop");
    return;
  }
  set_ = nullptr;
  if (std::exchange(is_woken_, false)) loop_->wake_up();
}

}  // namespace tsock::inline v0::detail
