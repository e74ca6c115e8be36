#pragma once

#include <cerrno>
#include <cstddef>
#include <string_view>
#include <tsock/detail/loop_here.hpp>
#include <tsock/detail/operation_state.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/outcome.hpp>
#include <tsock/request.hpp>
#include <utility>

namespace tsock {

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
  /// Adds to the caller's `transferred()`.
  void progress(std::size_t bytes) {
    if (state_ != nullptr) state_->add_transferred(bytes);
  }
  [[nodiscard]] bool is_in_progress() const noexcept { return state_ != nullptr && state_->is_unfinished(); }
  /// The loop that the operation runs on. Not to be called before `start()`.
  [[nodiscard]] Loop& loop() const noexcept { return state_->loop(); }

 private:
  template <class Op>
  friend class detail::OperationState;
  detail::ResultState<T>* state_ = nullptr;
};

/// Makes and starts a user-defined operation: constructs `Op` from `args` in the loop's pool, calls its
/// `start()`, and returns the Request. `here` is a Loop, or `{loop, site}` to pass on the call site of a
/// caller. Requests that `Op` starts, here and in callbacks of its requests, appear as its children in
/// `Loop::dump()`. Dumps and traces show `Op::name` if there is one.
template <class Op, class... Args>
Request<typename Op::result_type> make_request(detail::LoopHere here, Args&&... args) {
  auto* const state =
      detail::make_state<detail::OperationState<Op>>(detail::core_of(here.loop()), here.site());
  Request<typename Op::result_type> request(state);
  state->begin_operation(std::forward<Args>(args)...);
  return request;
}

}  // namespace tsock
