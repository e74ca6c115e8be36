#include "quiet_timer.hpp"

#include <algorithm>
#include <utility>

namespace tsock_cat {
namespace {

// Between two looks at who is busy.
constexpr Duration busy_interval = std::chrono::milliseconds(10);

}  // namespace

void QuietTimer::start(Duration quiet, std::function<bool()> is_busy, std::function<void()> on_quiet) {
  quiet_ = quiet;
  is_busy_ = std::move(is_busy);
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
    if (is_busy_()) {
      touch();
      return sleep(std::max(quiet_, busy_interval));
    }
    const auto on_quiet = std::move(on_quiet_);
    on_quiet();
  });
}

}  // namespace tsock_cat
