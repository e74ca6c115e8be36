#pragma once

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <tsock/detail/loop_here.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {

/// When `retry()` tries again.
struct RetryOptions {
  unsigned attempts = 5;                                            ///< at most; 0 is as many as it takes
  std::chrono::nanoseconds delay = std::chrono::milliseconds(100);  ///< before the second attempt
  std::chrono::nanoseconds max_delay = std::chrono::seconds(10);
  double factor = 2;    ///< each further delay is so many times the one before; below 1 counts as 1
  double jitter = 0.5;  ///< the part of a delay that is random, 0 to 1: clients do not come back all at once
};

/// The delays between attempts, as a value: for loops of one's own.
class BackOff {
 public:
  explicit BackOff(const RetryOptions& options) noexcept
      : options_(options), delay_(options.delay), random_(seed(this)) {}

  /// The next delay: from (1 - jitter) times the full one up to it, never negative.
  [[nodiscard]] std::chrono::nanoseconds next() noexcept {
    const auto limit = static_cast<double>(options_.max_delay.count());
    const double full = clamp(static_cast<double>(delay_.count()), 0, limit);
    const double grown = full * (options_.factor > 1 ? options_.factor : 1);
    delay_ = std::chrono::nanoseconds(static_cast<std::int64_t>(clamp(grown, 0, limit)));
    const double part = clamp(options_.jitter, 0, 1) * fraction();
    return std::chrono::nanoseconds(static_cast<std::int64_t>(full * (1 - part)));
  }
  /// Begins again with the first delay, after a success.
  void reset() noexcept { delay_ = options_.delay; }

 private:
  // Not a number counts as the lower one.
  static double clamp(double value, double low, double high) noexcept {
    constexpr auto most = static_cast<double>(std::numeric_limits<std::int64_t>::max()) / 2;
    if (high > most) high = most;
    if (!(value > low)) return low;
    return value < high ? value : high;
  }
  static std::uint64_t seed(const void* place) noexcept {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) ^
           static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(place));
  }
  // From 0 to 1 (SplitMix64). Secrets do not depend on it.
  double fraction() noexcept {
    std::uint64_t mixed = random_ += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ mixed >> 30U) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ mixed >> 27U) * 0x94d049bb133111ebU;
    mixed ^= mixed >> 31U;
    constexpr unsigned dropped = 11;  // a double keeps 53 bits
    return static_cast<double>(mixed >> dropped) / static_cast<double>(std::uint64_t{1} << (64 - dropped));
  }

  RetryOptions options_;
  std::chrono::nanoseconds delay_;
  std::uint64_t random_;
};

namespace detail {

/// Every error but those that a caller asked for.
struct RetryUnlessCancelled {
  bool operator()(int err) const noexcept { return err != ECANCELED; }
};

template <class T, class F, class W>
class RetryOperation final : public Operation<T> {
 public:
  static constexpr const char* name = "retry";
  RetryOperation(const RetryOptions& options, F make, W worth)
      : attempts_(options.attempts), back_off_(options), make_(std::move(make)), worth_(std::move(worth)) {}
  RetryOperation(const RetryOperation&) = delete;
  RetryOperation& operator=(const RetryOperation&) = delete;
  ~RetryOperation() override {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  void start() override { attempt(); }

 private:
  // `make` is the user's and may destroy this operation or end it.
  void attempt() {
    bool destroyed = false;
    destroyed_ = &destroyed;
    Request<T> request;
    try {
      request = make_();
    } catch (...) {
      if (!destroyed) {
        destroyed_ = nullptr;
        this->error(EIO);
      }
      throw;
    }
    if (destroyed) return;
    destroyed_ = nullptr;
    if (!this->is_in_progress()) return;
    attempt_ = std::move(request);
    if (!attempt_ || !attempt_.state()->can_call_back()) {
      this->error(EIO);
      return;
    }
    attempt_.set_callback([this](Request<T>& ended) { take(ended); });
  }
  void take(Request<T>& ended) {
    if (!this->is_in_progress()) return;
    int err = 0;
    if constexpr (std::is_void_v<T>) {
      ended.recv(err);
      if (err == 0) this->done();
    } else {
      T value = ended.recv(err);
      if (err == 0) this->done(std::move(value));
    }
    if (err == 0) return;
    if (--attempts_ == 0 || !worth_(err)) {
      this->error(err, ended.reason());
      return;
    }
    pause_ = this->loop().sleep(back_off_.next());
    this->then(pause_, [this] { attempt(); });
  }

  unsigned attempts_;  // that are left; from 0 it wraps and never ends
  BackOff back_off_;
  F make_;
  W worth_;
  Request<T> attempt_;
  Request<void> pause_;
  bool* destroyed_ = nullptr;
};

/// A Request of something.
template <class R>
inline constexpr bool is_request = false;
template <class T>
inline constexpr bool is_request<Request<T>> = true;

/// What `make()` returns, or Request<void> with words for what cannot be tried.
template <class F>
struct Attempt {
  static_assert(std::is_invocable_v<F&>, "tsock: retry(loop, options, make): make() takes no argument");
  static_assert(!std::is_invocable_v<F&> || is_request<std::invoke_result_t<F&>>,
                "tsock: retry(loop, options, make): make() starts an attempt and returns its Request");
  using type = Request<void>;
};
template <class F>
requires is_request<std::invoke_result_t<F&>>
struct Attempt<F> {
  using type = std::invoke_result_t<F&>;
};

}  // namespace detail

/// Tries something until it succeeds: `retry(loop, {}, [&] { return Stream::connect(loop, address); })`.
/// `make()` returns the Request of one attempt; the first is made at once. After a failure that
/// `is_worth_it(int err)` says true for, the next attempt follows after a growing delay with a random part.
/// The result is that of the last attempt, with its error and reason. Cancelling and destroying abandon the
/// attempt or the pause; a deadline covers all attempts. `make()` may destroy the Request, not its own
/// captures. An attempt that cannot complete gives EIO. `here` is a Loop, or `{loop, site}`.
template <class F, class W>
typename detail::Attempt<F>::type retry(detail::LoopHere here, const RetryOptions& options, F make,
                                        W is_worth_it) {
  static_assert(std::is_invocable_r_v<bool, W&, int>,
                "tsock: retry(loop, options, make, is_worth_it): is_worth_it(int err) returns a bool");
  using T = typename detail::Attempt<F>::type::value_type;
  return make_request<detail::RetryOperation<T, F, W>>(here, options, std::move(make),
                                                       std::move(is_worth_it));
}

/// As above, after every error but ECANCELED.
template <class F>
typename detail::Attempt<F>::type retry(detail::LoopHere here, const RetryOptions& options, F make) {
  return retry(here, options, std::move(make), detail::RetryUnlessCancelled{});
}

}  // namespace tsock::inline v0
