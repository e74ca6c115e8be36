#include <cerrno>
#include <tsock/detail/checked_loop.hpp>
#include <tsock/queue.hpp>

#include "core/queue/queue_core.hpp"

namespace tsock::inline v0 {

namespace detail {

/// Waits for the head of the queue, then holds it.
class HoldState : public ResultState<QueueHold, QueueableState> {
 public:
  HoldState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "queue_wait"; }

  void start_in_queue() override {}
  // Delivered ahead of all others, so that nothing can stop the queue in between.
  void begin_in_queue() override {
    if (!is_unfinished()) return;
    finish(0);
    unlink();
    core().make_ready_first(*this);
  }
  bool undo_start() noexcept override { return is_unfinished(); }
  void interrupt(int err) override {
    leave_queue();
    finish(err);
  }

 private:
  void on_abandon() noexcept override { leave_queue(); }
  void on_delivery() noexcept override {
    if (error() == 0) {
      queue()->hold();
      value_ = QueueHold(*queue());
    }
    leave_queue();  // from here on, the hold takes the place of the entry
  }
};

/// The place in the queue that `Queue::block()` reserves: an entry that has no Request and that the loop does
/// not count.
class QueueBlock final : public QueueableState {
 public:
  QueueBlock(LoopCore& core, CallSite site) noexcept : QueueableState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "queue_block"; }
  void start_in_queue() override {}
  bool undo_start() noexcept override { return true; }
  /// Called when the queue is destroyed.
  void interrupt(int /*err*/) override { leave_queue(); }
  void end() noexcept {
    leave_queue();
    free();
  }

 private:
  void free() noexcept override {
    LoopCore& core = this->core();
    this->~QueueBlock();
    core.deallocate(static_cast<void*>(this), sizeof(QueueBlock));
  }
};

}  // namespace detail

void QueueHold::release() noexcept {
  if (auto* const core = std::exchange(core_, nullptr)) core->release_hold();
  if (auto* const block = std::exchange(block_, nullptr)) block->end();
}

Queue::Queue(Loop& loop, OptionalText name) {
  core_ = detail::QueueCore::make(detail::core_of(loop), name.text());
}

Queue& Queue::operator=(Queue&& other) noexcept {
  if (this != &other) {
    if (core_ != nullptr) core_->release_queue();
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

Queue::~Queue() {
  if (core_ != nullptr) core_->release_queue();
}

void Queue::stop() noexcept {
  if (core_ != nullptr) core_->stop();
}

void Queue::start() {
  if (core_ != nullptr) core_->start();
}

bool Queue::running() const noexcept { return core_ != nullptr && core_->running(); }

std::size_t Queue::length() const noexcept { return core_ != nullptr ? core_->length() : 0; }

std::string_view Queue::name() const noexcept {
  return core_ != nullptr ? core_->name() : std::string_view();
}

Loop& Queue::loop() const { return detail::checked_loop(core_ != nullptr ? &core_->core().loop() : nullptr); }

Request<QueueHold> Queue::wait(CallSite site) {
  if (core_ == nullptr) return {};
  auto* const state = detail::make_state<detail::HoldState>(core_->core(), site);
  Request<QueueHold> request(state);
  if (state->is_unfinished()) core_->add(*state);
  return request;
}

QueueHold Queue::block(CallSite site) {
  if (core_ == nullptr) return {};
  auto* const block = detail::make_pooled<detail::QueueBlock>(core_->core(), core_->core(), site);
  QueueHold hold(*block);
  core_->add(*block);
  return hold;
}

}  // namespace tsock::inline v0
