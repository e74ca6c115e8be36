#pragma once

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <exception>
#include <tsock/detail/loop_here.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <tsock/result.hpp>
#include <type_traits>
#include <utility>

/// Coroutines over requests: `auto [pdu, err] = co_await stream.readv_pdu(framing);`. The library itself uses
/// none.
namespace tsock::inline v0 {

template <class T = void>
class Task;

namespace detail {

/// What a task and those that it awaits have in common: where the innermost stands. In the outermost's frame.
struct TaskContext {
  RequestState* awaited = nullptr;  // null while code of the task runs
  std::coroutine_handle<> outermost = nullptr;
  bool is_running = false;
  bool is_cancelled = false;
  bool is_abandoned = false;  // destroyed while its code ran, so it goes where it suspends next

  void resume(std::coroutine_handle<> innermost) {
    awaited = nullptr;
    is_running = true;
    innermost.resume();
  }
};

/// Awaits a Request that it owns (`Held` is the Request) or that lives in the frame (a reference).
template <class T, class Held>
class RequestAwaiter {
 public:
  explicit RequestAwaiter(Held&& request) noexcept : request_(std::forward<Held>(request)) {}

  // One that cannot complete any more says why at once.
  [[nodiscard]] bool await_ready() const noexcept { return !request_ || !request_.state()->can_call_back(); }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> waiting) {
    if constexpr (requires(Promise & promise) { promise.task_context(); }) {
      TaskContext& context = *waiting.promise().task_context();
      context.is_running = false;
      if (context.is_abandoned) {
        context.outermost.destroy();  // and this object
        return;
      }
      context.awaited = request_.state();
      request_.set_callback([&context, waiting](Request<T>&) { context.resume(waiting); });
      if (context.is_cancelled) context.awaited->cancel();
    } else {
      request_.set_callback([waiting](Request<T>&) { waiting.resume(); });
    }
  }
  Result<T> await_resume() { return request_.recv(); }

 private:
  Held request_;
};

template <class T>
class TaskPromise;

/// Awaits a task that begins here and ends inside the one that awaits it.
template <class T>
class TaskAwaiter {
 public:
  explicit TaskAwaiter(Task<T>&& task) noexcept : task_(std::move(task)) {}
  [[nodiscard]] bool await_ready() const noexcept { return !task_; }
  template <class U>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<TaskPromise<U>> waiting) noexcept {
    task_.handle().promise().begin_inside(*waiting.promise().task_context(), waiting);
    return task_.handle();
  }
  Result<T> await_resume() { return task_ ? task_.handle().promise().take_result() : Result<T>{}; }

 private:
  Task<T> task_;
};

template <class T>
class TaskOperation;

/// The part of a task's promise that is the same for every type.
class TaskPromiseBase {
 public:
  /// To the task that awaits this one, or out of the last.
  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      TaskPromiseBase& promise = ended.promise();
      if (promise.waiting_ != nullptr) return promise.waiting_;
      TaskContext& context = promise.own_context_;
      context.is_running = false;
      if (context.is_abandoned) {
        ended.destroy();
      } else {
        ended.promise().end_operation();
      }
      return std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }
  [[nodiscard]] TaskContext* task_context() noexcept { return context_; }
  void begin_inside(TaskContext& context, std::coroutine_handle<> waiting) noexcept {
    context_ = &context;
    waiting_ = waiting;
  }

  template <class T>
  [[nodiscard]] static RequestAwaiter<T, Request<T>> await_transform(Request<T>&& request) noexcept {
    return RequestAwaiter<T, Request<T>>(std::move(request));
  }
  template <class T>
  [[nodiscard]] static RequestAwaiter<T, Request<T>&> await_transform(Request<T>& request) noexcept {
    return RequestAwaiter<T, Request<T>&>(request);
  }
  template <class T>
  [[nodiscard]] static TaskAwaiter<T> await_transform(Task<T>&& task) noexcept {
    return TaskAwaiter<T>(std::move(task));
  }
  template <class Other>
  static std::suspend_never await_transform(Other&& /*other*/) noexcept {
    static_assert(!std::is_same_v<Other, Other>,
                  "tsock: a Task awaits a Request, or another Task that is moved: co_await std::move(task)");
    return {};
  }

 protected:
  TaskPromiseBase() noexcept = default;
  ~TaskPromiseBase() = default;
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return std::exchange(exception_, nullptr); }

 private:
  TaskContext own_context_;
  TaskContext* context_ = &own_context_;
  std::coroutine_handle<> waiting_ = nullptr;
  std::exception_ptr exception_;
};

}  // namespace detail

/// `co_return tsock::Failure{err};` ends a Task that has a value with an error.
struct Failure {
  int err;  ///< a positive errno value
};

