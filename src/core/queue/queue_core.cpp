#include "core/queue/queue_core.hpp"

#include <cerrno>
#include <cstring>
#include <new>

namespace tsock::inline v0::detail {

QueueCore::QueueCore(LoopCore& core, std::string_view name) noexcept
    : core_(&core), name_size_(static_cast<std::uint32_t>(name.size()) & longest_name) {
  if (!name.empty()) std::memcpy(static_cast<void*>(this + 1), name.data(), name.size());
}

QueueCore* QueueCore::make(LoopCore& core, std::string_view name) {
  name = name.substr(0, longest_name);
  return ::new (core.allocate(sizeof(QueueCore) + name.size())) QueueCore(core, name);
}

void QueueableState::on_deadline() {
  if (queue_ == nullptr || !look_again()) RequestState::on_deadline();
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

// Removes an entry that waits.
void QueueCore::take_out(QueueableState& entry) noexcept {
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
    take_out(entry);
    go_on();
    return;
  }
  if (begins_) end_begin();
  leave(1);
}

// An entry that ends when it starts calls this again; the loop below then goes on with the next entry.
void QueueCore::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (head_ != nullptr) {
    QueueableState& entry = *head_;
    LoopResource* const pipeline = entry.pipeline();
    if (!may_start(pipeline)) break;
    take_out(entry);
    entry.stop_waiting();
    start_entry(entry, pipeline);
  }
  advancing_ = false;
}

class QueueCore::Begin final : public ReadyTask {
 public:
  Begin(QueueCore& queue, QueueableState& entry) noexcept : queue_(&queue), entry_(&entry) {}
  ~Begin() {
    if (is_linked()) unlink();
  }
  [[nodiscard]] QueueableState& entry() const noexcept { return *entry_; }
  void run() override { queue_->end_begin().begin_in_queue(); }

 private:
  QueueCore* queue_;
  QueueableState* entry_;
};

QueueCore::Begin* QueueCore::begin() const noexcept { return static_cast<Begin*>(ahead_); }

// Begins the work from the loop and not at once, so that what runs before can stop the queue. Returns false
// when out of memory; the caller then begins the work at once.
bool QueueCore::schedule_begin_of(QueueableState& entry) noexcept {
  try {
    auto* const task = make_pooled<Begin>(*core_, *this, entry);
    ahead_ = task;
    begins_ = true;
    core_->make_ready(*task);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// Destroys the task. Returns the entry that it was for.
QueueableState& QueueCore::end_begin() noexcept {
  Begin* const task = begin();
  QueueableState& entry = task->entry();
  ahead_ = nullptr;
  begins_ = false;
  task->~Begin();
  core_->deallocate(static_cast<void*>(task), sizeof(Begin));
  return entry;
}

void QueueCore::put_back(QueueableState& entry) noexcept {
  --started_;
  entry.unmark(QueueableState::started);
  QueueableState* const last = head_ != nullptr ? head_->queue_prev_ : &entry;
  entry.queue_next_ = head_;
  if (head_ != nullptr) head_->queue_prev_ = &entry;
  entry.queue_prev_ = last;
  head_ = &entry;
  ++waiting_;
}

void QueueCore::put_back_started(bool but_the_first) noexcept {
  if (begins_) {
    if (but_the_first || !begin()->entry().undo_start()) return;
    put_back(end_begin());
  } else if (started_ != 0 && ahead_ != nullptr) {
    static_cast<LoopResource*>(ahead_)->undo_starts(*this, but_the_first);
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
  core_->end_if_at_rest();
  pause();
  put_back_started(true);
  while (head_ != nullptr) {
    QueueableState& entry = *head_;
    entry.interrupt(ECANCELED);
    if (entry.queue_ == this) remove(entry);
  }
  --users_;
  delete_if_unused();
}

void QueueCore::delete_if_unused() noexcept {
  if (users_ != 0 || started_ != 0 || advancing_) return;
  LoopCore& core = *core_;
  const std::size_t size = sizeof(QueueCore) + name_size_;
  this->~QueueCore();
  core.deallocate(static_cast<void*>(this), size);
}

}  // namespace tsock::inline v0::detail
