#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <tsock/buffer.hpp>
#include <vector>

#include "core/stream_operation.hpp"
#include "core/vector_cursor.hpp"

namespace tsock::detail {

/// A gathered write, alone or in a queue.
class StreamWrite final : public ResultState<ssize_t, StreamOperation> {
 public:
  StreamWrite(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "writev"; }

  void set_vectors(std::span<const iovec> vectors, std::size_t total) {
    cursor_.assign(core(), vectors);
    remaining_ = total;
  }
  void set_fds(std::span<const int> fds) {
    fds_ = std::make_unique<std::vector<int>>(fds.begin(), fds.end());
  }

  [[nodiscard]] const VectorCursor& cursor() const noexcept { return cursor_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return remaining_; }
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
  /// All that remained is out.
  void complete() {
    add_transferred(remaining_);
    remaining_ = 0;
    if (fds_ != nullptr) [[unlikely]]
      fds_.reset();
    finish_with(static_cast<ssize_t>(transferred()));
  }

  void start_in_queue() override;
  void interrupt(int err) override;

 private:
  void on_delivery() noexcept override { leave_queue(); }
  void on_abandon() noexcept override;

  VectorCursor cursor_;
  std::size_t remaining_ = 0;
  bool may_end_anywhere_ = false;
  std::unique_ptr<std::vector<int>> fds_;
};

}  // namespace tsock::detail
