#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <tsock/datagram_backend.hpp>
#include <tsock/datagram_options.hpp>
#include <utility>

#include "core/datagram/datagram_operations.hpp"
#include "core/loop/loop_core.hpp"
#include "core/loop/receive_batch.hpp"

namespace tsock::inline v0::detail {

/// The engine behind a Datagram: checks, the rule of one operation in flight, datagrams read ahead, gathering
/// of sends. It runs no user code.
class DatagramCore final : public LoopResource, public DatagramEvents {
 public:
  DatagramCore(LoopCore& core, std::unique_ptr<DatagramBackend> backend, const DatagramOptions& options);

  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }
  [[nodiscard]] DatagramBackend* backend() const noexcept { return backend_.get(); }
  [[nodiscard]] bool is_open() const noexcept { return state_ == State::open; }
  [[nodiscard]] bool strict() const noexcept { return strict_; }
  /// Called when the Datagram is destroyed: ends requests in progress with ECANCELED, which the loop
  /// delivers, and destroys this object.
  void release_datagram() noexcept;

  void start_receive(DatagramReceive& receive);
  /// Begins a receive of a datagram that is in the batch, in a cached state: it is finished at once.
  /// \return null when that is not possible; nothing has happened then
  RecvfromState* begin_leased_receive(CallSite site) noexcept;
  /// Begins a send of one vector on an open socket, in a cached state.
  /// \return null when that is not possible; nothing has happened then
  SendtoState* begin_plain_send(QueueCore* queue, const iovec& vector, const Address& destination,
                                CallSite site) noexcept;
  /// Puts a datagram in front of the pending ones.
  void put_back(ReceivedDatagram datagram) noexcept;
  /// Moves the rest of the batch to memory of this socket.
  void move_out_of_lease() noexcept override;
  /// Counts datagrams that were lost for lack of memory.
  void count_lost(std::size_t datagrams) noexcept { lost_ += datagrams; }
  /// Number of datagrams that no receive will get.
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return lost_ + (state_ != State::closed ? backend_->dropped() : 0);
  }
  [[nodiscard]] std::size_t pending_datagrams() const noexcept { return pending_count_ + batch_datagrams(); }

  /// Lists a send that waits in a queue.
  void add_waiting(DatagramSend& send) noexcept { waiting_.push_back(send); }
  void start_send(DatagramSend& send);
  /// Removes a send that was interrupted or abandoned.
  void drop_send(DatagramSend& send) noexcept;
  void on_flush() override;
  void on_next_turn() override;
  /// Whether more leaves at the next flush: there were more calls to make than one turn may have.
  [[nodiscard]] bool goes_on_sending() const noexcept { return flush_scheduled_ && !send_blocked_; }
  void undo_starts(QueueCore& queue, bool but_the_first) noexcept override;

  void start_disconnect(DatagramControlState& control);
  void end_control(const DatagramControlState& control) noexcept;

  void on_readable() noexcept override { serve_receiver(true); }
  void on_writable() noexcept override;
  void loop_closed() noexcept override;
  void describe(std::ostream& out) const override;
  void for_each_request(void (*visit)(void* context, RequestState& state), void* context) override;

 private:
  enum class State : std::uint8_t { open, disconnecting, closed };
  struct Pending {
    Pending(Pending* behind, ReceivedDatagram received) noexcept
        : next(behind), datagram(std::move(received)) {}
    Pending* next;
    ReceivedDatagram datagram;
  };

  ~DatagramCore();
  /// The receiver, which is a DatagramReceive.
  [[nodiscard]] DatagramReceive* receiver() const noexcept {
    return static_cast<DatagramReceive*>(receiver_);
  }
  void serve_receiver(bool may_read);
  void serve(bool may_read);
  void await_writable() noexcept;
  void ask_for_next_turn() noexcept;
  bool receive_batch();
  [[nodiscard]] DatagramPiece piece() const noexcept;
  void pass_piece(const DatagramPiece& passed) noexcept;
  void drop_batch() noexcept;
  [[nodiscard]] std::size_t batch_datagrams() const noexcept;
  void push_pending(ReceivedDatagram datagram);
  void pop_pending() noexcept;
  void drop_pending() noexcept;
  static DatagramSend& send_at(ListNode& node) noexcept { return static_cast<DatagramSend&>(node); }
  /// Whether sends are under way that are not of `queue`, or any at all if it is null.
  [[nodiscard]] bool is_sending_for_another(const QueueCore* queue) noexcept {
    return !sends_.empty() && (queue == nullptr || send_at(*sends_.last()).queue() != queue);
  }
  [[nodiscard]] bool may_begin_send(const QueueCore* queue) noexcept {
    return state_ == State::open && !is_sending_for_another(queue);
  }
  void append_send(DatagramSend& send) noexcept {
    send.set_socket(this);
    sends_.push_back(send);
    if (!send_blocked_) schedule_flush();
  }
  bool send_batch();
  bool send_failed(int err) noexcept;
  void finish_sent(std::size_t datagrams) noexcept;
  void detach_operations(int err) noexcept;
  void try_disconnect() noexcept;
  // Sends make batches of their own, so they need not wait for other output.
  void schedule_flush() noexcept {
    core_->add_output(LoopCore::output_at_once);
    if (!flush_scheduled_) core_->schedule_flush(*this);
    flush_scheduled_ = true;
  }
  void flush();

  LoopCore* core_;
  std::unique_ptr<DatagramBackend> backend_;
  DatagramControlState* disconnecting_ = nullptr;
  NodeList sends_;    // sends that were started
  NodeList waiting_;  // sends that wait in queues
  Pending* pending_head_ = nullptr;
  Pending* pending_tail_ = nullptr;
  std::size_t pending_count_ = 0;
  ReceiveBatch* batch_ = nullptr;  // null unless this socket's datagrams are in it
  std::uint32_t batch_next_ = 0;
  std::uint32_t batch_end_ = 0;
  std::size_t batch_offset_ = 0;  // within a slot of several datagrams
  std::uint64_t lost_ = 0;
  State state_ = State::open;
  bool send_blocked_ = false;
  bool receives_in_next_turn_ = false;
  bool sends_in_next_turn_ = false;
  bool flush_scheduled_ = false;
  bool gives_info_ = false;
  bool strict_ = false;
};

// The resource of a DatagramOperation is a socket.
inline DatagramCore* DatagramOperation::socket() const noexcept {
  return static_cast<DatagramCore*>(resource());
}
inline void DatagramOperation::set_socket(DatagramCore* socket) noexcept { set_resource(socket); }

}  // namespace tsock::inline v0::detail
