#pragma once

#include <tsock/detail/request_state.hpp>

namespace tsock::detail {

class QueueCore;

/// An object that is bound to the loop and must let go when the loop ends: a stream, a socket, a listener.
/// Always in exactly one of three lists: resources with output that is to be flushed, those that go on in the
/// next turn, and all others.
class LoopResource : public ListNode {
 public:
  LoopResource() noexcept = default;
  LoopResource(const LoopResource&) = delete;
  LoopResource& operator=(const LoopResource&) = delete;
  /// The loop is going; after this call nothing of it may be used but its pool.
  virtual void loop_closed() noexcept = 0;
  /// Calls `visit` with `context` for every request in progress that stands in no list of the loop.
  virtual void for_each_request(void (* /*visit*/)(void* context, RequestState& state), void* /*context*/) {}
  /// Output leaves, see `LoopCore::schedule_flush()`. Runs no code of the user.
  virtual void on_flush() {}
  /// The next turn has come, see `LoopCore::schedule_next_turn()`. Runs no code of the user.
  virtual void on_next_turn() {}
  /// A queue whose entries have this as their pipeline is stopped: has `QueueCore::put_back()` called, the
  /// last one first, for each entry of it that was started and of which nothing has left.
  virtual void undo_starts(QueueCore& /*queue*/, bool /*but_the_first*/) noexcept {}
  /// Moves what it has in memory that the loop has lent to memory of its own: the turn ends, or another
  /// resource borrows it.
  virtual void move_out_of_lease() noexcept {}
  void end_receiver(const RequestState& state) noexcept {
    if (receiver_ == &state) receiver_ = nullptr;
  }

 protected:
  ~LoopResource() {
    if (is_linked()) unlink();
  }

  /// The one request that takes what comes in: the reader of a stream, the receiver of a socket, the accept
  /// of a listener. It keeps this place until it is delivered.
  RequestState* receiver_ = nullptr;
};

}  // namespace tsock::detail
