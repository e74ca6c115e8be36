#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tsock/detail/request_state.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

class QueueCore;

/// A request that can stand in a Queue.
class QueueableState : public RequestState {
 public:
  enum QueueMark : std::uint16_t {
    started = RequestState::first_free_mark,  ///< its turn in the queue has come
    tried = started << 1,                     ///< its output was offered when there was no room for it
  };
  static constexpr std::uint16_t first_free_mark = tried << 1;
  using RequestState::RequestState;
  [[gnu::always_inline]] QueueableState(LoopCore& core, CallSite site, Here here) noexcept
      : RequestState(core, site, here) {}
  /// Called when the entry had to wait and its turn in the queue has come: removes it from the list of its
  /// resource, see `QueueCore::enter()`.
  virtual void stop_waiting() noexcept {}
  /// Called when the entry's turn has come: takes the place in the stream or socket, so that no other request
  /// gets it. Must not run user code; see `begin_in_queue()`.
  virtual void start_in_queue() = 0;
  /// Begins the work of an entry without a pipeline: called from the loop (when out of memory, at once),
  /// after `start_in_queue()` and unless the entry was put back in between. May be called on an entry that
  /// has ended.
  virtual void begin_in_queue() {}
  /// Called when the queue is stopped before the work has begun: gives the place up again. \return false if
  /// that is no longer possible
  virtual bool undo_start() noexcept { return false; }
  /// Entries that follow one another with the same pipeline, not null, may start before the entry ahead has
  /// completed. The pipeline knows them from `start_in_queue()` on until they leave the queue, or calls
  /// `QueueCore::pipeline_gone()`.
  [[nodiscard]] virtual LoopResource* pipeline() const noexcept { return nullptr; }
  [[nodiscard]] bool is_started() const noexcept { return has(started); }
  [[nodiscard]] QueueCore* queue() const noexcept { return queue_; }
  /// To be called at the end of the work or on delivery, and when the request is abandoned.
  inline void leave_queue() noexcept;
  /// Looks again first: the entry ahead in the queue may have completed only now.
  void on_deadline() override;

 protected:
  ~QueueableState() override = default;
  /// Forgets the queue; the caller tells the queue with `QueueCore::leave()`. \pre is_started()
  void forget_queue() noexcept { queue_ = nullptr; }

 private:
  friend class QueueCore;
  QueueCore* queue_ = nullptr;
  QueueableState* queue_prev_ = nullptr;  // while the entry waits; the first one points to the last
  QueueableState* queue_next_ = nullptr;
};

/// The engine of a Queue, shared by the Queue, a QueueHold and the started entries. Of started entries it
/// knows only the number and the pipeline: they either follow one another with the same pipeline, or are a
/// single entry, whose work a task of the loop begins. Small, because many streams have one.
class QueueCore {
 public:
  /// Makes a queue in the loop's pool, with a copy of the name behind it.
  static QueueCore* make(LoopCore& core, std::string_view name);
  QueueCore(const QueueCore&) = delete;
  QueueCore& operator=(const QueueCore&) = delete;

