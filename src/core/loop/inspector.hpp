#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <tsock/detail/request_state.hpp>
#include <tsock/trace.hpp>
#include <vector>

namespace tsock::detail {

/// Shows the requests of a loop to the user, through the trace function and in the lines of a dump.
class Inspector {
 public:
  [[nodiscard]] bool is_traced() const noexcept { return trace_ != nullptr; }
  /// An empty function ends the trace.
  void set_trace(TraceFunction function);
  /// Calls the trace function, which may throw or set another one. \pre is_traced()
  void trace(TraceKind kind, const RequestState& state) const;

  /// Prints one line for each request: children below their parents, the oldest first.
  static void print_tree(std::ostream& out, std::vector<const RequestState*> states, std::uint64_t now_ms);

 private:
  std::shared_ptr<TraceFunction> trace_;
};

}  // namespace tsock::detail
