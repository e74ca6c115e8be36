#pragma once

#include <chrono>
#include <iosfwd>
#include <memory>
#include <new>
#include <tsock/call_site.hpp>
#include <tsock/detail/posted_function.hpp>
#include <tsock/export.hpp>
#include <tsock/loop_metrics.hpp>
#include <tsock/request.hpp>
#include <tsock/trace.hpp>
#include <type_traits>
#include <utility>

struct uv_loop_s;
namespace spdlog {
class logger;
}

namespace tsock {

namespace detail {
class LoopCore;
class LoopImpl;

/// Lets a loop's inner part go; it may live on until its last block is back.
struct LoopRelease {
  void operator()(LoopImpl* impl) const noexcept;
};

}  // namespace detail

/// The event loop: owns a libuv loop, or borrows one that the application runs. Everything that was started
/// on a Loop completes on the thread that runs it; only `post()` may be called from another thread.
///
/// The Loop may go before the objects that were made on it: their requests then end with ECANCELED without a
/// callback, streams and listeners are closed. What is started on such an object afterwards is over at once
/// and the same way. (A Stream or Datagram that was moved from has to be assigned to or destroyed then.) A
/// callback may destroy the Loop, too: `run()`, `run_once()`, `run_until_idle()` and `wait()` return when the
/// callback has, without calling anything else.
class TSOCK_EXPORT Loop {
 public:
  /// A loop of its own. \throws std::system_error when the system gives none.
  Loop();
  /// Works on a libuv loop that the application owns and runs; it is never run or closed by tsock, but for
  /// `run()` and its siblings when the application calls them. The application keeps it running (or runs it
  /// once more) after this object is gone, as libuv needs for handles to close. \throws std::system_error
  explicit Loop(uv_loop_s* borrowed);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  Loop(Loop&&) = delete;
  Loop& operator=(Loop&&) = delete;
  ~Loop();

  /// Runs until no request is in progress (and no other handle of libuv's is active), or until `stop()`. An
  /// exception that a callback lets out comes out here; the loop can be run again afterwards.
  void run();
  /// Waits for something to happen and handles it. \return false when nothing is left to wait for.
  bool run_once();
  /// Handles what can be handled without waiting; never blocks.
  void run_until_idle();
  /// Makes `run()` return after the turn; may be called in a callback, before the run, and in `post()`ed
  /// functions.
  void stop() noexcept;
  /// For applications that run a borrowed loop themselves: throws what a callback let out, if anything. The
  /// libuv loop was stopped by it.
  void rethrow();

  /// Runs `function()` on the loop's thread. May be called from any thread while the Loop lives, also while
  /// it stops or is not running: functions run in the order in which they came, none is lost; those that no
  /// run takes are destroyed with the Loop. Wakes a waiting loop.
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
  /// Completes with the signal's number when it is delivered. The signal stays caught from the first request
  /// on to the end of the Loop, also one that was ignored before; then it has the disposition again that it
  /// had. One that came between two requests completes the next one at once. EINVAL for a signal that cannot
  /// be caught. Several requests for one signal all complete.
  Request<int> signal(int signum, CallSite site = CallSite::current());

  /// Writes every request in progress as a tree: name, file:line of the caller, age, bytes so far, peer.
  void dump(std::ostream& out) const;
  [[nodiscard]] LoopMetrics metrics() const noexcept;
  /// Where warnings and debug lines go; by default spdlog's default logger at the time of the first line.
  /// Null is silent.
  void set_logger(std::shared_ptr<spdlog::logger> logger);
  /// Called for every step of every request; an empty function ends it.
  void set_trace(TraceFunction function);

  /// To be called in the child after fork(), before anything else of the loop, which then has what it shared
  /// with the parent for itself; see uv_loop_fork. A loop that is destroyed, run or used without it notices
  /// the fork by itself and does the same, so a child may also just let its copies go: the parent keeps
  /// hearing of its descriptors. (A child made by the bare clone(2), without fork handlers, is not noticed.)
  /// What worker threads did for files and names ends with ECANCELED in the child. \return 0 or errno value.
  int after_fork_in_child() noexcept;
  /// libuv's loop. One that tsock owns is to be run by `run()` and its siblings: when a callback destroys the
  /// Loop under a uv_run() of the application, nobody can tell when that returns, and the memory of the
  /// uv_loop_t stays (with a warning). The application's own loop may be run either way.
  [[nodiscard]] uv_loop_s* native_handle() const noexcept;
  /// For implementers.
  [[nodiscard]] detail::LoopCore& core() const noexcept;

 protected:
  /// For one that stands in for a Loop that is gone, and does not own the inner part.
  explicit Loop(detail::LoopImpl& impl) noexcept : impl_(&impl) {}
  void disown() noexcept { static_cast<void>(impl_.release()); }

 private:
  void* post_block();
  void post_function(detail::PostedFunction& function) noexcept;

  std::unique_ptr<detail::LoopImpl, detail::LoopRelease> impl_;
};

}  // namespace tsock
