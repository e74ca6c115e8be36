#pragma once

#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <tsock/buffer.hpp>
#include <vector>

#include "core/stream_core.hpp"
#include "core/stream_operation.hpp"
#include "core/vector_cursor.hpp"

namespace tsock::detail {

/// A gathered write, alone or in a queue.
class StreamWrite : public StreamOperation {
 public:
  [[gnu::always_inline]] StreamWrite(LoopCore& core, CallSite site) noexcept : StreamOperation(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "writev"; }

  void set_vectors(std::span<const iovec> vectors, std::size_t total) {
    cursor_.assign(core(), vectors);
    remaining_ = total;
  }
  /// Once, of a write that has none: one vector that is not empty.
  void set_vector(const iovec& vector) noexcept {
    cursor_.assign_one(vector.iov_base, vector.iov_len);
    remaining_ = vector.iov_len;
  }
  void set_fds(std::span<const int> fds) {
    fds_ = std::make_unique<std::vector<int>>(fds.begin(), fds.end());
  }

  [[nodiscard]] const VectorCursor& cursor() const noexcept { return cursor_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return remaining_; }
  [[nodiscard]] std::size_t bytes_to_write() const noexcept final { return remaining_; }
  /// A message is cut when it ends now.
  [[nodiscard]] bool is_partly_out() const noexcept {
    return transferred() != 0 && remaining_ != 0 && !may_end_anywhere_;
  }
  /// The bytes are no message: the caller goes on behind the last one that is out.
  void set_may_end_anywhere() noexcept { may_end_anywhere_ = true; }
  /// Descriptors that go with the first byte, until it is out.
  [[nodiscard]] std::span<const int> fds() const noexcept {
    return fds_ != nullptr ? std::span<const int>(*fds_) : std::span<const int>();
  }
  void advance(std::size_t bytes) noexcept {
    cursor_.advance(bytes);
    remaining_ -= bytes;
    add_transferred(bytes);
    fds_.reset();
  }
  /// All that remained is out. The caller puts it into the ready list.
  void complete() noexcept {
    add_transferred(remaining_);
    remaining_ = 0;
    if (fds_ != nullptr) [[unlikely]]
      fds_.reset();
    set_stream(nullptr);
    set_finished();
  }
  /// The count of bytes, whose signed counterpart `recv()` gives.
  [[nodiscard]] void* result() noexcept final { return transferred_place(); }

  [[nodiscard]] const void* pipeline() const noexcept final { return stream(); }
  void start_in_queue() final;
  void interrupt(int err) override;

 private:
  void on_delivery() noexcept override { leave_queue(); }
  void on_abandon() noexcept override;

  std::size_t remaining_ = 0;
  [[no_unique_address]] VectorCursor cursor_;
  bool may_end_anywhere_ = false;
  std::unique_ptr<std::vector<int>> fds_;
};

inline StreamWrite& StreamCore::write_at(ListNode& node) noexcept { return static_cast<StreamWrite&>(node); }

// Here, so that it is compiled into what starts a write.
[[gnu::always_inline]] inline void StreamCore::start_write(StreamWrite& write) {
  const bool busy =
      !writes_.empty() && (write.queue() == nullptr || write_at(writes_.front()).queue() != write.queue());
  if (busy || state_ != State::open || write_error_ != 0 || shut_down_ || is_shutting_down_) [[unlikely]] {
    refuse_write(write, busy);
    return;
  }
  write.set_stream(this);
  writes_.push_back(write);
  if (write_blocked_) return;
  core_->add_output(write.remaining());
  schedule_flush();
}

[[gnu::always_inline]] inline void StreamWrite::start_in_queue() {
  StreamCore* const target = stream();
  if (target == nullptr) [[unlikely]] {
    finish(ECANCELED);
    return;
  }
  target->remove_waiting(*this);
  target->start_write(*this);
}

}  // namespace tsock::detail
