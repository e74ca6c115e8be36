#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <tsock/detail/request_state.hpp>
#include <tsock/result.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {

class Loop;

namespace detail {
/// False, once the types are known.
template <class... T>
inline constexpr bool never = false;

/// True for a result type that is also valid after a failure: `static constexpr bool valid_on_error = true`.
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
/// A started operation completes exactly once, from the loop and never inside the call that started it.
/// Errors of arguments arrive the same way. There are three distinct ends:
///  - *completion*: the callback runs, and `recv()` fetches the result or the errno value
///  - `cancel()` asks for an end: the completion still comes, with ECANCELED or, if it was too late, with
///    success
///  - *destroying* the Request abandons the operation: no callback runs, and when the destructor returns,
///    tsock holds no pointer into the caller's buffers. Declare buffers before the Request that uses them.
///
/// A Request is bound to its Loop's thread. It may be moved and destroyed anywhere, also in its own callback.
/// \tparam T what `recv()` returns. After a failure a signed count is -1, and any other type is default
/// constructed.
template <class T>
class [[nodiscard]] Request {
 public:
  using value_type = T;

  /// No operation: `is_in_progress()` is false and `recv()` gives EIO.
  Request() noexcept = default;
  Request(Request&& other) noexcept : state_(std::exchange(other.state_, nullptr)) { adopt(); }
  Request& operator=(Request&& other) noexcept {
    auto* const state = std::exchange(other.state_, nullptr);  // first: `other` may be this object
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

  /// True if the handle has an operation, in progress or ended.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Sets the function that runs on completion: `function(Request<T>&)`, called once from the loop with this
  /// handle, wherever it was moved to. Replaces an earlier callback. Makes no heap allocation: a callable of
  /// more than 24 bytes is stored in the loop's pool. If the request completed while no callback was set, the
  /// callback runs on the next turn. After `recv()`, and when the loop is destroyed, it never runs and is
  /// destroyed at once.
  template <class F>
  void set_callback(F function) {
    check_callback<F>();
    if (state_ == nullptr) return;
    state_->set_callback(
        [fn = std::move(function)](void* handle) mutable { fn(*static_cast<Request*>(handle)); });
  }

  /// Abandons the operation and takes over the one that `make()` starts: `r.restart([&] { return
  /// stream.read(buffer); })`. An assignment would start the new one first, which gives EBUSY and ends the
  /// old one all the same. The callback is destroyed with the old operation.
  template <class F>
  void restart(F make) {
    static_assert(
        std::is_invocable_r_v<Request, F&>,
        "tsock: restart(make): make() starts the new operation and returns its Request<T>, of this T");
    *this = Request();
    *this = make();
  }

  /// Removes the callback; the operation goes on.
  void clear_callback() noexcept {
    if (state_ != nullptr) state_->clear_callback();
  }

  /// Fetches the result, once. `err` becomes 0 or the operation's positive errno value; EIO while the
  /// operation is in progress, after the result was fetched, and without an operation. A result type with
  /// `valid_on_error` is returned after a failure, too.
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

  /// The same, for structured bindings: `auto [value, err] = request.recv();`, without a value
  /// `auto [err] = request.recv();`.
  [[nodiscard]] Result<T> recv() {
    if constexpr (std::is_void_v<T>) {
      Result<T> result;
      recv(result.err);
      return result;
    } else {
      int err = 0;
      T value = recv(err);
      return {std::move(value), err};
    }
  }

  /// True until the completion is delivered.
  [[nodiscard]] bool is_in_progress() const noexcept { return state_ != nullptr && state_->is_in_progress(); }

  /// True if the operation ended with an error, which is stored in `err`; otherwise `err` is 0.
  [[nodiscard]] bool is_error(int& err) const noexcept {
    err = state_ != nullptr && !state_->is_in_progress() ? state_->error() : 0;
    return err != 0;
  }

  /// Sets the function that runs while the operation goes on, each time it says that it got further:
  /// `function(Request<T>&)`, called from the loop, after several steps of one turn once, and never after the
  /// end. Replaces an earlier one; makes a heap allocation. A request that was detached calls none. (tevent:
  /// tevent_req_notify_callback) \return false, and the function is dropped, for an operation that says
  /// nothing on its way: all but those of a class of the user, see `Operation::notify()`
  template <class F>
  bool set_progress_callback(F function) {
    check_callback<F>();
    if (state_ == nullptr || !state_->is_unfinished()) return false;
    std::unique_ptr<detail::InlineFunction>* const place = state_->progress_function();
    if (place == nullptr) return false;
    auto made = std::make_unique<detail::InlineFunction>();
    made->emplace_first(state_->core(), [fn = std::move(function)](void* handle) mutable {
      fn(*static_cast<Request*>(handle));
    });
    std::swap(*place, made);  // what the earlier one had captured goes last
    return true;
  }

  /// Bytes moved so far, also after the end. EPIPE with 0 is a clean end of stream, with more a message that
  /// was cut short.
  [[nodiscard]] std::size_t transferred() const noexcept {
    return state_ != nullptr ? state_->transferred() : 0;
  }

  /// Why the operation failed, in words, where errno is too little: "certificate has expired". Empty while it
  /// is in progress, after a success, and where there is nothing to add. Valid as long as this Request holds
  /// the operation.
  [[nodiscard]] std::string_view reason() const noexcept {
    return state_ != nullptr && !state_->is_in_progress() ? state_->reason() : std::string_view();
  }

  /// Asks the operation to end with ECANCELED. The completion still comes, later and from the loop, and may
  /// be a success. \return false if nothing was in progress.
  bool cancel() { return state_ != nullptr && state_->cancel(); }

  /// Ends the operation with ETIMEDOUT at `when`, unless it has completed. A new deadline replaces the old
  /// one. The loop's timers count milliseconds; a deadline is rounded up, never early. No effect on an ended
  /// operation.
  void set_deadline(std::chrono::steady_clock::time_point when) {
    if (state_ != nullptr) state_->set_deadline(when);
  }
  /// `set_deadline()` at now plus `duration`; a time beyond the range of the clock never comes.
  void set_timeout(std::chrono::nanoseconds duration) { set_deadline(detail::time_after(duration)); }
  /// Removes the deadline.
  void clear_deadline() noexcept {
    if (state_ != nullptr) state_->clear_deadline();
  }

  /// For tests and tools: runs the loop until this operation has ended; `recv()` then has the result. \return
  /// true when it has ended; else false with `err`:
  ///  - EDEADLK: called inside a callback of the loop
  ///  - EIO: no operation
  ///  - ECANCELED: `Loop::stop()` was called, or a callback destroyed this Request
  bool wait(int& err) {
    if (state_ == nullptr) {
      err = EIO;
      return false;
    }
    return state_->wait(err);
  }

  /// Hands the operation to the loop; `function(Request<T>&)` runs on completion, then the operation is
  /// released. Destroying its stream or loop ends it like any other. If the result was already fetched or the
  /// loop is destroyed, the operation is released at once.
  template <class F>
  void detach(F function) && {
    check_callback<F>();
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
  /// Does not compile, and says why.
  template <class... F>
  void detach(F&&... /*function*/) & {
    static_assert(detail::never<F...>,
                  "tsock: detach() gives the operation away: write std::move(request).detach(...)");
  }

  /// For implementers: takes over the state of an operation that was just made.
  explicit Request(detail::RequestState* state) noexcept : state_(state) { adopt(); }
  /// For implementers.
  [[nodiscard]] detail::RequestState* state() const noexcept { return state_; }
  /// For implementers: gives the state away; another Request has to take it over at once.
  [[nodiscard]] detail::RequestState* take_state() && noexcept { return std::exchange(state_, nullptr); }

 private:
  /// For a handle whose address the state does not need to know.
  struct Unadopted {};
  Request(detail::RequestState* state, Unadopted /*unadopted*/) noexcept : state_(state) {}
  template <class F>
  static constexpr void check_callback() noexcept {
    static_assert(std::is_invocable_v<F&, Request&>,
                  "tsock: the callback of a Request<T> is called with a Request<T>&, of this T: write "
                  "[](tsock::Request<T>& request) or [](auto& request)");
  }
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

}  // namespace tsock::inline v0
