#include "uv/loop_impl.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "uv/os/process.hpp"
#include "uv/pipe_store.hpp"
#include "uv/signal_watch.hpp"
#include "uv/uv_call.hpp"

namespace tsock::inline v0::detail {

namespace {

uv_handle_t* as_handle(auto& handle) noexcept { return reinterpret_cast<uv_handle_t*>(&handle); }

void check(int result, const char* what) {
  if (result != 0) throw std::system_error(errno_of(result), std::generic_category(), what);
}

}  // namespace

/// Threads for work that would block the loop, and the handle by which they wake it.
struct LoopImpl::Workers {
  uv_async_t async{};
  WorkerThreads lookups{most_lookup_threads, async};
  WorkerThreads files{most_file_threads, async};
  WorkerThreads tasks{most_task_threads, async};

  [[nodiscard]] WorkerThreads& of(Work work) noexcept {
    if (work == Work::lookup) return lookups;
    return work == Work::file ? files : tasks;
  }
  // Work on files keeps the loop running; an abandoned lookup or task does not.
  void keep_alive_while_busy() noexcept {
    if (files.is_busy()) {
      uv_ref(as_handle(async));
    } else {
      uv_unref(as_handle(async));
    }
  }
};

/// Marks the loop as running, to guard against nested runs.
class LoopImpl::RunScope {
 public:
  explicit RunScope(LoopImpl& loop) : loop_(loop) {
    if (loop.is_running()) throw std::logic_error("tsock::Loop is run from inside one of its own callbacks");
    loop_.running_ = true;
    loop_.stop_seen_ = false;
    loop_.keep();
  }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;
  // A callback may have destroyed the Loop.
  ~RunScope() {
    loop_.running_ = false;
    if (loop_.is_closed() && loop_.owned_) loop_.close_own_loop();
    loop_.end_if_at_rest();  // a stop has come before the end
    loop_.stop_keeping();
  }

