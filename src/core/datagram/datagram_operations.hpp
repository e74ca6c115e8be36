#pragma once

#include <cstddef>
#include <span>
#include <tsock/datagram.hpp>
#include <tsock/datagram_backend.hpp>
#include <tsock/received_datagram.hpp>
#include <vector>

#include "core/datagram/operation_list.hpp"
#include "core/loop/vector_cursor.hpp"
#include "core/queue/queue_core.hpp"

namespace tsock::detail {

class DatagramCore;

/// A piece of a slot: one datagram.
struct DatagramPiece {
  const DatagramSlot* slot;
  std::size_t offset;
  std::size_t size;

  /// Copies from the piece. \return bytes copied.
  std::size_t copy(std::span<std::byte> out) const noexcept;
  /// The whole piece in memory of its size.
  [[nodiscard]] ReceivedDatagram keep(LoopCore& core) const;
};

/// A request on a datagram socket.
class DatagramOperation : public QueueableState {
 public:
  using QueueableState::QueueableState;
  [[nodiscard]] inline DatagramCore* socket() const noexcept;
  inline void set_socket(DatagramCore* socket) noexcept;
  void end_without_socket(int err) noexcept {
    if (!is_started()) leave_queue();
    finish(err);
  }
  void describe(std::ostream& out) const override;

 private:
  template <class T>
  friend class OperationChain;
  DatagramOperation* list_prev_ = nullptr;
  DatagramOperation* list_next_ = nullptr;
};

/// A request that receives.
class DatagramReceive : public DatagramOperation {
 public:
  DatagramReceive(LoopCore& core, CallSite site) noexcept : DatagramOperation(core, site) {
    mark(plain_delivery);
  }
  void start_in_queue() override {}
  void interrupt(int err) override;

  virtual void take(const DatagramPiece& piece) = 0;
  /// Moves from the datagram; when there is no memory it throws and leaves it as it was.
  virtual void take(ReceivedDatagram&& datagram) = 0;
  /// No more are there now; ends a request that has enough.
  virtual void none_left() {}
  /// Gives what was taken back to the socket.
  virtual void give_back(DatagramCore& socket) noexcept = 0;

 protected:
  void on_abandon() noexcept override;
};

class RecvfromState : public ResultState<ReceivedDatagram, DatagramReceive> {
 public:
  RecvfromState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "recvfrom"; }
  void take(const DatagramPiece& piece) override;
  void take(ReceivedDatagram&& datagram) override;
  void give_back(DatagramCore& socket) noexcept override;

 private:
  bool taken_ = false;
};

class RecvIntoState : public ResultState<ReceivedInto, DatagramReceive> {
 public:
  RecvIntoState(LoopCore& core, CallSite site) : ResultState(core, site) { unmark(plain_delivery); }
  [[nodiscard]] const char* name() const noexcept override { return "recvfrom"; }
  void set_buffer(std::span<std::byte> buffer) noexcept { buffer_ = buffer; }
  void take(const DatagramPiece& piece) override;
  void take(ReceivedDatagram&& datagram) override;
  void give_back(DatagramCore& socket) noexcept override;

 private:
  void on_delivery() noexcept override;
  void complete(std::size_t length, std::size_t size, const Address& source, const DatagramInfo* info);
  std::span<std::byte> buffer_;
  ReceivedDatagram whole_;  // of one that was cut off, until the caller has seen it
  bool taken_ = false;
};

class RecvManyState : public ResultState<std::vector<ReceivedDatagram>, DatagramReceive> {
 public:
  RecvManyState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "recv_many"; }
  /// \param memory where the datagrams go; empty
  void set_room(std::size_t most, std::vector<ReceivedDatagram> memory) noexcept {
    most_ = most;
    value_ = std::move(memory);
  }
  void take(const DatagramPiece& piece) override { take(piece.keep(core())); }
  void take(ReceivedDatagram&& datagram) override;
  void none_left() override;
  void give_back(DatagramCore& socket) noexcept override;

 private:
  std::size_t most_ = 1;
};

/// A request that sends.
class DatagramSend : public ResultState<ssize_t, DatagramOperation> {
 public:
  using ResultState::ResultState;
  [[nodiscard]] LoopResource* pipeline() const noexcept override;
  void stop_waiting() noexcept override;
  void start_in_queue() override;
  void interrupt(int err) override;
  void on_deadline() override;
  /// Ends it, which the socket has forgotten, and lets the queue go on.
  void fail(int err) noexcept {
    set_socket(nullptr);
    finish(err);
    leave_queue();
  }
  /// Whether the socket has tried to pass it on.
  [[nodiscard]] bool was_tried() const noexcept { return has(tried); }
  void set_tried() noexcept { mark(tried); }

  /// Puts its messages behind the others. \return how many were put.
  virtual std::size_t fill(std::span<DatagramMessage> messages, std::span<iovec> vectors,
                           std::size_t& vectors_used) = 0;
  /// The first of its messages left.
  virtual void sent() = 0;

 protected:
  void on_delivery() noexcept override { leave_queue(); }
  void on_abandon() noexcept override;
};

class SendtoState : public DatagramSend {
 public:
  SendtoState(LoopCore& core, CallSite site) : DatagramSend(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "sendto"; }
  void set_message(std::span<const iovec> vectors, std::size_t total, const Address& destination) {
    cursor_.assign(core(), vectors);
    total_ = total;
    destination_ = destination;
  }
  std::size_t fill(std::span<DatagramMessage> messages, std::span<iovec> vectors,
                   std::size_t& vectors_used) override;
  void sent() override;

 private:
  VectorCursor cursor_;
  std::size_t total_ = 0;
  Address destination_;
};

/// A sendto from a local address of the caller's choice.
class SendtoFromState : public SendtoState {
 public:
  using SendtoState::SendtoState;
  void set_from(const SendFrom& from) noexcept { from_ = from; }
  std::size_t fill(std::span<DatagramMessage> messages, std::span<iovec> vectors,
                   std::size_t& vectors_used) override {
    const std::size_t count = SendtoState::fill(messages, vectors, vectors_used);
    if (count != 0) messages[0].from = &from_;
    return count;
  }

 private:
  SendFrom from_;
};

class SendManyState : public DatagramSend {
 public:
  SendManyState(LoopCore& core, CallSite site) : DatagramSend(core, site) {}
  ~SendManyState() override;
  [[nodiscard]] const char* name() const noexcept override { return "send_many"; }
  /// Copies the list, not the bytes. Once.
  void set_datagrams(std::span<const OutgoingDatagram> datagrams);
  std::size_t fill(std::span<DatagramMessage> messages, std::span<iovec> vectors,
                   std::size_t& vectors_used) override;
  void sent() override;

 private:
  std::span<OutgoingDatagram> list_;  // in a block of the pool
  std::size_t next_ = 0;
};

/// disconnect.
class DatagramControlState : public ResultState<void, DatagramOperation> {
 public:
  DatagramControlState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "disconnect"; }
  void start_in_queue() override {}
  void interrupt(int err) override;

 private:
  void on_delivery() noexcept override;
  void on_abandon() noexcept override { on_delivery(); }
};

}  // namespace tsock::detail
