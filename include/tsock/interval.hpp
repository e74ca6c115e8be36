#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <tsock/call_site.hpp>
#include <tsock/detail/loop_here.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>

namespace tsock::inline v0 {

namespace detail {

/// Waits for one tick, which may stand for several that nobody waited for.
class IntervalTick final : public Operation<std::uint64_t> {
 public:
  static constexpr const char* name = "interval";
  IntervalTick(std::chrono::steady_clock::time_point due, std::uint64_t count) : due_(due), count_(count) {}
  void start() override {
    if (count_ == 0) {
      error(EINVAL);
      return;
    }
    then(loop().sleep_until(due_), [this] { done(count_); });
  }

 private:
  std::chrono::steady_clock::time_point due_;
  std::uint64_t count_;
};

}  // namespace detail

/// Ticks at a fixed rate that does not drift: the n-th tick is due n periods after the begin, however long
/// the work between ticks takes. A value; the Loop has to outlive it.
class Interval {
 public:
  Interval(Loop& loop, std::chrono::nanoseconds period) noexcept
      : loop_(&loop), period_(period), begin_(std::chrono::steady_clock::now()) {}

  /// Waits for the next tick. Ticks that have passed since the last call are not made up for one by one: the
  /// request completes on the next turn, with their number. A tick whose request is cancelled or destroyed is
  /// over. \return a request for the number of ticks since the last, at least 1; EINVAL for a period that is
  /// not positive
  Request<std::uint64_t> next(CallSite site = CallSite::current()) {
    if (period_ <= std::chrono::nanoseconds::zero())
      return make_request<detail::IntervalTick>({*loop_, site}, begin_, std::uint64_t{0});
    const auto passed = (std::chrono::steady_clock::now() - begin_) / period_;
    const auto before = tick_;
    tick_ = passed > before ? passed : before + 1;
    return make_request<detail::IntervalTick>({*loop_, site}, begin_ + tick_ * period_,
                                              static_cast<std::uint64_t>(tick_ - before));
  }

 private:
  Loop* loop_;
  std::chrono::nanoseconds period_;
  std::chrono::steady_clock::time_point begin_;
  std::int64_t tick_ = 0;  // the last that was waited for
};

}  // namespace tsock::inline v0
