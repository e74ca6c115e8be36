#include "core/datagram/datagram_core.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <type_traits>
#include <utility>

#include "core/loop/leaving_backend.hpp"

namespace tsock::inline v0::detail {

namespace {

constexpr std::size_t messages_per_batch = 64;
// How many calls of the backend one socket may make before others have their turn.
constexpr unsigned batches_per_flush = 4;
constexpr unsigned batches_per_event = 4;

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
  core_->end_if_at_rest();
  state_ = State::closed;
  detach_operations(ECANCELED);
  drop_batch();
  backend_.reset();
  LoopCore& core = *core_;
  this->~DatagramCore();
  core.deallocate(static_cast<void*>(this), sizeof(DatagramCore));
}

// In two passes: a request that ends may start the next entry of its queue, which must find its socket gone.
void DatagramCore::detach_operations(int err) noexcept {
  const std::array<DatagramOperation*, 2> single{receiver(), disconnecting_};
  receiver_ = nullptr;
  disconnecting_ = nullptr;
  QueueCore* const queue = sends_.empty() ? nullptr : send_at(sends_.front()).queue();
  NodeList listed;
  for (NodeList* list : {&sends_, &waiting_}) {
    if (!list->empty()) listed.take_front(*list, *list->last());
  }
  if (queue != nullptr) queue->pipeline_gone();
  for (DatagramOperation* operation : single) {
    if (operation != nullptr) operation->set_socket(nullptr);
  }
  for (ListNode* node = listed.first(); node != listed.end(); node = node->next)
    send_at(*node).set_socket(nullptr);

  const auto end = [this, err](DatagramOperation& operation) {
    if (err != 0) {
      if (!operation.is_started()) operation.leave_queue();
      operation.finish(err);
    } else if (!operation.is_linked()) {
      core_->list_unfinished(operation);
    }
  };
  for (DatagramOperation* operation : single) {
    if (operation != nullptr) end(*operation);
  }
  while (!listed.empty()) {
    DatagramSend& send = send_at(listed.front());
    send.unlink();
    end(send);
  }
}

void DatagramCore::for_each_request(void (*visit)(void* context, RequestState& state), void* context) {
  for (RequestState* state : {receiver_, static_cast<RequestState*>(disconnecting_)}) {
    if (state != nullptr && !state->is_linked()) visit(context, *state);
  }
  for (NodeList* list : {&sends_, &waiting_}) {
    for (ListNode* node = list->first(); node != list->end(); node = node->next)
      visit(context, send_at(*node));
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
    // A request that has datagrams already ends with those.
    receiver()->none_left();
    receiver()->finish(ENOMEM);
  }
}

// An event is worth one call of the backend, which may say that another one is.
void DatagramCore::serve(bool may_read) {
  unsigned calls = 0;
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
        const Readiness readiness = backend_->want_readable();
        if (readiness == Readiness::later) [[likely]]
          return;
        if (readiness == Readiness::next_turn || calls == batches_per_event) {
          receives_in_next_turn_ = true;
          ask_for_next_turn();
          return;
        }
      }
      ++calls;
      may_read = false;
      if (!receive_batch()) return;
    }
  }
}

