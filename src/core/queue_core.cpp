#include "core/queue_core.hpp"

#include <cerrno>

namespace tsock::detail {

void QueueableState::leave_queue() noexcept {
  if (queue_ != nullptr) queue_->remove(*this);
}

void QueueCore::add(QueueableState& entry) {
  entry.queue_ = this;
  entry.queue_prev_ = tail_;
  entry.queue_next_ = nullptr;
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

void QueueCore::remove(QueueableState& entry) noexcept {
  (entry.queue_prev_ != nullptr ? entry.queue_prev_->queue_next_ : head_) = entry.queue_next_;
  (entry.queue_next_ != nullptr ? entry.queue_next_->queue_prev_ : tail_) = entry.queue_prev_;
  if (waiting_ == &entry) waiting_ = entry.queue_next_;
  entry.queue_ = nullptr;
  --length_;
  if (waiting_ != nullptr) advance();
}

void QueueCore::advance() {
  while (waiting_ != nullptr && may_start(*waiting_)) {
    QueueableState& entry = *waiting_;
    waiting_ = entry.queue_next_;
    entry.started_ = true;
    entry.start_in_queue();
  }
}

void QueueCore::start() {
  running_ = true;
  advance();
}

void QueueCore::release_hold() noexcept {
  held_ = false;
  advance();
  drop_user();
}

void QueueCore::release_queue() noexcept {
  running_ = false;
  while (waiting_ != nullptr) {
    QueueableState& entry = *waiting_;
    entry.interrupt(ECANCELED);
    if (entry.queue_ == this) remove(entry);
  }
  for (QueueableState* entry = head_; entry != nullptr; entry = entry->queue_next_) entry->queue_ = nullptr;
  head_ = tail_ = waiting_ = nullptr;
  length_ = 0;
  drop_user();
}

void QueueCore::drop_user() noexcept {
  if (--users_ != 0) return;
  LoopCore& core = *core_;
  this->~QueueCore();
  core.deallocate(static_cast<void*>(this), sizeof(QueueCore));
}

}  // namespace tsock::detail
