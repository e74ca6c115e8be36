#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <tsock/detail/request_state.hpp>
#include <tsock/trace.hpp>
#include <vector>

namespace tsock::detail {

/// What shows the requests of a loop to the user: the trace function, and the lines of a dump.
class Inspector {
 public:
  [[nodiscard]] bool is_traced() const noexcept { return trace_ != nullptr; }
  /// An empty function ends the trace.
  void set_trace(TraceFunction function);
  /// While `is_traced()`. Throws what the function throws; the function may set another one.
  void trace(TraceKind kind, const RequestState& state) const;

  /// One line for each request, children below their parents, the oldest first.
  static void print_tree(std::ostream& out, std::vector<const RequestState*> states, std::uint64_t now_ms);

 private:
  std::shared_ptr<TraceFunction> trace_;
};

}  // namespace tsock::detail
