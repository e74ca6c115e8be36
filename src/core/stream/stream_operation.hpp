#pragma once

#include <cerrno>
#include <cstddef>
#include <ostream>
#include <span>
#include <tsock/buffer.hpp>

#include "core/queue/queue_core.hpp"

namespace tsock::inline v0 {
class StreamBackend;
}

namespace tsock::inline v0::detail {

class StreamBase;
class StreamCore;
class StreamReadSide;
class StreamWriteSide;

/// A request on a stream. While `stream()` is set, the stream knows of it: as its reader, among its writes,
/// or among those that wait in a queue. The loop need not list it as in progress then.
class StreamOperation : public QueueableState {
 public:
  enum StreamMark : std::uint16_t {
    controlling = QueueableState::first_free_mark,  ///< at the front of `others_`: works on the whole stream
    of_pump = controlling << 1,  ///< a pump's write, which is no message and may end after any byte
  };
  static constexpr std::uint16_t first_free_mark = of_pump << 1;
  static constexpr bool is_listed = false;
  [[gnu::always_inline]] StreamOperation(LoopCore& core, CallSite site) noexcept
      : QueueableState(core, site, Here{}) {}

  [[nodiscard]] inline StreamCore* stream() const noexcept;
  inline void set_stream(StreamBase* stream) noexcept;
  /// Ends a request whose stream is gone and gives up its place in the queue.
  void end_without_stream(int err) noexcept {
    if (!is_started()) leave_queue();
    finish(err);
  }
  void describe(std::ostream& out) const override;
  void stop_waiting() noexcept final;
  void set_of_pump() noexcept { mark(of_pump); }
  [[nodiscard]] bool is_of_pump() const noexcept { return has(of_pump); }
  [[nodiscard]] bool is_controlling() const noexcept { return has(controlling); }
  /// The bytes of a write that have not left.
  [[nodiscard]] virtual std::size_t bytes_to_write() const noexcept { return 0; }

 private:
  // They begin kept states again; see short_ways.hpp.
  friend class StreamReadSide;
  friend class StreamWriteSide;
};

/// A request that takes bytes from a stream.
class StreamRead : public StreamOperation {
 public:
  enum ReadMark : std::uint16_t {
    asking = StreamOperation::first_free_mark,  ///< its next step is user code that the loop will call
    given_back = asking << 1,                   ///< its bytes were given back to the stream
    buffered = given_back << 1,                 ///< takes its first bytes out of the receive buffer
  };
  static_assert(buffered < 1U << mark_bits);
  [[gnu::always_inline]] StreamRead(LoopCore& core, CallSite site) noexcept : StreamOperation(core, site) {
    mark(plain_delivery);
  }

  void start_in_queue() override;
  void begin_in_queue() override;
  bool undo_start() noexcept override;
  void interrupt(int err) override;
  void on_deadline() override;

  /// Called when the stream has made this its reader.
  void on_reading() {
    if (has(asking)) [[unlikely]]
      begin_reading();
  }
  /// Takes bytes that are in memory; finishes when it has enough, or sets a fault. \return bytes taken
  virtual std::size_t feed(std::span<const std::byte> bytes) = 0;
  /// Where the next bytes can go directly. \return vectors used, at most `out.size()`; 0 when waiting for
  /// user code, or with a fault
  virtual std::size_t space(std::span<iovec> out) = 0;
  /// Whether a reader that gave no space, and has no fault, reads from the backend itself.
  [[nodiscard]] virtual bool reads_itself() const noexcept { return false; }
  /// As `StreamBackend::try_readv()`; the stream then calls `advance()`. \pre reads_itself()
  virtual ssize_t read_itself(StreamBackend& /*backend*/, int& err) noexcept {
    err = ENOTSUP;
    return -1;
  }
  /// Takes `bytes` bytes that were put into the space; finishes when it has enough.
  virtual void advance(std::size_t bytes) = 0;
  /// Gives the bytes taken so far back to the stream, for the next reader.
  virtual void give_back(StreamReadSide& stream) = 0;
  /// Called when the stream has ended: decides what happens to the bytes so far.
  virtual void at_end(int err, StreamReadSide& stream) = 0;
  /// The error that `feed()`, `space()` or `advance()` has met; 0 if none. The stream then takes the bytes
  /// back and fails the read.
  [[nodiscard]] int fault() const noexcept { return is_unfinished() ? error() : 0; }
  /// Whether the loop's receive buffer may be filled behind the space, for the reads that follow.
  [[nodiscard]] virtual bool wants_read_ahead() const noexcept { return true; }
  /// Whether the space is too small to be read into, so that it need not be asked for.
  [[nodiscard]] bool is_buffered() const noexcept { return has(buffered); }
  /// False while the next step waits for user code that the loop will call.
  [[nodiscard]] bool can_take() const noexcept { return !has(asking); }

 protected:
  /// The first step of a read that begins with user code.
  virtual void begin_reading() {}
  void on_delivery() noexcept override;
  /// Leaves the stream before the end and gives back what was taken.
  void give_up_place() noexcept;
  void on_abandon() noexcept override;
  void set_fault(int err) noexcept { set_error(err); }
};

}  // namespace tsock::inline v0::detail
