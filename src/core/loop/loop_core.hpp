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
#include <vector>

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

namespace tsock::inline v0::detail {

/// The part of the loop that knows no event library. It runs ready nodes (`drain()`) and knows when to do so;
/// its members do the rest: Pool, StateCache, Census, Leases, OutputBatch, Deadlines, Inspector. It lives
/// until its Loop and every object that came from it are gone.
class LoopCore {
 public:
  static constexpr unsigned completions_per_turn = 1024;

  /// \param memory as LoopOptions::memory
  LoopCore(Loop& loop, std::pmr::memory_resource* memory) noexcept;
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;

  /// The Loop; once that is gone, a stand-in for it on which nothing can be started.
  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }
  /// True from `close()` on: nothing is called, started or armed any more.
  [[nodiscard]] bool is_closed() const noexcept { return first_marks_ != RequestState::MarkSet::none; }
  /// True from the Loop's destruction on, also while a step goes on in the middle of which that happened.
  [[nodiscard]] bool is_closing() const noexcept { return closes_; }
  /// The marks that a new request begins with.
  [[nodiscard]] RequestState::MarkSet first_marks() const noexcept { return first_marks_; }

  [[gnu::always_inline]] void* allocate(std::size_t size) { return pool_.allocate(size); }
  [[gnu::always_inline]] void deallocate(void* block, std::size_t size) noexcept {
    if (pool_.deallocate(block, size) == 0) [[unlikely]]
      last_block_is_back();
  }

  /// The pool, for containers that take a memory resource.
  [[nodiscard]] std::pmr::memory_resource& memory() noexcept { return memory_; }
  /// Returns free memory of the pool to the heap. \return bytes freed
  std::size_t trim() noexcept;
  /// Whether a peak has left memory for which `trim()` is worth its time.
  [[nodiscard]] bool is_mostly_free() const noexcept { return pool_.is_mostly_free(); }

  /// Ended states that are kept for the next operation of their kind.
  [[nodiscard]] StateCache& state_cache() noexcept { return state_cache_; }
  [[nodiscard]] Census& census() noexcept { return census_; }
  [[nodiscard]] Leases& leases() noexcept { return leases_; }

