#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <span>
#include <tsock/detail/request_state.hpp>
#include <tsock/loop_metrics.hpp>
#include <tsock/trace.hpp>
#include <type_traits>
#include <utility>

#include "core/loop/deadline_heap.hpp"
#include "core/loop/pool.hpp"
#include "core/loop/receive_buffer.hpp"
#include "core/loop/state_cache.hpp"
#include "core/loop/unread_bytes.hpp"

namespace tsock::detail {

class QueueCore;
class ReceiveBatch;

/// A circular list of nodes.
class NodeList {
 public:
  NodeList() noexcept { head_.prev = head_.next = &head_; }
  NodeList(const NodeList&) = delete;
  NodeList& operator=(const NodeList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }
  void push_back(ListNode& node) noexcept { node.link_before(head_); }
  void push_front(ListNode& node) noexcept { node.link_before(*head_.next); }
  /// Moves the front of another list, up to and including `last`, behind all others.
  void take_front(NodeList& other, ListNode& last) noexcept {
    ListNode* const first = other.head_.next;
    other.head_.next = last.next;
    last.next->prev = &other.head_;
    first->prev = head_.prev;
    head_.prev->next = first;
    last.next = &head_;
    head_.prev = &last;
  }
  [[nodiscard]] ListNode& front() noexcept { return *head_.next; }
  /// Takes the first one out of a list that is not empty.
  ListNode& take_first() noexcept {
    ListNode& first = *head_.next;
    head_.next = first.next;
    first.next->prev = &head_;
    first.next = nullptr;
    return first;
  }
  /// For walking: from `first()` by `next` until `end()`.
  [[nodiscard]] ListNode* first() noexcept { return head_.next; }
  [[nodiscard]] ListNode* end() noexcept { return &head_; }
  /// Of a list that is not empty.
  [[nodiscard]] ListNode* last() noexcept { return head_.prev; }
  [[nodiscard]] const ListNode* last() const noexcept { return head_.prev; }

 private:
  ListNode head_;
};

/// An object that is bound to the loop and must let go when the loop ends: a stream, a socket, a listener.
/// Always in exactly one of three lists: resources with output that is to be flushed, those that go on in the
/// next turn, and all others.
class LoopResource : public ListNode {
 public:
  LoopResource() noexcept = default;
  LoopResource(const LoopResource&) = delete;
  LoopResource& operator=(const LoopResource&) = delete;
  /// The loop is going; after this call nothing of it may be used but its pool.
  virtual void loop_closed() noexcept = 0;
  /// Calls `visit` with `context` for every request in progress that stands in no list of the loop.
  virtual void for_each_request(void (* /*visit*/)(void* context, RequestState& state), void* /*context*/) {}
  /// Output leaves, see `LoopCore::schedule_flush()`. Runs no code of the user.
  virtual void on_flush() {}
  /// The next turn has come, see `LoopCore::schedule_next_turn()`. Runs no code of the user.
  virtual void on_next_turn() {}
  /// A queue whose entries have this as their pipeline is stopped: has `QueueCore::put_back()` called, the
  /// last one first, for each entry of it that was started and of which nothing has left.
  virtual void undo_starts(QueueCore& /*queue*/, bool /*but_the_first*/) noexcept {}
  /// Moves what it has in memory that the loop has lent to memory of its own: the turn ends, or another
  /// resource borrows it.
  virtual void move_out_of_lease() noexcept {}
  void end_receiver(const RequestState& state) noexcept {
    if (receiver_ == &state) receiver_ = nullptr;
  }

 protected:
  ~LoopResource() {
    if (is_linked()) unlink();
  }

