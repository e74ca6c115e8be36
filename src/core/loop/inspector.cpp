#include "core/loop/inspector.hpp"

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <utility>

namespace tsock::inline v0 {

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

std::string_view lifecycle_kind_name(LifecycleKind kind) noexcept {
  switch (kind) {
    case LifecycleKind::connected:
      return "connected";
    case LifecycleKind::accepted:
      return "accepted";
    case LifecycleKind::handshake:
      return "handshake";
    case LifecycleKind::ended:
      return "ended";
  }
  return "unknown";
}

}  // namespace tsock::inline v0

namespace tsock::inline v0::detail {

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
  for (TraceObserver* const observer : observers_) observer->on_trace(kind, state);
  if (trace_ == nullptr) return;
  const std::shared_ptr<TraceFunction> function = trace_;  // the function may replace itself
  (*function)(TraceEvent{kind, state.id(), state.parent_id(), state.name(), state.site(), state.error(),
                         state.transferred(), state.reason()});
}

void Inspector::set_trace(TraceFunction function) {
  trace_ = function ? std::make_shared<TraceFunction>(std::move(function)) : nullptr;
  look_again();
}

void Inspector::set_lifecycle_observer(LifecycleFunction function) {
  lifecycle_ = function ? std::make_shared<LifecycleFunction>(std::move(function)) : nullptr;
}

void Inspector::tell(const LifecycleEvent& event) const {
  if (lifecycle_ == nullptr) return;
  const std::shared_ptr<LifecycleFunction> function = lifecycle_;  // the function may replace itself
  (*function)(event);
}

void Inspector::add(TraceObserver& observer) {
  observers_.push_back(&observer);
  look_again();
}

void Inspector::remove(TraceObserver& observer) noexcept {
  std::erase(observers_, &observer);
  look_again();
}

void Inspector::close() noexcept {
  trace_ = nullptr;
  lifecycle_ = nullptr;
  const std::vector<TraceObserver*> told = std::move(observers_);
  observers_.clear();
  look_again();
  for (TraceObserver* const observer : told) observer->loop_closed();
}

void Inspector::start_timer(std::size_t most_slow) {
  timer_.start(most_slow);
  look_again();
}

void Inspector::stop_timer() noexcept {
  timer_.stop();
  look_again();
}

void Inspector::look_again() noexcept {
  is_traced_ = trace_ != nullptr || !observers_.empty();
  sees_deliveries_ = is_traced_ || timer_.is_on();
}

void Inspector::walk_tree(std::vector<const RequestState*> states, const Visit& visit) {
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
  std::sort(children.begin(), children.end(), [](const RequestState* a, const RequestState* b) {
    return a->parent_id() != b->parent_id() ? a->parent_id() < b->parent_id() : a->id() > b->id();
  });
  struct Visited {
    const RequestState* state;
    unsigned depth;
  };
  std::vector<Visited> stack;
  for (const RequestState* state : states) {
    if (state->parent_id() == 0 || !find(state->parent_id())) stack.push_back({state, 1});
  }
  while (!stack.empty()) {
    const Visited frame = stack.back();
    stack.pop_back();
    visit(*frame.state, frame.depth);
    const std::uint64_t id = frame.state->id();
    auto child =
        std::lower_bound(children.begin(), children.end(), id,
                         [](const RequestState* s, std::uint64_t wanted) { return s->parent_id() < wanted; });
    for (; child != children.end() && (*child)->parent_id() == id; ++child)
      stack.push_back({*child, frame.depth + 1});
  }
}

void Inspector::print_tree(std::ostream& out, std::vector<const RequestState*> states, std::uint64_t now_ms) {
  walk_tree(std::move(states), [&out, now_ms](const RequestState& state, unsigned depth) {
    dump_line(out, state, now_ms, depth);
  });
}

void Inspector::print_times(std::ostream& out, const CallbackTimes& times) {
  const auto micros = [](std::chrono::nanoseconds time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  };
  out << "callbacks: " << times.count << " timed, " << micros(times.total) << " us in all, longest "
      << micros(times.longest) << " us\n";
  for (std::size_t bucket = 0; bucket < CallbackTimes::buckets; ++bucket) {
    if (times.histogram[bucket] == 0) continue;
    const bool is_last = bucket + 1 == CallbackTimes::buckets;
    out << (is_last ? "  longer: " : "  < " + std::to_string(micros(CallbackTimes::bound(bucket))) + " us: ")
        << times.histogram[bucket] << '\n';
  }
  for (const SlowCallback& slow : times.slowest) {
    out << "  " << micros(slow.longest) << " us " << slow.name;
    if (slow.site.line() != 0) out << ' ' << slow.site.file() << ':' << slow.site.line();
    out << '\n';
  }
}

}  // namespace tsock::inline v0::detail
