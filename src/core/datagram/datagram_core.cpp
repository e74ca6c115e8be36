#include "core/datagram/datagram_core.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <type_traits>
#include <utility>

namespace tsock::detail {

namespace {

constexpr std::size_t messages_per_batch = 64;
constexpr std::size_t vectors_per_batch = 256;
// How often one socket may go to the kernel before others have their turn.
constexpr unsigned batches_per_flush = 4;

}  // namespace

DatagramCore::DatagramCore(LoopCore& core, std::unique_ptr<DatagramBackend> backend,
                           const DatagramOptions& options)
    : core_(&core), backend_(std::move(backend)), strict_(options.strict_tsocket) {
  backend_->attach(*this);
  gives_info_ = backend_->gives_info();
  core_->add_resource(*this);
  if (core_->is_closed()) loop_closed();
}

DatagramCore::~DatagramCore() { drop_pending(); }

void DatagramCore::release_datagram() noexcept {
  state_ = State::closed;
  detach_operations(ECANCELED);
  core_->end_batch_lease(*this);
  backend_.reset();
  LoopCore& core = *core_;
  this->~DatagramCore();
  core.deallocate(static_cast<void*>(this), sizeof(DatagramCore));
}

// Two passes: ending a request may start the next one of a queue, which must find its socket gone.
void DatagramCore::detach_operations(int err) noexcept {
  const std::array<DatagramOperation*, 2> single{receiver(), disconnecting_};
  receiver_ = nullptr;
  disconnecting_ = nullptr;
  QueueCore* const queue = sends_.empty() ? nullptr : sends_.front()->queue();
  if (queue != nullptr) queue->pipeline_gone();
  const std::array<OperationChain<DatagramOperation>, 2> chains{sends_, waiting_};
  sends_ = waiting_ = {};
  for (DatagramOperation* operation : single) {
    if (operation != nullptr) operation->set_socket(nullptr);
  }
  for (const auto& chain : chains) {
    for (DatagramOperation* operation = chain.front(); operation != nullptr;
         operation = OperationChain<DatagramOperation>::behind(*operation))
      operation->set_socket(nullptr);
  }
  if (err == 0) return;
  for (DatagramOperation* operation : single) {
    if (operation != nullptr) operation->finish(err);
  }
  for (const auto& chain : chains) {
    for (DatagramOperation* operation = chain.front(); operation != nullptr;) {
      DatagramOperation* const behind = OperationChain<DatagramOperation>::behind(*operation);
      operation->end_without_socket(err);
      operation = behind;
    }
  }
}

void DatagramCore::loop_closed() noexcept {
  lost_ = dropped();
  state_ = State::closed;
  detach_operations(0);
  drop_batch();
  drop_pending();
  backend_.reset();
}

// ---- receiving ----

void DatagramCore::start_receive(DatagramReceive& receive) {
  int err = 0;
  if (receiver_ != nullptr) {
    err = EBUSY;
  } else if (state_ != State::open) {
    err = ENOTCONN;
  }
  if (err != 0) {
    receive.finish(err);
    return;
  }
  receiver_ = &receive;
  receive.set_socket(this);
  serve_receiver(false);
}

void DatagramCore::serve_receiver(bool may_read) {
  try {
    serve(may_read);
  } catch (const std::bad_alloc&) {
    // What a request has already is enough for it.
    receiver()->none_left();
    receiver()->finish(ENOMEM);
  }
}

void DatagramCore::serve(bool may_read) {
  while (receiver_ != nullptr && receiver()->is_unfinished()) {
    if (pending_head_ != nullptr) {
      receiver()->take(std::move(pending_head_->datagram));
      pop_pending();
    } else if (batch_ != nullptr) {
      const DatagramPiece taken = piece();
      receiver()->take(taken);
      pass_piece(taken);
      if (batch_next_ == batch_end_) drop_batch();
    } else {
      receiver()->none_left();
      if (!receiver()->is_unfinished()) return;
      if (!may_read) {
        backend_->want_readable();
        return;
      }
      may_read = false;
      if (!receive_batch()) return;
    }
  }
}

// One call of the backend. Returns false when the receiver was failed.
bool DatagramCore::receive_batch() {
  ReceiveBatch& batch = core_->borrow_receive_batch(*this);
  int err = 0;
  const std::size_t count = backend_->try_receive(batch.prepare(gives_info_), err);
  if (count == 0) {
    if (err == EAGAIN) return true;
    receiver()->finish(err);
    return false;
  }
  batch_ = &batch;
  batch_next_ = 0;
  batch_end_ = static_cast<std::uint32_t>(count);
  batch_offset_ = 0;
  core_->lease_receive_batch(*this);
  return true;
}

DatagramPiece DatagramCore::piece() const noexcept {
  const DatagramSlot& slot = batch_->slot(batch_next_);
  const std::size_t left = slot.size - batch_offset_;
  return {&slot, batch_offset_, slot.segment != 0 ? std::min(left, slot.segment) : left};
}

void DatagramCore::pass_piece(const DatagramPiece& passed) noexcept {
  batch_offset_ += passed.size;
  if (batch_offset_ < passed.slot->size) return;
  batch_offset_ = 0;
  ++batch_next_;
}

void DatagramCore::drop_batch() noexcept {
  batch_ = nullptr;
  core_->end_batch_lease(*this);
}

std::size_t DatagramCore::batch_datagrams() const noexcept {
  if (batch_ == nullptr) return 0;
  std::size_t count = 0;
  std::size_t offset = batch_offset_;
  for (std::uint32_t i = batch_next_; i < batch_end_; ++i) {
    const DatagramSlot& slot = batch_->slot(i);
    count += slot.segment == 0 ? 1 : (slot.size - offset + slot.segment - 1) / slot.segment;
    offset = 0;
  }
  return count;
}

void DatagramCore::settle_lease() noexcept {
  try {
    while (batch_next_ < batch_end_) {
      const DatagramPiece kept = piece();
      push_pending(kept.keep(*core_));
      pass_piece(kept);
    }
  } catch (const std::bad_alloc&) {
    count_lost(batch_datagrams());
  }
  batch_ = nullptr;
}

void DatagramCore::push_pending(ReceivedDatagram datagram) {
  auto* const node = make_pooled<Pending>(*core_, nullptr, std::move(datagram));
  (pending_tail_ != nullptr ? pending_tail_->next : pending_head_) = node;
  pending_tail_ = node;
  ++pending_count_;
}

void DatagramCore::put_back(ReceivedDatagram datagram) noexcept {
  if (state_ != State::open) return;
  try {
    pending_head_ = make_pooled<Pending>(*core_, pending_head_, std::move(datagram));
  } catch (const std::bad_alloc&) {
    count_lost(1);
    return;
  }
  if (pending_tail_ == nullptr) pending_tail_ = pending_head_;
  ++pending_count_;
}

void DatagramCore::pop_pending() noexcept {
  Pending* const node = pending_head_;
  pending_head_ = node->next;
  if (pending_head_ == nullptr) pending_tail_ = nullptr;
  --pending_count_;
  node->~Pending();
  core_->deallocate(node, sizeof(Pending));
}

void DatagramCore::drop_pending() noexcept {
  while (pending_head_ != nullptr) pop_pending();
}

// ---- sending ----

void DatagramCore::start_send(DatagramSend& send) {
  int err = 0;
  const DatagramOperation* const ahead = sends_.front();
  if (ahead != nullptr && (send.queue() == nullptr || ahead->queue() != send.queue())) {
    err = EBUSY;
  } else if (state_ != State::open) {
    err = ENOTCONN;
  }
  if (err != 0) {
    send.fail(err);
    return;
  }
  send.set_socket(this);
  sends_.push_back(send);
  if (!send_blocked_) schedule_flush();
}

void DatagramCore::drop_send(DatagramSend& send) noexcept {
  if (send.queue() != nullptr && !send.is_started()) {
    waiting_.remove(send);
  } else {
    sends_.remove(send);
  }
  send.set_socket(nullptr);
}

void DatagramCore::undo_starts(QueueCore& queue, bool but_the_first) noexcept {
  while (!sends_.empty()) {
    auto& send = static_cast<DatagramSend&>(*sends_.back());
    if (send.queue() != &queue || send.was_tried() || (but_the_first && &send == sends_.front())) return;
    sends_.remove(send);
    waiting_.push_back(send);
    queue.put_back(send);
  }
}

void DatagramCore::on_flush() {
  flush_scheduled_ = false;
  flush();
}

void DatagramCore::flush() {
  if (state_ != State::open || send_blocked_) return;
  for (unsigned calls = 1; send_batch(); ++calls) {
    if (calls == batches_per_flush) {
      schedule_flush();
      return;
    }
  }
}

// One call of the backend with as many sends as fit. Returns whether there is more to do now.
bool DatagramCore::send_batch() {
  // Not initialised: `fill()` writes what is used.
  static_assert(std::is_aggregate_v<DatagramMessage> && std::is_trivially_copyable_v<DatagramMessage>);
  alignas(DatagramMessage) std::array<std::byte, messages_per_batch * sizeof(DatagramMessage)> room;
  const std::span<DatagramMessage> messages(reinterpret_cast<DatagramMessage*>(room.data()),
                                            messages_per_batch);
  std::array<iovec, vectors_per_batch> vectors;
  std::size_t count = 0;
  std::size_t vectors_used = 0;
  for (DatagramOperation* node = sends_.front(); node != nullptr && count < messages.size();
       node = OperationChain<DatagramOperation>::behind(*node)) {
    const std::size_t filled =
        static_cast<DatagramSend*>(node)->fill(messages.subspan(count), vectors, vectors_used);
    if (filled == 0) break;
    count += filled;
  }
  if (count == 0) {
    // One datagram of more vectors than a call of several takes goes alone.
    auto* const send = static_cast<DatagramSend*>(sends_.front());
    if (send == nullptr) return false;
    std::array<iovec, max_vectors> all;
    vectors_used = 0;
    count = send->fill(messages, all, vectors_used);
    return finish_batch(messages.first(count));
  }
  return finish_batch(messages.first(count));
}

bool DatagramCore::finish_batch(std::span<const DatagramMessage> messages) {
  int err = 0;
  std::size_t sent = backend_->try_send(messages, err);
  if (sent == 0) {
    if (err == EAGAIN) {
      static_cast<DatagramSend&>(*sends_.front()).set_tried();
      send_blocked_ = true;
      backend_->want_writable();
      return false;
    }
    auto& send = static_cast<DatagramSend&>(*sends_.front());
    sends_.remove(send);
    send.fail(err);
    return !sends_.empty();
  }
  for (; sent != 0; --sent) {
    auto& send = static_cast<DatagramSend&>(*sends_.front());
    send.sent();
    if (send.is_unfinished()) continue;
    sends_.remove(send);
    send.set_socket(nullptr);
    send.leave_queue();
  }
  return !sends_.empty();
}

void DatagramCore::on_writable() noexcept {
  send_blocked_ = false;
  if (state_ == State::disconnecting) {
    try_disconnect();
  } else {
    flush();
  }
}

// ---- control ----

void DatagramCore::start_disconnect(DatagramControlState& control) {
  int err = 0;
  if (state_ != State::open) {
    err = ENOTCONN;
  } else if (receiver_ != nullptr || !sends_.empty() || !waiting_.empty()) {
    err = EBUSY;
  }
  if (err != 0) {
    control.finish(err);
    return;
  }
  state_ = State::disconnecting;
  disconnecting_ = &control;
  control.set_socket(this);
  drop_pending();
  drop_batch();
  try_disconnect();
}

void DatagramCore::try_disconnect() noexcept {
  const std::uint64_t lost = dropped();  // the kernel tells as long as the socket is open
  const int err = backend_->try_disconnect();
  if (err == EAGAIN) {
    backend_->want_writable();
    return;
  }
  lost_ = lost;
  state_ = State::closed;
  if (disconnecting_ == nullptr) return;
  DatagramControlState& control = *std::exchange(disconnecting_, nullptr);
  control.set_socket(nullptr);
  control.finish(err);
}

void DatagramCore::end_control(const DatagramControlState& control) noexcept {
  if (disconnecting_ != &control) return;
  disconnecting_ = nullptr;
  lost_ = dropped();
  state_ = State::closed;
  backend_.reset();
}

}  // namespace tsock::detail