  /// The one request that takes what comes in: the reader of a stream, the receiver of a socket, the accept
  /// of a listener. It keeps this place until it is delivered.
  RequestState* receiver_ = nullptr;
};

/// Memory of the loop in which one resource at a time may keep what it has received, until the end of the
/// turn.
class Lease {
 public:
  void give_to(LoopResource& holder) noexcept { holder_ = &holder; }
  [[nodiscard]] bool is_held_by(const LoopResource& resource) const noexcept { return holder_ == &resource; }
  void end_for(const LoopResource& resource) noexcept {
    if (holder_ == &resource) holder_ = nullptr;
  }
  /// Has its holder move out, if there is one.
  void clear() noexcept {
    if (holder_ != nullptr) std::exchange(holder_, nullptr)->move_out_of_lease();
  }
  void clear_unless_of(const LoopResource& user) noexcept {
    if (holder_ != &user) clear();
  }
  void drop() noexcept { holder_ = nullptr; }

 private:
  LoopResource* holder_ = nullptr;
};

/// The part of the loop that knows no event library: completions, deadlines, pools, the shared receive
/// buffer. It lives until its Loop and every object that came from it are gone.
class LoopCore {
 public:
  static constexpr std::size_t send_buffer_size = std::size_t{64} * 1024;
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

  /// States that are kept for the next operation of their kind.
  [[nodiscard]] StateCache& state_cache() noexcept { return state_cache_; }

  // Life of requests. Their number is that of the ids given minus that of those that have ended.
  void request_started() noexcept {
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// Puts a state that is in no other list among the loop's operations in progress.
  void list_unfinished(RequestState& state) noexcept { live_.push_back(state); }
  /// A request has ended that was not delivered.
  void request_dropped() noexcept {
    ++ended_;
    ++dropped_;
    if (drain_causes_ == no_drain) keep_alive_while_busy();
  }
  /// `drain()` is going to run in this turn, and need not be asked for.
  [[nodiscard]] bool drain_is_due() const noexcept { return drain_causes_ != no_drain; }
  void trace(TraceKind kind, const RequestState& state) noexcept;
  [[nodiscard]] bool is_traced() const noexcept { return trace_ != nullptr; }
  void set_trace(TraceFunction function);
  [[nodiscard]] std::uint64_t next_id() noexcept { return ++last_id_; }
  /// The composite operation on whose behalf code runs now; new requests become its children.
  [[nodiscard]] std::uint64_t current_parent() const noexcept { return current_parent_; }
  void set_current_parent(std::uint64_t id) noexcept { current_parent_ = id; }
  std::uint64_t exchange_parent(std::uint64_t id) noexcept {
    const std::uint64_t old = current_parent_;
    current_parent_ = id;
    return old;
  }

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
  void add_output(std::size_t bytes) noexcept { output_bytes_ += bytes; }
  static constexpr std::size_t output_at_once = std::size_t{1} << 30;
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
  }
  void count_posted() noexcept { ++metrics_.posted; }
  [[nodiscard]] std::uint64_t progress() const noexcept {
    return metrics_.events + completions() + metrics_.posted;
  }
  [[nodiscard]] LoopMetrics metrics() const noexcept;
  [[nodiscard]] std::size_t in_progress() const noexcept { return last_id_ - ended_; }
  /// Blocks of the pool, and chunks of the receive buffer, that are out; 0 when nothing that came from the
  /// loop is left.
  [[nodiscard]] std::size_t live_blocks() const noexcept;
  /// Keeps the first exception that a callback let out; `Loop::run()` throws it again.
  void keep_exception(std::exception_ptr exception) noexcept;

  // Deadlines.
  // Compiled into its callers: most deadlines are set and cleared.
  [[gnu::always_inline]] void set_deadline(RequestState& state, Clock::time_point when) {
    deadlines_.set(state, when);
    if (when < armed_ && !is_closed()) {
      armed_ = when;
      arm_timer(when);
    }
  }
  void clear_deadline(RequestState& state) noexcept { deadlines_.remove(state); }
  /// To be called when the timer fires. A deadline does not beat what the kernel has already: the events that
  /// are there come first, also when the loop was held up past the deadline; `expire()` is to be called
  /// behind them.
  void begin_last_look() noexcept { ended_at_look_ = ended_; }
  /// Whether a request has ended since.
  [[nodiscard]] bool has_ended_since_look() const noexcept { return ended_ != ended_at_look_; }
  /// Ends what is due and arms the timer for the next one.
  void expire(Clock::time_point now);

