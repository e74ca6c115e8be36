#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tsock/detail/request_state.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

class QueueCore;

/// A request that can stand in a Queue.
class QueueableState : public RequestState {
 public:
  using RequestState::RequestState;
  /// The turn has come: begin the work. Must not call code of the user; see `schedule_begin()`.
  virtual void start_in_queue() = 0;
  /// Entries that follow one another with the same pipeline, not null, may start before the one ahead has
  /// completed.
  [[nodiscard]] const void* pipeline() const noexcept { return pipeline_; }
  void set_pipeline(const void* pipeline) noexcept { pipeline_ = pipeline; }
  [[nodiscard]] bool is_started() const noexcept { return started_; }
  [[nodiscard]] QueueCore* queue() const noexcept { return queue_; }
  /// The entry behind this one; null at the tail.
  [[nodiscard]] QueueableState* behind() const noexcept { return queue_next_; }

 protected:
  ~QueueableState() override = default;
  /// To be called on delivery and when abandoned.
  inline void leave_queue() noexcept;

 private:
  friend class QueueCore;
  // The small ones first: they fit behind the base's.
  bool started_ = false;

 protected:
  bool waits_ = false;  // stands in the list of those that wait for what they work on

 private:
  QueueCore* queue_ = nullptr;
  QueueableState* queue_prev_ = nullptr;
  QueueableState* queue_next_ = nullptr;
  const void* pipeline_ = nullptr;
};

/// What is behind a Queue; shared by the Queue and a QueueHold.
class QueueCore {
 public:
  /// Makes one in the loop's pool, with a copy of the name behind it.
  static QueueCore* make(LoopCore& core, std::string_view name);
  QueueCore(const QueueCore&) = delete;
  QueueCore& operator=(const QueueCore&) = delete;

  /// Puts the entry at the tail. It may start at once, see `is_started()`.
  void add(QueueableState& entry);
  void remove(QueueableState& entry) noexcept;
  void start();
  void stop() noexcept { running_ = false; }
  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] std::size_t length() const noexcept { return std::size_t{length_} + (held_ ? 1 : 0); }
  [[nodiscard]] std::string_view name() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), name_size_};
  }
  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }

  void hold() noexcept {
    held_ = true;
    ++users_;
  }
  void release_hold() noexcept;
  /// The Queue goes: waiting entries end with ECANCELED.
  void release_queue() noexcept;

 private:
  QueueCore(LoopCore& core, std::string_view name) noexcept;
  ~QueueCore() = default;
  /// Whether the first waiting entry's turn has come.
  [[nodiscard]] bool may_start(const QueueableState& entry) const noexcept {
    if (!running_ || held_ || core_->is_closed()) return false;
    const QueueableState* const ahead = entry.queue_prev_;
    return ahead == nullptr || (entry.pipeline_ != nullptr && ahead->pipeline_ == entry.pipeline_);
  }
  void advance();
  void drop_user() noexcept;

  LoopCore* core_;
  QueueableState* head_ = nullptr;
  QueueableState* tail_ = nullptr;
  QueueableState* waiting_ = nullptr;  // the first entry that was not started
  std::uint32_t length_ = 0;
  std::uint32_t users_ = 1;
  bool running_ = true;
  bool held_ = false;
  std::uint32_t name_size_;
};

inline void QueueCore::add(QueueableState& entry) {
  entry.queue_ = this;
  entry.queue_prev_ = tail_;
  (tail_ != nullptr ? tail_->queue_next_ : head_) = &entry;
  tail_ = &entry;
  ++length_;
  if (waiting_ != nullptr) return;
  if (may_start(entry)) {
    entry.started_ = true;
    entry.start_in_queue();
  } else {
    waiting_ = &entry;
  }
}

inline void QueueCore::remove(QueueableState& entry) noexcept {
  QueueableState* const ahead = entry.queue_prev_;
  QueueableState* const behind = entry.queue_next_;
  (ahead != nullptr ? ahead->queue_next_ : head_) = behind;
  (behind != nullptr ? behind->queue_prev_ : tail_) = ahead;
  entry.queue_ = nullptr;
  --length_;
  if (waiting_ == nullptr) [[likely]]
    return;
  if (waiting_ == &entry) waiting_ = behind;
  if (waiting_ != nullptr) advance();
}

inline void QueueableState::leave_queue() noexcept {
  if (queue_ != nullptr) queue_->remove(*this);
}

/// Whether requests on this loop can wait in the queue: EINVAL for an empty front or a queue of another loop.
inline int check_queue(const QueueCore* queue, const LoopCore& core) noexcept {
  return queue != nullptr && &queue->core() == &core ? 0 : EINVAL;
}

}  // namespace tsock::detail
