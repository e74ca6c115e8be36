#include "core/loop/loop_core.hpp"

#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "core/loop/json_dump.hpp"

namespace tsock::inline v0::detail {

LoopCore::LoopCore(Loop& loop, std::pmr::memory_resource* memory) noexcept : loop_(&loop), pool_(memory) {}

LoopCore::~LoopCore() = default;

// Called between the steps of a request: an exception from the trace function must not prevent the next step.
void LoopCore::trace(TraceKind kind, const RequestState& state) noexcept {
  const StepScope scope(*this);
  try {
    inspector_.trace(kind, state);
  } catch (...) {
    keep_exception(std::current_exception());
  }
}

void LoopCore::tell(const LifecycleEvent& event) noexcept {
  const StepScope scope(*this);
  try {
    inspector_.tell(event);
  } catch (...) {
    keep_exception(std::current_exception());
  }
}

void LoopCore::set_trace(TraceFunction function) {
  inspector_.set_trace(std::move(function));
  state_cache_.turn(!is_traced() && !is_closed());
}

void LoopCore::add(TraceObserver& observer) {
  inspector_.add(observer);
  state_cache_.turn(false);
}

void LoopCore::remove(TraceObserver& observer) noexcept {
  inspector_.remove(observer);
  state_cache_.turn(!is_traced() && !is_closed());
}

std::size_t LoopCore::live_blocks() const noexcept {
  return pool_.live() - state_cache_.size() + leases_.held_chunks();
}

// Returns what is left of the budget.
unsigned LoopCore::run_ready(unsigned budget) {
  using Phase = ReadyNode::Phase;
  for (; budget != 0 && !ready_.empty(); --budget) {
    auto& node = static_cast<ReadyNode&>(ready_.take_first());
    if (node.phase() != Phase::finished) [[unlikely]] {
      census_.set_current_parent(0);
      if (inspector_.sees_deliveries()) [[unlikely]] {
        run_watched(node);
      } else {
        node.run();
      }
      continue;
    }
    auto& state = static_cast<RequestState&>(node);
    state.phase_ = Phase::delivered;
    census_.count_end();
    if (inspector_.sees_deliveries()) [[unlikely]] {
      deliver_watched(state);
      continue;
    }
    if (state.has(RequestState::plain_delivery)) [[likely]] {
      state.leave_resource();
    } else if (!state.deliver()) [[unlikely]] {
      continue;
    }
    state.call_back();
  }
  return budget;
}

// Code of the user that a request runs before its end, such as a reader of vectors, or a watermark function.
[[gnu::noinline]] void LoopCore::run_watched(ReadyNode& node) {
  if (!call_timer().is_on()) {
    node.run();
    return;
  }
  const RequestState* const state = node.as_request();
  const TimedCall call(*this, state != nullptr ? state->name() : "task",
                       state != nullptr ? state->site() : CallSite());
  node.run();
}

[[gnu::noinline]] void LoopCore::deliver_watched(RequestState& state) {
  if (is_traced()) {
    trace(TraceKind::delivered, state);
    if (is_closing()) {
      state.leave_before_call();
      return;
    }
  }
  std::optional<TimedCall> call;
  if (call_timer().is_on()) call.emplace(*this, state.name(), state.site());
  if (state.has(RequestState::plain_delivery)) {
    state.leave_resource();
  } else if (!state.deliver()) {
    return;
  }
  state.call_back();
}

// Begins a request that asked to begin from the loop.
void LoopCore::begin(RequestState& state) {
  state.mark(RequestState::known_to_loop);
  beginning_ = &state;
  list_unfinished(state);
  census_.set_current_parent(state.parent_id_);
  state.begin();
}

bool LoopCore::may_output_wait() noexcept {
  const bool waits = output_batch_.may_wait();
  if (waits && output_batch_.is_first()) ask_for_turn_end();
  return waits;
}

void LoopCore::end_turn() noexcept {
  output_batch_.end(true);
  if (has_work()) drain();
}

// Moves the list first: a resource that asks again while it runs has to wait for another turn.
void LoopCore::begin_turn(std::uint64_t now_ms) noexcept {
  remove_drain_cause(woken_up);
  now_ms_ = now_ms;
  if (next_turn_resources_.empty()) return;
  add_drain_cause(in_event);
  NodeList due;
  due.take_front(next_turn_resources_, *next_turn_resources_.last());
  while (!due.empty()) {
    auto& resource = static_cast<LoopResource&>(due.front());
    cancel_flush(resource);
    resource.on_next_turn();
  }
}

void LoopCore::drain(bool output_may_wait) noexcept {
  if (is_draining()) return;
  add_drain_cause(draining);
  unsigned budget = completions_per_turn;
  bool thrown = false;
  do {
    try {
      budget = run_ready(budget);
    } catch (...) {
      thrown = true;
      keep_exception(std::current_exception());
    }
    census_.set_current_parent(0);
    if (output_may_wait && !flushes_.empty() && may_output_wait()) break;
    output_may_wait = false;
    output_batch_.end(false);
    // Output that is scheduled during these flushes leaves in the next round, so that no resource can hold
    // the turn.
    for (ListNode* last = flushes_.end()->prev; !flushes_.empty();) {
      auto& resource = static_cast<LoopResource&>(flushes_.front());
      const bool done = &resource == last;
      cancel_flush(resource);
      resource.on_flush();
      if (done) break;
    }
  } while (!ready_.empty() && budget != 0 && !thrown);
  leases_.clear();
  keep_alive_while_busy();
  remove_drain_cause(draining);
  remove_drain_cause(in_event);
  if (!ready_.empty() || (!flushes_.empty() && !output_may_wait)) wake_up();
}

void LoopCore::keep_exception(std::exception_ptr exception) noexcept {
  if (exception_ == nullptr) exception_ = std::move(exception);
  interrupt_run();
}

std::size_t LoopCore::trim() noexcept {
  // The pool counts cached states as blocks in use, so empty the cache first.
  const bool keeps_states = state_cache_.is_on();
  state_cache_.turn(false);
  const std::size_t freed = pool_.trim();
  state_cache_.turn(keeps_states);
  return freed;
}

LoopMetrics LoopCore::metrics() const noexcept {
  LoopMetrics metrics = metrics_;
  metrics.completions = census_.completions();
  metrics.in_progress = in_progress();
  metrics.deadlines = deadlines_.size();
  return metrics;
}

void LoopCore::expire(Clock::time_point now) {
  deadlines_.set_armed(Clock::time_point::max());
  while (RequestState* const state = deadlines_.take_due(now)) state->on_deadline();
  if (!deadlines_.empty()) {
    deadlines_.set_armed(deadlines_.earliest());
    arm_timer(deadlines_.earliest());
  }
}

void LoopCore::chunk_is_free(ReceiveChunk& chunk) noexcept {
  leases_.chunk_is_free(chunk);
  last_block_is_back();
}

void LoopCore::close() noexcept {
  first_marks_ = RequestState::marks(RequestState::loop_gone);
  state_cache_.turn(false);
  for (NodeList* list : {&flushes_, &next_turn_resources_, &resources_}) {
    while (!list->empty()) {
      auto& resource = static_cast<LoopResource&>(list->front());
      resource.unlink();
      resource.loop_closed();
    }
  }
  leases_.drop();
  for (NodeList* list : {&live_, &ready_}) {
    while (!list->empty()) {
      auto& node = static_cast<ReadyNode&>(list->front());
      node.unlink();
      if (RequestState* const state = node.as_request(); state != nullptr) state->leave_loop();
    }
  }
  inspector_.close();
}

std::vector<const RequestState*> LoopCore::requests() {
  std::vector<const RequestState*> states;
  for (NodeList* list : {&live_, &ready_}) {
    for (ListNode* place = list->first(); place != list->end(); place = place->next) {
      const RequestState* const state = static_cast<ReadyNode&>(*place).as_request();
      if (state != nullptr) states.push_back(state);
    }
  }
  for (NodeList* list : {&flushes_, &next_turn_resources_, &resources_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next) {
      static_cast<LoopResource*>(node)->for_each_request(
          [](void* found, RequestState& state) {
            static_cast<std::vector<const RequestState*>*>(found)->push_back(&state);
          },
          &states);
    }
  }
  return states;
}

void LoopCore::dump(std::ostream& out) {
  out << "loop: " << in_progress() << (in_progress() == 1 ? " request" : " requests") << " in progress, "
      << deadlines_.size() << (deadlines_.size() == 1 ? " deadline" : " deadlines") << '\n';
  Inspector::print_tree(out, requests(), now_ms_);
  if (call_timer().is_on()) Inspector::print_times(out, call_timer().times());
}

void LoopCore::dump_json(std::ostream& out) {
  std::string text;
  write_dump(text, metrics(), call_timer().times(), requests(), now_ms_);
  out << text;
}

}  // namespace tsock::inline v0::detail
