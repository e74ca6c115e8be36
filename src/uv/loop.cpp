#include <tsock/loop.hpp>

#include "core/loop/sleep_state.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/process.hpp"
#include "uv/signal_watch.hpp"

namespace tsock::inline v0 {

void detail::LoopRelease::operator()(LoopImpl* impl) const noexcept { impl->release(); }

Loop::Loop() : Loop(nullptr) {}

Loop::Loop(const LoopOptions& options) : Loop(nullptr, options) {}

Loop::Loop(uv_loop_s* borrowed, const LoopOptions& options)
    : impl_(new detail::LoopImpl(*this, borrowed, options)) {}

Loop::~Loop() = default;

void Loop::run() { impl_->run(); }

bool Loop::run_once() { return impl_->run_once(); }

void Loop::run_until_idle() { impl_->run_until_idle(); }

void Loop::stop() noexcept { impl_->stop(); }

void Loop::rethrow() { impl_->throw_kept_exception(); }

void* Loop::post_block() { return impl_->post_block(); }

void Loop::post_function(detail::PostedFunction& function) noexcept { impl_->post(function); }

Request<void> Loop::sleep(std::chrono::nanoseconds duration, CallSite site) {
  auto* const state = detail::make_state<detail::SleepState>(*impl_, site);
  Request<void> request(state);
  if (duration <= std::chrono::nanoseconds::zero()) {
    state->finish(0);
  } else {
    state->sleep_until(detail::time_after(duration));
  }
  return request;
}

Request<void> Loop::sleep_until(std::chrono::steady_clock::time_point when, CallSite site) {
  auto* const state = detail::make_state<detail::SleepState>(*impl_, site);
  Request<void> request(state);
  if (when <= detail::Clock::now()) {
    state->finish(0);
  } else {
    state->sleep_until(when);
  }
  return request;
}

Request<int> Loop::signal(int signum, CallSite site) {
  detail::LoopImpl& impl = *impl_;  // a trace function may destroy the Loop
  auto* const state = detail::make_state<detail::SignalState>(impl, site);
  Request<int> request(state);
  int err = 0;
  detail::SignalWatch* const watch = impl.signal_watch(signum, err);
  if (watch != nullptr) {
    watch->add(*state);
  } else {
    state->finish(err);
  }
  return request;
}

void Loop::dump(std::ostream& out) const {
  impl_->set_now(uv_hrtime() / 1000000U);
  impl_->dump(out);
}

void Loop::dump_json(std::ostream& out) const {
  impl_->set_now(uv_hrtime() / 1000000U);
  impl_->dump_json(out);
}

void Loop::start_callback_timing(std::size_t most_slow) { impl_->inspector().start_timer(most_slow); }

void Loop::stop_callback_timing() noexcept { impl_->inspector().stop_timer(); }

CallbackTimes Loop::callback_times() const { return impl_->call_timer().times(); }

LoopMetrics Loop::metrics() const noexcept { return impl_->metrics(); }

std::size_t Loop::trim() noexcept { return impl_->trim_and_pass_on(); }

void Loop::set_logger(std::shared_ptr<spdlog::logger> logger) { impl_->set_logger(std::move(logger)); }

void Loop::set_trace(TraceFunction function) { impl_->set_trace(std::move(function)); }

void Loop::set_lifecycle_observer(LifecycleFunction function) {
  impl_->inspector().set_lifecycle_observer(std::move(function));
}

int Loop::after_fork_in_child() noexcept { return impl_->after_fork_in_child(); }

uv_loop_s* Loop::native_handle() const noexcept { return impl_->give_uv(); }

detail::LoopCore& Loop::core() const noexcept { return *impl_; }

}  // namespace tsock::inline v0
