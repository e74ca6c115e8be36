#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <tsock/loop.hpp>
#include <tsock/memory_datagram.hpp>
#include <utility>

#include "core/datagram/datagram_access.hpp"
#include "core/loop/loop_core.hpp"

namespace tsock::inline v0 {

namespace {

using detail::LoopCore;

/// splitmix64: small, and the same numbers everywhere.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }
  /// \param threshold see threshold_of()
  bool happens(std::uint64_t threshold) noexcept { return next() >> 32U < threshold; }

 private:
  std::uint64_t state_;
};

// So many of 2^32 numbers mean yes. Scaling by a power of two is exact, so every platform gets the same.
std::uint64_t threshold_of(double probability) noexcept {
  if (!(probability > 0.0)) return 0;
  return static_cast<std::uint64_t>(std::min(probability, 1.0) * 4294967296.0);
}

/// Datagrams in the order in which they come out.
class DatagramList {
 public:
  struct Node {
    Node(ReceivedDatagram received, std::size_t lets_pass) noexcept
        : datagram(std::move(received)), passes(lets_pass) {}
    Node* next = nullptr;
    ReceivedDatagram datagram;
    std::size_t passes;  // how many later datagrams may still pass it
  };

  explicit DatagramList(LoopCore& core) noexcept : core_(&core) {}
  DatagramList(const DatagramList&) = delete;
  DatagramList& operator=(const DatagramList&) = delete;
  ~DatagramList() {
    while (head_ != nullptr) drop_front();
  }

  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] ReceivedDatagram& front() noexcept { return head_->datagram; }
  /// Makes a node for one more datagram; throws here, so that what follows does not have to.
  [[nodiscard]] Node* make(ReceivedDatagram datagram, std::size_t passes) {
    return detail::make_pooled<Node>(*core_, std::move(datagram), passes);
  }
  void push_back(Node& node) noexcept {
    node.next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = &node;
    tail_ = &node;
    ++size_;
  }
  void drop_front() noexcept { destroy(unlink_front()); }
  /// Called when one more was sent: moves the datagrams that let no more pass to `out`, in order.
  void let_pass(DatagramList& out) noexcept {
    Node* node = head_;
    head_ = tail_ = nullptr;
    size_ = 0;
    while (node != nullptr) {
      Node& moved = *std::exchange(node, node->next);
      (--moved.passes == 0 ? out : *this).push_back(moved);
    }
  }
  void move_to(DatagramList& out) noexcept {
    while (head_ != nullptr) out.push_back(*unlink_front());
  }

 private:
  Node* unlink_front() noexcept {
    Node* const node = head_;
    head_ = node->next;
    if (head_ == nullptr) tail_ = nullptr;
    --size_;
    return node;
  }
  void destroy(Node* node) noexcept {
    node->~Node();
    core_->deallocate(node, sizeof(Node));
  }

  LoopCore* core_;
  Node* head_ = nullptr;
  Node* tail_ = nullptr;
  std::size_t size_ = 0;
};

class MemoryDatagramEnd final : public DatagramBackend {
 public:
  MemoryDatagramEnd(LoopCore& core, const MemoryDatagramOptions& options, const Address& address,
                    std::uint64_t seed) noexcept
      : core_(&core),
        address_(address),
        chance_(seed),
        loss_(threshold_of(options.loss)),
        duplication_(threshold_of(options.duplication)),
        reorder_(threshold_of(options.reorder)),
        reorder_distance_(options.reorder_distance),
        queue_length_(std::max(options.queue_length, std::size_t{1})),
        max_size_(options.max_size),
        block_when_full_(options.block_when_full),
        queue_(core),
        held_back_(core) {}
  ~MemoryDatagramEnd() override { close(); }

  void connect(MemoryDatagramEnd& peer) noexcept {
    peer_ = &peer;
    peer_address_ = peer.address_;
  }
  void attach(DatagramEvents& events) noexcept override { events_ = &events; }

  std::size_t try_receive(std::span<DatagramSlot> slots, int& err) noexcept override {
    large_ = ReceivedDatagram();
    std::size_t count = 0;
    while (count < slots.size() && has_datagram()) {
      if (!take(slots[count], count == 0)) break;
      ++count;
    }
    if (count == 0) err = EAGAIN;
    if (count != 0 && peer_ != nullptr) peer_->tell_room();
    return count;
  }

  std::size_t try_send(std::span<const DatagramMessage> messages, int& err) noexcept override {
    std::size_t sent = 0;
    for (const DatagramMessage& message : messages) {
      const int problem = send(message);
      if (problem != 0) {
        if (sent == 0) err = problem;
        break;
      }
      ++sent;
    }
    // After all of them: a datagram that is held back lets those of the same call pass.
    if (sent != 0 && peer_ != nullptr) peer_->tell_datagram();
    return sent;
  }

  int try_disconnect() noexcept override {
    close();
    return 0;
  }

  Readiness want_readable() noexcept override {
    wants_read_ = !has_datagram();
    return wants_read_ ? Readiness::later : Readiness::now;
  }
  Readiness want_writable() noexcept override {
    wants_write_ = peer_ != nullptr && !peer_->has_room();
    return wants_write_ ? Readiness::later : Readiness::now;
  }

