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

#include "core/deadline_heap.hpp"
#include "core/pool.hpp"
#include "core/receive_buffer.hpp"

namespace tsock::detail {

class DatagramCore;
class ReceiveBatch;
class StreamCore;

/// A circular list of nodes.
class NodeList {
 public:
  NodeList() noexcept { head_.prev = head_.next = &head_; }
  NodeList(const NodeList&) = delete;
  NodeList& operator=(const NodeList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }
  void push_back(ListNode& node) noexcept { node.link_before(head_); }
  [[nodiscard]] ListNode& front() noexcept { return *head_.next; }
  /// For walking: from `first()` by `next` until `end()`.
  [[nodiscard]] ListNode* first() noexcept { return head_.next; }
  [[nodiscard]] ListNode* end() noexcept { return &head_; }

 private:
  ListNode head_;
};

/// Something with output that leaves once per turn.
class FlushNode : public ListNode {
 public:
  FlushNode() noexcept = default;
  FlushNode(const FlushNode&) = delete;
  FlushNode& operator=(const FlushNode&) = delete;
  virtual void flush() = 0;

 protected:
  ~FlushNode() = default;
};

/// Something that is bound to the loop and must let go when the loop ends: streams, listeners, watchers.
class LoopResource : public ListNode {
 public:
  LoopResource() noexcept = default;
  LoopResource(const LoopResource&) = delete;
  LoopResource& operator=(const LoopResource&) = delete;
  /// The loop is going; after this call nothing of it may be used but its pool.
  virtual void loop_closed() noexcept = 0;

