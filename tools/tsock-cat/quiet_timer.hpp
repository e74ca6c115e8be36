#pragma once

#include <chrono>
#include <functional>
#include <tsock/loop.hpp>
#include <tsock/request.hpp>

#include "duration.hpp"

namespace tsock_cat {

/// What is waited for without traffic on a transport that cannot half-close, when -q does not say.
inline constexpr Duration default_quiet = std::chrono::seconds(1);

/// Tells when nothing has happened for a while.
class QuietTimer {
 public:
  explicit QuietTimer(tsock::Loop& loop) : loop_(loop) {}

  /// Calls `on_quiet` once, from the loop, when no `touch()` came for that long and `is_busy` says that
  /// nothing waits to be written; it may destroy the timer. Starting again begins anew.
  void start(Duration quiet, std::function<bool()> is_busy, std::function<void()> on_quiet);
  void touch() noexcept;
  void stop() { sleeping_ = {}; }
  [[nodiscard]] bool is_running() const noexcept { return sleeping_.is_in_progress(); }

 private:
  using Clock = std::chrono::steady_clock;

  void sleep(Duration duration);

  tsock::Loop& loop_;
  Duration quiet_{};
  std::function<bool()> is_busy_;
  std::function<void()> on_quiet_;
  Clock::time_point last_;
  bool touched_ = false;    // since it sleeps
  bool last_turn_ = false;  // the time is over
  tsock::Request<void> sleeping_;
};

}  // namespace tsock_cat