  // Life of requests.
  void request_started() noexcept {
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// Adds a state that is in no other list to the loop's operations in progress.
  void list_unfinished(RequestState& state) noexcept { live_.push_back(state); }
  /// Counts a request that has ended without being delivered.
  void request_dropped() noexcept {
    census_.count_drop();
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// True if `drain()` is going to run anyway and need not be asked for.
  [[nodiscard]] bool drain_is_due() const noexcept { return drain_causes_ != no_drain; }
  void trace(TraceKind kind, const RequestState& state) noexcept;
  [[nodiscard]] bool is_traced() const noexcept { return inspector_.is_traced(); }
  void set_trace(TraceFunction function);
  /// \throws std::bad_alloc
  void add(TraceObserver& observer);
  void remove(TraceObserver& observer) noexcept;
  [[nodiscard]] Inspector& inspector() noexcept { return inspector_; }
  [[nodiscard]] bool watches_lifecycle() const noexcept { return inspector_.watches_lifecycle(); }
  void tell(const LifecycleEvent& event) noexcept;
  [[nodiscard]] CallTimer& call_timer() noexcept { return inspector_.timer(); }
  [[nodiscard]] ReasonTable& reasons() noexcept { return reasons_; }

  // Requests of the library's own that do not keep the event library running, such as those of `inspect()`.
  void begin_background() noexcept {
    ++background_;
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  void end_background() noexcept {
    --background_;
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// Whether requests are in progress for which a run goes on.
  [[nodiscard]] bool has_foreground() const noexcept { return in_progress() > background_; }

  // Completions.
  void make_ready(ReadyNode& node) noexcept {
    ready_.push_back(node);
    ensure_drain();
  }
  /// As `make_ready()`. \pre drain_is_due()
  void list_ready(ReadyNode& node) noexcept { ready_.push_back(node); }
  /// As `make_ready()`, for the nodes at the front of another list, up to and including `last`.
  void make_ready_until(NodeList& list, ListNode& last) noexcept {
    ready_.take_front(list, last);
    ensure_drain();
  }
  /// As `make_ready()`, but ahead of all others.
  void make_ready_first(ReadyNode& node) noexcept {
    ready_.push_front(node);
    ensure_drain();
  }
  /// Schedules a call of `on_flush()`; until then, or until `cancel_flush()`, the resource must not ask
  /// again.
  void schedule_flush(LoopResource& resource) noexcept {
    list_flush(resource);
    ensure_drain();
  }
  /// As `schedule_flush()`. \pre drain_is_due()
  void list_flush(LoopResource& resource) noexcept {
    resource.unlink();
    flushes_.push_back(resource);
  }
  /// Schedules a call of `on_next_turn()` for when the loop has looked for events; it is dropped if the
  /// resource is put into another list before.
  void schedule_next_turn(LoopResource& resource) noexcept {
    resource.unlink();
    next_turn_resources_.push_back(resource);
    wake_up();
  }
  /// Removes the resource from the lists of `schedule_flush()` and `schedule_next_turn()`.
  void cancel_flush(LoopResource& resource) noexcept {
    resource.unlink();
    resources_.push_back(resource);
  }
  /// Counts bytes that wait for a flush; pass `output_at_once` for output that should not wait.
  void add_output(std::size_t bytes) noexcept { output_batch_.add(bytes); }
  static constexpr std::size_t output_at_once = OutputBatch::at_once;
  /// Runs ready nodes within the budget of a turn, then flushes output. Called at the end of every event.
  void drain() noexcept { drain(false); }
  /// As `drain()`, for events of which a turn may bring many: output may wait for `end_turn()`.
  void drain_event() noexcept { drain(true); }
  /// Called when the events of a turn are over; see `ask_for_turn_end()`.
  void end_turn() noexcept;

  /// Keeps the event library running as if a request were in progress, until the next `drain()` ends or
  /// `release_hold()` is called.
  void hold_alive() noexcept {
    if (!is_kept_alive_) keep_alive(is_kept_alive_ = true);
  }
  void release_hold() noexcept {
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  [[nodiscard]] bool is_draining() const noexcept { return (drain_causes_ & draining) != 0; }
  [[nodiscard]] bool has_work() const noexcept {
    return !ready_.empty() || !flushes_.empty() || !next_turn_resources_.empty();
  }
  void wake_up() noexcept {
    if (is_closed()) return;
    add_drain_cause(woken_up);
    wake();
  }
  /// Called at the beginning of a turn, on the wake-up; the caller calls `drain()` next.
  void begin_turn(std::uint64_t now_ms) noexcept;
  /// Called at the beginning of an event; the caller calls `drain()` at its end.
  void event(std::uint64_t now_ms) noexcept {
    now_ms_ = now_ms;
    add_drain_cause(in_event);
    ++metrics_.events;
  }
  void set_now(std::uint64_t now_ms) noexcept { now_ms_ = now_ms; }
  [[nodiscard]] std::uint64_t now_ms() const noexcept { return now_ms_; }

  // User code may destroy the very state on whose behalf it runs. The two callers that go on with the state
  // afterwards register it here before and check it after; neither of them nests.
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
  /// Number of blocks of the pool and chunks of the receive buffer in use; 0 when nothing that came from the
  /// loop is left.
  [[nodiscard]] std::size_t live_blocks() const noexcept;
  /// Keeps the first exception that a callback has thrown; `Loop::run()` rethrows it.
  void keep_exception(std::exception_ptr exception) noexcept;

  // Deadlines.
  // Inlined into its callers: most deadlines are set and cleared again.
  [[gnu::always_inline]] void set_deadline(RequestState& state, Clock::time_point when) {
    deadlines_.set(state, when);
    if (deadlines_.is_before_timer(when) && !is_closed()) {
      deadlines_.set_armed(when);
      arm_timer(when);
    }
  }
  void clear_deadline(RequestState& state) noexcept { deadlines_.remove(state); }
  /// To be called when the timer fires. Completions that the kernel already has win over a deadline, even if
  /// the loop was held up past the deadline: the caller handles the pending events first and calls `expire()`
  /// afterwards.
  void begin_last_look() noexcept { census_.begin_look(); }
  /// Ends the requests whose deadline is due and arms the timer for the next deadline.
  void expire(Clock::time_point now);

  /// Called when the last message of a chunk of the receive buffer is gone.
  void chunk_is_free(ReceiveChunk& chunk) noexcept;

  /// Called first wherever an object of the loop is destroyed. The Loop may have been destroyed in the middle
  /// of a step while it did not run: no turn comes that could end it.
  void end_if_at_rest() noexcept {
    if (closes_ && !is_closed()) [[unlikely]]
      end_at_rest();
  }

  void add_resource(LoopResource& resource) noexcept { resources_.push_back(resource); }
  /// Prints every request in progress, as a tree.
  void dump(std::ostream& out);
  void dump_json(std::ostream& out);
  /// Every request in progress, in no order.
  [[nodiscard]] std::vector<const RequestState*> requests();

  /// Keeps the core for a scope; see `keep()`.
  class Keeper {
   public:
    explicit Keeper(LoopCore& core) noexcept : core_(core) { core_.keep(); }
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;
    ~Keeper() { core_.stop_keeping(); }

   private:
    LoopCore& core_;
  };
  /// Keeps the core, even if it is orphaned and no block is in use, until `stop_keeping()` has been called as
  /// often.
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
  /// Marks that user code (a trace function or a sink of the logger) runs in the middle of a step, where
  /// nothing may be destroyed.
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
  /// To be called before anything else is closed: from now on no more callbacks are called, and `loop()` is a
  /// stand-in.
  void begin_closing(Loop& stand_in) noexcept {
    closes_ = true;
    loop_ = &stand_in;
  }
  /// Schedules `close` to run next.
  void close_later(ReadyTask& close) noexcept { make_ready_first(close); }
  /// The Loop lets go of the core: from now on only blocks in use and `keep()` hold it.
  void orphan() noexcept {
    orphaned_ = true;
    delete_if_unused();
  }
  /// Called when an exception waits for `Loop::run()` to rethrow it.
  virtual void interrupt_run() noexcept = 0;
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return std::exchange(exception_, nullptr); }

  /// Ends the loop if it is neither in a step nor running, where its end is in the ready list.
  virtual void end_at_rest() noexcept = 0;
  virtual void wake() noexcept = 0;
  /// Asks for one call of `end_turn()` after the events of this turn.
  virtual void ask_for_turn_end() noexcept = 0;
  virtual void keep_alive(bool on) noexcept = 0;
  /// Asks for a call of `expire()` at `when` or a little later.
  virtual void arm_timer(Clock::time_point when) noexcept = 0;

 private:
  void last_block_is_back() noexcept {
    if (orphaned_) delete_if_unused();
  }
  [[gnu::noinline]] void delete_if_unused() noexcept {
    if (kept_ == 0 && live_blocks() == 0) delete this;
  }
  void keep_alive_while_busy() noexcept {
    if (has_foreground() != is_kept_alive_) {
      is_kept_alive_ = !is_kept_alive_;
      keep_alive(is_kept_alive_);
    }
  }
  void drain(bool output_may_wait) noexcept;
  [[nodiscard]] bool may_output_wait() noexcept;
  unsigned run_ready(unsigned budget);
  void run_watched(ReadyNode& node);
  void deliver_watched(RequestState& state);
  friend void RequestState::run();
  void begin(RequestState& state);
  /// Makes sure that `drain()` will run.
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
  RequestState::MarkSet first_marks_ = RequestState::MarkSet::none;  // not `none` once closed
  bool orphaned_ = false;
  bool closes_ = false;  // closed, or about to be: begin_closing()
  std::size_t background_ = 0;
  std::uint16_t steps_ = 0;
  std::uint16_t kept_ = 0;
  bool is_kept_alive_ = false;  // what the event library was told last
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

// Returns false if nothing refers to the state any more and it was destroyed.
[[gnu::always_inline]] inline bool RequestState::deliver() noexcept {
  on_delivery();
  if (handle_ != nullptr) [[likely]]
    return true;
  destroy();
  return false;
}

/// Makes an object in a block of the loop's pool.
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

}  // namespace tsock::inline v0::detail
