#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <type_traits>
#include <utility>

namespace tsock {

class Loop;

namespace detail {
class QueueCore;
class HoldState;
}  // namespace detail

/// Holds a Queue while it lives: the entries behind it wait. Given by `Queue::wait()`.
class QueueHold {
 public:
  QueueHold() noexcept = default;
  QueueHold(QueueHold&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  QueueHold& operator=(QueueHold&& other) noexcept {
    if (this != &other) {
      release();
      core_ = std::exchange(other.core_, nullptr);
    }
    return *this;
  }
  QueueHold(const QueueHold&) = delete;
  QueueHold& operator=(const QueueHold&) = delete;
  ~QueueHold() { release(); }

  explicit operator bool() const noexcept { return core_ != nullptr; }
  /// Lets the next entry start.
  void release() noexcept;

 private:
  friend class detail::HoldState;
  explicit QueueHold(detail::QueueCore& core) noexcept : core_(&core) {}
  detail::QueueCore* core_ = nullptr;
};

/// Serialises requests in first-in first-out order: on one stream or datagram socket, or on several.
///
/// The queue forms of `Stream` and `Datagram` put their requests here; each starts when those before it have
/// completed or were destroyed. Writes that follow one another on the same stream leave in one system call. A
/// failed entry does not stop the queue; as errors latch in a stream, the writes behind a failed write fail
/// too. tsocket's counterpart (tevent_queue) keeps an entry until its request is freed; here a completion is
/// enough. The queue forms of a stream give EINVAL for an empty Queue or one of another loop.
class Queue {
 public:
  /// An empty front, for assignment: its own functions give empty requests.
  Queue() noexcept = default;
  /// A running queue. `name` is for dumps and logs.
  explicit Queue(Loop& loop, std::string_view name = "queue");
  Queue(Queue&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Queue& operator=(Queue&& other) noexcept;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Requests that wait in the queue complete with ECANCELED on the next turn; those that were started go on.
  ~Queue();

  /// Starts no further entries; those that were started go on.
  void stop() noexcept;
  /// Goes on after `stop()`.
  void start();
  [[nodiscard]] bool running() const noexcept;
  /// Entries in the queue, started or waiting. One leaves right before its callback runs, and a write when
  /// its last byte is taken.
  [[nodiscard]] std::size_t length() const noexcept;
  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] Loop& loop() const noexcept;

  /// A request that completes when it reaches the head. The QueueHold that `recv()` gives keeps the entries
  /// behind it waiting until it is released. Cancelling gives ECANCELED; a result that is not fetched
  /// releases the queue with its Request.
  Request<QueueHold> wait(CallSite site = CallSite::current());

  /// Queues any operation: when the entry reaches the head, `make()` is called from the loop and returns the
  /// Request whose end is the end of this one. Cancelling is passed on; destroying abandons the inner
  /// request. `make()` may destroy anything; an empty Request from it gives EINVAL, and what it throws comes
  /// out of `Loop::run()`, with EIO for the request.
  template <class F>
  std::invoke_result_t<F&> submit(F make, CallSite site = CallSite::current());

  /// For implementers.
  [[nodiscard]] detail::QueueCore* core() const noexcept { return core_; }

 private:
  detail::QueueCore* core_ = nullptr;
};

}  // namespace tsock

#include <tsock/detail/queue_submit.hpp>
