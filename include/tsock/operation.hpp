#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tsock/call_site.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock {

class Loop;

/// How an operation came to its end, for `Operation::cleanup()`.
enum class Outcome : std::uint8_t {
  done,       ///< `done()` was called
  failed,     ///< `error()`, a cancel or a deadline; the errno value goes with it
  abandoned,  ///< the Request was destroyed
};

/// The base of operations made by users: an RPC call over a stream, a handshake, a retry. The counterpart of
/// `tevent_req_create()` with a private state.
///
/// Derive from it, keep child requests and buffers as members, and make it with `make_request()`. Call
/// `done()` or `error()` once; the first call wins. The caller's callback runs later, from the loop. The
/// object is destroyed right before that, or when the caller destroys the Request, and with it all child
/// requests: its destructor and `cleanup()` are the place to let go of things. After `done()` or `error()`
/// just return. \tparam T the result that the caller's `recv()` gives.
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

  /// The caller asked to cancel. The default ends with ECANCELED. An operation that cannot stop half way may
  /// instead remember the wish and complete later.
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
  /// Completes with a positive errno value; 0 does nothing and gives false.
  bool error(int err) {
    if (err == 0) return false;
    if (state_ != nullptr) state_->finish(err);
    return true;
  }
  /// Adds to what the caller sees as `transferred()`.
  void progress(std::size_t bytes) {
    if (state_ != nullptr) state_->add_transferred(bytes);
  }
  [[nodiscard]] bool is_in_progress() const noexcept { return state_ != nullptr && state_->is_unfinished(); }
  /// The loop that the operation runs on. Not before `start()`.
  [[nodiscard]] Loop& loop() const noexcept { return state_->loop(); }

 private:
  template <class Op>
  friend class OperationState;
  detail::ResultState<T>* state_ = nullptr;
};

/// Marks the owner of new requests while code runs on behalf of a composite operation.
namespace detail {

class ParentScope {
 public:
  TSOCK_EXPORT explicit ParentScope(RequestState& parent) noexcept;
  ParentScope(const ParentScope&) = delete;
  ParentScope& operator=(const ParentScope&) = delete;
  TSOCK_EXPORT ~ParentScope();

 private:
  LoopCore* core_;
  std::uint64_t previous_;
};

TSOCK_EXPORT LoopCore& core_of(Loop& loop) noexcept;

}  // namespace detail

/// The state of a user's operation; made by `make_request()` only.
template <class Op>
class OperationState : public detail::ResultState<typename Op::result_type> {
 public:
  using detail::ResultState<typename Op::result_type>::ResultState;

  /// `Op::name`, which must live as long as the operation, when there is one.
  [[nodiscard]] const char* name() const noexcept override {
    if constexpr (requires { static_cast<const char*>(Op::name); }) {
      return Op::name;
    } else {
      return "operation";
    }
  }

  template <class... Args>
  void begin_operation(Args&&... args) {
    if (!this->is_unfinished()) return;  // the loop is gone
    const detail::ParentScope scope(*this);
    operation_.emplace(std::forward<Args>(args)...);
    operation_->state_ = this;
    operation_->start();
  }
  void on_deadline() override {
    if (!this->look_again()) this->interrupt(ETIMEDOUT);
  }
  void interrupt(int err) override {
    if (err == ECANCELED && operation_.has_value()) {
      const detail::ParentScope scope(*this);
      operation_->cancel();
    } else {
      this->finish(err);
    }
  }

 private:
  void on_delivery() noexcept override {
    this->mark(this->in_delivery);
    end(this->error() == 0 ? Outcome::done : Outcome::failed);
    this->drop_call_of_closed_loop();
    this->unmark(this->in_delivery);
  }
  // Out of the loop's list first: code of the user may destroy the Loop, which ends what it lists.
  void on_abandon() noexcept override {
    if (this->is_linked()) this->unlink();
    end(Outcome::abandoned);
  }
  void on_abandon_in_delivery() noexcept override { operation_.reset(); }
  void end(Outcome outcome) noexcept {
    if (!operation_.has_value()) return;
    operation_->cleanup(outcome, outcome == Outcome::failed ? this->error() : 0);
    operation_.reset();
  }

  std::optional<Op> operation_;
};

/// A loop and the place in the caller's source from which it was named.
class LoopHere {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): made from a Loop& at the call of make_request()
  LoopHere(Loop& loop, CallSite site = CallSite::current()) noexcept : loop_(&loop), site_(site) {}
  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }
  [[nodiscard]] CallSite site() const noexcept { return site_; }

 private:
  Loop* loop_;
  CallSite site_;
};

/// Makes and starts a user's operation: constructs `Op` from `args` in the loop's pool, calls its `start()`,
/// and returns the Request. Requests that `Op` starts, here and in callbacks of its requests, show as its
/// children in `Loop::dump()`. Dumps and traces call the operation `Op::name` when there is one.
template <class Op, class... Args>
Request<typename Op::result_type> make_request(LoopHere here, Args&&... args) {
  auto* const state = detail::make_state<OperationState<Op>>(detail::core_of(here.loop()), here.site());
  Request<typename Op::result_type> request(state);
  state->begin_operation(std::forward<Args>(args)...);
  return request;
}

}  // namespace tsock
