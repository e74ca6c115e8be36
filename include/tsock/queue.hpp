#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/operation.hpp>
#include <tsock/optional_text.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0 {

class Loop;

namespace detail {
class QueueCore;
class HoldState;
class QueueBlock;
}  // namespace detail

/// Holds a Queue while it lives: the entries behind it wait. Returned by `Queue::block()` and
/// `Queue::wait()`. Keep it, as a member or in the callback that continues: a hold that is dropped holds
/// nothing.
class [[nodiscard]] TSOCK_EXPORT QueueHold {
 public:
  QueueHold() noexcept = default;
  QueueHold(QueueHold&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), block_(std::exchange(other.block_, nullptr)) {}
  QueueHold& operator=(QueueHold&& other) noexcept {
    if (this != &other) {
      release();
      core_ = std::exchange(other.core_, nullptr);
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  QueueHold(const QueueHold&) = delete;
  QueueHold& operator=(const QueueHold&) = delete;
  ~QueueHold() { release(); }

  /// True if it came from a Queue and was not released.
  explicit operator bool() const noexcept { return core_ != nullptr || block_ != nullptr; }
  /// Lets the next entry start.
  void release() noexcept;

 private:
  friend class detail::HoldState;
  friend class Queue;
  explicit QueueHold(detail::QueueCore& core) noexcept : core_(&core) {}
  explicit QueueHold(detail::QueueBlock& block) noexcept : block_(&block) {}
  detail::QueueCore* core_ = nullptr;
  detail::QueueBlock* block_ = nullptr;
};

/// Serialises requests in first-in first-out order, on one stream or datagram socket or across several.
///
/// The queue forms of `Stream` and `Datagram` put their requests here; each starts when those before it have
/// completed or were destroyed. The entry in front takes its place in the stream at once, so that other
/// requests get EBUSY; its work begins in the loop. Consecutive writes on the same stream leave in one system
/// call. A failed entry does not stop the queue; since errors latch in a stream, the writes behind a failed
/// write fail too. tsocket's counterpart (tevent_queue) keeps an entry until its request is freed; here its
/// completion is enough. The queue forms of a stream give EINVAL for an empty Queue or one of another loop.
class TSOCK_EXPORT Queue {
 public:
  /// An empty front, for assignment: its own functions return empty requests.
  Queue() noexcept = default;
  /// A running queue. `name` is copied and appears in dumps and logs; null is no name.
  explicit Queue(Loop& loop, OptionalText name = "queue");
  Queue(Queue&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Queue& operator=(Queue&& other) noexcept;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Requests that wait in the queue complete with ECANCELED on the next turn, except the one in front
  /// (unless the queue was stopped before it began) and writes that are partly sent.
  ~Queue();

  /// Starts no further entries. An entry that is under way goes on: a write or datagram that was offered to
  /// the kernel, anything else whose work has begun. Entries that came to the front in this turn, and writes
  /// behind a blocked one, wait for `start()` and give up their place in the stream until then, except writes
  /// with a `shutdown_write()` behind them.
  void stop() noexcept;
  /// Starts entries again after `stop()`.
  void start();
  [[nodiscard]] bool running() const noexcept;
  /// Entries in the queue, started or waiting. An entry leaves right before its callback runs; a write or
  /// datagram leaves when it was taken or has failed.
  [[nodiscard]] std::size_t length() const noexcept;
  [[nodiscard]] std::string_view name() const noexcept;
  /// The queue's loop. Throws std::logic_error on a queue that was default constructed or moved from, which
  /// has none.
  [[nodiscard]] Loop& loop() const;

  /// Takes a place in the order: entries added later wait until the QueueHold is released or destroyed;
  /// entries added before go on. Does not keep the loop from ending. On an empty front the hold is empty.
  /// (tsocket: an entry without a trigger)
  QueueHold block(CallSite site = CallSite::current());

  /// A request that completes when it reaches the head. The QueueHold that `recv()` returns keeps the entries
  /// behind it waiting until it is released. A result that is not fetched releases the queue when its Request
  /// is destroyed. Cancelling gives ECANCELED.
  Request<QueueHold> wait(CallSite site = CallSite::current());

  /// Queues any operation: when the entry reaches the head, the loop calls `make()`, which returns the
  /// Request whose end is the end of this one. Cancelling is passed on; destroying abandons the inner
  /// request. `make()` may destroy anything. If it returns a Request that can no longer complete (empty, or
  /// its result was fetched), this request ends with EINVAL; if it throws, the exception leaves `Loop::run()`
  /// and this request ends with EIO.
  template <class F>
  std::invoke_result_t<F&> submit(F make, CallSite site = CallSite::current());

  /// For implementers.
  [[nodiscard]] detail::QueueCore* core() const noexcept { return core_; }

 private:
  detail::QueueCore* core_ = nullptr;
};

}  // namespace tsock::inline v0

#include <tsock/detail/queue_submit.hpp>
