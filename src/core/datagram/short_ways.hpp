#pragma once

// The short ways of datagrams, like those of streams in core/stream/short_ways.hpp: each function first
// checks, and if it finds anything but the plain case it returns null and has done nothing; the caller then
// takes the general way (`DatagramCore::start_receive()` and `start_send()`), which does the same.
//
// begin_leased_receive(): a datagram is in the loop's ReceiveBatch. The receive begins its life finished. A
// batch with datagrams of the socket says that the socket is open: whatever closes it drops the batch.
//
// begin_plain_send(): one vector, alone or behind others of its queue, on a socket that is open.
//
// A state comes out of the StateCache, which is empty while the loop is traced and once it is closed.

#include <cassert>
#include <limits>
#include <new>
#include <utility>

#include "core/datagram/datagram_core.hpp"
#include "core/loop/recyclable.hpp"

namespace tsock::inline v0::detail {

[[gnu::always_inline]] inline RecvfromState* DatagramCore::begin_leased_receive(CallSite site) noexcept {
  if (receiver_ != nullptr || pending_head_ != nullptr || batch_ == nullptr) return nullptr;
  auto* const receive = core_->state_cache().first<RecvfromState>();
  if (receive == nullptr || !core_->drain_is_due()) return nullptr;
  assert(state_ == State::open);
  const DatagramPiece taken = piece();
  ReceivedDatagram datagram;
  try {
    datagram = taken.keep(*core_);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }

  core_->state_cache().take(StateCache::datagram_receive);
  receive->begin_again(*core_, site, ReadyNode::Phase::finished,
                       RequestState::marks(RequestState::plain_delivery), taken.size);
  receive->set_datagram(std::move(datagram));
  receive->set_socket(this);
  receiver_ = receive;
  pass_piece(taken);
  if (batch_next_ == batch_end_) drop_batch();
  core_->list_ready(*receive);
  return receive;
}

[[gnu::always_inline]] inline SendtoState* DatagramCore::begin_plain_send(QueueCore* queue,
                                                                          const iovec& vector,
                                                                          const Address& destination,
                                                                          CallSite site) noexcept {
  constexpr auto most_bytes = static_cast<std::size_t>(std::numeric_limits<ssize_t>::max());
  if (vector.iov_len - 1 >= most_bytes || !may_begin_send(queue)) [[unlikely]]
    return nullptr;
  if (queue != nullptr && !queue->goes_on_with(this)) return nullptr;
  auto* const send = core_->state_cache().first<SendtoState>();
  if (send == nullptr || !core_->drain_is_due()) return nullptr;
  if (!destination.is_empty() && backend_->check_destination(destination) != 0) return nullptr;

  core_->state_cache().take(StateCache::datagram_send);
  send->begin_again(
      *core_, site, ReadyNode::Phase::in_progress,
      queue != nullptr ? RequestState::marks(QueueableState::started) : RequestState::MarkSet::none, 0);
  send->set_message(vector, destination);
  if (queue != nullptr) queue->add_following(*send);
  append_send(*send);
  return send;
}

}  // namespace tsock::inline v0::detail
