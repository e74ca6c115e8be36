#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <tsock/detail/request_state.hpp>
#include <type_traits>
#include <utility>

namespace tsock {

class Loop;

namespace detail {
/// Whether a result says something of a failure too: `static constexpr bool valid_on_error = true`.
template <class T>
constexpr bool is_valid_on_error() noexcept {
  if constexpr (requires { T::valid_on_error; }) {
    return T::valid_on_error;
  } else {
    return false;
  }
}
}  // namespace detail

/// The handle of one asynchronous operation; the counterpart of `tevent_req`.
///
/// An operation that was started completes exactly once, from the loop and never inside the call that started
/// it. Bad arguments arrive the same way. Three ends are kept apart:
///  - *completion*: the callback runs, `recv()` fetches the result or the errno value;
///  - `cancel()` asks: the completion still comes, with ECANCELED or, when it was too late, with success;
///  - *destroying* the Request abandons the operation: no callback, and when the destructor returns nothing
///    of tsock holds a pointer into the caller's buffers. Declare buffers before the Request that uses them.
///
/// A Request is bound to its Loop's thread. It may be moved and destroyed anywhere, also in its own callback.
/// \tparam T what `recv()` gives; a signed count gives -1 on failure, any other type a default constructed
/// value.
template <class T>
class [[nodiscard]] Request {
 public:
  using value_type = T;

