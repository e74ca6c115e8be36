#pragma once

#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <memory>
#include <new>
#include <tsock/call_site.hpp>
#include <tsock/callback_times.hpp>
#include <tsock/detail/posted_function.hpp>
#include <tsock/export.hpp>
#include <tsock/lifecycle.hpp>
#include <tsock/loop_metrics.hpp>
#include <tsock/loop_options.hpp>
#include <tsock/request.hpp>
#include <tsock/trace.hpp>
#include <type_traits>
#include <utility>

struct uv_loop_s;
namespace spdlog {
class logger;
}

namespace tsock::inline v0 {

namespace detail {
class LoopCore;
class LoopImpl;

/// Destroys a loop's inner part, or leaves it alive until its last block is returned.
struct LoopRelease {
  void operator()(LoopImpl* impl) const noexcept;
};

}  // namespace detail

/// The event loop: owns a libuv loop, or borrows one that the application runs. Everything started on a Loop
/// completes on the thread that runs it; only `post()` may be called from another thread.
///
/// The Loop may be destroyed before the objects made on it: their requests then end with ECANCELED without a
/// callback, and streams and listeners are closed. An operation started on such an object afterwards ends at
/// once in the same way. (A moved-from Stream, Datagram or Listener then has to be assigned to or destroyed.)
/// A callback may destroy the Loop, too: `run()`, `run_once()`, `run_until_idle()` and `wait()` return when
/// the callback has returned, without calling anything else.
class TSOCK_EXPORT Loop {
 public:
  /// A Loop with a libuv loop of its own. \throws std::system_error when the system gives none.
  Loop();
  /// As above, with options.
  explicit Loop(const LoopOptions& options);
  /// Works on a libuv loop that the application owns. tsock never closes it, and runs it only when the
  /// application calls `run()`, `run_once()` or `run_until_idle()`. The application keeps it running (or runs
  /// it once more) after this object is destroyed, so that libuv can close handles. \throws std::system_error
  explicit Loop(uv_loop_s* borrowed, const LoopOptions& options = {});
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  Loop(Loop&&) = delete;
  Loop& operator=(Loop&&) = delete;
  ~Loop();

  /// Runs until no request is in progress (and no other libuv handle is active), or until `stop()`. An
  /// exception thrown by a callback comes out here; the loop can be run again afterwards.
  void run();
  /// Waits for an event and handles it. A signal that was not asked for by `signal()` is none: a handler of
  /// the application's own that is to end the wait calls for one, through a pipe say. \return false when
  /// nothing is left to wait for.
  bool run_once();
  /// Handles everything that can be handled without waiting; never blocks.
  void run_until_idle();
  /// Makes `run()` return after the current turn. May be called in a callback, before the run, and in
  /// `post()`ed functions.
  void stop() noexcept;
  /// For applications that run a borrowed loop themselves: throws the exception that a callback has thrown,
  /// if any. That exception also stopped the libuv loop.
  void rethrow();

  /// Runs `function()` on the loop's thread and wakes a waiting loop. May be called from any thread while the
  /// Loop lives, also while it stops or is not running. Functions run in the order of the calls and none is
  /// lost; those that no run takes are destroyed with the Loop.
  template <class F>
  void post(F function) {
    using Callable = detail::PostedCallable<F>;
    if constexpr (Callable::fits_block()) {
      post_function(*::new (post_block()) Callable(std::move(function)));
    } else {
      post_function(*std::make_unique<Callable>(std::move(function)).release());
    }
  }

  /// Completes after `duration`, rounded up to milliseconds; never early. Zero completes on the next turn.
  Request<void> sleep(std::chrono::nanoseconds duration, CallSite site = CallSite::current());
  /// Completes at `when`, rounded up to milliseconds, never early; on the next turn when that is past.
  Request<void> sleep_until(std::chrono::steady_clock::time_point when, CallSite site = CallSite::current());
  /// Completes with the signal's number when it is delivered. Several requests for one signal all complete.
  /// The first request for a signal catches it until the end of the Loop, even if it was ignored before; its
  /// disposition is then restored. A signal that arrives between two requests completes the next one at once.
  /// EINVAL for a signal that cannot be caught.
  Request<int> signal(int signum, CallSite site = CallSite::current());

