#include "core/stream/stream_base.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include "core/stream/stream_control.hpp"
#include "core/stream/stream_extras.hpp"

namespace tsock::inline v0::detail {

StreamBase::StreamBase(LoopCore& core, std::unique_ptr<StreamBackend> backend) noexcept
    : core_(&core), backend_(std::move(backend)) {}

StreamBase::~StreamBase() = default;

std::uint16_t StreamBase::fitting(int err) noexcept {
  return static_cast<std::uint16_t>(
      err > 0 && static_cast<unsigned>(err) <= StreamFlags::largest_error ? err : EIO);
}

void StreamBase::explain(RequestState& state) const noexcept {
  if (backend_ != nullptr) state.explain(backend_->reason());
}

StreamExtras& StreamBase::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<StreamExtras>();
  flags_.takes_general_way = flags_.has_write_extras = true;
  return *extras_;
}

// Leaves `has_write_extras` alone: writes need not know of the attachment.
void StreamBase::keep(std::unique_ptr<StreamAttachment>& attachment) {
  if (extras_ == nullptr) extras_ = std::make_unique<StreamExtras>();
  extras_->attachment = std::move(attachment);
}

const StreamAttachment* StreamBase::attachment() const noexcept {
  return extras_ != nullptr ? extras_->attachment.get() : nullptr;
}

// As above.
void StreamBase::keep_life(std::unique_ptr<StreamLife> life) noexcept {
  if (extras_ == nullptr) extras_.reset(new (std::nothrow) StreamExtras());
  if (extras_ != nullptr) extras_->life = std::move(life);
}

bool StreamBase::has_life() const noexcept { return extras_ != nullptr && extras_->life != nullptr; }

std::unique_ptr<StreamLife> StreamBase::take_life() noexcept {
  return extras_ != nullptr ? std::move(extras_->life) : nullptr;
}

// Puts controls at the front, where they are found without a look at the waiting requests.
void StreamBase::add_control(StreamControl& control) noexcept {
  control.set_controlling(true);
  control.set_stream(this);
  others_.push_front(control);
}

void StreamBase::remove_control(StreamControl& control) noexcept {
  control.set_controlling(false);
  control.set_stream(nullptr);
  control.unlink();
  if (flags_.is_shutting_down) {
    flags_.is_shutting_down = find_control(StreamControlKind::shutdown_write) != nullptr ||
                              find_control(StreamControlKind::drain) != nullptr;
  }
}

StreamControl* StreamBase::find_control(StreamControlKind kind) noexcept {
  for (ListNode* node = others_.first(); node != others_.end(); node = node->next) {
    if (!static_cast<StreamOperation&>(*node).is_controlling()) break;
    auto& control = static_cast<StreamControl&>(*node);
    if (control.kind() == kind) return &control;
  }
  return nullptr;
}

void StreamBase::finish_control(StreamControlKind kind, int err) noexcept {
  StreamControl* const control = find_control(kind);
  if (control == nullptr) return;
  remove_control(*control);
  if (err != 0 && err != ECONNABORTED) explain(*control);  // that one is the user's doing
  control->finish(err);
}

void StreamBase::break_monitor(int err) noexcept { finish_control(StreamControlKind::monitor, err); }

bool StreamBase::has_waiting() const noexcept {
  return !others_.empty() && !static_cast<const StreamOperation*>(others_.last())->is_controlling();
}

void StreamBase::cancel_flush() noexcept {
  if (!flags_.flush_scheduled) return;
  flags_.flush_scheduled = false;
  // A loop that is destroyed has taken this object out already.
  if (is_linked()) core_->cancel_flush(*this);
}

// A resource is in one list only: one that is scheduled to flush asks again when it has flushed.
void StreamBase::ask_for_next_turn() noexcept {
  if (!flags_.flush_scheduled) core_->schedule_next_turn(*this);
}

}  // namespace tsock::inline v0::detail
