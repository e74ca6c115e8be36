#pragma once

#include <cerrno>
#include <cstddef>
#include <new>
#include <tsock/call_site.hpp>

#include "core/loop/loop_core.hpp"
#include "core/stream/kernel_pipe.hpp"
#include "core/stream/stream_read_side.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

/// The way of a pump's bytes through a pipe of the system, which takes the place of the chunks while much
/// comes at once: few bytes are cheaper to copy. The pump has a pipe only while there is something in it.
class PumpPipe {
 public:
  /// Called once, at the start.
  void allow_between(const StreamBackend* source, const StreamBackend* target) noexcept {
    is_allowed_ = source != nullptr && target != nullptr && can_use_pipe(*source, *target);
  }
  /// Called after a read into a chunk.
  void saw_copied(std::size_t bytes) noexcept { is_wanted_ = is_allowed_ && bytes >= much; }
  /// Whether the next read is for the pipe.
  [[nodiscard]] bool is_wanted() const noexcept { return is_wanted_; }
  [[nodiscard]] bool is_open() const noexcept { return pipe_ != nullptr; }
  [[nodiscard]] bool empty() const noexcept { return pipe_ == nullptr || pipe_->size() == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return pipe_ != nullptr ? pipe_->size() : 0; }

  /// \return whether there is a pipe
  bool open(LoopCore& core) noexcept {
    if (pipe_ == nullptr) pipe_ = borrow_pipe(core);
    return pipe_ != nullptr;
  }
  /// Drops what is in it.
  void close() noexcept { pipe_.reset(); }

  /// As `StreamBackend::try_readv()`. \pre it is open and empty
  ssize_t fill(StreamBackend& source, int& err) noexcept {
    const ssize_t got = pipe_->try_fill(source, err);
    if (got > 0) {
      is_wanted_ = static_cast<std::size_t>(got) >= little;
      return got;
    }
    close();
    // The system refuses to move bytes this way: they can still be copied.
    if (got < 0 && (err == EINVAL || err == ENOSYS || err == EPERM || err == ENOTSUP)) {
      is_allowed_ = is_wanted_ = false;
      err = EAGAIN;
    }
    return got;
  }
  /// As `StreamBackend::try_writev()`. \pre it is not empty
  ssize_t give(StreamBackend& target, int& err) noexcept { return pipe_->try_empty(target, err); }

  /// Puts what is in the pipe in front of what the source has not read.
  void give_back(LoopCore& core, StreamReadSide& source) noexcept {
    const std::size_t size = this->size();
    if (size == 0) return;
    try {
      auto* const block = static_cast<std::byte*>(core.allocate(size));
      const std::span<std::byte> bytes(block, size);
      if (pipe_->read(bytes)) {
        source.unread(bytes);
      } else {
        source.poison_reads();
      }
      core.deallocate(block, size);
    } catch (const std::bad_alloc&) {
      source.poison_reads();
    }
  }

 private:
  // Below it, two calls of splice(2) cost more than the copies.
  static constexpr std::size_t much = std::size_t{32} * 1024;
  static constexpr std::size_t little = std::size_t{8} * 1024;

  BorrowedPipe pipe_;
  bool is_allowed_ = false;
  bool is_wanted_ = false;
};

/// The write of what is in a pipe.
class PipeWrite : public StreamWrite {
 public:
  PipeWrite(LoopCore& core, PumpPipe& pipe, CallSite site) noexcept : StreamWrite(core, site), pipe_(&pipe) {
    set_size(pipe.size());
  }
  ssize_t write_itself(StreamBackend& backend, int& err) noexcept override {
    return pipe_->give(backend, err);
  }

 private:
  PumpPipe* pipe_;
};

}  // namespace tsock::inline v0::detail
