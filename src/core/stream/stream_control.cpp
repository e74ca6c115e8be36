#include "core/stream/stream_control.hpp"

#include <cerrno>
#include <utility>

#include "core/loop/sleep_state.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

const char* StreamControl::name() const noexcept {
  switch (kind_) {
    case Kind::disconnect:
      return "disconnect";
    case Kind::shutdown_write:
      return "shutdown_write";
    case Kind::monitor:
      return "monitor";
    case Kind::drain:
      return "drain";
  }
  return "control";
}

void StreamControl::start_in_queue() {
  if (stream() == nullptr) {
    finish(ECANCELED);
  } else {
    stream()->add_waiting(*this);  // until the work begins
  }
}

void StreamControl::begin_in_queue() {
  StreamCore* const target = stream();
  if (target == nullptr) return;
  unlink();
  target->start_shutdown(*this);
}

void StreamControl::leave_stream() noexcept {
  if (stream() == nullptr) return;
  if (is_waiting()) {
    unlink();
    set_stream(nullptr);
  } else {
    stream()->end_control(*this);
  }
}

void StreamControl::interrupt(int err) {
  if (stream() == nullptr) {
    end_without_stream(err);
  } else if (is_waiting()) {
    leave_stream();
    end_without_stream(err);
  } else {
    stream()->interrupt_control(*this, err);
  }
}

void StreamControl::on_deadline() {
  if (stream() != nullptr && !is_waiting() && kind_ != Kind::monitor && stream()->goes_on_writing()) {
    postpone_deadline();
  } else {
    StreamOperation::on_deadline();
  }
}

void StreamControl::on_delivery() noexcept {
  leave_stream();
  leave_queue();
}

void StreamControl::on_abandon() noexcept {
  leave_stream();
  leave_queue();
}

// ---- disconnect ----

StreamDisconnect::StreamDisconnect(LoopCore& core, const DisconnectOptions& options, CallSite site)
    : StreamControl(core, Kind::disconnect, site), end_(time_after(options.linger_time)) {
  linger_.most_discarded = options.most_discarded;
  linger_.is_over = options.linger_time <= std::chrono::nanoseconds::zero();
}

void StreamDisconnect::wait() {
  // Only the first time: by the second time, the caller may have set a deadline of its own.
  if (!std::exchange(waits_, true)) set_deadline(end_);
  pause_ = Request<void>();
  if (linger_.try_again == std::chrono::milliseconds::zero()) return;
  auto* const state = make_state<SleepState>(core(), site());
  pause_ = Request<void>(state);
  state->sleep_until(time_after(linger_.try_again));
  pause_.set_callback([this](Request<void>&) {
    if (stream() != nullptr) stream()->resume_disconnect();
  });
}

// The caller may keep this request, and what sleeps would keep the loop running.
void StreamDisconnect::on_delivery() noexcept {
  pause_ = Request<void>();
  StreamControl::on_delivery();
}

// A deadline before `end_` is the caller's.
void StreamDisconnect::on_deadline() {
  if (stream() == nullptr || Clock::now() < end_) {
    interrupt(ETIMEDOUT);
    return;
  }
  linger_.is_over = true;
  stream()->resume_disconnect();
}

}  // namespace tsock::inline v0::detail
