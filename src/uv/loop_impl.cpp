#include "uv/loop_impl.hpp"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "uv/signal_watch.hpp"

namespace tsock::detail {

namespace {

uv_handle_t* as_handle(auto& handle) noexcept { return reinterpret_cast<uv_handle_t*>(&handle); }

void check(int result, const char* what) {
  if (result != 0) throw std::system_error(-result, std::generic_category(), what);
}

}  // namespace

/// Marks the loop as running, for the guard against nesting.
class LoopImpl::RunScope {
 public:
  explicit RunScope(LoopImpl& loop) : loop_(loop) {
    if (loop.is_running()) throw std::logic_error("tsock::Loop is run from inside one of its own callbacks");
    loop_.running_ = true;
    loop_.stop_seen_ = false;
  }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
  ~RunScope() { loop_.running_ = false; }

 private:
  LoopImpl& loop_;
};

LoopImpl::LoopImpl(Loop& loop, uv_loop_t* borrowed)
    : LoopCore(loop), uv_(borrowed != nullptr ? borrowed : &own_), owned_(borrowed == nullptr) {
  if (owned_) check(uv_loop_init(&own_), "uv_loop_init");
  const int err = uv_async_init(uv_, &async_, [](uv_async_t* handle) {
    auto* const self = static_cast<LoopImpl*>(handle->data);
    self->enter();
    self->take_posted();
    self->drain();
  });
  if (err != 0) {
    if (owned_) uv_loop_close(&own_);
    check(err, "uv_async_init");
  }
  // These cannot fail (uv_idle_init, uv_timer_init, uv_check_init in libuv's manual).
  uv_idle_init(uv_, &idle_);
  uv_timer_init(uv_, &timer_);
  uv_check_init(uv_, &check_);
  uv_idle_init(uv_, &look_idle_);
  uv_check_init(uv_, &look_check_);
  open_handles_ = 6;
  async_.data = idle_.data = timer_.data = check_.data = look_idle_.data = look_check_.data = this;
  uv_unref(as_handle(async_));
  uv_unref(as_handle(timer_));
  set_now(uv_now(uv_));
}

LoopImpl::~LoopImpl() = default;

void LoopImpl::destroy_posted() noexcept {
  while (PostedFunction* function = posted_.take()) {
    while (function != nullptr) posted_.dispose(*std::exchange(function, function->next));
  }
}

void LoopImpl::wake() noexcept {
  uv_idle_start(&idle_, [](uv_idle_t* handle) {
    auto* const self = static_cast<LoopImpl*>(handle->data);
    uv_idle_stop(handle);
    self->slept();
    self->set_now(uv_now(self->uv_));
    self->drain();
  });
}

// libuv runs check handles when it has polled. This one need not keep the loop alive: it is only started
// between the two.
void LoopImpl::ask_for_turn_end() noexcept {
  uv_check_start(&check_, [](uv_check_t* handle) {
    uv_check_stop(handle);
    static_cast<LoopImpl*>(handle->data)->end_turn();
  });
}

void LoopImpl::keep_alive(bool on) noexcept {
  if (is_closed()) return;
  if (on) {
    uv_ref(as_handle(async_));
  } else {
    uv_unref(as_handle(async_));
  }
}

// libuv's clock is the steady clock in whole milliseconds and stands still during a turn: aim at the absolute
// millisecond.
void LoopImpl::arm_timer(Clock::time_point when) noexcept {
  const auto due = std::chrono::ceil<std::chrono::milliseconds>(when.time_since_epoch()).count();
  const auto now = static_cast<std::int64_t>(uv_now(uv_));
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { static_cast<LoopImpl*>(handle->data)->look_before_expiry(); },
      due > now ? static_cast<std::uint64_t>(due - now) : 0, 0);
}

// libuv runs timers before it polls: what came while the loop was held up has not been seen yet.
void LoopImpl::look_before_expiry() noexcept {
  looked_at_ = Clock::now();
  begin_last_look();
  uv_idle_start(&look_idle_, [](uv_idle_t*) {});
  uv_check_start(&look_check_, [](uv_check_t* handle) {
    auto* const self = static_cast<LoopImpl*>(handle->data);
    uv_check_stop(handle);
    uv_idle_stop(&self->look_idle_);
    self->set_now(uv_now(self->uv_));
    self->expire(self->looked_at_);
    self->drain();
  });
}

void LoopImpl::interrupt_run() noexcept { uv_stop(uv_); }

void LoopImpl::throw_kept_exception() {
  if (std::exception_ptr exception = take_exception()) std::rethrow_exception(std::move(exception));
}

void LoopImpl::run() {
  const RunScope scope(*this);
  for (;;) {
    if (stop_requested_) {
      stop_requested_ = false;
      stop_seen_ = true;
      return;
    }
    hold_for_posted();
    uv_run(uv_, UV_RUN_DEFAULT);
    throw_kept_exception();
    if (!stop_requested_ && in_progress() == 0 && !has_work() && !posted_.has_functions()) return;
  }
}

bool LoopImpl::run_once() {
  const RunScope scope(*this);
  hold_for_posted();
  const bool alive = stop_requested_ ? false : uv_run(uv_, UV_RUN_ONCE) != 0;
  throw_kept_exception();
  if (std::exchange(stop_requested_, false)) stop_seen_ = true;
  return alive || in_progress() != 0 || has_work();
}

