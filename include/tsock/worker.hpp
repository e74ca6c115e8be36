#pragma once

#include <cerrno>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tsock/call_site.hpp>
#include <tsock/detail/loop_here.hpp>
#include <tsock/detail/operation_state.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/detail/worker_task.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {

namespace detail {

/// A function of the user on its way to a worker thread, and what it has returned.
template <class F, class T>
class FunctionTask final : public WorkerTask {
 public:
  explicit FunctionTask(F&& function) : function_(std::move(function)) {}

  void work() noexcept override {
    try {
      call();
    } catch (const std::bad_alloc&) {
      set_error(ENOMEM);
    } catch (const std::exception& error) {
      fail(error.what());
    } catch (...) {
      fail("an exception");
    }
  }

  /// Of a task that has no error.
  [[nodiscard]] T take_value() {
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

 private:
  void call() {
    int err = 0;
    if constexpr (std::is_void_v<T>) {
      if constexpr (std::is_invocable_v<F&, int&>) {
        function_(err);
      } else {
        function_();
      }
    } else if constexpr (std::is_invocable_v<F&, int&>) {
      value_.emplace(function_(err));
    } else {
      value_.emplace(function_());
    }
    set_error(err);
  }
  void fail(const char* what) noexcept {
    set_error(EIO);
    try {
      reason_ = what;
    } catch (const std::bad_alloc&) {
      reason_.clear();
    }
  }

  struct Nothing {};
  F function_;
  std::optional<std::conditional_t<std::is_void_v<T>, Nothing, T>> value_;
  std::string reason_;
};

/// Waits for the function.
template <class F, class T>
class FunctionState : public ResultState<T>, private WorkerReceiver {
 public:
  using ResultState<T>::ResultState;
  [[nodiscard]] const char* name() const noexcept override { return "run_on_worker"; }

  void start(F&& function) noexcept {
    if (!this->is_unfinished()) return;
    int err = 0;
    try {
      auto task = std::make_unique<FunctionTask<F, T>>(std::move(function));
      err = this->submit_task(this->core(), std::move(task));
    } catch (const std::bad_alloc&) {
      err = ENOMEM;
    }
    if (err != 0) this->finish(err);
  }
  void interrupt(int err) override {
    // Last: what the function owns may own the request.
    const std::unique_ptr<WorkerTask> task = this->withdraw_task(this->core());
    this->finish(err);
  }

 private:
  void on_worked(WorkerTask* task) noexcept override {
    if (task == nullptr) {
      this->finish(ECANCELED);
      return;
    }
    auto& done = static_cast<FunctionTask<F, T>&>(*task);
    if (done.error() != 0) {
      this->explain(done.reason());
      this->finish(done.error());
    } else if constexpr (std::is_void_v<T>) {
      this->finish_with();
    } else {
      this->finish_with(done.take_value());
    }
  }
  // Out of the loop's list first: what the function owns may own the Loop, which ends what it lists.
  void on_abandon() noexcept override {
    if (this->is_linked()) this->unlink();
    this->withdraw_task(this->core()).reset();
  }
};

template <class F>
struct WorkerResult {
  static_assert(never<F>, "tsock: run_on_worker(loop, function): the function takes an int&, or nothing");
  using type = void;
};
template <class F>
requires std::is_invocable_v<F&, int&>
struct WorkerResult<F> : std::invoke_result<F&, int&> {
};
template <class F>
requires(std::is_invocable_v<F&> && !std::is_invocable_v<F&, int&>) struct WorkerResult<F>
    : std::invoke_result<F&> {
};

}  // namespace detail

/// Runs a function that would block on a worker thread of the loop, and completes with what it returns.
///
/// \param here a Loop, or `{loop, site}` to pass on the call site of a caller \param function called once, on
/// another thread: as `T function(int& err)`, which may set `err` to an errno value, or as `T function()`.
/// It owns what it works on; nothing of the loop may be touched by it. T is void, or default-constructible
/// and nothrow-movable. \return a request for the result. Errors:
///  - what the function has set
///  - ENOMEM: also when the function throws std::bad_alloc
///  - EIO: the function has thrown something else; `Request::reason()` has the words of a std::exception
///  - EAGAIN: no thread can be made
///  - ECANCELED: also in the child after a fork(), which has none of the threads
///
/// Cancelling, a deadline and destroying end the request at once, even if the function is stuck. The thread
/// cannot be interrupted, but nothing waits for it: neither `Loop::run()`, nor the end of the Loop, nor that
/// of the process. A function that no thread has begun by then is not called. The function and a result that
/// nobody waits for are destroyed on the loop's thread, or on the worker's if the Loop is gone by then.
///
/// A loop has at most 16 such threads, made on demand; a further function waits, in order, until one is free.
/// Names and files have threads of their own. Signals are blocked in the threads. The counterpart of tevent's
/// pthreadpool jobs.
template <class F>
[[nodiscard]] Request<typename detail::WorkerResult<std::decay_t<F>>::type> run_on_worker(
    detail::LoopHere here, F&& function) {
  using Function = std::decay_t<F>;
  using Result = typename detail::WorkerResult<Function>::type;
  Function owned(std::forward<F>(function));
  auto* const state =
      detail::make_state<detail::FunctionState<Function, Result>>(detail::core_of(here.loop()), here.site());
  Request<Result> request(state);
  state->start(std::move(owned));
  return request;
}

}  // namespace tsock::inline v0
