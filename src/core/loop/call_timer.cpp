#include "core/loop/call_timer.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

void CallTimer::start(std::size_t most_slow) {
  CallbackTimes fresh;
  fresh.slowest.reserve(most_slow);
  fresh.is_on = true;
  times_ = std::move(fresh);
  most_slow_ = most_slow;
}

void CallTimer::record(std::string_view name, CallSite site, std::chrono::nanoseconds took) noexcept {
  const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)) / 1000;
  ++times_.histogram[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(micros)),
                                           CallbackTimes::buckets - 1)];
  ++times_.count;
  times_.total += took;
  times_.longest = std::max(times_.longest, took);
  if (times_.slowest.size() < most_slow_ || (most_slow_ != 0 && took > times_.slowest.back().longest))
    keep(name, site, took);
}

// Each place stands there once, with its longest call.
void CallTimer::keep(std::string_view name, CallSite site, std::chrono::nanoseconds took) noexcept {
  auto& slowest = times_.slowest;
  auto place = std::find_if(slowest.begin(), slowest.end(), [&](const SlowCallback& slow) {
    return slow.site.line() == site.line() && std::string_view(slow.site.file()) == site.file() &&
           slow.name == name;
  });
  if (place == slowest.end()) {
    try {
      if (slowest.size() < most_slow_) {
        slowest.push_back({std::string(name), site, took});  // there is room for it
      } else {
        slowest.back() = {std::string(name), site, took};
      }
    } catch (const std::bad_alloc&) {
      return;
    }
    place = std::prev(slowest.end());
  } else if (place->longest >= took) {
    return;
  } else {
    place->longest = took;
  }
  while (place != slowest.begin() && std::prev(place)->longest < took) {
    std::swap(*place, *std::prev(place));
    --place;
  }
}

TimedCall::TimedCall(LoopCore& core, std::string_view name, CallSite site) noexcept
    : core_(core), name_size_(std::min(name.size(), name_.size())), site_(site) {
  std::copy_n(name.begin(), name_size_, name_.begin());
  began_ = CallTimer::Clock::now();
}

TimedCall::~TimedCall() {
  CallTimer& timer = core_.call_timer();
  if (timer.is_on()) timer.record({name_.data(), name_size_}, site_, CallTimer::Clock::now() - began_);
}

}  // namespace tsock::inline v0::detail
