#pragma once

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <tsock/detail/loop_here.hpp>
#include <tsock/detail/operation_state.hpp>
#include <tsock/detail/owned_request.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/outcome.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {

class Loop;

/// The base of user-defined operations: an RPC call over a stream, a handshake, a retry. The counterpart of
/// `tevent_req_create()` with a private state.
///
/// Derive from it, keep child requests and buffers as members, and make it with `make_request()`. Call
/// `done()` or `error()` once; the first call wins. The caller's callback runs later, from the loop. The
/// object is destroyed right before that callback, or when the caller destroys the Request, together with all
/// child requests: release resources in its destructor or in `cleanup()`. After `done()` or `error()` just
/// return. \tparam T the result that the caller's `recv()` returns.
template <class T>
class Operation {
 public:
  using result_type = T;
  static_assert(std::is_void_v<T> || (std::is_default_constructible_v<T> && std::is_move_assignable_v<T>),
                "tsock: the result of an Operation needs a default constructor, as recv() returns a default "
                "constructed one after a failure, and has to be movable: wrap it into std::optional");

  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  /// Begins the work; called once by `make_request()`. May end the operation at once.
  virtual void start() = 0;

  /// The caller asked to cancel. The default ends with ECANCELED. An operation that cannot stop half-way may
  /// remember the wish instead and complete later.
  virtual void cancel() { error(ECANCELED); }

  /// Called exactly once at the end, before the callback and before the destructor; `err` is the errno value
  /// of Outcome::failed, else 0.
  virtual void cleanup(Outcome /*outcome*/, int /*err*/) noexcept {}

 protected:
  /// Completes with a value.
  template <class... Value>
  void done(Value&&... value) {
    if (state_ != nullptr) state_->finish_with(std::forward<Value>(value)...);
  }
  /// Completes with a positive errno value. 0 does nothing and returns false. \param reason what the caller's
  /// `Request::reason()` returns, such as the reason of a child; copied
  bool error(int err, std::string_view reason = {}) {
    if (err == 0) return false;
    if (state_ != nullptr) {
      state_->explain(reason);
      state_->finish(err);
    }
    return true;
  }
  /// Goes on when `child`, a member, has succeeded: `function(value)`, `function()` if the value is not
  /// needed or there is none. If the child fails, this operation ends with its error and reason instead, and
  /// if it has ended meanwhile, the function is not called. Takes the place of the child's callback. A child
  /// that cannot complete, such as one of an empty Stream, ends this operation with EIO.
  template <class U, class F>
  void then(Request<U>& child, F function) {
    check_continuation<U, F>();
    if (!can_complete(child)) return;
    child.set_callback([this, fn = std::move(function)](Request<U>& ended) mutable { go_on(ended, fn); });
  }
  /// As above, for a child that the operation keeps itself: until it ends, or this operation does. Buffers
  /// that are members may be used by it. Its entry lies in the loop's pool.
  template <class U, class F>
  void then(Request<U>&& child, F function) {
    check_continuation<U, F>();
    if (!can_complete(child)) return;
    children_.add(std::move(child),
                  [this, fn = std::move(function)](Request<U>& ended) mutable { go_on(ended, fn); });
  }
  /// Waits for nothing but passes on an error, such as that of a write whose answer is read meanwhile.
  template <class U>
  void then(Request<U>& child) {
    then(child, [] {});
  }
  /// As above, for a child that the operation keeps itself.
  template <class U>
  void then(Request<U>&& child) {
    then(std::move(child), [] {});
  }
  /// Calls the function that was given to `Request::set_progress_callback()`, later and from the loop;
  /// several calls in one turn make it run once. (tevent: tevent_req_notify_callback)
  void notify() {
    if (state_ == nullptr) return;
    if (const auto* function = state_->progress_function(); *function != nullptr) state_->schedule_begin();
  }
  /// Adds to the caller's `transferred()` and does `notify()`.
  void progress(std::size_t bytes) {
    if (state_ == nullptr) return;
    state_->add_transferred(bytes);
    notify();
  }
  [[nodiscard]] bool is_in_progress() const noexcept { return state_ != nullptr && state_->is_unfinished(); }
  /// The loop that the operation runs on. Not to be called before `start()`.
  [[nodiscard]] Loop& loop() const noexcept { return state_->loop(); }

 private:
  template <class Op>
  friend class detail::OperationState;

  template <class U, class F>
  static constexpr void check_continuation() noexcept {
    if constexpr (std::is_void_v<U>) {
      static_assert(std::is_invocable_v<F&>,
                    "tsock: then(child, function): the child has no value, so the function takes nothing");
    } else {
      static_assert(std::is_invocable_v<F&, U> || std::is_invocable_v<F&>,
                    "tsock: then(child, function): the function takes the child's value, or nothing");
    }
  }
  template <class U>
  bool can_complete(const Request<U>& child) {
    return child && child.state()->can_call_back() ? true : !error(EIO);
  }
  // The function may end or destroy this operation.
  template <class U, class F>
  void go_on(Request<U>& child, F& function) {
    if (!is_in_progress()) return;
    int err = 0;
    if constexpr (std::is_void_v<U>) {
      child.recv(err);
      if (!error(err, child.reason())) function();
    } else {
      U value = child.recv(err);
      if (error(err, child.reason())) return;
      if constexpr (std::is_invocable_v<F&, U>) {
        function(std::move(value));
      } else {
        function();
      }
    }
  }

  detail::RequestList children_;
  detail::ResultState<T>* state_ = nullptr;
};

/// Makes and starts a user-defined operation: constructs `Op` from `args` in the loop's pool, calls its
/// `start()`, and returns the Request. `here` is a Loop, or `{loop, site}` to pass on the call site of a
/// caller. Requests that `Op` starts, here and in callbacks of its requests, appear as its children in
/// `Loop::dump()`. Dumps and traces show `Op::name` if there is one.
template <class Op, class... Args>
Request<typename Op::result_type> make_request(detail::LoopHere here, Args&&... args) {
  static_assert(std::is_base_of_v<Operation<typename Op::result_type>, Op>,
                "tsock: make_request<Op>(loop, ...): Op has to be derived from tsock::Operation<T>");
  static_assert(!std::is_abstract_v<Op>, "tsock: make_request<Op>(loop, ...): Op does not define start()");
  static_assert(std::is_abstract_v<Op> || std::is_constructible_v<Op, Args...>,
                "tsock: make_request<Op>(loop, arguments...): Op has no public constructor that takes these "
                "arguments; without arguments it needs a default constructor");
  auto* const state =
      detail::make_state<detail::OperationState<Op>>(detail::core_of(here.loop()), here.site());
  Request<typename Op::result_type> request(state);
  state->begin_operation(std::forward<Args>(args)...);
  return request;
}

}  // namespace tsock::inline v0
