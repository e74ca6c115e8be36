#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/stream/kernel_pipe.hpp"
#include "uv/os/kernel_pipe.hpp"

namespace tsock::inline v0::detail {

class LoopImpl;

/// The pipes of a loop, which pumps borrow while there is something in them. Each has two descriptors, so
/// there are few, and whoever gets none copies.
class PipeStore {
 public:
  static constexpr std::size_t pipe_size = std::size_t{256} * 1024;
  /// On the way into a file: fewer handovers to a thread, with more bytes each.
  static constexpr std::size_t file_pipe_size = std::size_t{1024} * 1024;
  static constexpr std::size_t most_lent = 32;
  static constexpr std::size_t most_idle = 4;

  explicit PipeStore(LoopImpl& loop) noexcept;
  PipeStore(const PipeStore&) = delete;
  PipeStore& operator=(const PipeStore&) = delete;
  ~PipeStore();

  [[nodiscard]] BorrowedPipe borrow(PipeUse use) noexcept;
  /// How many are borrowed.
  [[nodiscard]] std::size_t lent() const noexcept { return lent_; }
  /// Closes those that nobody has borrowed.
  void close_idle() noexcept;

 private:
  class Pipe;

  void take_back(std::unique_ptr<Pipe> pipe) noexcept;

  LoopImpl* loop_;
  std::size_t lent_ = 0;
  std::vector<std::unique_ptr<Pipe>> idle_;
};

}  // namespace tsock::inline v0::detail
