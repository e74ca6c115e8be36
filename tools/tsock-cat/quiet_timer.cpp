#include "quiet_timer.hpp"

#include <utility>

namespace tsock_cat {

void QuietTimer::start(Duration quiet, std::function<void()> on_quiet) {
  quiet_ = quiet;
  on_quiet_ = std::move(on_quiet);
  touch();
  last_turn_ = false;
  sleep(quiet);
}

void QuietTimer::touch() noexcept {
  last_ = Clock::now();
  touched_ = true;
}

void QuietTimer::sleep(Duration duration) {
  touched_ = false;
  sleeping_ = loop_.sleep(duration);
  sleeping_.set_callback([this](tsock::Request<void>&) {
    const Duration left = last_ + quiet_ - Clock::now();
    if (left > Duration::zero()) {
      last_turn_ = false;
      return sleep(left);
    }
    // What came in time and waits to be handled counts: it has one turn of the loop to show.
    if (touched_ || !std::exchange(last_turn_, true)) return sleep(Duration::zero());
    const auto on_quiet = std::move(on_quiet_);
    on_quiet();
  });
}

}  // namespace tsock_cat