  [[nodiscard]] int check_destination(const Address& destination) const noexcept override {
    return destination.family() == peer_address_.family() ? 0 : EINVAL;
  }
  [[nodiscard]] Address local_address() const noexcept override { return address_; }
  [[nodiscard]] Address remote_address() const noexcept override { return peer_address_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept override { return dropped_; }

 private:
  [[nodiscard]] bool has_room() const noexcept { return queue_.size() + held_back_.size() < queue_length_; }
  // Datagrams that are held back do not wait forever: they come when nothing else is there.
  [[nodiscard]] bool has_datagram() noexcept {
    if (queue_.empty()) held_back_.move_to(queue_);
    return !queue_.empty();
  }

  // Moves the next datagram to a slot. The end of one that exceeds the common room stays where it is, which
  // is possible for only one datagram of a call.
  bool take(DatagramSlot& slot, bool first) noexcept {
    ReceivedDatagram& front = queue_.front();
    std::span<std::byte> rest = front.bytes();
    if (rest.size() > slot.room[0].iov_len + slot.room[1].iov_len && !first) return false;
    slot.size = rest.size();
    slot.segment = 0;
    slot.source = front.source();
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t step = std::min(rest.size(), slot.room[i].iov_len);
      if (step != 0) std::memcpy(slot.room[i].iov_base, rest.data(), step);
      rest = rest.subspan(step);
    }
    if (!rest.empty()) {
      slot.room[2] = make_vector(rest);
      large_ = std::move(front);
    }
    queue_.drop_front();
    return true;
  }

  int send(const DatagramMessage& message) {
    std::size_t size = 0;
    for (const iovec& vector : message.vectors) size += vector.iov_len;
    if (size > max_size_) return EMSGSIZE;
    if (message.destination != nullptr && *message.destination != peer_address_) return EHOSTUNREACH;
    if (peer_ == nullptr) return ECONNREFUSED;
    if (block_when_full_ && !peer_->has_room()) return EAGAIN;
    try {
      transmit(*peer_, message.vectors, size);
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    return 0;
  }

  // Draws the same numbers for every datagram, so that no probability changes which datagrams another one
  // hits.
  void transmit(MemoryDatagramEnd& peer, std::span<const iovec> vectors, std::size_t size) {
    Chance drawn = chance_;
    const bool lost = drawn.happens(loss_);
    const bool doubled = drawn.happens(duplication_);
    const bool late = drawn.happens(reorder_) && reorder_distance_ != 0;
    const std::uint64_t distance = drawn.next();
    const std::size_t passes = late ? 1 + static_cast<std::size_t>(distance % reorder_distance_) : 0;
    if (!lost) {
      peer.accept(address_, vectors, size, passes);
      if (doubled) peer.accept(address_, vectors, size, 0);
    }
    chance_ = drawn;
  }

  void accept(const Address& source, std::span<const iovec> vectors, std::size_t size, std::size_t passes) {
    if (!has_room()) {
      ++dropped_;
      return;
    }
    ReceivedDatagram datagram = DatagramAccess::make(*core_, size, source);
    std::byte* at = DatagramAccess::room(datagram).data();
    for (const iovec& vector : vectors) {
      if (vector.iov_len != 0) std::memcpy(at, vector.iov_base, vector.iov_len);
      at += vector.iov_len;
    }
    DatagramList::Node& node = *queue_.make(std::move(datagram), passes);
    if (passes == 0) queue_.push_back(node);
    held_back_.let_pass(queue_);
    if (passes != 0) held_back_.push_back(node);
  }

  void tell_datagram() noexcept {
    if (std::exchange(wants_read_, false) && !core_->is_closed()) events_->on_readable();
  }
  void tell_room() noexcept {
    if (std::exchange(wants_write_, false) && !core_->is_closed()) events_->on_writable();
  }

  void close() noexcept {
    MemoryDatagramEnd* const peer = std::exchange(peer_, nullptr);
    if (peer == nullptr) return;
    peer->peer_ = nullptr;
    peer->tell_room();
  }

  LoopCore* core_;
  Address address_;
  Address peer_address_;
  Chance chance_;
  std::uint64_t loss_;
  std::uint64_t duplication_;
  std::uint64_t reorder_;
  std::size_t reorder_distance_;
  std::size_t queue_length_;
  std::size_t max_size_;
  bool block_when_full_;
  DatagramEvents* events_ = nullptr;
  MemoryDatagramEnd* peer_ = nullptr;
  DatagramList queue_;
  DatagramList held_back_;
  ReceivedDatagram large_;  // a slot points into the end of it
  std::uint64_t dropped_ = 0;
  bool wants_read_ = false;
  bool wants_write_ = false;
};

// Addresses reserved for documentation; no host has them.
Address address_or(const Address& given, const char* otherwise) {
  int err = 0;
  return given.is_empty() ? Address::inet_from_strings("ipv4", otherwise, 1, err) : given;
}

}  // namespace

std::pair<Datagram, Datagram> memory_datagram_pair(Loop& loop, const MemoryDatagramOptions& options) {
  DatagramOptions front;
  front.strict_tsocket = options.strict_tsocket;
  // Two close seeds must not give two similar runs.
  Chance seeds(options.seed);
  auto first = std::make_unique<MemoryDatagramEnd>(
      loop.core(), options, address_or(options.first_address, "192.0.2.1"), seeds.next());
  auto second = std::make_unique<MemoryDatagramEnd>(
      loop.core(), options, address_or(options.second_address, "192.0.2.2"), seeds.next());
  first->connect(*second);
  second->connect(*first);
  Datagram left(loop, std::move(first), front);
  Datagram right(loop, std::move(second), front);
  return {std::move(left), std::move(right)};
}

}  // namespace tsock::inline v0
