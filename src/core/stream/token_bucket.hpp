#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <tsock/detail/request_state.hpp>
#include <tsock/request.hpp>

#include "core/loop/node_list.hpp"

namespace tsock::inline v0::detail {

/// Gives out bytes at a rate. Those who have to wait get their turns in order, so that one who takes much
/// does not hold up the others.
class TokenBucket {
 public:
  /// One who waits.
  class Waiter : public ListNode {
   public:
    Waiter() noexcept = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    /// There are bytes to take.
    virtual void on_turn() noexcept = 0;

   protected:
    ~Waiter() = default;
  };

  TokenBucket(Loop& loop, std::uint64_t bytes_per_second, std::size_t burst) noexcept;
  TokenBucket(const TokenBucket&) = delete;
  TokenBucket& operator=(const TokenBucket&) = delete;
  ~TokenBucket() = default;

  [[nodiscard]] Loop& loop() const noexcept { return loop_; }
  void set(std::uint64_t bytes_per_second, std::size_t burst) noexcept;
  /// How many of `wanted` bytes may pass now; 0: wait. `indivisible` bytes pass together, and leave a debt.
  [[nodiscard]] std::size_t take(std::size_t wanted, bool indivisible) noexcept;
  /// Bytes that were taken and did not pass.
  void give_back(std::size_t bytes) noexcept { bytes_ += static_cast<double>(bytes); }
  /// Calls `on_turn()` once when there are bytes. \return false if there is no memory to wait with
  [[nodiscard]] bool wait(Waiter& waiter) noexcept;
  void forget(Waiter& waiter) noexcept;

 private:
  void refill() noexcept;
  void serve() noexcept;
  bool arm() noexcept;
  /// So many bytes are worth a turn.
  [[nodiscard]] double step() const noexcept;

  Loop& loop_;
  double rate_;
  double burst_;
  double bytes_;  // in the bucket; less than 0 after a long message
  Clock::time_point filled_;
  NodeList waiting_;
  bool serves_ = false;
  Request<void> timer_;
};

}  // namespace tsock::inline v0::detail
