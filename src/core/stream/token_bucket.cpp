#include "core/stream/token_bucket.hpp"

#include <algorithm>
#include <new>
#include <tsock/loop.hpp>

namespace tsock::inline v0::detail {

namespace {

// How often a second a stream gets its turn at most: each one costs a timer and a call of the system.
constexpr double turns_per_second = 100;
// For rates so low that the time to wait would have no end.
constexpr double longest_wait = 3600;

}  // namespace

TokenBucket::TokenBucket(Loop& loop, std::uint64_t bytes_per_second, std::size_t burst) noexcept
    : loop_(loop),
      rate_(static_cast<double>(bytes_per_second)),
      burst_(static_cast<double>(std::max<std::size_t>(burst, 1))),
      bytes_(burst_),
      filled_(Clock::now()) {}

void TokenBucket::set(std::uint64_t bytes_per_second, std::size_t burst) noexcept {
  refill();
  rate_ = static_cast<double>(bytes_per_second);
  burst_ = static_cast<double>(std::max<std::size_t>(burst, 1));
  bytes_ = std::min(bytes_, burst_);
  if (!serves_ && !waiting_.empty()) serve();
}

void TokenBucket::refill() noexcept {
  const Clock::time_point now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - filled_).count();
  bytes_ = std::min(burst_, bytes_ + seconds * rate_);
  filled_ = now;
}

// Half of what fits, as a timer may be late: what comes until then is not lost.
double TokenBucket::step() const noexcept {
  return std::max(std::min(burst_ / 2, rate_ / turns_per_second), 1.0);
}

// A call of the system takes time, in which the bucket fills: one who took what had come meanwhile would go
// on in crumbs and never wait. So a turn has what was there when the turns began, and without a turn less
// than a step is nothing.
std::size_t TokenBucket::take(std::size_t wanted, bool indivisible) noexcept {
  if (!serves_) {
    if (!waiting_.empty()) return 0;
    refill();
    if (!indivisible && bytes_ < std::min(step(), static_cast<double>(wanted))) return 0;
  }
  if (bytes_ < 1 || rate_ == 0) return 0;
  std::size_t taken = wanted;
  if (!indivisible && static_cast<double>(wanted) > bytes_) taken = static_cast<std::size_t>(bytes_);
  bytes_ -= static_cast<double>(taken);
  return taken;
}

bool TokenBucket::wait(Waiter& waiter) noexcept {
  if (waiter.is_linked()) return true;
  waiting_.push_back(waiter);
  if (serves_ || timer_ || arm()) return true;
  waiter.unlink();
  return false;
}

void TokenBucket::forget(Waiter& waiter) noexcept {
  if (!waiter.is_linked()) return;
  waiter.unlink();
  if (!serves_ && waiting_.empty()) timer_ = {};
}

bool TokenBucket::arm() noexcept {
  timer_ = {};
  if (rate_ == 0) return true;
  refill();
  const double seconds = std::clamp((step() - bytes_) / rate_, 0.0, longest_wait);
  try {
    timer_ = loop_.sleep(std::chrono::ceil<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds)));
    timer_.set_callback([this](Request<void>&) { serve(); });
    return true;
  } catch (const std::bad_alloc&) {
    timer_ = {};
    return false;
  }
}

// One who has had a turn and wants more waits behind the others.
void TokenBucket::serve() noexcept {
  timer_ = {};
  refill();
  NodeList turns;
  if (!waiting_.empty()) turns.take_front(waiting_, *waiting_.last());
  serves_ = true;
  while (!turns.empty() && bytes_ >= 1) static_cast<Waiter&>(turns.take_first()).on_turn();
  serves_ = false;
  if (!waiting_.empty()) turns.take_front(waiting_, *waiting_.last());
  if (turns.empty()) return;
  waiting_.take_front(turns, *turns.last());
  if (arm()) return;
  // Without memory to wait with: they ask again, and find out.
  turns.take_front(waiting_, *waiting_.last());
  while (!turns.empty()) static_cast<Waiter&>(turns.take_first()).on_turn();
}

}  // namespace tsock::inline v0::detail
