#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <tsock/detail/request_state.hpp>
#include <tsock/loop_metrics.hpp>
#include <tsock/trace.hpp>
#include <type_traits>
#include <utility>

#include "core/loop/census.hpp"
#include "core/loop/deadlines.hpp"
#include "core/loop/inspector.hpp"
#include "core/loop/leases.hpp"
#include "core/loop/loop_memory.hpp"
#include "core/loop/loop_resource.hpp"
#include "core/loop/node_list.hpp"
#include "core/loop/output_batch.hpp"
#include "core/loop/pool.hpp"
#include "core/loop/reason_table.hpp"
#include "core/loop/state_cache.hpp"

namespace tsock::detail {

/// The part of the loop that knows no event library. It runs what is ready (`drain()`) and knows when to; its
/// parts do the rest: Pool, StateCache, Census, Leases, OutputBatch, Deadlines, Inspector. It lives until its
/// Loop and every object that came from it are gone.
class LoopCore {
 public:
  static constexpr unsigned completions_per_turn = 1024;

  explicit LoopCore(Loop& loop) noexcept;
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;

  /// Once the Loop is gone, one that stands in for it: nothing can be started on it.
  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }
  /// True once the Loop is going: nothing is called, started or armed any more.
  [[nodiscard]] bool is_closed() const noexcept { return first_marks_ != RequestState::MarkSet::none; }
  /// What a new request is marked with.
  [[nodiscard]] RequestState::MarkSet first_marks() const noexcept { return first_marks_; }

  [[gnu::always_inline]] void* allocate(std::size_t size) { return pool_.allocate(size); }
  [[gnu::always_inline]] void deallocate(void* block, std::size_t size) noexcept {
    if (pool_.deallocate(block, size) == 0) [[unlikely]]
      last_block_is_back();
  }

  /// The same for what takes a memory resource.
  [[nodiscard]] std::pmr::memory_resource& memory() noexcept { return memory_; }
  /// Gives memory of the pool that is free back to the heap. \return bytes
  std::size_t trim() noexcept;

  /// States that are kept for the next operation of their kind.
  [[nodiscard]] StateCache& state_cache() noexcept { return state_cache_; }
  [[nodiscard]] Census& census() noexcept { return census_; }
  [[nodiscard]] Leases& leases() noexcept { return leases_; }

