#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <tsock/stream_backend.hpp>
#include <tsock/stream_options.hpp>
#include <utility>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::detail {

class PrefixFormat;
class PrefixedPduState;
class StreamWrite;
class StreamControl;
class StreamDisconnect;
enum class StreamControlKind : std::uint8_t;
class WatermarkWatch;
class WriteGather;

/// Somebody who works on a stream over many requests and has to hear that it goes.
class StreamFollower : public ListNode {
 public:
  StreamFollower() noexcept = default;
  StreamFollower(const StreamFollower&) = delete;
  StreamFollower& operator=(const StreamFollower&) = delete;
  /// The Stream is destroyed. No code of the user may run in it.
  virtual void stream_gone() noexcept = 0;
  /// The stream is given to its disconnect: let go of it at once. No code of the user may run in it.
  virtual void stream_given_away() noexcept = 0;

 protected:
  ~StreamFollower() {
    if (is_linked()) unlink();
  }
};

/// What a write looks at, in one word, so that one look is enough. The members have types of one size, so
/// that they share it in every ABI.
struct StreamFlags {
  /// A disconnected one is closed, but the completion was not delivered yet.
  enum class State : std::uint32_t { open, disconnecting, closed, disconnected };
  static constexpr unsigned error_bits = 16;
  static constexpr unsigned largest_error = (1U << error_bits) - 1;

  std::uint32_t write_error : error_bits = 0;
  State state : 2 = State::open;
  std::uint32_t shut_down : 1 = 0;
  std::uint32_t is_shutting_down : 1 = 0;
  std::uint32_t write_blocked : 1 = 0;
  std::uint32_t flush_scheduled : 1 = 0;
  std::uint32_t takes_general_way : 1 = 0;  ///< there are extras, or writes are messages
  std::uint32_t writes_adjoin : 1 = 0;  ///< each has one vector, which begins where the one before it ends
  std::uint32_t unused : 8 = 0;

  [[nodiscard]] bool has_any(StreamFlags flags) const noexcept {
    return (std::bit_cast<std::uint32_t>(*this) & std::bit_cast<std::uint32_t>(flags)) != 0;
  }
};

/// The engine behind a Stream: checks, the one-in-flight rule, unread bytes, error latches, gathering of
/// writes. It runs no code of the user; all completions go through the loop's ready list.
class StreamCore final : public LoopResource, public StreamEvents {
 public:
  /// What one write may have.
  static constexpr auto most_bytes = static_cast<std::size_t>(std::numeric_limits<ssize_t>::max());

