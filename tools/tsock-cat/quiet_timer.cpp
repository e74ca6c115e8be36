#include "quiet_timer.hpp"

#include <utility>

namespace tsock_cat {

void QuietTimer::start(Duration quiet, std::function<void()> on_quiet) {
  quiet_ = quiet;
  on_quiet_ = std::move(on_quiet);
  touch();
  sleep();
}

void QuietTimer::sleep() {
  sleeping_ = loop_.sleep(last_ + quiet_ - Clock::now());
  sleeping_.set_callback([this](tsock::Request<void>&) {
    if (Clock::now() < last_ + quiet_) return sleep();
    const auto on_quiet = std::move(on_quiet_);
    on_quiet();
  });
}

}  // namespace tsock_cat
