#pragma once

#include <tsock/detail/request_state.hpp>
#include <tsock/trace.hpp>

namespace tsock::inline v0::detail {

/// One who is told every step of every request, beside the user's trace function. It starts, cancels and
/// destroys nothing of tsock in the call.
class TraceObserver {
 public:
  virtual void on_trace(TraceKind kind, const RequestState& state) noexcept = 0;
  /// The loop ends; it has forgotten the observer.
  virtual void loop_closed() noexcept = 0;

 protected:
  ~TraceObserver() = default;
};

}  // namespace tsock::inline v0::detail
