#include "core/loop/inspector.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

namespace tsock {

std::string_view trace_kind_name(TraceKind kind) noexcept {
  switch (kind) {
    case TraceKind::started:
      return "started";
    case TraceKind::finished:
      return "finished";
    case TraceKind::delivered:
      return "delivered";
    case TraceKind::abandoned:
      return "abandoned";
    case TraceKind::cancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace tsock

namespace tsock::detail {

namespace {

void dump_line(std::ostream& out, const RequestState& state, std::uint64_t now_ms, unsigned depth) {
  const std::uint32_t age_ms = static_cast<std::uint32_t>(now_ms) - state.started_ms();
  for (unsigned i = 0; i < depth; ++i) out << "  ";
  out << '#' << state.id() << ' ' << state.name() << ' ' << state.site().file() << ':' << state.site().line()
      << " age " << age_ms << " ms, " << state.transferred() << " bytes";
  if (!state.is_unfinished()) out << ", finished";
  if (const std::string_view reason = state.reason(); !reason.empty()) out << " (" << reason << ')';
  state.describe(out);
  out << '\n';
}

}  // namespace

void Inspector::trace(TraceKind kind, const RequestState& state) const {
  const std::shared_ptr<TraceFunction> function = trace_;  // the function may replace itself
  (*function)(TraceEvent{kind, state.id(), state.parent_id(), state.name(), state.site(), state.error(),
                         state.transferred(), state.reason()});
}

void Inspector::set_trace(TraceFunction function) {
  trace_ = function ? std::make_shared<TraceFunction>(std::move(function)) : nullptr;
}

void Inspector::print_tree(std::ostream& out, std::vector<const RequestState*> states, std::uint64_t now_ms) {
  std::sort(states.begin(), states.end(),
            [](const RequestState* a, const RequestState* b) { return a->id() > b->id(); });
  // Youngest first: the stack below reverses the order.
  const auto find = [&states](std::uint64_t id) {
    const auto place =
        std::lower_bound(states.begin(), states.end(), id,
                         [](const RequestState* s, std::uint64_t wanted) { return s->id() > wanted; });
    return place != states.end() && (*place)->id() == id;
  };
  std::vector<const RequestState*> children = states;
  std::stable_sort(children.begin(), children.end(), [](const RequestState* a, const RequestState* b) {
    return a->parent_id() < b->parent_id();
  });
  struct Frame {
    const RequestState* state;
    unsigned depth;
  };
  std::vector<Frame> stack;
  for (const RequestState* state : states) {
    if (state->parent_id() == 0 || !find(state->parent_id())) stack.push_back({state, 1});
  }
  while (!stack.empty()) {
    const Frame frame = stack.back();
    stack.pop_back();
    dump_line(out, *frame.state, now_ms, frame.depth);
    const std::uint64_t id = frame.state->id();
    auto child =
        std::lower_bound(children.begin(), children.end(), id,
                         [](const RequestState* s, std::uint64_t wanted) { return s->parent_id() < wanted; });
    for (; child != children.end() && (*child)->parent_id() == id; ++child)
      stack.push_back({*child, frame.depth + 1});
  }
}

}  // namespace tsock::detail
