#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "core/stream/stream_read_side.hpp"
#include "core/stream/write_gather.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

class StreamControl;
class WatermarkWatch;

/// The sending side of a stream: the writes that were started, how they leave, how many bytes wait, and the
/// end of sending. Its error latch is in StreamFlags, which a write checks anyway.
class StreamWriteSide : public StreamReadSide {
 public:
  /// The largest size of one write.
  static constexpr auto most_bytes = static_cast<std::size_t>(std::numeric_limits<ssize_t>::max());

  /// Checks the write and puts it behind the other writes, or fails it.
  void start_write(StreamWrite& write) {
    if (!may_begin_write(write.queue()) || (flags_.takes_general_way && is_claimed_by_another(write)))
        [[unlikely]] {
      refuse_write(write);
    } else {
      append_write(write);
    }
  }
  /// Whether a write of `queue`, or of none, may begin unless a pump has claimed the stream; if not,
  /// `refuse_write()` finds the error.
  [[nodiscard]] bool may_begin_write(const QueueCore* queue) const noexcept {
    return !flags_.has_any(refusals) && !is_writing_for_another(queue);
  }
  /// Whether writes are under way that are not of `queue`, or any at all if it is null. All writes are of one
  /// queue, so one is enough to check: the last one, which is needed next anyway.
  [[nodiscard, gnu::always_inline]] bool is_writing_for_another(const QueueCore* queue) const noexcept {
    return !writes_.empty() &&
           (queue == nullptr || static_cast<const StreamWrite&>(*writes_.last()).queue() != queue);
  }
  /// Whether a write is longer than the messages that the backend sends.
  [[nodiscard]] bool exceeds_message(std::size_t bytes) const noexcept;
  void append_write(StreamWrite& write) {
    place_write(write);
    if (flags_.separate_writes) [[unlikely]]
      flags_.writes_adjoin = false;
    if (flags_.write_blocked) return;
    core_->add_output(write.remaining());
    schedule_flush();
  }
  /// Until `release_writing()`, only a pump writes, even while nothing is in flight. \return whether writing
  /// was free
  [[nodiscard]] bool claim_writing();
  void release_writing() noexcept;
  /// See short_ways.hpp.
  template <class Write>
  Write* begin_plain_write(QueueCore* queue, const iovec& vector, CallSite site) noexcept;
  template <class Write>
  Write* begin_message_write(QueueCore* queue, const iovec& vector, CallSite site) noexcept;
  /// Whether started writes have not left yet.
  [[nodiscard]] bool is_writing() const noexcept { return !writes_.empty(); }
  /// Whether more leaves at the next flush: there were more calls to make than one turn may have.
  [[nodiscard]] bool goes_on_writing() const noexcept {
    return is_open() && flags_.flush_scheduled && !flags_.write_blocked;
  }
  /// Removes a write that was interrupted or abandoned.
  void drop_write(StreamWrite& write) noexcept;

  /// The number of bytes that wait; they are counted from the first call on.
  [[nodiscard]] std::size_t queued_bytes() noexcept;
  void add_queued_bytes(std::size_t bytes) noexcept {
    if (flags_.has_write_extras) [[unlikely]]
      count_queued_bytes(bytes, 0);
  }
  void remove_queued_bytes(std::size_t bytes) noexcept {
    if (flags_.has_write_extras) [[unlikely]]
      count_queued_bytes(0, bytes);
  }
  void set_watermark_watch(std::unique_ptr<WatermarkWatch> watch);
  [[nodiscard]] bool exceeds_cap(std::size_t bytes) const noexcept;

  /// Starts shutdown_write or drain.
  void start_shutdown(StreamControl& control);
  [[nodiscard]] bool is_shutting_down() const noexcept { return flags_.is_shutting_down; }

  // LoopResource
  void undo_starts(QueueCore& queue, bool but_the_first) noexcept override;

 protected:
  using StreamReadSide::StreamReadSide;
  ~StreamWriteSide() = default;

  static StreamWrite& write_at(ListNode& node) noexcept { return static_cast<StreamWrite&>(node); }
  [[nodiscard]] bool is_claimed() const noexcept;
  [[nodiscard]] bool has_blocked_write() noexcept { return flags_.write_blocked && !writes_.empty(); }
  /// Passes writes on to the backend, as many as one stream may in a turn. \pre the stream is open and its
  /// writes are not blocked
  void flush_writes();
  /// Completes writes that were taken as a whole before more is given to the backend: an error of what
  /// follows is not theirs. \return whether writing goes on
  bool finish_taken();
  /// Makes the backend call `on_writable()` when it takes more.
  void await_writable() noexcept;
  /// Keeps the error unless there is one already.
  void keep_write_error(int err) noexcept {
    if (flags_.write_error == 0) flags_.write_error = fitting(err);
  }
  void latch_write(int err) noexcept;
  /// Ends all writes and the controls that wait for them.
  void fail_writes(int err) noexcept;
  /// Called when the backend cannot wait until it has room.
  void fail_blocked_writes(int err);
  void forget_queued_bytes() noexcept;

  NodeList writes_;  // all of one queue, or a single one without a queue

 private:
  /// Flags that refuse a write.
  static constexpr StreamFlags refusals{.write_error = StreamFlags::largest_error,
                                        .state = StreamFlags::any_state,
                                        .shut_down = 1,
                                        .is_shutting_down = 1};
  /// Flags that refuse a message, hold it up, or have it counted.
  static constexpr StreamFlags message_hindrances{.write_error = StreamFlags::largest_error,
                                                  .state = StreamFlags::any_state,
                                                  .shut_down = 1,
                                                  .is_shutting_down = 1,
                                                  .write_blocked = 1,
                                                  .has_write_extras = 1};
  /// As above, for writes of a stream of bytes.
  static constexpr StreamFlags hindrances{.write_error = StreamFlags::largest_error,
                                          .state = StreamFlags::any_state,
                                          .shut_down = 1,
                                          .is_shutting_down = 1,
                                          .write_blocked = 1,
                                          .takes_general_way = 1};

  [[gnu::always_inline]] void place_write(StreamWrite& write) noexcept {
    if (writes_.empty()) {
      flags_.writes_adjoin = !write.is_compound();
    } else if (write.is_compound() || !write_at(*writes_.last()).ends_at(write.front().iov_base)) {
      flags_.writes_adjoin = false;
    }
    write.set_stream(this);
    writes_.push_back(write);
  }
  template <class Write>
  Write* begin_write_behind(QueueCore* queue, const iovec& vector, CallSite site) noexcept;
  void refuse_write(StreamWrite& write);
  [[nodiscard]] bool is_claimed_by_another(const StreamOperation& operation) const noexcept;
  StreamWrite* gather_writes(WriteGather& gather);
  bool write_batch();
  ssize_t write_gathered(std::size_t& offered, int& err);
  ssize_t write_vectors(std::span<const iovec> vectors, const StreamWrite* with_fds, int& err);
  ssize_t write_compound_message(const StreamWrite& write, std::size_t& offered, int& err);
  ssize_t write_messages(std::size_t& offered, int& err);
  bool after_write(ssize_t result, std::size_t offered, int err);
  void write_failed(int err);
  void discount_unsent(std::size_t bytes) noexcept;
  void account_written(std::size_t bytes);
  void finish_written(std::size_t bytes);
  void finish_left();
  void writes_are_out();
  StreamExtras& count_from_now();
  void count_queued_bytes(std::size_t more, std::size_t less) noexcept;
  [[nodiscard]] std::size_t sum_queued_bytes() noexcept;
};

}  // namespace tsock::inline v0::detail
