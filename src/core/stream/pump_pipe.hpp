#pragma once

#include <cerrno>
#include <cstddef>
#include <new>
#include <tsock/call_site.hpp>
#include <utility>

#include "core/loop/loop_core.hpp"
#include "core/stream/kernel_pipe.hpp"
#include "core/stream/stream_read_side.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

/// The way of a pump's bytes through pipes of the system, which take the place of the chunks while much comes
/// at once: few bytes are cheaper to copy. The pump has a pipe only while there is something in it: one that
/// was filled, and one that is being written. A socket is written to from one that is filled no further
/// before it is empty; while a thread writes into a file, the next one is filled.
class PumpPipe {
 public:
  /// Called once, at the start.
  void allow_between(const StreamBackend* source, const StreamBackend* target) noexcept {
    if (source != nullptr && target != nullptr) use_ = pipe_use(*source, *target);
  }
  /// Called after a read into a chunk.
  void saw_copied(std::size_t bytes) noexcept { is_wanted_ = use_ != PipeUse::none && bytes >= much; }
  /// Whether the next read is for a pipe.
  [[nodiscard]] bool is_wanted() const noexcept { return is_wanted_; }
  /// Whether there is a pipe to fill.
  [[nodiscard]] bool is_open() const noexcept { return filling_ != nullptr; }
  /// Whether a pipe was filled and is not being written yet.
  [[nodiscard]] bool is_filled() const noexcept { return filling_ != nullptr && filling_->size() != 0; }
  [[nodiscard]] bool is_being_written() const noexcept { return writing_ != nullptr; }
  [[nodiscard]] bool empty() const noexcept { return !is_filled() && !is_being_written(); }
  /// Whether it may be filled while another one is being written.
  [[nodiscard]] bool may_fill_next() const noexcept { return use_ == PipeUse::into_file && !is_filled(); }

  /// \return whether there is a pipe to fill
  bool open(LoopCore& core) noexcept {
    if (filling_ == nullptr && use_ != PipeUse::none) filling_ = borrow_pipe(core, use_);
    return filling_ != nullptr;
  }
  /// Drops what is in them.
  void close() noexcept {
    filling_.reset();
    writing_.reset();
  }

  /// As `StreamBackend::try_readv()`. \pre it is open and not filled
  ssize_t fill(StreamBackend& source, int& err) noexcept {
    const ssize_t got = filling_->try_fill(source, err);
    if (got > 0) {
      is_wanted_ = static_cast<std::size_t>(got) >= little;
      return got;
    }
    filling_.reset();
    // The system refuses to move bytes this way: they can still be copied.
    if (got < 0 && (err == EINVAL || err == ENOSYS || err == EPERM || err == ENOTSUP)) {
      use_ = PipeUse::none;
      is_wanted_ = false;
      err = EAGAIN;
    }
    return got;
  }
  /// Called when what was filled is to be written. \return its size \pre nothing is being written
  std::size_t begin_write() noexcept {
    writing_ = std::move(filling_);
    return writing_->size();
  }
  /// As `StreamBackend::try_writev()`. \pre it is being written, and not all was taken
  ssize_t give(StreamBackend& target, int& err) noexcept { return writing_->try_empty(target, err); }
  /// Called when the write is over; so many bytes of it are still in the pipe.
  void end_write(std::size_t left) noexcept {
    writing_->set_size(left);
    if (left == 0) writing_.reset();
  }

  /// Puts what is in the pipes in front of what the source has not read.
  void give_back(LoopCore& core, StreamReadSide& source) noexcept {
    give_back(core, filling_, source);
    give_back(core, writing_, source);
  }

 private:
  static void give_back(LoopCore& core, BorrowedPipe& pipe, StreamReadSide& source) noexcept {
    const std::size_t size = pipe != nullptr ? pipe->size() : 0;
    if (size == 0) return;
    try {
      auto* const block = static_cast<std::byte*>(core.allocate(size));
      const std::span<std::byte> bytes(block, size);
      if (pipe->read(bytes)) {
        source.unread(bytes);
      } else {
        source.poison_reads();
      }
      core.deallocate(block, size);
    } catch (const std::bad_alloc&) {
      source.poison_reads();
    }
  }

  // Below it, two calls of splice(2) cost more than the copies.
  static constexpr std::size_t much = std::size_t{32} * 1024;
  static constexpr std::size_t little = std::size_t{8} * 1024;

  BorrowedPipe filling_;
  BorrowedPipe writing_;
  PipeUse use_ = PipeUse::none;
  bool is_wanted_ = false;
};

/// The write of what is in a pipe.
class PipeWrite : public StreamWrite {
 public:
  PipeWrite(LoopCore& core, PumpPipe& pipe, CallSite site) noexcept : StreamWrite(core, site), pipe_(&pipe) {
    set_size(pipe.begin_write());
  }
  ssize_t write_itself(StreamBackend& backend, int& err) noexcept override {
    return pipe_->give(backend, err);
  }

 private:
  PumpPipe* pipe_;
};

}  // namespace tsock::inline v0::detail