  /// Puts an entry that works on `resource` at the tail. It may start at once; while it waits, the resource
  /// lists it (`add_waiting()`).
  template <class Entry, class Resource>
  void enter(Entry& entry, Resource& resource) {
    entry.set_resource(&resource);
    if (!add(entry)) resource.add_waiting(entry);
  }
  /// As `enter()`, for an entry without a resource. \return whether the entry has started
  template <class Entry>
  bool add(Entry& entry);
  [[gnu::noinline]] void remove(QueueableState& entry) noexcept;
  /// Whether an entry with `pipeline` would start at once because it follows others with the same pipeline.
  /// \pre `pipeline` is not null and the loop is not closed
  [[nodiscard, gnu::always_inline]] bool goes_on_with(const LoopResource* pipeline) const noexcept {
    return ahead_ == pipeline && head_ == nullptr && may_go_on_;
  }
  /// `add()` for such an entry, which the caller has marked as started and whose work the caller begins.
  void add_following(QueueableState& entry) noexcept {
    entry.queue_ = this;
    ++started_;
  }
  /// Removes that many started entries, which have forgotten the queue.
  void leave(std::uint32_t entries) noexcept {
    started_ -= entries;
    if (head_ != nullptr || users_ == 0) [[unlikely]]
      go_on();
  }
  void start();
  /// Starts no more entries and puts back started ones that have not done anything yet.
  void stop() noexcept {
    pause();
    put_back_started(false);
  }
  /// Called by the pipeline, see `LoopResource::undo_starts()`: makes the entry wait again, ahead of all
  /// others.
  void put_back(QueueableState& entry) noexcept;
  /// Called when the pipeline no longer knows the started entries.
  void pipeline_gone() noexcept {
    if (!begins_) ahead_ = nullptr;
  }
  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] std::size_t length() const noexcept {
    return std::size_t{started_} + waiting_ + (held_ ? 1 : 0);
  }
  [[nodiscard]] std::string_view name() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), name_size_};
  }
  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }

  void hold() noexcept {
    held_ = true;
    may_go_on_ = false;
    ++users_;
  }
  void release_hold() noexcept;
  /// Called when the Queue is destroyed: ends waiting entries with ECANCELED.
  void release_queue() noexcept;

 private:
  static constexpr unsigned name_size_bits = 24;
  static constexpr std::uint32_t longest_name = (1U << name_size_bits) - 1;

  QueueCore(LoopCore& core, std::string_view name) noexcept;
  ~QueueCore() = default;
  void pause() noexcept {
    running_ = false;
    may_go_on_ = false;
  }
  void put_back_started(bool but_the_first) noexcept;
  /// Whether an entry with `pipeline` may start when none waits ahead of it.
  [[nodiscard, gnu::always_inline]] bool may_start(const LoopResource* pipeline) const noexcept {
    if (!may_go_on_ || core_->is_closed()) return false;
    return started_ == 0 || (pipeline != nullptr && ahead_ == pipeline);
  }
  template <class Entry>
  void start_entry(Entry& entry, LoopResource* pipeline);
  /// The task that begins the work of a single entry.
  class Begin;
  [[nodiscard]] Begin* begin() const noexcept;
  [[gnu::noinline]] bool schedule_begin_of(QueueableState& entry) noexcept;
  QueueableState& end_begin() noexcept;
  void wait(QueueableState& entry) noexcept;
  void take_out(QueueableState& entry) noexcept;
  void advance();
  void go_on() noexcept;
  void delete_if_unused() noexcept;

  LoopCore* core_;
  QueueableState* head_ = nullptr;  // the first of the waiting entries
  void* ahead_ = nullptr;           // of the started entries: their pipeline or, if `begins_`, a Begin
  std::uint32_t started_ = 0;
  std::uint32_t waiting_ = 0;
  std::uint32_t users_ = 1;
  bool running_ : 1 = true;
  bool held_ : 1 = false;
  bool may_go_on_ : 1 = true;  // running and not held
  bool advancing_ : 1 = false;
  bool begins_ : 1 = false;  // a single entry was started, and its work has not begun
  std::uint32_t name_size_ : name_size_bits;
};

template <class Entry>
[[gnu::always_inline]] inline void QueueCore::start_entry(Entry& entry, LoopResource* pipeline) {
  ++started_;
  ahead_ = pipeline;
  entry.mark(QueueableState::started);
  if (pipeline != nullptr || schedule_begin_of(entry)) [[likely]] {
    entry.start_in_queue();
  } else {
    entry.start_in_queue();
    entry.begin_in_queue();
  }
}

template <class Entry>
[[gnu::always_inline]] inline bool QueueCore::add(Entry& entry) {
  entry.queue_ = this;
  entry.unmark(RequestState::plain_delivery);
  LoopResource* const pipeline = entry.pipeline();
  if (head_ == nullptr && may_start(pipeline)) [[likely]] {
    start_entry(entry, pipeline);
    return true;
  }
  wait(entry);
  return false;
}

inline void QueueableState::leave_queue() noexcept {
  if (queue_ != nullptr) queue_->remove(*this);
}

/// Whether requests on this loop can wait in the queue: EINVAL for an empty Queue or a queue of another loop,
/// ECANCELED when the loop is closed.
inline int check_queue(const QueueCore* queue, const LoopCore& core) noexcept {
  if (queue == nullptr || &queue->core() != &core) return EINVAL;
  return core.is_closed() ? ECANCELED : 0;
}

}  // namespace tsock::inline v0::detail