void LoopImpl::run_until_idle() {
  const RunScope scope(*this);
  for (;;) {
    const std::uint64_t before = progress();
    hold_for_posted();
    uv_run(uv_, UV_RUN_NOWAIT);
    throw_kept_exception();
    if (std::exchange(stop_requested_, false)) {
      stop_seen_ = true;
      return;
    }
    if (progress() == before && !has_work() && uv_is_active(as_handle(look_check_)) == 0) return;
  }
}

void LoopImpl::stop() noexcept {
  stop_requested_ = true;
  if (running_ || !owned_) uv_stop(uv_);
}

// The one who finds the list empty wakes the loop; the others ride along.
void LoopImpl::post(PostedFunction& function) noexcept {
  if (posted_.push(function)) uv_async_send(&async_);
}

// libuv polls only while something is active, and requests may be all that was: posted functions count too.
void LoopImpl::hold_for_posted() noexcept {
  if (posted_.has_functions()) hold_alive();
}

// Those that come meanwhile are taken too, in a bounded number of rounds: others have to have their turn.
void LoopImpl::take_posted() {
  runs_posted_ = true;
  unsigned rounds = 0;
  do {
    PostedFunction* next = posted_.take();
    while (next != nullptr) {
      PostedFunction& function = *std::exchange(next, next->next);
      count_posted();
      try {
        function.run();
      } catch (...) {
        keep_exception(std::current_exception());
      }
      posted_.dispose(function);
    }
    if (++rounds == posted_rounds || stop_requested_) {
      if (!posted_.sleep()) uv_async_send(&async_);
      break;
    }
  } while (!posted_.sleep());
  runs_posted_ = false;
}

SignalWatch* LoopImpl::signal_watch(int signum, int& err) {
  for (const auto& watch : signals_) {
    if (watch->signum() != signum) continue;
    err = watch->error();
    return err == 0 ? watch.get() : nullptr;
  }
  signals_.push_back(std::make_unique<SignalWatch>(*this, signum));
  signals_.back()->start();
  return signal_watch(signum, err);
}

int LoopImpl::after_fork_in_child() noexcept { return -uv_loop_fork(uv_); }

void LoopImpl::set_logger(std::shared_ptr<spdlog::logger> logger) noexcept {
  logger_ = std::move(logger);
  logger_set_ = true;
}

void LoopImpl::log_warning(const char* text) noexcept {
  spdlog::logger* const logger = logger_set_ ? logger_.get() : spdlog::default_logger_raw();
  if (logger != nullptr) logger->warn("tsock: {}", text);
}

void LoopImpl::log_debug(const char* text) noexcept {
  spdlog::logger* const logger = logger_set_ ? logger_.get() : spdlog::default_logger_raw();
  if (logger != nullptr) logger->debug("tsock: {}", text);
}

void LoopImpl::handle_closed() noexcept {
  if (--open_handles_ == 0) {
    signals_.clear();
    orphan();
  }
}

// Calls for files and names that are about to return would keep the loop's memory: they get a moment.
void LoopImpl::wait_for_jobs() noexcept {
  if (jobs_ == 0) return;
  struct Grace {
    uv_timer_t timer{};
    bool over = false;
  } grace;
  uv_timer_init(uv_, &grace.timer);
  grace.timer.data = &grace;
  uv_timer_start(
      &grace.timer, [](uv_timer_t* timer) { static_cast<Grace*>(timer->data)->over = true; }, 200, 0);
  while (jobs_ != 0 && !grace.over) uv_run(uv_, UV_RUN_ONCE);
  uv_close(as_handle(grace.timer), [](uv_handle_t* timer) { timer->data = nullptr; });
  while (grace.timer.data != nullptr) uv_run(uv_, UV_RUN_NOWAIT);
}

void LoopImpl::release() noexcept {
  // What they captured may be requests of this loop, which keep its memory.
  destroy_posted();
  for (const auto& watch : signals_) watch->forget_waiters();
  close();
  const uv_close_cb closed = [](uv_handle_t* handle) {
    static_cast<LoopImpl*>(handle->data)->handle_closed();
  };
  for (const auto& watch : signals_) {
    ++open_handles_;
    watch->close(closed);
  }
  uv_close(as_handle(idle_), closed);
  uv_close(as_handle(check_), closed);
  uv_close(as_handle(look_idle_), closed);
  uv_close(as_handle(look_check_), closed);
  uv_close(as_handle(timer_), closed);
  uv_close(as_handle(async_), closed);
  if (!owned_) return;
  // What is left to do is closing handles; none of it waits. The uv_loop_t is a part of this object, which
  // must not go with the last handle but after the loop.
  keep();
  wait_for_jobs();
  int err = UV_EBUSY;
  for (int round = 0; err == UV_EBUSY && round < 8; ++round) {
    uv_run(uv_, UV_RUN_NOWAIT);
    err = uv_loop_close(uv_);
  }
  if (err != 0) {
    log_warning(
        "a loop was destroyed while handles of the application are open in it, or a worker thread is stuck; "
        "its memory stays");
    return;
  }
  stop_keeping();
}

}  // namespace tsock::detail
