#pragma once

#include <iosfwd>
#include <tsock/detail/request_state.hpp>

namespace tsock::inline v0::detail {

class QueueCore;

/// An object that is bound to the loop and must let go when the loop ends: a stream, a socket, a listener. It
/// is always in exactly one of three lists: resources with output to flush, resources that go on in the next
/// turn, and all others.
class LoopResource : public ListNode {
 public:
  LoopResource() noexcept = default;
  LoopResource(const LoopResource&) = delete;
  LoopResource& operator=(const LoopResource&) = delete;
  /// Called when the loop closes; afterwards the resource may use nothing of the loop but its pool.
  virtual void loop_closed() noexcept = 0;
  /// Calls `visit` with `context` for every request in progress that is in no list of the loop.
  virtual void for_each_request(void (* /*visit*/)(void* context, RequestState& state), void* /*context*/) {}
  /// Says in a few words what it is, such as a stream and its peer, for traces and dumps.
  virtual void describe(std::ostream& out) const = 0;
  /// Called to flush output; see `LoopCore::schedule_flush()`. Runs no user code.
  virtual void on_flush() {}
  /// Called in the next turn; see `LoopCore::schedule_next_turn()`. Runs no user code.
  virtual void on_next_turn() {}
  /// Called when a queue whose entries have this resource as their pipeline is stopped: calls
  /// `QueueCore::put_back()`, last entry first, for each started entry of the queue whose output was not
  /// tried yet. With `but_the_first` it leaves the first entry of the pipeline alone.
  virtual void undo_starts(QueueCore& /*queue*/, bool /*but_the_first*/) noexcept {}
  /// Called when the turn ends or another resource borrows leased memory: moves the data that this resource
  /// has in it to memory of its own.
  virtual void move_out_of_lease() noexcept {}
  void end_receiver(const RequestState& state) noexcept {
    if (receiver_ == &state) receiver_ = nullptr;
  }

 protected:
  ~LoopResource() {
    if (is_linked()) unlink();
  }

  /// The one request that takes incoming data or connections: the reader of a stream, the receiver of a
  /// socket, the accept of a listener. It stays here until it is delivered.
  RequestState* receiver_ = nullptr;
};

}  // namespace tsock::inline v0::detail
