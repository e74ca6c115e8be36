#pragma once

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <tsock/buffer.hpp>
#include <vector>

#include "core/stream/stream_base.hpp"

namespace tsock::inline v0::detail {

/// A gathered write, alone or in a queue. The next vector is at hand, as nearly all writes have only one; a
/// second one is stored behind it, more in a block of the pool. The result is `transferred()`, as its signed
/// counterpart.
class StreamWrite : public StreamOperation {
 public:
  enum WriteMark : std::uint16_t {
    compound = StreamOperation::first_free_mark,  ///< has more than one vector, or descriptors
    with_block = compound << 1,  ///< has more than two vectors, which lie in a block of the pool
  };
  static constexpr StateCache::Kind cached_as = StateCache::stream_write;
  [[gnu::always_inline]] StreamWrite(LoopCore& core, CallSite site) noexcept : StreamOperation(core, site) {
    set_result_place(transferred_place());
  }
  ~StreamWrite() override;
  [[nodiscard]] const char* name() const noexcept override { return "writev"; }

  /// Copies the vectors and leaves out empty ones. To be called once. \pre one vector is not empty
  void set_vectors(std::span<const iovec> vectors, std::size_t total);
  /// As above, for one vector that is not empty.
  void set_vector(const iovec& vector) noexcept {
    place_ = vector.iov_base;
    remaining_ = vector.iov_len;
  }
  /// For a write that has no vectors and gives the backend `total` bytes itself. \pre total is not 0
  void set_size(std::size_t total) noexcept {
    remaining_ = total;
    front_size_ = 0;
    mark(compound);
  }
  void set_fds(std::span<const int> fds) {
    fds_ = std::make_unique<std::vector<int>>(fds.begin(), fds.end());
    mark(compound);
  }

  /// The next vector, without what has left of it; empty when all was taken.
  [[nodiscard]] iovec front() const noexcept { return {place_, is_compound() ? front_size_ : remaining_}; }
  /// The vectors behind `front()`.
  [[nodiscard]] std::span<const iovec> behind() const noexcept { return {rest(), behind_count()}; }
  /// Whether there is more than `front()`: other vectors or descriptors.
  [[nodiscard]] bool is_compound() const noexcept { return has(compound); }
  [[nodiscard]] std::size_t remaining() const noexcept { return remaining_; }
  /// Whether it gives the backend its bytes itself. \pre is_compound()
  [[nodiscard]] bool writes_itself() const noexcept { return front_size_ == 0 && remaining_ != 0; }
  /// As `StreamBackend::try_writev()`. \pre writes_itself()
  virtual ssize_t write_itself(StreamBackend& /*backend*/, int& err) noexcept {
    err = ENOTSUP;
    return -1;
  }
  /// From here to the end of a later write. \pre the writes are adjacent
  [[nodiscard]] iovec up_to_end_of(const StreamWrite& last) const noexcept {
    const auto* const end = static_cast<const std::byte*>(last.place_) + last.remaining_;
    return {place_, static_cast<std::size_t>(end - static_cast<const std::byte*>(place_))};
  }
  /// Whether what is left, which is one vector, ends at `place`.
  [[nodiscard]] bool ends_at(const void* place) const noexcept {
    return static_cast<const std::byte*>(place_) + remaining_ == place;
  }
  [[nodiscard]] std::size_t bytes_to_write() const noexcept final { return remaining_; }
  /// Whether the backend has all bytes and has only to flush them: they leave whatever becomes of the write.
  [[nodiscard]] bool is_taken() const noexcept { return remaining_ == 0; }
  /// Whether a message would be cut if the write ended now.
  [[nodiscard]] bool is_partly_out() const noexcept {
    return transferred() != 0 && remaining_ != 0 && !has(of_pump);
  }
  /// The descriptors that go with the first byte; none once it is out.
  [[nodiscard]] std::span<const int> fds() const noexcept {
    return fds_ != nullptr ? std::span<const int>(*fds_) : std::span<const int>();
  }
  void advance(std::size_t bytes) noexcept;
  /// Takes back bytes that were counted as taken but have not left; the write fails now.
  void discount(std::size_t bytes) noexcept {
    add_transferred(std::size_t{0} - bytes);
    remaining_ += bytes;
  }
  /// Called when all that remained is out. The caller puts the write into the ready list and tells the queue.
  void complete() noexcept {
    add_transferred(remaining_);
    remaining_ = 0;
    set_stream(nullptr);
    forget_queue();
    mark(plain_delivery);
    set_finished();
  }
  /// Ends a write of which no more leaves, and lets the queue go on.
  void fail(int err) noexcept {
    set_stream(nullptr);
    finish(err);
    leave_queue();
  }
  /// Whether the stream has tried to send the write.
  [[nodiscard]] bool was_tried() const noexcept { return transferred() != 0 || has(tried); }
  void set_tried() noexcept { mark(tried); }
  [[nodiscard]] LoopResource* pipeline() const noexcept final { return resource(); }
  void start_in_queue() final;
  void interrupt(int err) override;
  void on_deadline() override;

 protected:
  /// Whether the destructor would find nothing to do.
  [[nodiscard]] bool has_nothing_to_destroy() const noexcept { return !has(compound) && !has_callback(); }

 private:
  /// The header in front of the vectors of a block.
  struct Block {
    std::size_t size;
  };
  struct List {
    iovec* next;
    Block* block;
  };

  void on_delivery() noexcept override { leave_queue(); }
  void on_abandon() noexcept override;

  std::uint32_t& behind_count() noexcept { return spare_word(); }
  [[nodiscard]] std::uint32_t behind_count() const noexcept { return spare_word(); }
  [[nodiscard]] const iovec* rest() const noexcept { return has(with_block) ? list_.next : &second_; }

  // Address and size of the front vector are kept apart: two words that were stored one by one and are loaded
  // as one stall a processor, and a compiler makes such a load of neighbours.
  void* place_ = nullptr;
  union {
    iovec second_;
    List list_;
  };
  std::size_t remaining_ = 0;
  std::size_t front_size_;  // of `front()`, if compound
  std::unique_ptr<std::vector<int>> fds_;
};

}  // namespace tsock::inline v0::detail
