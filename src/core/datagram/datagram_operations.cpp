#include "core/datagram/datagram_operations.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <ostream>
#include <type_traits>
#include <utility>

#include "core/datagram/datagram_access.hpp"
#include "core/datagram/datagram_core.hpp"

namespace tsock::detail {

std::size_t DatagramPiece::copy(std::span<std::byte> out) const noexcept {
  const std::size_t wanted = std::min(size, out.size());
  std::size_t skip = offset;
  std::size_t done = 0;
  for (const iovec& room : slot->room) {
    if (skip >= room.iov_len) {
      skip -= room.iov_len;
      continue;
    }
    const std::size_t step = std::min(room.iov_len - skip, wanted - done);
    if (step == 0) break;
    std::memcpy(out.data() + done, static_cast<const std::byte*>(room.iov_base) + skip, step);
    done += step;
    skip = 0;
  }
  return done;
}

ReceivedDatagram DatagramPiece::keep(LoopCore& core) const {
  ReceivedDatagram datagram;
  copy(DatagramAccess::allocate(datagram, core, size, slot->source, slot->info));
  return datagram;
}

void DatagramOperation::describe(std::ostream& out) const {
  if (queue() != nullptr) out << ", queue \"" << queue()->name() << '"' << (is_started() ? "" : " waiting");
  if (socket() == nullptr || socket()->backend() == nullptr) return;
  const Address local = socket()->backend()->local_address();
  if (!local.is_empty()) out << ", on " << local.string();
}

// ---- receiving ----

void DatagramReceive::interrupt(int err) {
  if (DatagramCore* const source = socket(); source != nullptr) {
    give_back(*source);
    leave_resource();
  }
  finish(err);
}

void DatagramReceive::on_abandon() noexcept {
  DatagramCore* const source = socket();
  if (source == nullptr) return;
  give_back(*source);
  leave_resource();
}

void RecvfromState::take(const DatagramPiece& piece) { take(piece.keep(core())); }

void RecvfromState::take(ReceivedDatagram&& datagram) {
  taken_ = true;
  add_transferred(datagram.size());
  finish_with(std::move(datagram));
}

void RecvfromState::give_back(DatagramCore& socket) noexcept {
  if (std::exchange(taken_, false)) socket.put_back(std::move(value_));
}

void RecvIntoState::on_delivery() noexcept {
  DatagramReceive::on_delivery();
  whole_ = ReceivedDatagram();
}

void RecvIntoState::complete(std::size_t length, std::size_t size, const Address& source,
                             const DatagramInfo* info) {
  taken_ = true;
  value_.length = length;
  value_.size = size;
  value_.source = source;
  if (info != nullptr) value_.info = *info;
  add_transferred(size);
  finish(0);
}

void RecvIntoState::take(const DatagramPiece& piece) {
  if (piece.size > buffer_.size()) whole_ = piece.keep(core());
  complete(piece.size, piece.copy(buffer_), piece.slot->source, piece.slot->info);
}

void RecvIntoState::take(ReceivedDatagram&& datagram) {
  const std::size_t size = std::min(datagram.size(), buffer_.size());
  if (size != 0) std::memcpy(buffer_.data(), datagram.bytes().data(), size);
  complete(datagram.size(), size, datagram.source(), datagram.info());
  if (datagram.size() > size) whole_ = std::move(datagram);
}

void RecvIntoState::give_back(DatagramCore& socket) noexcept {
  if (!std::exchange(taken_, false)) return;
  if (value_.truncated()) {
    socket.put_back(std::move(whole_));
    return;
  }
  try {
    ReceivedDatagram datagram;
    const auto room = DatagramAccess::allocate(datagram, core(), value_.size, value_.source,
                                               value_.info ? &*value_.info : nullptr);
    if (!room.empty()) std::memcpy(room.data(), buffer_.data(), room.size());
    socket.put_back(std::move(datagram));
  } catch (const std::bad_alloc&) {
    socket.count_lost(1);
  }
}

void RecvManyState::take(ReceivedDatagram&& datagram) {
  if (value_.empty()) value_.reserve(std::min(most_, socket()->pending_datagrams()));
  const std::size_t size = datagram.size();
  value_.push_back(std::move(datagram));
  add_transferred(size);
  if (value_.size() == most_) finish(0);
}

void RecvManyState::none_left() {
  if (!value_.empty()) finish(0);
}

void RecvManyState::give_back(DatagramCore& socket) noexcept {
  while (!value_.empty()) {
    socket.put_back(std::move(value_.back()));
    value_.pop_back();
  }
}

// ---- sending ----

LoopResource* DatagramSend::pipeline() const noexcept { return socket(); }

void DatagramSend::stop_waiting() noexcept {
  if (socket() != nullptr) socket()->remove_waiting(*this);
}

void DatagramSend::start_in_queue() {
  DatagramCore* const target = socket();
  if (target == nullptr) {
    finish(ECANCELED);
    return;
  }
  target->start_send(*this);
}

void DatagramSend::interrupt(int err) {
  if (socket() != nullptr) socket()->drop_send(*this);
  fail(err);
}

void DatagramSend::on_deadline() {
  if (socket() != nullptr && socket()->goes_on_sending()) {
    postpone_deadline();
  } else {
    DatagramOperation::on_deadline();
  }
}

void DatagramSend::on_abandon() noexcept {
  if (socket() != nullptr) socket()->drop_send(*this);
  leave_queue();
}

std::size_t SendtoState::fill(std::span<DatagramMessage> messages, std::span<iovec> vectors,
                              std::size_t& vectors_used) {
  const auto room = vectors.subspan(vectors_used);
  if (cursor_.size() > room.size()) return 0;
  const std::size_t used = cursor_.ahead(room);
  messages[0] = {room.first(used), destination_.is_empty() ? nullptr : &destination_};
  vectors_used += used;
  return 1;
}

void SendtoState::sent() {
  add_transferred(total_);
  finish_with(static_cast<ssize_t>(total_));
}

void SendManyState::set_datagrams(std::span<const OutgoingDatagram> datagrams) {
  static_assert(std::is_trivially_destructible_v<OutgoingDatagram>);
  void* const block = core().allocate(datagrams.size_bytes());
  list_ = {static_cast<OutgoingDatagram*>(block), datagrams.size()};
  std::uninitialized_copy(datagrams.begin(), datagrams.end(), list_.begin());
}

SendManyState::~SendManyState() {
  if (list_.data() != nullptr) core().deallocate(list_.data(), list_.size_bytes());
}

std::size_t SendManyState::fill(std::span<DatagramMessage> messages, std::span<iovec> vectors,
                                std::size_t& vectors_used) {
  std::size_t count = 0;
  for (std::size_t i = next_; i < list_.size() && count < messages.size() && vectors_used < vectors.size();
       ++i) {
    iovec& vector = vectors[vectors_used++];
    vector = make_vector(list_[i].bytes);
    messages[count++] = {{&vector, 1},
                         list_[i].destination.is_empty() ? nullptr : &list_[i].destination,
                         list_[i].from.is_empty() ? nullptr : &list_[i].from};
  }
  return count;
}

void SendManyState::sent() {
  add_transferred(1);
  if (++next_ == list_.size()) finish_with(static_cast<ssize_t>(next_));
}

// ---- control ----

void DatagramControlState::interrupt(int err) {
  on_delivery();
  finish(err);
}

void DatagramControlState::on_delivery() noexcept {
  if (socket() == nullptr) return;
  socket()->end_control(*this);
  set_socket(nullptr);
}

}  // namespace tsock::detail
