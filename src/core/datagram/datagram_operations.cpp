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

namespace tsock::inline v0::detail {

std::size_t DatagramPiece::copy(std::span<std::byte> out) const noexcept {
  const std::size_t wanted = std::min(size, out.size());
  if (const iovec& front = slot->room[0]; offset + wanted <= front.iov_len) [[likely]] {
    if (wanted != 0) std::memcpy(out.data(), static_cast<const std::byte*>(front.iov_base) + offset, wanted);
    return wanted;
  }
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
  ReceivedDatagram datagram = DatagramAccess::make(core, size, slot->source, slot->info);
  copy(DatagramAccess::room(datagram));
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
  add_transferred(datagram.size());
  value_ = std::move(datagram);
  finish(0);
}

void RecvfromState::give_back(DatagramCore& socket) noexcept {
  if (!DatagramAccess::is_none(value_)) socket.put_back(std::move(value_));
}

// Called only for a datagram that was cut off.
void RecvIntoState::on_delivery() noexcept {
  DatagramReceive::on_delivery();
  whole_ = ReceivedDatagram();
}

void RecvIntoState::keep_whole(ReceivedDatagram&& datagram) noexcept {
  whole_ = std::move(datagram);
  unmark(plain_delivery);
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
  if (piece.size > buffer_.size()) keep_whole(piece.keep(core()));
  complete(piece.size, piece.copy(buffer_), piece.slot->source, piece.slot->info);
}

void RecvIntoState::take(ReceivedDatagram&& datagram) {
  const std::size_t size = std::min(datagram.size(), buffer_.size());
  if (size != 0) std::memcpy(buffer_.data(), datagram.bytes().data(), size);
  complete(datagram.size(), size, datagram.source(), datagram.info());
  if (datagram.size() > size) keep_whole(std::move(datagram));
}

void RecvIntoState::give_back(DatagramCore& socket) noexcept {
  if (!std::exchange(taken_, false)) return;
  if (value_.truncated()) {
    socket.put_back(std::move(whole_));
    return;
  }
  try {
    ReceivedDatagram datagram =
        DatagramAccess::make(core(), value_.size, value_.source, value_.info ? &*value_.info : nullptr);
    const auto room = DatagramAccess::room(datagram);
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

SendtoState::~SendtoState() {
  if (has(with_block)) core().deallocate(block_.vectors, block_.size);
}

void SendtoState::set_message(std::span<const iovec> vectors, std::size_t total, const Address& destination) {
  const auto is_used = [](const iovec& vector) { return vector.iov_len != 0; };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(vectors, is_used));
  iovec* out = &single_;
  if (count > 1) {
    const std::size_t size = count * sizeof(iovec);
    out = static_cast<iovec*>(core().allocate(size));
    block_ = {out, size};
    mark(with_block);
  }
  for (const iovec& vector : vectors) {
    if (is_used(vector)) ::new (static_cast<void*>(out++)) iovec(vector);
  }
  vector_count() = static_cast<std::uint32_t>(count);
  total_ = total;
  destination_ = destination;
}

void SendManyState::set_datagrams(std::span<const OutgoingDatagram> datagrams) {
  static_assert(std::is_trivially_destructible_v<Item>);
  void* const block = core().allocate(datagrams.size() * sizeof(Item));
  items_ = {static_cast<Item*>(block), datagrams.size()};
  std::uninitialized_copy(datagrams.begin(), datagrams.end(), items_.begin());
}

SendManyState::~SendManyState() {
  if (items_.data() != nullptr) core().deallocate(items_.data(), items_.size_bytes());
}

std::size_t SendManyState::fill(std::span<DatagramMessage> messages) const noexcept {
  const std::span<const Item> ahead = items_.last(left());
  const std::size_t count = std::min(ahead.size(), messages.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Item& item = ahead[i];
    messages[i] = {{&item.vector, 1},
                   item.destination.is_empty() ? nullptr : &item.destination,
                   item.from.is_empty() ? nullptr : &item.from};
  }
  return count;
}

// ---- control ----

// In this order: what the socket owns may destroy this request.
void DatagramControlState::interrupt(int err) {
  finish(err);
  on_delivery();
}

void DatagramControlState::on_delivery() noexcept {
  DatagramCore* const target = socket();
  set_socket(nullptr);
  if (target != nullptr) target->end_control(*this);
}

}  // namespace tsock::inline v0::detail