// Calls the backend once. Returns false when the receiver was failed.
bool DatagramCore::receive_batch() {
  ReceiveBatch& batch = core_->leases().borrow_receive_batch(*this);
  int err = 0;
  const std::size_t count = backend_->try_receive(batch.prepare(gives_info_), err);
  if (count == 0) [[unlikely]] {
    batch.clear(ReceiveBatch::capacity);
    if (err == EAGAIN) return true;
    receiver()->finish(err);
    return false;
  }
  batch_ = &batch;
  batch_next_ = 0;
  batch_end_ = static_cast<std::uint32_t>(count);
  batch_offset_ = 0;
  core_->leases().lease_receive_batch(*this);
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
  if (batch_ == nullptr) return;
  std::exchange(batch_, nullptr)->clear(batch_end_);
  core_->leases().end_batch_lease(*this);
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

void DatagramCore::move_out_of_lease() noexcept {
  try {
    while (batch_next_ < batch_end_) {
      const DatagramPiece kept = piece();
      push_pending(kept.keep(*core_));
      pass_piece(kept);
    }
  } catch (const std::bad_alloc&) {
    count_lost(batch_datagrams());
  }
  std::exchange(batch_, nullptr)->clear(batch_end_);
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
  if (!may_begin_send(send.queue())) [[unlikely]] {
    send.fail(is_sending_for_another(send.queue()) ? EBUSY : ENOTCONN);
    return;
  }
  append_send(send);
}

void DatagramCore::drop_send(DatagramSend& send) noexcept {
  send.unlink();
  send.set_socket(nullptr);
}

void DatagramCore::undo_starts(QueueCore& queue, bool but_the_first) noexcept {
  while (!sends_.empty()) {
    DatagramSend& send = send_at(*sends_.last());
    if (send.queue() != &queue || send.was_tried() || (but_the_first && &send == sends_.first())) return;
    send.unlink();
    waiting_.push_back(send);
    queue.put_back(send);
  }
}

void DatagramCore::on_flush() {
  flush_scheduled_ = false;
  flush();
  if (!receives_in_next_turn_ && !sends_in_next_turn_) [[likely]]
    return;
  if (flush_scheduled_) {
    on_next_turn();  // sends that take many turns hold up no receiver
  } else {
    ask_for_next_turn();
  }
}

// Does what the events of the backend would do.
void DatagramCore::on_next_turn() {
  const bool receives = std::exchange(receives_in_next_turn_, false);
  if (std::exchange(sends_in_next_turn_, false)) on_writable();
  if (receives) on_readable();
}

// A resource is in one list only: one that is scheduled to flush asks again when it has flushed.
void DatagramCore::ask_for_next_turn() noexcept {
  if (!flush_scheduled_) core_->schedule_next_turn(*this);
}

void DatagramCore::await_writable() noexcept {
  send_blocked_ = true;
  if (backend_->want_writable() == Readiness::later) return;
  sends_in_next_turn_ = true;
  ask_for_next_turn();
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

// Calls the backend once with as many sends as fit. Returns whether there is more to do now.
bool DatagramCore::send_batch() {
  // Not initialised: every element is written before it is used.
  static_assert(std::is_aggregate_v<DatagramMessage> && std::is_trivially_copyable_v<DatagramMessage>);
  alignas(DatagramMessage) std::array<std::byte, messages_per_batch * sizeof(DatagramMessage)> room;
  const std::span<DatagramMessage> messages(reinterpret_cast<DatagramMessage*>(room.data()),
                                            messages_per_batch);
  std::size_t count = 0;
  for (ListNode* node = sends_.first(); node != sends_.end() && count < messages.size(); node = node->next) {
    const DatagramSend& send = send_at(*node);
    if (!send.is_compound()) [[likely]] {
      messages[count++] = static_cast<const SendtoState&>(send).message();
    } else {
      count += static_cast<const SendManyState&>(send).fill(messages.subspan(count));
    }
  }
  if (count == 0) return false;
  int err = 0;
  const std::size_t sent = backend_->try_send(messages.first(count), err);
  if (sent == 0) return send_failed(err);
  finish_sent(sent);
  return !sends_.empty();
}

// Handles the failure of the first send. Returns whether there is more to do now.
[[gnu::noinline]] bool DatagramCore::send_failed(int err) noexcept {
  DatagramSend& send = send_at(sends_.front());
  if (err == EAGAIN) {
    send.set_tried();
    await_writable();
    return false;
  }
  send.unlink();
  send.fail(err);
  return !sends_.empty();
}

// Moves the sends that have left as a whole to the ready list together.
void DatagramCore::finish_sent(std::size_t datagrams) noexcept {
  const bool traced = core_->is_traced();
  QueueCore* const queue = send_at(sends_.front()).queue();
  std::uint32_t count = 0;
  ListNode* last = nullptr;
  for (ListNode* node = sends_.first(); datagrams != 0 && node != sends_.end(); node = node->next) {
    DatagramSend& send = send_at(*node);
    if (!send.is_compound()) [[likely]] {
      --datagrams;
      static_cast<SendtoState&>(send).complete();
    } else {
      auto& many = static_cast<SendManyState&>(send);
      const std::size_t step = std::min(datagrams, many.left());
      datagrams -= step;
      many.advance(step);
      if (many.left() != 0) break;
      many.complete();
    }
    // The trace function may have ended the trace.
    if (traced && core_->is_traced()) [[unlikely]]
      core_->trace(TraceKind::finished, send);
    ++count;
    last = node;
  }
  if (last == nullptr) return;
  core_->make_ready_until(sends_, *last);
  if (queue != nullptr) queue->leave(count);
}

// Sends leave from the loop, not from here: the event may come from another socket.
void DatagramCore::on_writable() noexcept {
  send_blocked_ = false;
  if (state_ == State::disconnecting) {
    try_disconnect();
  } else if (state_ == State::open && !sends_.empty()) {
    schedule_flush();
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
  const std::uint64_t lost = dropped();  // the kernel reports it only while the socket is open
  const int err = backend_->try_disconnect();
  if (err == EAGAIN) {
    await_writable();
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
  const LeavingBackend leaving(*core_, std::move(backend_));
}

void DatagramCore::describe(std::ostream& out) const {
  out << "datagram socket";
  if (backend_ == nullptr) return;
  const Address local = backend_->local_address();
  if (!local.is_empty()) out << ' ' << local.string();
}

}  // namespace tsock::inline v0::detail