  // The receive buffer, which is leased to one stream.
  /// The buffer for a read by `user`; another stream's unread bytes move to that stream first. Empty when
  /// there is no memory.
  std::span<std::byte> borrow_receive_buffer(const LoopResource& user);
  [[nodiscard]] ReceiveBuffer& receive_buffer() noexcept { return receive_buffer_; }
  /// A message stays in the chunk that was read into last.
  [[gnu::always_inline]] void keep_message() noexcept {
    if (receive_buffer_.add_message()) [[unlikely]]
      ++held_chunks_;
  }
  /// The last message of a chunk is gone.
  void chunk_is_free(ReceiveChunk& chunk) noexcept;
  /// What `user` has in it is `leased_bytes()` from now on.
  void lease_receive_buffer(LoopResource& user) noexcept { lease_.give_to(user); }
  [[nodiscard]] UnreadBytes& leased_bytes() noexcept { return leased_bytes_; }
  /// Whether `user` has bytes in it that nobody has taken; the loop `drain_is_due()` then.
  [[nodiscard]] bool leases_to(const LoopResource& user) const noexcept { return lease_.is_held_by(user); }
  void end_lease(const LoopResource& user) noexcept {
    lease_.end_for(user);
    receive_buffer_.lease_ended();
  }
  /// The room for a batch of datagrams to be received by `user`; what another socket has in it moves to that
  /// socket first.
  ReceiveBatch& borrow_receive_batch(const LoopResource& user);
  void lease_receive_batch(LoopResource& user) noexcept { batch_lease_.give_to(user); }
  void end_batch_lease(const LoopResource& user) noexcept { batch_lease_.end_for(user); }
  /// The buffer in which many small vectors become one write; valid during one flush. Empty when there is no
  /// memory.
  std::span<std::byte> send_buffer();

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
  [[nodiscard]] std::uint64_t completions() const noexcept { return ended_ - dropped_; }
  void keep_alive_while_busy() noexcept {
    if ((in_progress() != 0) != is_kept_alive_) {
      is_kept_alive_ = !is_kept_alive_;
      keep_alive(is_kept_alive_);
    }
  }
  void drain(bool output_may_wait) noexcept;
  [[nodiscard]] bool may_output_wait() noexcept;
  void end_batch(bool turn_ends) noexcept;
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
  std::uint64_t last_id_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t dropped_ = 0;  // of them
  std::uint64_t ended_at_look_ = 0;
  std::uint64_t current_parent_ = 0;
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
  // The events whose output leaves together.
  unsigned batch_events_ = 0;
  unsigned unbatched_events_ = 0;  // that come before the next try
  bool turn_had_batch_ = false;
  std::size_t output_bytes_ = 0;
  Clock::time_point batch_begin_;
  LoopMetrics metrics_;
  DeadlineHeap deadlines_;
  Clock::time_point armed_ = Clock::time_point::max();
  Lease lease_;
  UnreadBytes leased_bytes_;
  Lease batch_lease_;
  std::unique_ptr<ReceiveBatch> batch_;
  ReceiveBuffer receive_buffer_{this};
  std::size_t held_chunks_ = 0;  // by messages
  std::unique_ptr<std::byte[]> send_buffer_;
  std::shared_ptr<TraceFunction> trace_;
  std::exception_ptr exception_;
};

[[gnu::always_inline]] inline RequestState::RequestState(LoopCore& core, CallSite site,
                                                         Here /*here*/) noexcept
    : marks_(core.first_marks()),
      core_(&core),
      parent_id_(core.current_parent()),
      file_(site.file()),
      line_(site.line()),
      started_ms_(static_cast<std::uint32_t>(core.now_ms())) {}

[[gnu::always_inline]] inline void RequestState::begin_again(LoopCore& core, CallSite site, Phase phase,
                                                             MarkSet marks,
                                                             std::size_t transferred) noexcept {
  phase_ = phase;
  marks_ = marks;
  transferred_ = transferred;
  id_ = core.next_id();
  parent_id_ = core.current_parent();
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
  core_->set_current_parent(parent_id_);
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
