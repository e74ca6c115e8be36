#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tsock/detail/request_state.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::detail {

class QueueCore;

/// A request that can stand in a Queue.
class QueueableState : public RequestState {
 public:
  enum QueueMark : std::uint16_t {
    started = RequestState::first_free_mark,  ///< its turn in the queue has come
    tried = started << 1,                     ///< output that was offered when there was no room for it
  };
  static constexpr std::uint16_t first_free_mark = tried << 1;
  using RequestState::RequestState;
  [[gnu::always_inline]] QueueableState(LoopCore& core, CallSite site, Here here) noexcept
      : RequestState(core, site, here) {}
  /// The turn of one that had to wait has come: leaves the list of its resource, see `QueueCore::enter()`.
  virtual void stop_waiting() noexcept {}
  /// The turn has come: take the place in the stream or socket, so that nobody else gets it. Must not call
  /// code of the user; see `schedule_begin()`.
  virtual void start_in_queue() = 0;
  /// The work of an entry without a pipeline begins: called from the loop, after `start_in_queue()` and
  /// unless the entry was put back in between. May be called on one that has ended.
  virtual void begin_in_queue() {}
  /// The queue was stopped before the work began: give the place up again. \return false when that is no
  /// longer possible.
  virtual bool undo_start() noexcept { return false; }
  /// Entries that follow one another with the same pipeline, not null, may start before the one ahead has
  /// completed. The pipeline knows them from `start_in_queue()` on until they leave the queue, or calls
  /// `QueueCore::pipeline_gone()`.
  [[nodiscard]] virtual LoopResource* pipeline() const noexcept { return nullptr; }
  [[nodiscard]] bool is_started() const noexcept { return has(started); }
  [[nodiscard]] QueueCore* queue() const noexcept { return queue_; }
  /// To be called at the end of the work, or on delivery, and when abandoned.
  inline void leave_queue() noexcept;
  /// What is ahead in the queue may have had its answer only now.
  void on_deadline() override;

 protected:
  ~QueueableState() override = default;
  /// For one that was started: somebody else tells the queue, see `QueueCore::leave()`.
  void forget_queue() noexcept { queue_ = nullptr; }

 private:
  friend class QueueCore;
  QueueCore* queue_ = nullptr;
  QueueableState* queue_prev_ = nullptr;  // while it has not started; of the first one it is the last one
  QueueableState* queue_next_ = nullptr;
};

/// What is behind a Queue; shared by the Queue, a QueueHold and the entries that were started. Of these it
/// knows the number and the pipeline only: they follow one another with one, or it is one entry alone, whose
/// work a task of the loop begins. Small: many streams have one.
class QueueCore {
 public:
  /// Makes one in the loop's pool, with a copy of the name behind it.
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
  /// The same of an entry without a resource. \return whether it has started.
  template <class Entry>
  bool add(Entry& entry);
  [[gnu::noinline]] void remove(QueueableState& entry) noexcept;
  /// Whether an entry would start at once because it follows others with its pipeline, not null. Not of a
  /// loop that was closed.
  [[nodiscard, gnu::always_inline]] bool goes_on_with(const LoopResource* pipeline) const noexcept {
    return ahead_ == pipeline && head_ == nullptr && may_go_on_;
  }
  /// `add()` of such an entry, which is marked as started, and whose work is begun by the caller.
  void add_following(QueueableState& entry) noexcept {
    entry.queue_ = this;
    ++started_;
  }
  /// That many entries that were started go, and have forgotten the queue.
  void leave(std::uint32_t entries) noexcept {
    started_ -= entries;
    if (head_ != nullptr || users_ == 0) [[unlikely]]
      go_on();
  }
  void start();
  /// Starts no more, and puts back what has started but has nothing to show for it.
  void stop() noexcept {
    pause();
    put_back_started(false);
  }
  /// For the pipeline, see `LoopResource::undo_starts()`: the entry waits again, ahead of all others.
  void put_back(QueueableState& entry) noexcept;
  /// The pipeline no longer knows the entries that were started.
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
  /// The Queue goes: waiting entries end with ECANCELED.
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
  /// Whether an entry with that pipeline may start when none waits ahead of it.
  [[nodiscard, gnu::always_inline]] bool may_start(const LoopResource* pipeline) const noexcept {
    if (!may_go_on_ || core_->is_closed()) return false;
    return started_ == 0 || (pipeline != nullptr && ahead_ == pipeline);
  }
  template <class Entry>
  void start_entry(Entry& entry, LoopResource* pipeline);
  /// Begins the work of an entry that is alone.
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
  QueueableState* head_ = nullptr;  // of those that wait
  void* ahead_ = nullptr;           // of those that were started: their pipeline or, `begins_`, a Begin
  std::uint32_t started_ = 0;
  std::uint32_t waiting_ = 0;
  std::uint32_t users_ = 1;
  bool running_ : 1 = true;
  bool held_ : 1 = false;
  bool may_go_on_ : 1 = true;  // running and not held
  bool advancing_ : 1 = false;
  bool begins_ : 1 = false;  // one that is alone was started, and its work has not begun
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

/// Whether requests on this loop can wait in the queue: EINVAL for an empty front or a queue of another loop,
/// ECANCELED when the loop is gone.
inline int check_queue(const QueueCore* queue, const LoopCore& core) noexcept {
  if (queue == nullptr || &queue->core() != &core) return EINVAL;
  return core.is_closed() ? ECANCELED : 0;
}

}  // namespace tsock::detail
