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

namespace tsock {

class Loop;

namespace detail {
class QueueCore;
class HoldState;
class QueueBlock;
}  // namespace detail

/// Holds a Queue while it lives: the entries behind it wait. Given by `Queue::block()` and `Queue::wait()`.
/// To be kept, as a member or in the callback that goes on: one that nobody keeps holds nothing.
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

  /// Whether it was given by a Queue and not released.
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

/// Serialises requests in first-in first-out order: on one stream or datagram socket, or on several.
///
/// The queue forms of `Stream` and `Datagram` put their requests here; each starts when those before it have
/// completed or were destroyed. The entry in front has its place in the stream at once, so that others get
/// EBUSY; its work begins in the loop. Writes that follow one another on the same stream leave in one system
/// call. A failed entry does not stop the queue; as errors latch in a stream, the writes behind a failed
/// write fail too. tsocket's counterpart (tevent_queue) keeps an entry until its request is freed; here a
/// completion is enough. The queue forms of a stream give EINVAL for an empty Queue or one of another loop.
class TSOCK_EXPORT Queue {
 public:
  /// An empty front, for assignment: its own functions give empty requests.
  Queue() noexcept = default;
  /// A running queue. `name`, which is copied, is for dumps and logs; null is no name.
  explicit Queue(Loop& loop, OptionalText name = "queue");
  Queue(Queue&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Queue& operator=(Queue&& other) noexcept;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Requests that wait in the queue complete with ECANCELED on the next turn: all but the one in front, if
  /// the queue was not stopped before it began, and writes of which bytes have left.
  ~Queue();

  /// Starts no further entries. One that is under way goes on: a write or datagram that was offered to the
  /// kernel, anything else whose work has begun. What came to the front in this turn, and writes behind one
  /// that is blocked, wait for `start()`, and give up their place in the stream until then; not so writes
  /// with a `shutdown_write()` behind them.
  void stop() noexcept;
  /// Goes on after `stop()`.
  void start();
  [[nodiscard]] bool running() const noexcept;
  /// Entries in the queue, started or waiting. One leaves right before its callback runs; a write or datagram
  /// when it is taken or has failed.
  [[nodiscard]] std::size_t length() const noexcept;
  [[nodiscard]] std::string_view name() const noexcept;
  /// The queue's loop. A default constructed queue, or one that was moved from, has none: it throws
  /// std::logic_error.
  [[nodiscard]] Loop& loop() const;

  /// Takes a place in the order: entries that are added later wait until the QueueHold is released or
  /// destroyed, those that were added before go on. It keeps no loop from ending. An empty front gives an
  /// empty one. (tsocket: an entry without a trigger)
  QueueHold block(CallSite site = CallSite::current());

  /// A request that completes when it reaches the head. The QueueHold that `recv()` gives keeps the entries
  /// behind it waiting until it is released: keep it as long as the queue is to wait. A result that is not
  /// fetched releases the queue with its Request. Cancelling gives ECANCELED.
  Request<QueueHold> wait(CallSite site = CallSite::current());

  /// Queues any operation: when the entry reaches the head, `make()` is called from the loop and returns the
  /// Request whose end is the end of this one. Cancelling is passed on; destroying abandons the inner
  /// request. `make()` may destroy anything; a Request from it that can no longer complete, as it is empty or
  /// its result was taken, gives EINVAL, and what it throws comes out of `Loop::run()`, with EIO for the
  /// request.
  template <class F>
  std::invoke_result_t<F&> submit(F make, CallSite site = CallSite::current());

  /// For implementers.
  [[nodiscard]] detail::QueueCore* core() const noexcept { return core_; }

 private:
  detail::QueueCore* core_ = nullptr;
};

}  // namespace tsock

#include <tsock/detail/queue_submit.hpp>
