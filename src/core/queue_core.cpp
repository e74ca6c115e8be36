#include "core/queue_core.hpp"

#include <cerrno>
#include <cstring>
#include <new>

namespace tsock::detail {

QueueCore::QueueCore(LoopCore& core, std::string_view name) noexcept
    : core_(&core), name_size_(static_cast<std::uint32_t>(name.size())) {
  if (!name.empty()) std::memcpy(static_cast<void*>(this + 1), name.data(), name.size());
}

QueueCore* QueueCore::make(LoopCore& core, std::string_view name) {
  return ::new (core.allocate(sizeof(QueueCore) + name.size())) QueueCore(core, name);
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
  const std::size_t size = sizeof(QueueCore) + name_size_;
  this->~QueueCore();
  core.deallocate(static_cast<void*>(this), size);
}

}  // namespace tsock::detail
