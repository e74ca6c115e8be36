#include "core/loop/loop_core.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <ostream>
#include <utility>
#include <vector>

#include "core/loop/receive_batch.hpp"

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

LoopCore::LoopCore(Loop& loop) noexcept : loop_(&loop) {}

LoopCore::~LoopCore() = default;

// Everywhere between two steps of a request: what the function throws must not keep it from the next one.
void LoopCore::trace(TraceKind kind, const RequestState& state) noexcept {
  const std::shared_ptr<TraceFunction> function = trace_;  // it may set another one
  const StepScope scope(*this);
  try {
    (*function)(TraceEvent{kind, state.id(), state.parent_id(), state.name(), state.site(), state.error(),
                           state.transferred()});
  } catch (...) {
    keep_exception(std::current_exception());
  }
}

void LoopCore::set_trace(TraceFunction function) {
  trace_ = function ? std::make_shared<TraceFunction>(std::move(function)) : nullptr;
  state_cache_.turn(trace_ == nullptr && !is_closed());
}

std::size_t LoopCore::live_blocks() const noexcept {
  return pool_.live() - state_cache_.size() + held_chunks_;
}

// Returns what is left of the budget.
unsigned LoopCore::run_ready(unsigned budget) {
  using Phase = ReadyNode::Phase;
  for (; budget != 0 && !ready_.empty(); --budget) {
    auto& node = static_cast<ReadyNode&>(ready_.take_first());
    if (node.phase() != Phase::finished) [[unlikely]] {
      current_parent_ = 0;
      node.run();
      continue;
    }
    auto& state = static_cast<RequestState&>(node);
    state.phase_ = Phase::delivered;
    ++ended_;
    if (is_traced()) [[unlikely]] {
      trace(TraceKind::delivered, state);
      if (is_closing()) {
        state.leave_before_call();
        continue;
      }
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

// A request that asked to begin in the loop.
void LoopCore::begin(RequestState& state) {
  state.mark(RequestState::known_to_loop);
  beginning_ = &state;
  list_unfinished(state);
  current_parent_ = state.parent_id_;
  state.begin();
}

// A peer that waits is woken by the first reply, and costs the sender that wake-up; the replies of a few
// events together find it awake. Not more than a few, whose states and bytes are still near in memory.
bool LoopCore::may_output_wait() noexcept {
  constexpr unsigned most_events = 8;
  constexpr std::size_t most_bytes = std::size_t{32} * 1024;
  if (unbatched_events_ != 0) {
    --unbatched_events_;
    return false;
  }
  if (output_bytes_ >= most_bytes) return false;
  if (batch_events_ == 0) {
    batch_begin_ = Clock::now();
    ask_for_turn_end();
  }
  return ++batch_events_ < most_events;
}

// Nobody is to wait for long work that is done for others, and where turns bring one event there is nothing
// to gain: it is not tried for a while then.
void LoopCore::end_batch(bool turn_ends) noexcept {
  constexpr unsigned events_without = 64;
  constexpr std::chrono::microseconds short_event{30};
  if (batch_events_ != 0) {
    const bool is_alone = turn_ends && !turn_had_batch_ && batch_events_ == 1;
    if (is_alone || Clock::now() - batch_begin_ > batch_events_ * short_event)
      unbatched_events_ = events_without;
    turn_had_batch_ = true;
  }
  if (turn_ends) turn_had_batch_ = false;
  batch_events_ = 0;
  output_bytes_ = 0;
}

void LoopCore::end_turn() noexcept {
  end_batch(true);
  if (has_work()) drain();
}

// What asks again while it runs has to wait for another turn.
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
    current_parent_ = 0;
    if (output_may_wait && !flushes_.empty() && may_output_wait()) break;
    output_may_wait = false;
    end_batch(false);
    // Output that is scheduled while others flush leaves in the next round: nobody can hold the turn.
    for (ListNode* last = flushes_.end()->prev; !flushes_.empty();) {
      auto& resource = static_cast<LoopResource&>(flushes_.front());
      const bool done = &resource == last;
      cancel_flush(resource);
      resource.on_flush();
      if (done) break;
    }
  } while (!ready_.empty() && budget != 0 && !thrown);
  lease_.clear();
  batch_lease_.clear();
  keep_alive_while_busy();
  remove_drain_cause(draining);
  remove_drain_cause(in_event);
  if (!ready_.empty() || (!flushes_.empty() && !output_may_wait)) wake_up();
}

void LoopCore::keep_exception(std::exception_ptr exception) noexcept {
  if (exception_ == nullptr) exception_ = std::move(exception);
  interrupt_run();
}

LoopMetrics LoopCore::metrics() const noexcept {
  LoopMetrics metrics = metrics_;
  metrics.completions = completions();
  metrics.in_progress = in_progress();
  metrics.deadlines = deadlines_.size();
  return metrics;
}

void LoopCore::expire(Clock::time_point now) {
  armed_ = Clock::time_point::max();
  while (!deadlines_.empty() && deadlines_.earliest() <= now) {
    RequestState& state = deadlines_.first();
    deadlines_.remove(state);
    state.on_deadline();
  }
  if (!deadlines_.empty()) {
    armed_ = deadlines_.earliest();
    arm_timer(armed_);
  }
}

std::span<std::byte> LoopCore::borrow_receive_buffer(const LoopResource& user) {
  lease_.clear_unless_of(user);
  return receive_buffer_.room();
}

void LoopCore::chunk_is_free(ReceiveChunk& chunk) noexcept {
  receive_buffer_.chunk_is_free(chunk);
  --held_chunks_;
  last_block_is_back();
}

ReceiveBatch& LoopCore::borrow_receive_batch(const LoopResource& user) {
  batch_lease_.clear_unless_of(user);
  if (batch_ == nullptr) batch_ = std::make_unique<ReceiveBatch>();
  return *batch_;
}

std::span<std::byte> LoopCore::send_buffer() {
  if (send_buffer_ == nullptr) send_buffer_.reset(new (std::nothrow) std::byte[send_buffer_size]);
  return {send_buffer_.get(), send_buffer_ != nullptr ? send_buffer_size : 0};
}

void LoopCore::close() noexcept {
  closes_ = true;
  first_marks_ = RequestState::marks(RequestState::loop_gone);
  state_cache_.turn(false);
  for (NodeList* list : {&flushes_, &next_turn_resources_, &resources_}) {
    while (!list->empty()) {
      auto& resource = static_cast<LoopResource&>(list->front());
      resource.unlink();
      resource.loop_closed();
    }
  }
  lease_.drop();
  batch_lease_.drop();
  for (NodeList* list : {&live_, &ready_}) {
    while (!list->empty()) {
      auto& node = static_cast<ReadyNode&>(list->front());
      node.unlink();
      if (RequestState* const state = node.as_request(); state != nullptr) state->leave_loop();
    }
  }
  trace_.reset();
}

namespace {

void dump_line(std::ostream& out, const RequestState& state, std::uint64_t now_ms, unsigned depth) {
  const std::uint32_t age_ms = static_cast<std::uint32_t>(now_ms) - state.started_ms();
  for (unsigned i = 0; i < depth; ++i) out << "  ";
  out << '#' << state.id() << ' ' << state.name() << ' ' << state.site().file() << ':' << state.site().line()
      << " age " << age_ms << " ms, " << state.transferred() << " bytes";
  if (!state.is_unfinished()) out << ", finished";
  state.describe(out);
  out << '\n';
}

}  // namespace

void LoopCore::dump(std::ostream& out) {
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
  std::sort(states.begin(), states.end(),
            [](const RequestState* a, const RequestState* b) { return a->id() > b->id(); });
  out << "loop: " << in_progress() << (in_progress() == 1 ? " request" : " requests") << " in progress, "
      << deadlines_.size() << (deadlines_.size() == 1 ? " deadline" : " deadlines") << '\n';

  // The youngest first, as they come off the stack the other way round.
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
    dump_line(out, *frame.state, now_ms_, frame.depth);
    const std::uint64_t id = frame.state->id();
    auto child =
        std::lower_bound(children.begin(), children.end(), id,
                         [](const RequestState* s, std::uint64_t wanted) { return s->parent_id() < wanted; });
    for (; child != children.end() && (*child)->parent_id() == id; ++child)
      stack.push_back({*child, frame.depth + 1});
  }
}

}  // namespace tsock::detail
