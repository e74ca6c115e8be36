#include <cerrno>
#include <tsock/loop.hpp>
#include <tsock/poll.hpp>

#include "uv/fd_watcher.hpp"

namespace tsock::inline v0 {

namespace detail {

/// Waits for one event of a descriptor of the user.
class PollState : public ResultState<PollEvents>, private FdWatcher<PollState> {
 public:
  PollState(LoopCore& core, CallSite site) : ResultState(core, site), FdWatcher(impl_of(core)) {}
  [[nodiscard]] const char* name() const noexcept override { return "poll"; }

  int begin_watching(NativeSocket descriptor, PollEvents wanted) noexcept {
    if (const int err = start_watching(descriptor); err != 0) return err;
    if (intersect(wanted, PollEvents::readable)) await_readable();
    if (intersect(wanted, PollEvents::writable)) await_writable();
    if (intersect(wanted, PollEvents::hang_up)) await_hang_up();
    return 0;
  }
  // The descriptor is the caller's again.
  void interrupt(int err) override {
    stop_watching();
    finish(err);
  }

 private:
  friend class FdWatcher<PollState>;
  friend class FdWatch;

  void on_fd_event(FdEvent event) {
    auto events = PollEvents::none;
    if (event.readable) events = events | PollEvents::readable;
    if (event.writable) events = events | PollEvents::writable;
    if (event.hung_up) events = events | PollEvents::hang_up;
    if (event.failed) events = events | PollEvents::error;
    stop_watching();
    finish_with(events);
  }
  void on_delivery() noexcept override { stop_watching(); }
  void on_abandon() noexcept override { stop_watching(); }
};

}  // namespace detail

Request<PollEvents> poll(Loop& loop, NativeSocket descriptor, PollEvents wanted, CallSite site) {
  constexpr auto askable = PollEvents::readable | PollEvents::writable | PollEvents::hang_up;
  auto* const state = detail::make_state<detail::PollState>(loop.core(), site);
  Request<PollEvents> request(state);
  if (!state->is_unfinished()) return request;
  const int err = intersect(wanted, askable) ? state->begin_watching(descriptor, wanted) : EINVAL;
  if (err != 0) state->finish(err);
  return request;
}

}  // namespace tsock::inline v0