 private:
  LoopImpl& loop_;
};

LoopImpl::LoopImpl(Loop& loop, uv_loop_t* borrowed, const LoopOptions& options)
    : LoopCore(loop, options.memory),
      uv_(borrowed != nullptr ? borrowed : &own_),
      owned_(borrowed == nullptr),
      turns_(*this, options.trim_after) {
  // libuv asserts that it is given no standard descriptor.
  const os::StandardDescriptorsTaken taken;
  os::watch_forks();
  if (owned_) check(uv_loop_init(&own_), "uv_loop_init");
  os::watch_forks_further();
  forks_ = os::fork_count();
  // Ends libuv's loop if this constructor throws.
  const auto close_loop = [](uv_loop_t* own) { uv_loop_close(own); };
  std::unique_ptr<uv_loop_t, decltype(close_loop)> opened(owned_ ? &own_ : nullptr);
  watches_ = turns_.make_watches(owned_);
  check(uv_async_init(uv_, &async_,
                      [](uv_async_t* handle) {
                        auto* const self = static_cast<LoopImpl*>(handle->data);
                        self->enter();
                        self->take_posted();
                        self->drain();
                      }),
        "uv_async_init");
  static_cast<void>(opened.release());
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

LoopImpl::~LoopImpl() { destroy_posted(); }

// Parent and child share libuv's objects in the kernel until the child has its own: removing a descriptor
// from the epoll set would remove it for the parent, too.
void LoopImpl::notice_fork() noexcept {
  if (forks_ == os::fork_count()) return;
  if (after_fork_in_child() != 0) log_warning("a loop cannot be used in this child process");
}

void LoopImpl::destroy_posted() noexcept {
  while (PostedFunction* function = posted_.take()) {
    while (function != nullptr) posted_.dispose(*std::exchange(function, function->next));
  }
}

void LoopImpl::wake() noexcept {
  if (!turns_.are_libuvs()) {
    turns_.wake();
    return;
  }
  uv_idle_start(&idle_, [](uv_idle_t* handle) {
    uv_idle_stop(handle);
    static_cast<LoopImpl*>(handle->data)->begin_woken_turn();
  });
}

void LoopImpl::begin_woken_turn() noexcept {
  begin_turn(uv_now(uv_));
  drain();
}

// libuv runs check handles when it has polled. This one need not keep the loop alive: it is only started
// between polling and the check handles.
void LoopImpl::ask_for_turn_end() noexcept {
  if (!turns_.are_libuvs()) {
    turns_.ask_for_end();
    return;
  }
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

// libuv runs timers before it polls: events that came while the loop was held up have not been seen yet.
void LoopImpl::look_before_expiry() noexcept {
  looked_at_ = Clock::now();
  begin_last_look();
  if (!turns_.are_libuvs()) {
    turns_.take_events();
    if (!is_closed()) expire_as_of_look();
    return;
  }
  uv_idle_start(&look_idle_, [](uv_idle_t*) {});
  uv_check_start(&look_check_, [](uv_check_t* handle) {
    auto* const self = static_cast<LoopImpl*>(handle->data);
    uv_check_stop(handle);
    uv_idle_stop(&self->look_idle_);
    self->expire_as_of_look();
  });
}

void LoopImpl::expire_as_of_look() noexcept {
  set_now(uv_now(uv_));
  expire(looked_at_);
  drain();
}

void LoopImpl::interrupt_run() noexcept {
  if (turns_.are_libuvs()) {
    uv_stop(uv_);
  } else {
    turns_.interrupt();
  }
}

void LoopImpl::throw_kept_exception() {
  if (std::exception_ptr exception = take_exception()) std::rethrow_exception(std::move(exception));
}

void LoopImpl::run() {
  if (is_closed()) return;
  const RunScope scope(*this);
  notice_fork();
  for (;;) {
    if (stop_requested_) {
      stop_requested_ = false;
      stop_seen_ = true;
      return;
    }
    hold_for_posted();
    turns_.run(UV_RUN_DEFAULT);
    throw_kept_exception();
    if (is_closed()) return;
    if (!stop_requested_ && !has_foreground() && !has_work() && !posted_.has_functions()) return;
  }
}

bool LoopImpl::run_once() {
  if (is_closed()) return false;
  const RunScope scope(*this);
  notice_fork();
  hold_for_posted();
  const bool alive = !stop_requested_ && turns_.run(UV_RUN_ONCE);
  throw_kept_exception();
  if (is_closed()) return false;
  if (std::exchange(stop_requested_, false)) stop_seen_ = true;
  return alive || has_foreground() || has_work();
}

void LoopImpl::run_until_idle() {
  if (is_closed()) return;
  const RunScope scope(*this);
  notice_fork();
  for (;;) {
    const std::uint64_t before = progress();
    hold_for_posted();
    turns_.run(UV_RUN_NOWAIT);
    throw_kept_exception();
    if (is_closed()) return;
    if (std::exchange(stop_requested_, false)) {
      stop_seen_ = true;
      return;
    }
    if (progress() == before && !has_work() && uv_is_active(as_handle(look_check_)) == 0) return;
  }
}

void LoopImpl::stop() noexcept {
  if (is_closed()) return;
  stop_requested_ = true;
  if (running_ || !owned_) interrupt_run();
}

// The thread that finds the list empty wakes the loop; the others need not.
void LoopImpl::post(PostedFunction& function) noexcept {
  if (posted_.push(function) && !is_closed()) uv_async_send(&async_);
}

// libuv polls only while a handle is active, and without requests none may be: posted functions count, too.
void LoopImpl::hold_for_posted() noexcept {
  if (posted_.has_functions()) hold_alive();
}

// Also takes functions that come meanwhile, in a bounded number of rounds, so that others have their turn.
void LoopImpl::take_posted() {
  runs_posted_ = true;
  unsigned rounds = 0;
  do {
    PostedFunction* next = posted_.take();
    while (next != nullptr) {
      PostedFunction& function = *std::exchange(next, next->next);
      // Functions behind one that destroyed the Loop are not called.
      if (!is_closing()) {
        count_posted();
        try {
          if (call_timer().is_on()) [[unlikely]]
            run_timed(function);
          else
            function.run();
        } catch (...) {
          keep_exception(std::current_exception());
        }
      }
      posted_.dispose(function);
    }
    if (is_closed()) break;
    if (++rounds == posted_rounds || stop_requested_) {
      if (!posted_.sleep()) uv_async_send(&async_);
      break;
    }
  } while (!posted_.sleep());
  runs_posted_ = false;
}

// A separate function, so that the usual call saves no registers for it.
[[gnu::noinline]] void LoopImpl::run_timed(PostedFunction& function) {
  const TimedCall call(*this, "post", CallSite());
  function.run();
}

SignalWatch* LoopImpl::signal_watch(int signum, int& err) noexcept {
  if (is_closed()) {
    err = ECANCELED;
    return nullptr;
  }
  for (const auto& watch : signals_) {
    if (watch->signum() != signum) continue;
    err = watch->error();
    return err == 0 ? watch.get() : nullptr;
  }
  try {
    signals_.push_back(std::make_unique<SignalWatch>(*this, signum));
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return nullptr;
  }
  signals_.back()->start();
  return signal_watch(signum, err);
}

int LoopImpl::after_fork_in_child() noexcept {
  if (is_closed()) return 0;
  forks_ = os::fork_count();
  const os::StandardDescriptorsTaken taken;
  int err = errno_of(uv_loop_fork(uv_));
  if (const int failed = watches_->after_fork_in_child(); err == 0) err = failed;
  if (workers_ != nullptr) {
    workers_->lookups.forked();
    workers_->files.forked();
    workers_->tasks.forked();
    workers_->keep_alive_while_busy();
  }
  return err;
}

std::size_t LoopImpl::trim_and_pass_on() noexcept {
  const std::size_t freed = trim();
  if (freed != 0) os::release_free_memory();
  return freed;
}

void LoopImpl::set_logger(std::shared_ptr<spdlog::logger> logger) noexcept {
  logger_ = std::move(logger);
  logger_set_ = true;
}

void LoopImpl::log_warning(const char* text) noexcept {
  spdlog::logger* const logger = logger_set_ ? logger_.get() : spdlog::default_logger_raw();
  if (logger == nullptr) return;
  const StepScope scope(*this);
  logger->warn("tsock: {}", text);
}

void LoopImpl::log_debug(const char* text) noexcept {
  spdlog::logger* const logger = logger_set_ ? logger_.get() : spdlog::default_logger_raw();
  if (logger == nullptr) return;
  const StepScope scope(*this);
  logger->debug("tsock: {}", text);
}

void LoopImpl::handle_closed() noexcept {
  if (--open_handles_ == 0) {
    signals_.clear();
    orphan();
  }
}

LoopImpl::Workers* LoopImpl::workers() noexcept {
  if (workers_ != nullptr) return workers_.get();
  std::unique_ptr<Workers> made(new (std::nothrow) Workers);
  if (made == nullptr) return nullptr;
  const int err = uv_async_init(uv_, &made->async, [](uv_async_t* handle) {
    auto* const self = static_cast<LoopImpl*>(handle->data);
    self->enter();
    self->workers_->lookups.deliver();
    self->workers_->files.deliver();
    {
      // The user's functions are destroyed here, and they may own the Loop.
      const StepScope scope(*self);
      self->workers_->tasks.deliver();
    }
    self->workers_->keep_alive_while_busy();
    self->drain();
  });
  if (err != 0) return nullptr;
  made->async.data = this;
  uv_unref(as_handle(made->async));
  ++open_handles_;
  workers_ = std::move(made);
  return workers_.get();
}

int LoopImpl::submit(Work work, std::unique_ptr<WorkerThreads::Job>& job) noexcept {
  if (is_closed()) return ECANCELED;
  notice_fork();
  Workers* const all = workers();
  if (all == nullptr) return ENOMEM;
  const int err = all->of(work).submit(job);
  all->keep_alive_while_busy();
  return err;
}

std::unique_ptr<WorkerThreads::Job> LoopImpl::take_back(Work work, WorkerThreads::Job& job) noexcept {
  std::unique_ptr<WorkerThreads::Job> taken = workers_->of(work).take_back(job);
  workers_->keep_alive_while_busy();
  return taken;
}

bool LoopImpl::is_busy(Work work) const noexcept {
  return workers_ != nullptr && workers_->of(work).is_busy();
}

// Gives calls for files that are about to return a moment, so that bytes that were written are in the file
// and files that were closed are closed.
void LoopImpl::end_workers() noexcept {
  if (workers_ == nullptr) return;
  workers_->lookups.end();
  workers_->tasks.end();
  workers_->files.wait(std::chrono::milliseconds(200));
  workers_->files.end();
}

PipeStore* LoopImpl::pipes() noexcept {
  if (pipes_ == nullptr) pipes_.reset(new (std::nothrow) PipeStore(*this));
  return pipes_.get();
}

// A step under way still uses the loop, which then ends later.
void LoopImpl::release() noexcept {
  begin_closing(stand_in_.emplace(*this));
  if (is_in_step()) {
    close_later(late_release_);
  } else {
    end();
  }
}

void LoopImpl::end_at_rest() noexcept {
  if (!is_in_step() && !is_running()) end();
}

void LoopImpl::end() noexcept {
  notice_fork();
  for (const auto& watch : signals_) watch->forget_waiters();
  close();
  // Captures of these functions may be requests of this loop, which hold its memory. Their destructors may
  // begin others, which end at once now.
  destroy_posted();
  end_workers();
  if (pipes_ != nullptr) pipes_->close_idle();
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
  if (workers_ != nullptr) uv_close(as_handle(workers_->async), closed);
  open_handles_ += watches_->close(closed);
  if (running_) {
    interrupt_run();
    return;
  }
  if (!owned_) return;
  if (is_running()) {
    keep();
    log_warning("a loop was destroyed in a callback of a uv_run() of the application; its memory stays");
    return;
  }
  close_own_loop();
}

void LoopImpl::close_own_loop() noexcept {
  // All that is left is to close handles, and none of it waits. The uv_loop_t is a part of this object, which
  // must not go with the last handle but after the loop.
  keep();
  int err = UV_EBUSY;
  for (int round = 0; err == UV_EBUSY && round < 8; ++round) {
    uv_run(uv_, UV_RUN_NOWAIT);
    err = uv_loop_close(uv_);
  }
  if (err != 0) {
    log_warning("a loop was destroyed while handles of the application are open in it; its memory stays");
    return;
  }
  stop_keeping();
}

}  // namespace tsock::inline v0::detail
