#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/datagram.hpp>
#include <tsock/datagram_backend.hpp>
#include <tsock/received_datagram.hpp>
#include <vector>

#include "core/datagram/datagram_access.hpp"
#include "core/loop/vector_cursor.hpp"
#include "core/queue/queue_core.hpp"

namespace tsock::inline v0::detail {

class DatagramCore;

/// The piece of a slot that is one datagram.
struct DatagramPiece {
  const DatagramSlot* slot;
  std::size_t offset;
  std::size_t size;

  /// Copies from the piece. \return bytes copied
  std::size_t copy(std::span<std::byte> out) const noexcept;
  /// Copies the whole piece into memory of its size.
  [[nodiscard]] ReceivedDatagram keep(LoopCore& core) const;
};

/// A request on a datagram socket. While `socket()` is set, the socket knows of it: as its receiver, as its
/// disconnect, among its sends, or among those that wait in a queue. The loop need not list it as in progress
/// then.
class DatagramOperation : public QueueableState {
 public:
  static constexpr bool is_listed = false;
  [[gnu::always_inline]] DatagramOperation(LoopCore& core, CallSite site) noexcept
      : QueueableState(core, site, Here{}) {}

  [[nodiscard]] inline DatagramCore* socket() const noexcept;
  inline void set_socket(DatagramCore* socket) noexcept;
  void describe(std::ostream& out) const override;

 private:
  friend class DatagramCore;
};

/// A request that receives.
class DatagramReceive : public DatagramOperation {
 public:
  [[gnu::always_inline]] DatagramReceive(LoopCore& core, CallSite site) noexcept
      : DatagramOperation(core, site) {
    mark(plain_delivery);
  }
  void start_in_queue() override {}
  void interrupt(int err) override;

  virtual void take(const DatagramPiece& piece) = 0;
  /// Moves from the datagram. Throws when out of memory, and leaves the datagram as it was.
  virtual void take(ReceivedDatagram&& datagram) = 0;
  /// Called when no more datagrams are there now; ends a request that has enough.
  virtual void none_left() {}
  /// Gives the datagrams taken so far back to the socket.
  virtual void give_back(DatagramCore& socket) noexcept = 0;

 protected:
  void on_abandon() noexcept override;
};

class RecvfromState : public ResultState<ReceivedDatagram, DatagramReceive> {
 public:
  static constexpr StateCache::Kind cached_as = StateCache::datagram_receive;
  [[gnu::always_inline]] RecvfromState(LoopCore& core, CallSite site) noexcept : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "recvfrom"; }
  void take(const DatagramPiece& piece) override;
  void take(ReceivedDatagram&& datagram) override;
  void give_back(DatagramCore& socket) noexcept override;
  /// Sets the result of a request that is finished already.
  void set_datagram(ReceivedDatagram&& datagram) noexcept { value_ = std::move(datagram); }

 protected:
  /// Whether the destructor would find nothing to do.
  [[nodiscard]] bool has_nothing_to_destroy() const noexcept {
    return DatagramAccess::is_none(value_) && !has_callback();
  }
};

class RecvIntoState : public ResultState<ReceivedInto, DatagramReceive> {
 public:
  static constexpr StateCache::Kind cached_as = StateCache::datagram_into;
  [[gnu::always_inline]] RecvIntoState(LoopCore& core, CallSite site) noexcept : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "recvfrom"; }
  void set_buffer(std::span<std::byte> buffer) noexcept { buffer_ = buffer; }
  void take(const DatagramPiece& piece) override;
  void take(ReceivedDatagram&& datagram) override;
  void give_back(DatagramCore& socket) noexcept override;

 protected:
  /// Whether the destructor would find nothing to do.
  [[nodiscard]] bool has_nothing_to_destroy() const noexcept {
    return DatagramAccess::is_none(whole_) && !has_callback();
  }

 private:
  void on_delivery() noexcept override;
  void complete(std::size_t length, std::size_t size, const Address& source, const DatagramInfo* info);
  void keep_whole(ReceivedDatagram&& datagram) noexcept;
  std::span<std::byte> buffer_;
  ReceivedDatagram whole_;  // a datagram that was cut off, until the caller has seen it
  bool taken_ = false;
};

class RecvManyState : public ResultState<std::vector<ReceivedDatagram>, DatagramReceive> {
 public:
  RecvManyState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "recv_many"; }
  /// \param memory where the datagrams go; must be empty
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

