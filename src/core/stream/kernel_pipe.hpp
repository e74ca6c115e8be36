#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::detail {

class LoopCore;

/// A pipe of the system on the way from one socket to another: what goes through it is not copied into this
/// process.
class KernelPipe {
 public:
  KernelPipe() noexcept = default;
  KernelPipe(const KernelPipe&) = delete;
  KernelPipe& operator=(const KernelPipe&) = delete;

  /// The number of bytes in it.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Takes what the source has, as `StreamBackend::try_readv()`. \pre the pipe is empty
  virtual ssize_t try_fill(StreamBackend& source, int& err) noexcept = 0;
  /// Gives the target what is in the pipe, as `StreamBackend::try_writev()`.
  virtual ssize_t try_empty(StreamBackend& target, int& err) noexcept = 0;
  /// Takes the oldest bytes out into memory. \return whether there were so many
  virtual bool read(std::span<std::byte> bytes) noexcept = 0;
  /// Gives the pipe back to its loop, and drops what is in it.
  virtual void release() noexcept = 0;

 protected:
  virtual ~KernelPipe() = default;

  std::size_t size_ = 0;
};

struct ReleaseKernelPipe {
  void operator()(KernelPipe* pipe) const noexcept { pipe->release(); }
};
using BorrowedPipe = std::unique_ptr<KernelPipe, ReleaseKernelPipe>;

/// Whether the system can move bytes from one to the other.
[[nodiscard]] bool can_use_pipe(const StreamBackend& source, const StreamBackend& target) noexcept;

/// An empty pipe of the loop, for bytes from one to the other. Null when the loop has lent all that it lends,
/// or the system has none. \pre can_use_pipe() for the two that it is used with
[[nodiscard]] BorrowedPipe borrow_pipe(LoopCore& core) noexcept;

}  // namespace tsock::inline v0::detail
