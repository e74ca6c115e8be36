#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/stream_backend.hpp>

namespace tsock::inline v0::detail {

class LoopCore;

/// What bytes go through a pipe.
enum class PipeUse : std::uint8_t {
  none,
  between_sockets,
  into_file,  ///< from a socket; the file takes all that is in the pipe, and a worker thread writes it
};

/// A pipe of the system on the way from a socket to another one or to a file: what goes through it is not
/// copied into this process.
class KernelPipe {
 public:
  KernelPipe() noexcept = default;
  KernelPipe(const KernelPipe&) = delete;
  KernelPipe& operator=(const KernelPipe&) = delete;

  /// The number of bytes in it that the target has not taken.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Sets the size again after a target has taken bytes and could not write them all: they are still there.
  void set_size(std::size_t size) noexcept { size_ = size; }
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

/// How the system can move bytes from one to the other; `none` where it cannot.
[[nodiscard]] PipeUse pipe_use(const StreamBackend& source, const StreamBackend& target) noexcept;

/// An empty pipe of the loop. Null when the loop has lent all that it lends, or the system has none.
/// \pre `use` is pipe_use() of the two that it is used with, and not none
[[nodiscard]] BorrowedPipe borrow_pipe(LoopCore& core, PipeUse use) noexcept;

}  // namespace tsock::inline v0::detail