  StreamCore(LoopCore& core, std::unique_ptr<StreamBackend> backend, const StreamOptions& options);

  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }
  [[nodiscard]] StreamBackend* backend() const noexcept { return backend_.get(); }
  [[nodiscard]] bool is_open() const noexcept { return flags_.state == State::open; }

  /// The front goes: requests in progress end with ECANCELED on the next turn, then this object is gone.
  void release_stream() noexcept;
  void add_follower(StreamFollower& follower);
  /// Nobody works on the stream any more: it is given to its disconnect.
  void dismiss_followers() noexcept;

  // Reads.
  /// Makes `read` the stream's reader, or fails it. Called directly or when its queue entry starts.
  template <class Read>
  void start_read(Read& read);
  /// The two halves of it for a read in a queue: takes the place of the reader, or fails; then begins.
  void reserve_read(StreamRead& read);
  void begin_reserved_read(StreamRead& read);
  /// Whether a read may take the place of the reader; otherwise `refuse_read()` knows why.
  [[nodiscard]] bool may_begin_read() const noexcept { return is_open() && receiver_ == nullptr; }
  /// Whether there is nothing for a reader before the next event.
  [[nodiscard]] bool must_wait() const noexcept { return unread_ == nullptr && read_error_ == 0; }
  /// See short_ways.hpp.
  template <bool u32be>
  PrefixedPduState* begin_leased_read(PrefixFormat format, CallSite site) noexcept;
  /// The same; the caller goes on with `await_readable()`.
  PrefixedPduState* begin_waiting_read(PrefixFormat format, CallSite site) noexcept;
  /// Puts the operation, which knows this stream, among those that wait in a queue.
  void add_waiting(StreamOperation& operation) noexcept { others_.push_back(operation); }
  /// Has the reader served when the backend has something for it.
  void await_readable() noexcept {
    if (const Readiness readiness = backend_->want_readable(); readiness != Readiness::later) [[unlikely]]
      readable_already(readiness);
  }
  [[nodiscard]] bool is_reader(const StreamRead& read) const noexcept { return receiver_ == &read; }
  /// Serves the reader from memory and, when it `may_read`, from the backend, until it has enough or has to
  /// wait.
  void serve_reader(bool may_read);
  /// The reader's deadline has come. Whether it gets another look before: what was there by then may take
  /// many. Ends it when nothing but an error was there.
  [[nodiscard]] bool has_more_in_time(StreamRead& read) noexcept;
  /// Whether the reader has got one.
  [[nodiscard]] bool has_late_reader() const noexcept;
  /// Puts bytes in front of the unread ones.
  void unread(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] std::span<std::byte> unread_bytes() const noexcept {
    return unread_ != nullptr ? unread_->bytes() : std::span<std::byte>();
  }
  [[nodiscard]] std::size_t unread_size() const noexcept { return unread_ != nullptr ? unread_->size() : 0; }
  /// A message was cut whose bytes cannot come back: reading ends with EPROTO from now on.
  void poison_reads() noexcept;
  /// The reader goes, or is finished, without a step of this object.
  void reader_is_over() noexcept;
  /// Moves unread bytes out of the loop's receive buffer.
  void move_out_of_lease() noexcept override;
  [[nodiscard]] std::size_t pending_bytes(int& err) noexcept;

  // Writes.
  /// The check and the place in the order of writes; fails the write otherwise.
  void start_write(StreamWrite& write);
  /// Whether a write of that queue, or of none, may be begun when no pump has claimed the stream; otherwise
  /// `refuse_write()` knows why.
  [[nodiscard]] bool may_begin_write(const QueueCore* queue) const noexcept;
  /// Whether writes are under way that are not of that queue, if it is one.
  [[nodiscard]] bool is_writing_for_another(const QueueCore* queue) const noexcept;
  void append_write(StreamWrite& write);
  /// From here to `release_writing()` nobody but a pump writes, also while nothing is in flight.
  /// \return whether it was free.
  [[nodiscard]] bool claim_writing();
  void release_writing() noexcept;
  /// See short_ways.hpp.
  StreamWrite* begin_plain_write(QueueCore* queue, const iovec& vector, CallSite site) noexcept;
  /// Whether more leaves at the next flush: there were more calls to make than one turn may have.
  [[nodiscard]] bool goes_on_writing() const noexcept {
    return is_open() && flags_.flush_scheduled && !flags_.write_blocked;
  }
  /// Takes a write out that was interrupted or abandoned.
  void drop_write(StreamWrite& write) noexcept;
  void on_flush() override;
  void on_next_turn() override;
  void undo_starts(QueueCore& queue, bool but_the_first) noexcept override;
  /// They are counted from the first time that somebody asks.
  [[nodiscard]] std::size_t queued_bytes() noexcept;
  void add_queued_bytes(std::size_t bytes) noexcept {
    if (extras_ != nullptr) [[unlikely]]
      count_queued_bytes(bytes, 0);
  }
  void remove_queued_bytes(std::size_t bytes) noexcept {
    if (extras_ != nullptr) [[unlikely]]
      count_queued_bytes(0, bytes);
  }
  void set_watermark_watch(std::unique_ptr<WatermarkWatch> watch);
  [[nodiscard]] bool exceeds_cap(std::size_t bytes) const noexcept;

  // Control.
  void start_disconnect(StreamDisconnect& control);
  /// Tries again what gave EAGAIN.
  void resume_disconnect() noexcept;
  /// Of shutdown_write and drain.
  void start_shutdown(StreamControl& control);
  void start_monitor(StreamControl& control);
  /// The control is interrupted with `err`.
  void interrupt_control(StreamControl& control, int err) noexcept;
  /// It is delivered or abandoned.
  void end_control(StreamControl& control) noexcept;
  void abort() noexcept;
  /// Whether operations are outstanding, so that the stream cannot be closed or given away.
  [[nodiscard]] bool is_busy() const noexcept {
    return receiver_ != nullptr || !writes_.empty() || has_waiting() || is_claimed();
  }
  /// Whether writes that were started have not left.
  [[nodiscard]] bool is_writing() const noexcept { return !writes_.empty(); }
  [[nodiscard]] bool is_shutting_down() const noexcept { return flags_.is_shutting_down; }
  /// From the call on until the completion is delivered.
  [[nodiscard]] bool is_disconnecting() const noexcept {
    return flags_.state == State::disconnecting || flags_.state == State::disconnected;
  }
  /// Ends, with ECANCELED, all but the writes that were started and what waits in `kept`.
  void cancel_all_but_writes(const QueueCore* kept);
  /// The stream gives its descriptor away.
  void detach_backend() noexcept;
  /// Whether the stream can be given away: 0, ENOTCONN, ECONNABORTED while it disconnects, EBUSY.
  [[nodiscard]] int check_idle() const noexcept;
  /// Takes the backend out, with the bytes that were read ahead, so that a layer can stand on it: the caller
  /// attaches itself at once. The stream is closed then, and a monitor ends with ECONNABORTED. \return null
  /// with `err`, and nothing has happened: as `check_idle()`, the error that reads or writes had, ENOMEM.
  std::unique_ptr<StreamBackend> take_backend(std::vector<std::byte>& unread, int& err) noexcept;
  /// The part of the options that counts behind any backend.
  [[nodiscard]] StreamOptions behaviour() const noexcept;
  /// Whether a write is longer than the messages that the backend sends.
  [[nodiscard]] bool exceeds_message(std::size_t bytes) const noexcept;
  void set_behaviour(const StreamOptions& options);

  // StreamEvents
  void on_readable() noexcept override;
  void on_writable() noexcept override;
  void on_broken(int err) noexcept override;
  void on_shortage(int err) noexcept override;

  // LoopResource
  void loop_closed() noexcept override;
  void for_each_request(void (*visit)(void* context, RequestState& state), void* context) override;

 private:
  using Flags = StreamFlags;
  using State = StreamFlags::State;
  struct Extras;

  static constexpr unsigned error_bits = Flags::error_bits;
  static constexpr unsigned largest_error = Flags::largest_error;
  static constexpr auto any_state = static_cast<State>(3);
  /// What refuses a write.
  static constexpr Flags refusals{
      .write_error = largest_error, .state = any_state, .shut_down = 1, .is_shutting_down = 1};
  /// What may hold one up, or count it, as well.
  static constexpr Flags hindrances{.write_error = largest_error,
                                    .state = any_state,
                                    .shut_down = 1,
                                    .is_shutting_down = 1,
                                    .write_blocked = 1,
                                    .takes_general_way = 1};
  /// As it is kept. errno values are small; what else a backend gives becomes EIO.
  [[nodiscard]] static unsigned fitting(int err) noexcept;

  ~StreamCore();
  /// Its receiver.
  [[nodiscard]] StreamRead* reader() const noexcept { return static_cast<StreamRead*>(receiver_); }
  static StreamWrite& write_at(ListNode& node) noexcept;
  void place_write(StreamWrite& write) noexcept;
  Extras& extras();
  void schedule_flush() noexcept {
    if (!flags_.flush_scheduled) core_->schedule_flush(*this);
    flags_.flush_scheduled = true;
  }
  void cancel_flush() noexcept;
  void ask_for_next_turn() noexcept;
  void flush();
  void flush_before_next_turn();
  void explain(RequestState& state) const noexcept;
  void refuse_read(StreamRead& read);
  void refuse_write(StreamWrite& write);
  [[nodiscard]] bool is_claimed() const noexcept;
  [[nodiscard]] bool is_claimed_by_another(const StreamOperation& operation) const noexcept;
  void readable_already(Readiness readiness) noexcept;
  void read_in_next_turn() noexcept;
  void check_fault();
  void set_read_ahead(std::size_t most) noexcept;
  [[nodiscard]] std::size_t most_read_ahead() const noexcept {
    return read_ahead_width_ != 0 ? std::size_t{1} << (read_ahead_width_ - 1U) : 0;
  }
  bool read_from_backend();
  bool read_in_place();
  void take_received(std::byte* begin, std::size_t bytes) noexcept;
  void read_failed(ssize_t result, int err) noexcept;
  void latch_read(int err) noexcept;
  void latch_write(int err) noexcept;
  void fail_reader(int err);
  void break_reads(int err);
  [[nodiscard]] bool has_blocked_write() noexcept;
  [[nodiscard]] bool is_draining_reader() const noexcept;
  void drain_reader();
  void fail_writes(int err) noexcept;
  void break_monitor(int err) noexcept;
  void monitor_is_over() noexcept;
  void add_control(StreamControl& control) noexcept;
  void remove_control(StreamControl& control) noexcept;
  StreamControl* find_control(StreamControlKind kind) noexcept;
  /// Ends the control of that kind, if there is one.
  void finish_control(StreamControlKind kind, int err) noexcept;
  [[nodiscard]] bool has_waiting() const noexcept;
  void count_queued_bytes(std::size_t more, std::size_t less) noexcept;
  [[nodiscard]] std::size_t sum_queued_bytes() noexcept;
  StreamWrite* gather_writes(WriteGather& gather);
  bool write_batch();
  ssize_t write_gathered(std::size_t& offered, int& err);
  bool after_write(ssize_t result, std::size_t offered, int err);
  void await_writable() noexcept;
  void write_failed(int err);
  void discount_unsent(std::size_t bytes) noexcept;
  bool finish_taken();
  void account_written(std::size_t bytes);
  void finish_written(std::size_t bytes);
  void writes_are_out();
  void finish_disconnect(StreamDisconnect& control, int err) noexcept;
  void destroy() noexcept;
  void consume_unread(std::size_t bytes) noexcept;
  void free_unread() noexcept;
  UnreadBlock* allocate_unread(std::size_t bytes) noexcept;
  void detach_operations(int err) noexcept;

  // Small: many streams are idle.
  LoopCore* core_;
  std::unique_ptr<StreamBackend> backend_;
  NodeList writes_;
  NodeList others_;  // controls, and behind them what waits in queues
  std::unique_ptr<Extras> extras_;
  UnreadBytes* unread_ = nullptr;  // the loop's leased bytes or, `owns_unread_`, an UnreadBlock; never empty
  unsigned read_error_ : error_bits = 0;
  bool reads_poisoned_ : 1 = false;
  bool owns_unread_ : 1 = false;
  bool fail_on_first_error_ : 1 = false;
  bool strict_ : 1 = false;
  bool reads_ahead_ : 1 = false;       // without a bound
  unsigned read_ahead_width_ : 5 = 0;  // of the bound, which is a power of two; 0: nothing is read ahead
  bool short_is_final_ : 1 = false;
  bool has_watermarks_ : 1 = false;
  bool reads_in_next_turn_ : 1 = false;
  bool writes_in_next_turn_ : 1 = false;
  bool separate_writes_ : 1 = false;  // see StreamTraits::message_size
  bool released_ : 1 = false;  // the front is gone; only a disconnect that is not delivered knows this object
  Flags flags_;
};

// For each kind of read, as what lies in memory is served by direct calls.
template <class Read>
[[gnu::always_inline]] inline void StreamCore::start_read(Read& read) {
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

// The resource of a StreamOperation is a stream.
inline StreamCore* StreamOperation::stream() const noexcept { return static_cast<StreamCore*>(resource()); }
inline void StreamOperation::set_stream(StreamCore* stream) noexcept { set_resource(stream); }

inline void StreamCore::consume_unread(std::size_t bytes) noexcept {
  unread_->begin += bytes;
  if (unread_->begin == unread_->end) free_unread();
}

}  // namespace tsock::detail