  /// No operation: `is_in_progress()` is false and `recv()` gives EIO.
  Request() noexcept = default;
  Request(Request&& other) noexcept : state_(std::exchange(other.state_, nullptr)) { adopt(); }
  Request& operator=(Request&& other) noexcept {
    auto* const state = std::exchange(other.state_, nullptr);  // first, so that nothing goes when it is this
    auto* const old = std::exchange(state_, state);
    adopt();
    if (old != nullptr) old->release();
    return *this;
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  /// Abandons the operation if it is still in progress.
  ~Request() {
    if (state_ != nullptr) state_->release();
  }

  /// Whether there is an operation behind this handle, in progress or ended.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Sets what runs on completion: `function(Request<T>&)`, called once from the loop with this handle,
  /// wherever it was moved to. Replaces an earlier callback. No heap allocation
  /// is made for it: a callable of more than 24 bytes goes into the loop's pool. On a request that completed
  /// while no callback was set, it runs on the next turn. After `recv()`, and when the loop is gone, it never
  /// runs: it is destroyed at once.
  template <class F>
  void set_callback(F function) {
    static_assert(std::is_invocable_v<F&, Request&>, "the callback takes a Request<T>&");
    if (state_ == nullptr) return;
    state_->set_callback(
        [fn = std::move(function)](void* handle) mutable { fn(*static_cast<Request*>(handle)); });
  }

  /// Abandons the operation and takes over the one that `make()` starts: `r.restart([&] { return
  /// stream.read(buffer); })`. An assignment would start the new one first, which gives EBUSY and ends the
  /// old one all the same. The callback goes with the old operation.
  template <class F>
  requires std::is_invocable_r_v<Request, F&>
  void restart(F make) {
    *this = Request();
    *this = make();
  }

  /// Takes the callback away; the operation goes on.
  void clear_callback() noexcept {
    if (state_ != nullptr) state_->clear_callback();
  }

  /// Fetches the result, once. `err` becomes 0, or the operation's positive errno value; EIO while the
  /// operation is in progress, when the result was taken before, or when there is no operation. A result type
  /// with `valid_on_error` is given on failure too.
  T recv(int& err) {
    if (state_ == nullptr || !state_->is_delivered()) {
      err = EIO;
      return failure();
    }
    err = state_->error();
    state_->set_received();
    if constexpr (!std::is_void_v<T>) {
      if (err == 0 || detail::is_valid_on_error<T>()) [[likely]]
        return std::move(*static_cast<T*>(state_->result()));
      return failure();
    }
  }

  /// True until the completion is delivered.
  [[nodiscard]] bool is_in_progress() const noexcept { return state_ != nullptr && state_->is_in_progress(); }

  /// True when the operation ended with an error, which is put into `err`; otherwise `err` is 0.
  [[nodiscard]] bool is_error(int& err) const noexcept {
    err = state_ != nullptr && !state_->is_in_progress() ? state_->error() : 0;
    return err != 0;
  }

  /// Bytes moved so far, also after the end: EPIPE with 0 is a clean end of stream, with more a message cut
  /// short.
  [[nodiscard]] std::size_t transferred() const noexcept {
    return state_ != nullptr ? state_->transferred() : 0;
  }

  /// Asks the operation to end with ECANCELED. The completion still comes, later and from the loop, and may
  /// be a success. \return false when nothing was in progress.
  bool cancel() { return state_ != nullptr && state_->cancel(); }

  /// Ends the operation with ETIMEDOUT at `when`, unless it has completed. A new deadline replaces the old
  /// one. The loop's timers have milliseconds; a deadline is rounded up, never early. No effect on an ended
  /// operation.
  void set_deadline(std::chrono::steady_clock::time_point when) {
    if (state_ != nullptr) state_->set_deadline(when);
  }
  /// `set_deadline()` at now plus `duration`; one that the clock cannot hold never comes.
  void set_timeout(std::chrono::nanoseconds duration) { set_deadline(detail::time_after(duration)); }
  /// Takes the deadline away.
  void clear_deadline() noexcept {
    if (state_ != nullptr) state_->clear_deadline();
  }

  /// For tests and tools: runs the loop until this operation is over. The result is then there for `recv()`.
  /// \return true when it is over; else false with `err`: EDEADLK from inside a callback of the loop, EIO
  /// without an operation, ECANCELED when `Loop::stop()` was called or a callback destroyed this Request.
  bool wait(int& err) {
    if (state_ == nullptr) {
      err = EIO;
      return false;
    }
    return state_->wait(err);
  }

  /// Hands the operation to the loop; `function(Request<T>&)` runs on completion, then the operation is
  /// released. A stream or loop that goes away ends it as any other. When the result was fetched already or
  /// the loop is gone, the operation is released at once.
  template <class F>
  void detach(F function) && {
    static_assert(std::is_invocable_v<F&, Request&>, "the callback takes a Request<T>&");
    if (state_ == nullptr) return;
    if (!state_->can_call_back()) {
      std::exchange(state_, nullptr)->release();
      return;
    }
    const bool replaces = state_->has_callback();
    // When there is no memory for the function, this is still the owner.
    state_->set_callback([fn = std::move(function)](void* owned) mutable {
      Request request(static_cast<detail::RequestState*>(owned), Unadopted{});
      fn(request);
    });
    auto* const state = std::exchange(state_, nullptr);
    if (replaces && !state->can_call_back()) {
      state->release();  // what the earlier callback had captured has destroyed the loop
    } else {
      state->set_handle(state);
    }
  }
  /// Hands the operation to the loop; its result is dropped.
  void detach() && {
    std::move(*this).detach([](Request&) {});
  }

  /// For implementers: takes over the state of an operation that was just made.
  explicit Request(detail::RequestState* state) noexcept : state_(state) { adopt(); }
  /// For implementers.
  [[nodiscard]] detail::RequestState* state() const noexcept { return state_; }
  /// For implementers: gives the state away; another Request has to take it over at once.
  [[nodiscard]] detail::RequestState* take_state() && noexcept { return std::exchange(state_, nullptr); }

 private:
  /// For a handle that nobody asks for while it is not moved.
  struct Unadopted {};
  Request(detail::RequestState* state, Unadopted /*unadopted*/) noexcept : state_(state) {}
  static T failure() {
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      return T{-1};
    } else {
      return T{};
    }
  }
  void adopt() noexcept {
    if (state_ != nullptr) state_->set_handle(this);
  }

  detail::RequestState* state_ = nullptr;
};

}  // namespace tsock
