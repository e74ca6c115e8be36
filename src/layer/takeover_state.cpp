#include "layer/takeover_state.hpp"

#include <cerrno>
#include <ostream>
#include <utility>

#include "core/stream/stream_access.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::layer {

using detail::StreamControl;

void TakeoverState::take_over(Stream below) {
  below_ = std::move(below);
  detail::StreamCore* const source = StreamAccess::core(below_);
  if (source == nullptr || !source->is_writing()) {
    on_drained(0, {});
    return;
  }
  auto* const drain = detail::make_state<StreamControl>(core(), StreamControl::Kind::drain, site());
  drain_ = Request<void>(drain);
  drain_.set_callback([this](Request<void>& done) {
    int err = 0;
    done.recv(err);
    if (is_unfinished()) on_drained(err, done.reason());
  });
  source->start_shutdown(*drain);
}

void TakeoverState::on_deadline() {
  if (!look_again()) interrupt(ETIMEDOUT);
}

void TakeoverState::describe(std::ostream& out) const {
  if (!below_.is_open()) return;
  const Address remote = below_.remote_address();
  if (!remote.is_empty()) out << ", peer " << remote.string();
}

void TakeoverState::fail(int err, std::string_view reason) {
  if (!is_unfinished()) return;
  explain(reason);
  finish(err);
}

void TakeoverState::drop() noexcept {
  drain_ = {};
  release_all();
  below_ = Stream();
}

void TakeoverState::on_delivery() noexcept {
  mark(in_delivery);
  before_release();
  drop();
  drop_call_of_closed_loop();
  unmark(in_delivery);
}

// Out of the loop's list first: the Loop ends what it lists.
void TakeoverState::on_abandon() noexcept {
  if (is_linked()) unlink();
  drop();
}

}  // namespace tsock::inline v0::layer