 protected:
  ~LoopResource() {
    if (is_linked()) unlink();
  }
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

  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }
  /// True once the Loop is going: nothing is called, started or armed any more.
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }

  void* allocate(std::size_t size) { return pool_.allocate(size); }
  void deallocate(void* block, std::size_t size) noexcept {
    pool_.deallocate(block, size);
    if (orphaned_) delete_if_unused();
  }

  // Life of requests.
  void request_started(RequestState& state) noexcept {
    live_.push_back(state);
    if (in_progress_++ == 0) [[unlikely]]
      keep_alive(true);
  }
  /// Back among the operations in progress, from the ready list.
  void relink_unfinished(RequestState& state) noexcept { live_.push_back(state); }
  void request_ended() noexcept {
    if (--in_progress_ == 0) [[unlikely]]
      keep_alive(false);
  }
  void trace(TraceKind kind, const RequestState& state);
  [[nodiscard]] bool is_traced() const noexcept { return trace_ != nullptr; }
  void set_trace(TraceFunction function);
  [[nodiscard]] std::uint64_t next_id() noexcept { return ++last_id_; }
  /// The composite operation on whose behalf code runs now; new requests become its children.
  [[nodiscard]] std::uint64_t current_parent() const noexcept { return current_parent_; }
  std::uint64_t exchange_parent(std::uint64_t id) noexcept {
    const std::uint64_t old = current_parent_;
    current_parent_ = id;
    return old;
  }

  // Completions.
  void make_ready(ReadyNode& node) noexcept {
    ready_.push_back(node);
    if (!draining_ && !awake_ && !in_event_) wake_up();
  }
  void schedule_flush(FlushNode& node) noexcept {
    if (node.is_linked()) return;
    flushes_.push_back(node);
    if (!draining_ && !awake_ && !in_event_) wake_up();
  }
  /// Runs what is ready, within the budget of a turn; then output leaves. Called at the end of every event.
  void drain() noexcept;
  [[nodiscard]] bool is_draining() const noexcept { return draining_; }
  [[nodiscard]] bool has_work() const noexcept { return !ready_.empty() || !flushes_.empty(); }
  void wake_up() noexcept {
    if (is_closed()) return;
    awake_ = true;
    wake();
  }
  /// The event library took the wake-up.
  void slept() noexcept { awake_ = false; }
  /// An event begins; `drain()` comes at its end.
  void event(std::uint64_t now_ms) noexcept {
    now_ms_ = now_ms;
    in_event_ = true;
    ++metrics_.events;
  }
  void set_now(std::uint64_t now_ms) noexcept { now_ms_ = now_ms; }
  [[nodiscard]] std::uint64_t now_ms() const noexcept { return now_ms_; }
  void count_completion() noexcept { ++metrics_.completions; }

  // Code of the user may destroy the very state on whose behalf it runs. The places that go on with the state
  // afterwards name it here and ask; neither of them nests.
  void set_beginning(const RequestState* state) noexcept { beginning_ = state; }
  [[nodiscard]] bool is_beginning(const RequestState* state) const noexcept { return beginning_ == state; }
  void set_waited_for(const RequestState* state) noexcept { waited_for_ = state; }
  [[nodiscard]] bool is_waited_for(const RequestState* state) const noexcept { return waited_for_ == state; }
  void request_gone(const RequestState* state) noexcept {
    if (beginning_ == state) beginning_ = nullptr;
    if (waited_for_ == state) waited_for_ = nullptr;
  }
  void count_posted() noexcept { ++metrics_.posted; }
  [[nodiscard]] std::uint64_t progress() const noexcept {
    return metrics_.events + metrics_.completions + metrics_.posted;
  }
  [[nodiscard]] LoopMetrics metrics() const noexcept;
  [[nodiscard]] std::size_t in_progress() const noexcept { return in_progress_; }
  /// Blocks of the pool that are out; 0 when nothing that came from the loop is left.
  [[nodiscard]] std::size_t live_blocks() const noexcept { return pool_.live(); }
  /// Keeps the first exception that a callback let out; `Loop::run()` throws it again.
  void keep_exception(std::exception_ptr exception) noexcept;

  // Deadlines.
  void set_deadline(RequestState& state, Clock::time_point when);
  void clear_deadline(RequestState& state) noexcept { deadlines_.remove(state); }
  /// Ends what is due and arms the timer for the next one.
  void expire(Clock::time_point now);

  // The receive buffer: one stream at a time may keep unread bytes in it, until the end of the turn.
  /// The buffer for a read by `user`; another stream's unread bytes move to that stream first. Empty when
  /// there is no memory.
  std::span<std::byte> borrow_receive_buffer(StreamCore& user);
  [[nodiscard]] ReceiveBuffer& receive_buffer() noexcept { return receive_buffer_; }
  void lease_receive_buffer(StreamCore& user) noexcept { lease_ = &user; }
  void end_lease(const StreamCore& user) noexcept {
    if (lease_ == &user) lease_ = nullptr;
  }
  /// The room for a batch of datagrams to be received by `user`; what another socket has in it moves to that
  /// socket first.
  ReceiveBatch& borrow_receive_batch(DatagramCore& user);
  void lease_receive_batch(DatagramCore& user) noexcept { batch_lease_ = &user; }
  void end_batch_lease(const DatagramCore& user) noexcept {
    if (batch_lease_ == &user) batch_lease_ = nullptr;
  }
  /// The buffer in which many small vectors become one write; valid during one flush. Empty when there is no
  /// memory.
  std::span<std::byte> send_buffer();

  void add_resource(LoopResource& resource) noexcept { resources_.push_back(resource); }
  /// Every request in progress, as a tree.
  void dump(std::ostream& out);
  /// Walks all requests in progress.
  template <class F>
  void for_each_unfinished(F function) {
    for (ListNode* node = live_.first(); node != live_.end();) {
      ListNode* const next = node->next;
      function(*static_cast<RequestState*>(node));
      node = next;
    }
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
  /// Nobody but the blocks that are out holds the core any more.
  void orphan() noexcept {
    orphaned_ = true;
    delete_if_unused();
  }
  /// Keeps the core although it is orphaned and no block is out.
  void keep() noexcept { kept_ = true; }
  void stop_keeping() noexcept {
    kept_ = false;
    if (orphaned_) delete_if_unused();
  }
  /// An exception waits for `Loop::run()` to throw it.
  virtual void interrupt_run() noexcept = 0;
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return std::exchange(exception_, nullptr); }

  virtual void wake() noexcept = 0;
  virtual void keep_alive(bool on) noexcept = 0;
  /// Calls `expire()` at `when` or a little later.
  virtual void arm_timer(Clock::time_point when) noexcept = 0;

 private:
  void delete_if_unused() noexcept {
    if (!kept_ && pool_.live() == 0) delete this;
  }
  void settle_lease();

  Loop* loop_;
  Pool pool_;
  NodeList live_;
  NodeList ready_;
  NodeList flushes_;
  NodeList resources_;
  std::size_t in_progress_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t current_parent_ = 0;
  const RequestState* beginning_ = nullptr;
  const RequestState* waited_for_ = nullptr;
  std::uint64_t now_ms_ = 0;
  bool closed_ = false;
  bool orphaned_ = false;
  bool kept_ = false;
  bool draining_ = false;
  bool awake_ = false;     // the event library was asked to come back
  bool in_event_ = false;  // it need not be: `drain()` will come
  LoopMetrics metrics_;
  DeadlineHeap deadlines_;
  Clock::time_point armed_ = Clock::time_point::max();
  StreamCore* lease_ = nullptr;
  DatagramCore* batch_lease_ = nullptr;
  std::unique_ptr<ReceiveBatch> batch_;
  ReceiveBuffer receive_buffer_;
  std::unique_ptr<std::byte[]> send_buffer_;
  std::unique_ptr<TraceFunction> trace_;
  std::exception_ptr exception_;
};

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