/// A request that sends: a SendtoState or, when it is `compound`, a SendManyState. The result is
/// `transferred()`, as its signed counterpart.
class DatagramSend : public DatagramOperation {
 public:
  enum SendMark : std::uint16_t {
    compound = QueueableState::first_free_mark,  ///< has several datagrams
    with_block = compound << 1,                  ///< its vectors lie in a block of the pool
  };
  [[gnu::always_inline]] DatagramSend(LoopCore& core, CallSite site) noexcept
      : DatagramOperation(core, site) {
    set_result_place(transferred_place());
  }
  [[nodiscard]] LoopResource* pipeline() const noexcept final;
  void stop_waiting() noexcept final { unlink(); }
  void start_in_queue() final;
  void interrupt(int err) override;
  void on_deadline() override;
  /// Ends a send that the socket has forgotten, and lets the queue go on.
  void fail(int err) noexcept {
    set_resource(nullptr);
    finish(err);
    leave_queue();
  }
  /// Called when all of it has left. The caller puts the send into the ready list and tells the queue.
  void complete() noexcept {
    set_resource(nullptr);
    forget_queue();
    mark(plain_delivery);
    set_finished();
  }
  /// Whether it has several datagrams.
  [[nodiscard]] bool is_compound() const noexcept { return has(compound); }
  /// Whether the socket has tried to send it.
  [[nodiscard]] bool was_tried() const noexcept { return has(tried); }
  void set_tried() noexcept { mark(tried); }

 protected:
  void on_delivery() noexcept override { leave_queue(); }
  void on_abandon() noexcept override;
};

/// Sends one datagram. A single vector is kept inline, more lie in a block of the pool.
class SendtoState : public DatagramSend {
 public:
  static constexpr StateCache::Kind cached_as = StateCache::datagram_send;
  [[gnu::always_inline]] SendtoState(LoopCore& core, CallSite site) noexcept : DatagramSend(core, site) {}
  ~SendtoState() override;
  [[nodiscard]] const char* name() const noexcept override { return "sendto"; }
  /// Copies vectors and destination. To be called once.
  void set_message(std::span<const iovec> vectors, std::size_t total, const Address& destination);
  /// As above, for one vector that is not empty.
  void set_message(const iovec& vector, const Address& destination) noexcept {
    single_ = vector;
    vector_count() = 1;
    total_ = vector.iov_len;
    destination_ = destination;
  }
  [[nodiscard]] DatagramMessage message() const noexcept {
    return {{has(with_block) ? block_.vectors : &single_, vector_count()},
            destination_.is_empty() ? nullptr : &destination_,
            from_};
  }
  /// Called when the datagram has left.
  void complete() noexcept {
    add_transferred(total_);
    DatagramSend::complete();
  }

 protected:
  /// Whether the destructor would find nothing to do.
  [[nodiscard]] bool has_nothing_to_destroy() const noexcept { return !has(with_block) && !has_callback(); }
  /// \param from must live as long as the state
  void set_from(const SendFrom* from) noexcept { from_ = from; }

 private:
  struct Block {
    iovec* vectors;
    std::size_t size;  // in bytes
  };

  std::uint32_t& vector_count() noexcept { return spare_word(); }
  [[nodiscard]] std::uint32_t vector_count() const noexcept { return spare_word(); }

  union {
    iovec single_;
    Block block_;
  };
  std::size_t total_ = 0;
  const SendFrom* from_ = nullptr;
  Address destination_;
};

/// A sendto from a local address of the caller's choice.
class SendtoFromState : public SendtoState {
 public:
  SendtoFromState(LoopCore& core, CallSite site, const SendFrom& from) noexcept
      : SendtoState(core, site), own_from_(from) {
    set_from(&own_from_);
  }

 private:
  SendFrom own_from_;
};

class SendManyState : public DatagramSend {
 public:
  SendManyState(LoopCore& core, CallSite site) noexcept : DatagramSend(core, site) { mark(compound); }
  ~SendManyState() override;
  [[nodiscard]] const char* name() const noexcept override { return "send_many"; }
  /// Copies the list, not the bytes. To be called once.
  void set_datagrams(std::span<const OutgoingDatagram> datagrams);
  /// Fills messages with the next datagrams. \return number of messages filled
  std::size_t fill(std::span<DatagramMessage> messages) const noexcept;
  /// Number of datagrams that have not left.
  [[nodiscard]] std::size_t left() const noexcept { return items_.size() - transferred(); }
  void advance(std::size_t datagrams) noexcept { add_transferred(datagrams); }

 private:
  struct Item {
    explicit Item(const OutgoingDatagram& datagram) noexcept
        : vector(make_vector(datagram.bytes)), destination(datagram.destination), from(datagram.from) {}
    iovec vector;
    Address destination;
    SendFrom from;
  };
  std::span<Item> items_;  // in a block of the pool
};

/// The disconnect of a socket.
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

}  // namespace tsock::inline v0::detail
