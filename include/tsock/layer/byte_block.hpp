#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <tsock/export.hpp>
#include <utility>

namespace tsock::inline v0::layer {

/// Bytes in one piece: appended at the end, consumed from the front. An empty block owns no memory.
class TSOCK_EXPORT ByteBlock {
 public:
  /// \param memory outlives the block
  explicit ByteBlock(std::pmr::memory_resource& memory) noexcept : memory_(&memory) {}
  ByteBlock(const ByteBlock&) = delete;
  ByteBlock& operator=(const ByteBlock&) = delete;
  ByteBlock(ByteBlock&& other) noexcept
      : memory_(other.memory_),
        data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        wipes_(other.wipes_) {}
  ByteBlock& operator=(ByteBlock&&) = delete;
  ~ByteBlock() { clear(); }

  /// The bytes, which may be changed in place. Valid until `room()`, `trim()`, or the last byte is taken.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_ + begin_, size()}; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }

  /// Removes bytes from the front; removing the last one frees the memory.
  void take(std::size_t count) noexcept {
    begin_ += count;
    if (begin_ == end_) free();
  }
  void clear() noexcept;
  /// Removes bytes from the end.
  void drop(std::size_t count) noexcept {
    end_ -= count;
    if (begin_ == end_) free();
  }

  /// Room behind the bytes, for at least `least` more; empty when there is no memory, and the bytes are as
  /// they were.
  [[nodiscard]] std::span<std::byte> room(std::size_t least) noexcept {
    if (capacity_ - end_ < least && !make_room(least)) return {};
    return {data_ + end_, capacity_ - end_};
  }
  /// The first `count` bytes of the room are filled.
  void put(std::size_t count) noexcept { end_ += count; }
  /// Appends a copy. \return false when there is no memory; nothing is appended then.
  [[nodiscard]] bool append(std::span<const std::byte> bytes) noexcept;

  /// Whether bytes that move, or that nobody has removed when the block goes, are wiped where they were: a
  /// handshake's may be a secret. What is removed is its user's to wipe.
  void set_wipes(bool wipes) noexcept { wipes_ = wipes; }

  /// Frees room that was not filled: a few bytes in a large block move to one of their own size.
  void trim() noexcept {
    if (data_ != nullptr) trim_memory();
  }

 private:
  static constexpr std::size_t alignment = alignof(std::max_align_t);
  /// Memory for `size` bytes or a few more; null when there is none.
  std::byte* allocate(std::size_t& size) noexcept;
  [[nodiscard]] bool make_room(std::size_t least) noexcept;
  void trim_memory() noexcept;
  void move_to(std::byte* data, std::size_t capacity) noexcept;
  void wipe(std::size_t begin, std::size_t end) noexcept;
  void free() noexcept;

  std::pmr::memory_resource* memory_;
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool wipes_ = false;
};

}  // namespace tsock::inline v0::layer