  /// Writes every request in progress as a tree: name, file:line of the caller, age, bytes so far, peer.
  void dump(std::ostream& out) const;
  /// The same as JSON, in one line, without a line feed:
  ///
  ///     {"schema": 1, "in_progress": 2, "deadlines": 0, "metrics": {...}, "requests": [...], "callbacks":
  ///     {...}}
  ///
  /// Each request stands behind its parent, with `id`, `parent` (0 for none), `depth`, `name`, `file`,
  /// `line`, `age_ms`, `transferred`, `finished`, `reason`, `detail` (the facts at the end of a line of
  /// `dump()`) and `on`: a number, the same for requests on one stream, socket or listener, which
  /// `on_what` describes; 0 for none.
  /// `callbacks` is there while callbacks are timed. Times are in milliseconds (`_ms`) and nanoseconds
  /// (`_ns`). A new member does not change the number `schema`.
  void dump_json(std::ostream& out) const;
  [[nodiscard]] LoopMetrics metrics() const noexcept;
  /// Measures from now on how long each callback holds the loop, and begins with empty counts. Costs two
  /// readings of the clock for each callback; nothing while it is off. \param most_slow places to keep
  void start_callback_timing(std::size_t most_slow = 16);
  /// Stops measuring; `callback_times()` keeps what was measured.
  void stop_callback_timing() noexcept;
  /// What was measured. A callback counts when it returns; with it, in the same measure, the end of its
  /// operation (`Operation::cleanup()` and the destructor).
  [[nodiscard]] CallbackTimes callback_times() const;
  /// Gives memory back to the system that a peak has left: the loop keeps what its streams and requests have
  /// used for the next ones. A loop that rests does it by itself (`LoopOptions::trim_after`). For a quiet
  /// moment, as it takes a step for each block that is free, and the next ones take memory anew. \return
  /// bytes that the loop gives back; how many of them the C library passes on at once is its own choice
  /// (glibc is asked to, malloc_trim(3))
  std::size_t trim() noexcept;
  /// Sets the logger for warnings and debug lines. The default is spdlog's default logger at the time of the
  /// first line; null is silent.
  void set_logger(std::shared_ptr<spdlog::logger> logger);
  /// Sets a function that is called for every step of every request; an empty function ends tracing.
  void set_trace(TraceFunction function);
  /// Sets a function that is called when a connect, an accept or the handshake of a layer ends, and when a
  /// stream that came of one is closed; an empty function ends that. It sees the streams that are made from
  /// then on, and costs reads and writes nothing.
  void set_lifecycle_observer(LifecycleFunction function);

  /// To be called in the child after fork(), before anything else of the loop: gives the loop its own copy of
  /// what it shares with the parent; see uv_loop_fork. A loop that is destroyed, run or used without this
  /// call notices the fork and does the same, so a child may also just destroy its copies: the parent keeps
  /// receiving the events of its descriptors. (A child made by the bare clone(2), without fork handlers, is
  /// not noticed.) Work of worker threads on files and names ends with ECANCELED in the child. \return 0 or
  /// an errno value.
  int after_fork_in_child() noexcept;
  /// libuv's loop, for handles of the application's own, or to wait for it (`uv_backend_fd`). On Linux a loop
  /// of tsock's runs its turns by itself until this function is called, and from then on leaves them to
  /// libuv, which makes each turn a little dearer: so do not call it without a need. If tsock owns the loop,
  /// run it with `run()`, `run_once()` or `run_until_idle()`: if a callback destroys the Loop inside a
  /// uv_run() of the application, tsock cannot tell when that returns, and the memory of the uv_loop_t is
  /// leaked (with a warning). The application's own loop may be run either way.
  [[nodiscard]] uv_loop_s* native_handle() const noexcept;
  /// For implementers.
  [[nodiscard]] detail::LoopCore& core() const noexcept;

 protected:
  /// For the stand-in of a Loop that was destroyed; it does not own the inner part.
  explicit Loop(detail::LoopImpl& impl) noexcept : impl_(&impl) {}
  void disown() noexcept { static_cast<void>(impl_.release()); }

 private:
  void* post_block();
  void post_function(detail::PostedFunction& function) noexcept;

  std::unique_ptr<detail::LoopImpl, detail::LoopRelease> impl_;
};

}  // namespace tsock::inline v0