  // Life of requests.
  void request_started() noexcept {
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// Puts a state that is in no other list among the loop's operations in progress.
  void list_unfinished(RequestState& state) noexcept { live_.push_back(state); }
  /// A request has ended that was not delivered.
  void request_dropped() noexcept {
    census_.count_drop();
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// `drain()` is going to run in this turn, and need not be asked for.
  [[nodiscard]] bool drain_is_due() const noexcept { return drain_causes_ != no_drain; }
  void trace(TraceKind kind, const RequestState& state) noexcept;
  [[nodiscard]] bool is_traced() const noexcept { return inspector_.is_traced(); }
  void set_trace(TraceFunction function);
  [[nodiscard]] ReasonTable& reasons() noexcept { return reasons_; }

  // Completions.
  void make_ready(ReadyNode& node) noexcept {
    ready_.push_back(node);
    ensure_drain();
  }
  /// The same while `drain_is_due()`.
  void list_ready(ReadyNode& node) noexcept { ready_.push_back(node); }
  /// The same for the front of another list, up to and including `last`.
  void make_ready_until(NodeList& list, ListNode& last) noexcept {
    ready_.take_front(list, last);
    ensure_drain();
  }
  /// Makes the node the next one.
  void make_ready_first(ReadyNode& node) noexcept {
    ready_.push_front(node);
    ensure_drain();
  }
  /// Has `on_flush()` called; until then, or until `cancel_flush()`, the resource must not ask again.
  void schedule_flush(LoopResource& resource) noexcept {
    list_flush(resource);
    ensure_drain();
  }
  /// The same while `drain_is_due()`.
  void list_flush(LoopResource& resource) noexcept {
    resource.unlink();
    flushes_.push_back(resource);
  }
  /// Has `on_next_turn()` called once the loop has looked for events, unless the resource is put into another
  /// list before.
  void schedule_next_turn(LoopResource& resource) noexcept {
    resource.unlink();
    next_turn_resources_.push_back(resource);
    wake_up();
  }
  /// Takes the resource out of the other two lists.
  void cancel_flush(LoopResource& resource) noexcept {
    resource.unlink();
    resources_.push_back(resource);
  }
  /// Counts bytes that wait for a flush; `output_at_once` for those that should not wait.
  void add_output(std::size_t bytes) noexcept { output_batch_.add(bytes); }
  static constexpr std::size_t output_at_once = OutputBatch::at_once;
  /// Runs what is ready, within the budget of a turn; then output leaves. Called at the end of every event.
  void drain() noexcept { drain(false); }
  /// The same at the end of an event of which a turn may bring many: output may wait for `end_turn()`.
  void drain_event() noexcept { drain(true); }
  /// The events of a turn are over, see `ask_for_turn_end()`.
  void end_turn() noexcept;
  [[nodiscard]] bool is_draining() const noexcept { return (drain_causes_ & draining) != 0; }
  [[nodiscard]] bool has_work() const noexcept {
    return !ready_.empty() || !flushes_.empty() || !next_turn_resources_.empty();
  }
  void wake_up() noexcept {
    if (is_closed()) return;
    add_drain_cause(woken_up);
    wake();
  }
  /// The wake-up has come: a turn begins, and `drain()` comes next.
  void begin_turn(std::uint64_t now_ms) noexcept;
  /// An event begins; `drain()` comes at its end.
  void event(std::uint64_t now_ms) noexcept {
    now_ms_ = now_ms;
    add_drain_cause(in_event);
    ++metrics_.events;
  }
  void set_now(std::uint64_t now_ms) noexcept { now_ms_ = now_ms; }
  [[nodiscard]] std::uint64_t now_ms() const noexcept { return now_ms_; }

  // Code of the user may destroy the very state on whose behalf it runs. The places that go on with the state
  // afterwards name it here and ask; neither of them nests.
  [[nodiscard]] bool is_beginning(const RequestState* state) const noexcept { return beginning_ == state; }
  void set_waited_for(const RequestState* state) noexcept { waited_for_ = state; }
  [[nodiscard]] bool is_waited_for(const RequestState* state) const noexcept { return waited_for_ == state; }
  void request_gone(const RequestState* state) noexcept {
    if (beginning_ == state) beginning_ = nullptr;
    if (waited_for_ == state) waited_for_ = nullptr;
    reasons_.erase(*state);
  }
  void count_posted() noexcept { ++metrics_.posted; }
  [[nodiscard]] std::uint64_t progress() const noexcept {
    return metrics_.events + census_.completions() + metrics_.posted;
  }
  [[nodiscard]] LoopMetrics metrics() const noexcept;
  [[nodiscard]] std::size_t in_progress() const noexcept { return census_.in_progress(); }
  /// Blocks of the pool, and chunks of the receive buffer, that are out; 0 when nothing that came from the
  /// loop is left.
  [[nodiscard]] std::size_t live_blocks() const noexcept;
  /// Keeps the first exception that a callback let out; `Loop::run()` throws it again.
  void keep_exception(std::exception_ptr exception) noexcept;

  // Deadlines.
  // Compiled into its callers: most deadlines are set and cleared.
  [[gnu::always_inline]] void set_deadline(RequestState& state, Clock::time_point when) {
    deadlines_.set(state, when);
    if (deadlines_.is_before_timer(when) && !is_closed()) {
      deadlines_.set_armed(when);
      arm_timer(when);
    }
  }
  void clear_deadline(RequestState& state) noexcept { deadlines_.remove(state); }
  /// To be called when the timer fires. A deadline does not beat what the kernel has already: the events that
  /// are there come first, also when the loop was held up past the deadline; `expire()` is to be called
  /// behind them.
  void begin_last_look() noexcept { census_.begin_look(); }
  /// Ends what is due and arms the timer for the next one.
  void expire(Clock::time_point now);

  /// The last message of a chunk of the receive buffer is gone.
  void chunk_is_free(ReceiveChunk& chunk) noexcept;

  void add_resource(LoopResource& resource) noexcept { resources_.push_back(resource); }
  /// Every request in progress, as a tree.
  void dump(std::ostream& out);

  /// Keeps the core although it is orphaned and no block is out, until as many calls of `stop_keeping()`.
  void keep() noexcept { ++kept_; }
  void stop_keeping() noexcept {
    --kept_;
    if (orphaned_) delete_if_unused();
  }

  virtual bool run_once() = 0;
  [[nodiscard]] virtual bool is_running() const noexcept = 0;
  [[nodiscard]] virtual bool is_stopped() const noexcept = 0;
  virtual void log_warning(const char* text) noexcept = 0;
  virtual void log_debug(const char* text) noexcept = 0;

 protected:
  virtual ~LoopCore();

  /// Ends everything that is bound to the loop.
  void close() noexcept;
  void set_loop(Loop& loop) noexcept { loop_ = &loop; }
  /// Marks that code of the user runs in the middle of a step, where nothing may go: a trace function or a
  /// sink of the logger.
  class StepScope {
   public:
    explicit StepScope(LoopCore& core) noexcept : core_(core) { ++core.steps_; }
    StepScope(const StepScope&) = delete;
    StepScope& operator=(const StepScope&) = delete;
    ~StepScope() { --core_.steps_; }

   private:
    LoopCore& core_;
  };
  [[nodiscard]] bool is_in_step() const noexcept { return steps_ != 0; }
  /// Closes as the next thing that is run; until then no more callbacks are called.
  void close_later(ReadyTask& close) noexcept {
    closes_ = true;
    make_ready_first(close);
  }
  /// Whether it is closed or closes as the next thing.
  [[nodiscard]] bool is_closing() const noexcept { return closes_; }
  /// Nobody but the blocks that are out holds the core any more.
  void orphan() noexcept {
    orphaned_ = true;
    delete_if_unused();
  }
  /// As if a request were in progress, until the next `drain()` ends.
  void hold_alive() noexcept {
    if (!is_kept_alive_) keep_alive(is_kept_alive_ = true);
  }
  /// An exception waits for `Loop::run()` to throw it.
  virtual void interrupt_run() noexcept = 0;
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return std::exchange(exception_, nullptr); }

  virtual void wake() noexcept = 0;
  /// Calls `end_turn()` once, when the events of this turn have been seen.
  virtual void ask_for_turn_end() noexcept = 0;
  virtual void keep_alive(bool on) noexcept = 0;
  /// Calls `expire()` at `when` or a little later.
  virtual void arm_timer(Clock::time_point when) noexcept = 0;

 private:
  void last_block_is_back() noexcept {
    if (orphaned_) delete_if_unused();
  }
  [[gnu::noinline]] void delete_if_unused() noexcept {
    if (kept_ == 0 && live_blocks() == 0) delete this;
  }
  void keep_alive_while_busy() noexcept {
    if ((in_progress() != 0) != is_kept_alive_) {
      is_kept_alive_ = !is_kept_alive_;
      keep_alive(is_kept_alive_);
    }
  }
  void drain(bool output_may_wait) noexcept;
  [[nodiscard]] bool may_output_wait() noexcept;
  unsigned run_ready(unsigned budget);
  friend void RequestState::run();
  void begin(RequestState& state);
  /// Sees to it that `drain()` will come.
  void ensure_drain() noexcept {
    if (drain_causes_ == no_drain) [[unlikely]]
      wake_up();
  }

  // Why `drain()` is going to run without another wake-up.
  enum DrainCause : std::uint8_t {
    no_drain = 0,
    draining = 1,
    woken_up = 2,  // the event library was asked to come back
    in_event = 4,  // it runs at the end of the event
  };
  void add_drain_cause(DrainCause cause) noexcept {
    drain_causes_ = static_cast<DrainCause>(drain_causes_ | cause);
  }
  void remove_drain_cause(DrainCause cause) noexcept {
    drain_causes_ = static_cast<DrainCause>(drain_causes_ & ~cause);
  }

  Loop* loop_;
  Pool pool_;
  NodeList live_;
  NodeList ready_;
  NodeList next_turn_resources_;
  NodeList flushes_;
  NodeList resources_;
  StateCache state_cache_;
  Census census_;
  const RequestState* beginning_ = nullptr;
  const RequestState* waited_for_ = nullptr;
  std::uint64_t now_ms_ = 0;
  RequestState::MarkSet first_marks_ = RequestState::MarkSet::none;  // once closed, another
  bool orphaned_ = false;
  bool closes_ = false;  // it is closed, or see close_later()
  std::uint16_t steps_ = 0;
  std::uint16_t kept_ = 0;
  bool is_kept_alive_ = false;  // as the event library was told last
  DrainCause drain_causes_ = no_drain;
  OutputBatch output_batch_;
  LoopMetrics metrics_;
  Deadlines deadlines_;
  Leases leases_{this};
  Inspector inspector_;
  ReasonTable reasons_;
  LoopMemory memory_{*this};
  std::exception_ptr exception_;
};

[[gnu::always_inline]] inline RequestState::RequestState(LoopCore& core, CallSite site,
                                                         Here /*here*/) noexcept
    : marks_(core.first_marks()),
      core_(&core),
      parent_id_(core.census().current_parent()),
      file_(site.file()),
      line_(site.line()),
      started_ms_(static_cast<std::uint32_t>(core.now_ms())) {}

[[gnu::always_inline]] inline void RequestState::begin_again(LoopCore& core, CallSite site, Phase phase,
                                                             MarkSet marks,
                                                             std::size_t transferred) noexcept {
  phase_ = phase;
  marks_ = marks;
  transferred_ = transferred;
  id_ = core.census().next_id();
  parent_id_ = core.census().current_parent();
  file_ = site.file();
  line_ = site.line();
  started_ms_ = static_cast<std::uint32_t>(core.now_ms());
  error_ = 0;
  spare_word_ = 0;
}

[[gnu::always_inline]] inline void RequestState::leave_resource() noexcept {
  LoopResource* const resource = resource_;
  if (resource == nullptr) return;
  resource_ = nullptr;
  resource->end_receiver(*this);
}

[[gnu::always_inline]] inline void RequestState::set_finished() noexcept {
  phase_ = Phase::finished;
  if (deadline_index_ != no_deadline) [[unlikely]]
    drop_deadline();
}

[[gnu::always_inline]] inline void RequestState::finish_here(int err) noexcept {
  error_ = err;
  set_finished();
  if (is_linked()) unlink();
  core_->make_ready(*this);
  if (core_->is_traced()) [[unlikely]]
    core_->trace(TraceKind::finished, *this);
}

[[gnu::always_inline]] inline void RequestState::call_back() {
  if (!callback_) return;
  core_->census().set_current_parent(parent_id_);
  callback_.call_once(handle_);
}

// Returns whether the state is still there.
[[gnu::always_inline]] inline bool RequestState::deliver() noexcept {
  on_delivery();
  if (handle_ != nullptr) [[likely]]
    return true;
  destroy();
  return false;
}

/// Memory for a resource that comes from the loop's pool.
template <class S, class... Args>
S* make_pooled(LoopCore& core, Args&&... args) {
  void* const block = core.allocate(sizeof(S));
  try {
    return ::new (block) S(std::forward<Args>(args)...);
  } catch (...) {
    core.deallocate(block, sizeof(S));
    throw;
  }
}

}  // namespace tsock::detail
