#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <tsock/detail/request_state.hpp>
#include <tsock/lifecycle.hpp>
#include <tsock/trace.hpp>
#include <vector>

#include "core/loop/call_timer.hpp"
#include "core/loop/trace_observer.hpp"

namespace tsock::inline v0::detail {

/// Shows the requests of a loop to the user: through the trace function and observers, in the lines of a
/// dump, and by the times of callbacks.
class Inspector {
 public:
  [[nodiscard]] bool is_traced() const noexcept { return is_traced_; }
  /// An empty function ends the user's trace.
  void set_trace(TraceFunction function);
  /// \throws std::bad_alloc
  void add(TraceObserver& observer);
  void remove(TraceObserver& observer) noexcept;
  /// Ends all traces; tells the observers.
  void close() noexcept;
  /// Calls the observers and the trace function, which may throw or set another one. \pre is_traced()
  void trace(TraceKind kind, const RequestState& state) const;

  [[nodiscard]] bool watches_lifecycle() const noexcept { return lifecycle_ != nullptr; }
  void set_lifecycle_observer(LifecycleFunction function);
  /// Calls the observer, which may throw or set another one.
  void tell(const LifecycleEvent& event) const;

  /// Whether somebody wants to know of deliveries: a trace, or the timer of callbacks.
  [[nodiscard]] bool sees_deliveries() const noexcept { return sees_deliveries_; }
  void start_timer(std::size_t most_slow);
  void stop_timer() noexcept;
  [[nodiscard]] CallTimer& timer() noexcept { return timer_; }
  [[nodiscard]] const CallTimer& timer() const noexcept { return timer_; }

  /// Visits the requests as a tree: children behind their parents, the oldest first. Depth 1 has no parent.
  using Visit = std::function<void(const RequestState& state, unsigned depth)>;
  static void walk_tree(std::vector<const RequestState*> states, const Visit& visit);
  /// Prints one line for each request.
  static void print_tree(std::ostream& out, std::vector<const RequestState*> states, std::uint64_t now_ms);
  static void print_times(std::ostream& out, const CallbackTimes& times);

 private:
  void look_again() noexcept;

  std::shared_ptr<TraceFunction> trace_;
  std::shared_ptr<LifecycleFunction> lifecycle_;
  std::vector<TraceObserver*> observers_;
  CallTimer timer_;
  bool is_traced_ = false;
  bool sees_deliveries_ = false;
};

}  // namespace tsock::inline v0::detail
