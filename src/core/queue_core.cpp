#include "core/queue_core.hpp"

#include <cerrno>
#include <cstring>
#include <new>

namespace tsock::detail {

QueueCore::QueueCore(LoopCore& core, std::string_view name) noexcept
    : core_(&core), name_size_(static_cast<std::uint32_t>(name.size()) & longest_name) {
  if (!name.empty()) std::memcpy(static_cast<void*>(this + 1), name.data(), name.size());
}

QueueCore* QueueCore::make(LoopCore& core, std::string_view name) {
  name = name.substr(0, longest_name);
  return ::new (core.allocate(sizeof(QueueCore) + name.size())) QueueCore(core, name);
}

void QueueCore::wait(QueueableState& entry) noexcept {
  if (head_ == nullptr) {
    head_ = &entry;
  } else {
    entry.queue_prev_ = head_->queue_prev_;
    entry.queue_prev_->queue_next_ = &entry;
  }
  head_->queue_prev_ = &entry;
  ++waiting_;
}

// Of an entry that waits.
void QueueCore::unlink(QueueableState& entry) noexcept {
  QueueableState* const ahead = entry.queue_prev_;
  QueueableState* const behind = entry.queue_next_;
  (&entry == head_ ? head_ : ahead->queue_next_) = behind;
  if (behind != nullptr) {
    behind->queue_prev_ = ahead;
  } else if (head_ != nullptr) {
    head_->queue_prev_ = ahead;
  }
  entry.queue_prev_ = entry.queue_next_ = nullptr;
  --waiting_;
}

void QueueCore::remove(QueueableState& entry) noexcept {
  entry.queue_ = nullptr;
  if (!entry.is_started()) {
    unlink(entry);
    go_on();
  } else {
    leave(1);
  }
}

void QueueCore::advance() {
  while (head_ != nullptr) {
    QueueableState& entry = *head_;
    const void* const pipeline = entry.pipeline();
    if (!may_start(pipeline)) return;
    unlink(entry);
    start_entry(entry, pipeline);
  }
}

void QueueCore::go_on() noexcept {
  advance();
  delete_if_unused();
}

void QueueCore::start() {
  running_ = true;
  may_go_on_ = !held_;
  advance();
}

void QueueCore::release_hold() noexcept {
  held_ = false;
  may_go_on_ = running_;
  --users_;
  go_on();
}

void QueueCore::release_queue() noexcept {
  stop();
  while (head_ != nullptr) {
    QueueableState& entry = *head_;
    entry.interrupt(ECANCELED);
    if (entry.queue_ == this) remove(entry);
  }
  --users_;
  delete_if_unused();
}

void QueueCore::delete_if_unused() noexcept {
  if (users_ != 0 || started_ != 0) return;
  LoopCore& core = *core_;
  const std::size_t size = sizeof(QueueCore) + name_size_;
  this->~QueueCore();
  core.deallocate(static_cast<void*>(this), size);
}

}  // namespace tsock::detail
