#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "core/stream/pump_chunk.hpp"
#include "core/stream/stream_read_side.hpp"

namespace tsock::inline v0::detail {

/// The two chunks of a pump, used in turn: one is filled while the other is written.
class PumpChunks {
 public:
  /// The size of a chunk whose target is as fast as memory, such as a file.
  static constexpr std::size_t bulk_size = std::size_t{256} * 1024;

  /// Sets the size of the chunks, before the first one is filled.
  void set_size(std::size_t size) noexcept { size_ = size; }
  [[nodiscard]] bool has_room() const noexcept { return full_ < 2; }
  [[nodiscard]] bool empty() const noexcept { return full_ == 0; }
  [[nodiscard]] PumpChunk& oldest() noexcept { return chunks_[oldest_]; }
  /// The chunk that was filled last.
  [[nodiscard]] PumpChunk& newest() noexcept { return chunks_[full_ == 1 ? oldest_ : 1 - oldest_]; }
  /// The block of the chunk to fill, as of `PumpChunk::space()`. \pre has_room()
  [[nodiscard]] std::span<std::byte> space(LoopCore& core) noexcept { return next().space(core, size_); }
  /// The chunk to fill. \pre has_room()
  [[nodiscard]] PumpChunk& next() noexcept { return chunks_[full_ == 0 ? oldest_ : 1 - oldest_]; }
  void fill_next(std::size_t size) noexcept {
    next().fill(size);
    ++full_;
    has_unseen_ = true;
  }
  /// True until the pump has looked at the newest chunk.
  [[nodiscard]] bool has_unseen() const noexcept { return has_unseen_; }
  void set_seen() noexcept { has_unseen_ = false; }
  [[nodiscard]] bool may_write() const noexcept { return full_ > (has_unseen_ ? 1U : 0U); }
  /// The block is for the next read, unless there is nothing to write any more.
  void drop_oldest() noexcept {
    oldest().empty();
    oldest_ = 1 - oldest_;
    if (--full_ == 0) clear();
  }
  void give_back(StreamReadSide& source) noexcept {
    if (full_ == 2) source.unread(chunks_[1 - oldest_].bytes());
    if (full_ != 0) source.unread(oldest().bytes());
  }
  void clear() noexcept {
    full_ = 0;
    for (PumpChunk& chunk : chunks_) chunk.clear();
  }

 private:
  std::array<PumpChunk, 2> chunks_;
  std::size_t size_ = std::size_t{64} * 1024;
  std::size_t oldest_ = 0;
  unsigned full_ = 0;
  bool has_unseen_ = false;
};

}  // namespace tsock::inline v0::detail