/// A coroutine whose steps wait for requests. It does not begin by itself: `start(loop, task)` makes a
/// Request of it, and in another task `co_await std::move(task)` runs it and gives its Result. In it, `auto
/// [value, err] = co_await request;` waits for any Request: a temporary, which is destroyed at the end of the
/// statement, or one that is kept, to which a deadline or `reason()` may belong. Awaiting never throws.
///
/// Destroying the task, or the Request that it was started as, abandons the request that it waits for and
/// destroys what is in its frame. If code of the task itself does that, it goes on to its next `co_await` and
/// ends there. Awaiting makes no allocation; the frame, like that of every coroutine, lies on the heap. What
/// is passed by reference has to outlive the task. Belongs to its loop's thread. \tparam T what `co_return`
/// gives; also Failure, if it is not void
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;

  Task() noexcept = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_ != nullptr) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_ != nullptr) handle_.destroy();
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  /// For implementers.
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  /// For implementers.
  [[nodiscard]] std::coroutine_handle<promise_type> handle() const noexcept { return handle_; }
  /// For implementers: gives the coroutine away.
  std::coroutine_handle<promise_type> release() noexcept { return std::exchange(handle_, nullptr); }

 private:
  std::coroutine_handle<promise_type> handle_ = nullptr;
};

namespace detail {

template <class T>
class TaskPromise final : public TaskPromiseBase {
 public:
  [[nodiscard]] Task<T> get_return_object() noexcept {
    return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
  }
  void return_value(T value) { result_.value = std::move(value); }
  void return_value(Failure failure) noexcept { result_.err = failure.err; }
  Result<T> take_result() {
    if (std::exception_ptr exception = take_exception()) std::rethrow_exception(std::move(exception));
    return std::move(result_);
  }
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return TaskPromiseBase::take_exception(); }
  void set_operation(TaskOperation<T>& operation) noexcept { operation_ = &operation; }
  void end_operation() noexcept { operation_->take_end(); }

 private:
  Result<T> result_{};
  TaskOperation<T>* operation_ = nullptr;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  [[nodiscard]] inline Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  Result<void> take_result() {
    if (std::exception_ptr exception = take_exception()) std::rethrow_exception(std::move(exception));
    return {};
  }
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return TaskPromiseBase::take_exception(); }
  void set_operation(TaskOperation<void>& operation) noexcept { operation_ = &operation; }
  inline void end_operation() noexcept;

 private:
  TaskOperation<void>* operation_ = nullptr;
};

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

/// A task that was started.
template <class T>
class TaskOperation final : public Operation<T> {
 public:
  static constexpr const char* name = "task";
  explicit TaskOperation(Task<T> task) noexcept : task_(std::move(task)) {}
  TaskOperation(const TaskOperation&) = delete;
  TaskOperation& operator=(const TaskOperation&) = delete;
  ~TaskOperation() override {
    if (!task_) return;
    TaskContext& context = *task_.handle().promise().task_context();
    if (!context.is_running) return;
    context.is_abandoned = true;
    task_.release();
  }

  void start() override {
    if (!task_) {
      this->error(EINVAL);
      return;
    }
    auto& promise = task_.handle().promise();
    promise.set_operation(*this);
    promise.task_context()->outermost = task_.handle();
    promise.task_context()->resume(task_.handle());
  }
  // The task sees ECANCELED where it waits, and may clean up.
  void cancel() override {
    if (!task_) return;
    TaskContext& context = *task_.handle().promise().task_context();
    context.is_cancelled = true;
    if (context.awaited != nullptr) context.awaited->cancel();
  }
  /// The task has ended.
  void take_end() noexcept {
    auto& promise = task_.handle().promise();
    promise.task_context()->awaited = nullptr;
    if (const std::exception_ptr exception = promise.take_exception()) {
      this->error(EIO);
      throw_from(this->loop(), exception);
      return;
    }
    if constexpr (std::is_void_v<T>) {
      this->done();
    } else {
      Result<T> result = promise.take_result();
      if (!this->error(result.err)) this->done(std::move(result.value));
    }
  }

 private:
  // Here is no place to throw at.
  static void throw_from(Loop& loop, const std::exception_ptr& exception) noexcept {
    loop.post([exception] { std::rethrow_exception(exception); });
  }

  Task<T> task_;
};

inline void TaskPromise<void>::end_operation() noexcept { operation_->take_end(); }

}  // namespace detail

/// Starts a task: runs it up to its first `co_await`, and returns the Request whose end is the task's. `here`
/// is a Loop, or `{loop, site}`. The requests that it makes appear below "task" in `Loop::dump()`. `cancel()`
/// cancels the request that the task waits for, and each that it awaits later: the task sees ECANCELED and
/// may clean up; a deadline, and destroying the Request, end it where it waits. An empty task gives EINVAL.
/// An exception that leaves the task comes out of `Loop::run()`, and the Request ends with EIO.
template <class T>
Request<T> start(detail::LoopHere here, Task<T> task) {
  return make_request<detail::TaskOperation<T>>(here, std::move(task));
}

/// A request with a timeout, in one expression: `co_await with_timeout(stream.read(buffer), 5s)`.
template <class T>
Request<T> with_timeout(Request<T>&& request, std::chrono::nanoseconds duration) {
  request.set_timeout(duration);
  return std::move(request);
}

/// For coroutines of other libraries: `co_await request` in them. Destroying the coroutine abandons the
/// request.
template <class T>
[[nodiscard]] detail::RequestAwaiter<T, Request<T>> operator co_await(Request<T>&& request) noexcept {
  return detail::RequestAwaiter<T, Request<T>>(std::move(request));
}
/// As above, for a request that is kept.
template <class T>
[[nodiscard]] detail::RequestAwaiter<T, Request<T>&> operator co_await(Request<T>& request) noexcept {
  return detail::RequestAwaiter<T, Request<T>&>(request);
}

}  // namespace tsock::inline v0
