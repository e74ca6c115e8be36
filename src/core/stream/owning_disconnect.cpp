#include <cerrno>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/stream.hpp>
#include <utility>

#include "core/loop/engine_place.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0 {

namespace detail {

namespace {

/// A disconnect that owns the stream: waits for the writes, then disconnects.
class OwningDisconnect : public ResultState<void> {
 public:
  OwningDisconnect(LoopCore& core, const DisconnectOptions& options, CallSite site) noexcept
      : ResultState(core, site), options_(options) {}
  [[nodiscard]] const char* name() const noexcept override { return "owning_disconnect"; }

  void start(Stream stream, Queue queue) {
    stream_ = std::move(stream);
    queue_ = std::move(queue);
    QueueCore* const order = queue_.core();
    StreamCore* const target = StreamAccess::core(stream_);
    int err = order != nullptr ? check_queue(order, core()) : 0;
    if (err == 0 && target == nullptr) err = ENOTCONN;
    if (core().is_closed()) err = ECANCELED;
    if (err != 0) {
      close(err);
      return;
    }
    target->dismiss_followers();
    target->cancel_all_but_writes(order);
    auto* const drain = make_state<StreamControl>(core(), StreamControl::Kind::drain, site());
    step_ = Request<void>(drain);
    step_.set_timeout(options_.linger_time);
    step_.set_callback([this](Request<void>& step) { writes_are_out(step); });
    if (order == nullptr) {
      target->start_shutdown(*drain);
    } else {
      order->enter(*drain, *target);
    }
  }

  void interrupt(int err) override { close(err); }

 private:
  void writes_are_out(Request<void>& step) {
    step.recv(write_error_);
    explain(step.reason());
    if (write_error_ == ETIMEDOUT) {
      close(write_error_);
    } else {
      begin();
    }
  }

  // Also called from the loop: a read that has ended but was not delivered still keeps the stream busy.
  void begin() override {
    StreamCore* const target = StreamAccess::core(stream_);
    target->cancel_all_but_writes(nullptr);
    if (target->is_open() && target->is_busy()) {
      schedule_begin();
      return;
    }
    const ParentScope scope(*this);
    step_ = stream_.disconnect(options_, site());
    step_.set_callback([this](Request<void>& step) {
      add_transferred(step.transferred());
      int err = 0;
      step.recv(err);
      if (write_error_ == 0) explain(step.reason());
      close(write_error_ != 0 ? write_error_ : err);
    });
  }

  void close(int err) {
    // Destroyed in reverse order, behind the last use of this request: what the stream owns may destroy it.
    const Queue queue = std::move(queue_);
    const Stream stream = std::move(stream_);
    const Request<void> step = std::move(step_);
    finish(err);
  }

  DisconnectOptions options_;
  Stream stream_;
  Queue queue_;
  Request<void> step_;
  int write_error_ = 0;
};

}  // namespace

}  // namespace detail

Request<void> Stream::disconnect(Queue&& queue, const DisconnectOptions& options, CallSite site) && {
  Loop* const on = place_.loop();
  if (on == nullptr) return {};
  auto* const state = detail::make_state<detail::OwningDisconnect>(on->core(), options, site);
  Request<void> request(state);
  const detail::ParentScope scope(*state);
  state->start(std::move(*this), std::move(queue));
  return request;
}

}  // namespace tsock::inline v0
