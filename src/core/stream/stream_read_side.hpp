#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/loop/unread_bytes.hpp"
#include "core/stream/stream_base.hpp"

namespace tsock::inline v0::detail {

class MessageState;
class PrefixFormat;
class PrefixedPduState;

/// The receiving side of a stream: its reader, the bytes that were read and not yet asked for, and the error
/// that ends reading.
class StreamReadSide : public StreamBase {
 public:
  /// Makes `read` the stream's reader, or fails it. Called directly or when its queue entry starts.
  template <class Read>
  void start_read(Read& read);
  /// The two halves of `start_read()` for a read in a queue: take the place of the reader, or fail; then
  /// begin.
  void reserve_read(StreamRead& read);
  void begin_reserved_read(StreamRead& read);
  /// Whether a read may take the place of the reader; if not, `refuse_read()` finds the error.
  [[nodiscard]] bool may_begin_read() const noexcept { return is_open() && receiver_ == nullptr; }
  /// Whether a reader gets nothing before the next event.
  [[nodiscard]] bool must_wait() const noexcept { return unread_ == nullptr && read_error_ == 0; }
  /// See short_ways.hpp.
  template <bool u32be>
  PrefixedPduState* begin_leased_read(PrefixFormat format, CallSite site) noexcept;
  /// As above; the caller goes on with `await_readable()`.
  PrefixedPduState* begin_waiting_read(PrefixFormat format, CallSite site) noexcept;
  /// As above.
  MessageState* begin_waiting_message(CallSite site) noexcept;
  /// Makes the backend report when it has something for the reader.
  void await_readable() noexcept {
    if (const Readiness readiness = backend_->want_readable(); readiness != Readiness::later) [[unlikely]]
      readable_already(readiness);
  }
  [[nodiscard]] bool is_reader(const StreamRead& read) const noexcept { return receiver_ == &read; }
  /// Serves the reader from memory and, when it `may_read`, from the backend, until it has enough or has to
  /// wait.
  void serve_reader(bool may_read);
  /// Called when the reader's deadline has come. Whether the reader gets another look first: what was there
  /// by then may take many. Ends the read when nothing but an error was there.
  [[nodiscard]] bool has_more_in_time(StreamRead& read) noexcept;
  /// Whether the reader has been given such a look.
  [[nodiscard]] bool has_late_reader() const noexcept;
  /// Puts bytes in front of the unread ones.
  void unread(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] std::span<std::byte> unread_bytes() const noexcept {
    return unread_ != nullptr ? unread_->bytes() : std::span<std::byte>();
  }
  [[nodiscard]] std::size_t unread_size() const noexcept { return unread_ != nullptr ? unread_->size() : 0; }
  /// Called when a message was cut whose bytes cannot come back: reading ends with EPROTO from now on.
  void poison_reads() noexcept;
  [[nodiscard]] std::size_t pending_bytes(int& err) noexcept;
  void set_read_ahead(std::size_t most) noexcept;
  /// As `StreamOptions::max_read_ahead`, rounded down to a power of two; the default when there is no bound.
  [[nodiscard]] std::size_t read_ahead() const noexcept;

  // LoopResource
  void move_out_of_lease() noexcept override;

 protected:
  using StreamBase::StreamBase;
  ~StreamReadSide() { free_unread(); }

  [[nodiscard]] StreamRead* reader() const noexcept { return static_cast<StreamRead*>(receiver_); }
  /// Whether the reader would get what is there before a failing write ends reading, too.
  [[nodiscard]] bool is_draining_reader() const noexcept;
  /// Gives the reader what is there, in however many calls.
  void drain_reader();
  void fail_reader(int err);
  /// Called when the backend cannot wait for input.
  void fail_waiting_reader(int err);
  /// The error that ends reading once nothing is unread; 0 for none.
  [[nodiscard]] int read_error() const noexcept { return read_error_; }
  /// Keeps the error unless there is one already.
  void keep_read_error(int err) noexcept {
    if (read_error_ == 0) read_error_ = fitting(err);
  }
  /// Called when reading has failed or come to its end (EPIPE): ends everything that depends on it.
  void latch_read(int err) noexcept;
  void free_unread() noexcept;

 private:
  template <class Read>
  Read* begin_waiting(RequestState::MarkSet marks, CallSite site) noexcept;
  void refuse_read(StreamRead& read);
  void readable_already(Readiness readiness) noexcept;
  void read_in_next_turn() noexcept;
  void check_fault() {
    if (reader()->fault() != 0) [[unlikely]]
      fail_with_fault();
  }
  void fail_with_fault();
  [[nodiscard]] std::size_t most_read_ahead() const noexcept {
    return read_ahead_width_ != 0 ? std::size_t{1} << (read_ahead_width_ - 1U) : 0;
  }
  bool read_from_backend();
  bool read_in_place();
  bool read_by_reader();
  void take_received(std::byte* begin, std::size_t bytes) noexcept;
  void read_failed(ssize_t result, int err) noexcept;
  void consume_unread(std::size_t bytes) noexcept {
    unread_->begin += bytes;
    if (unread_->begin == unread_->end) free_unread();
  }
  UnreadBlock* allocate_unread(std::size_t bytes) noexcept;

  std::uint8_t read_ahead_width_ : 5 = 0;  // bit width of the bound, a power of two; 0: no reading ahead
  bool reads_ahead_ : 1 = false;           // reads ahead without a bound
  bool reads_poisoned_ : 1 = false;
  bool owns_unread_ : 1 = false;
  std::uint16_t read_error_ = 0;
  UnreadBytes* unread_ = nullptr;  // the leased bytes or, if `owns_unread_`, an UnreadBlock; never empty
};

// Instantiated for each kind of read, so that bytes in memory are served by direct calls.
template <class Read>
[[gnu::always_inline]] inline void StreamReadSide::start_read(Read& read) {
  if (!may_begin_read()) [[unlikely]] {
    refuse_read(read);
    return;
  }
  receiver_ = &read;
  read.set_stream(this);
  if (unread_ != nullptr && read.can_take()) [[likely]] {
    consume_unread(read.feed(unread_->bytes()));
    if (!read.is_unfinished()) [[likely]]
      return;
    check_fault();
    if (!read.is_unfinished()) return;
  }
  read.on_reading();
  // A new reader waits for the event instead of asking the kernel in vain.
  if (must_wait() && read.can_take()) [[likely]] {
    await_readable();
  } else {
    serve_reader(false);
  }
}

}  // namespace tsock::inline v0::detail
