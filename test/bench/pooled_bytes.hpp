#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace bench {

/// Memory in powers of two. What was used last is given out first: it is still in the processor's cache.
class Memory {
 public:
  using Block = std::unique_ptr<std::byte[]>;

  static std::size_t rounded(std::size_t size) { return std::bit_ceil(std::max<std::size_t>(size, 64)); }
  Block take(std::size_t rounded_size) {
    std::vector<Block>& spare = spare_of(rounded_size);
    if (spare.empty()) return std::make_unique_for_overwrite<std::byte[]>(rounded_size);
    Block block = std::move(spare.back());
    spare.pop_back();
    return block;
  }
  void give_back(Block block, std::size_t rounded_size) {
    if (block != nullptr) spare_of(rounded_size).push_back(std::move(block));
  }

 private:
  std::vector<Block>& spare_of(std::size_t size) {
    return spare_[static_cast<std::size_t>(std::countr_zero(size))];
  }
  std::array<std::vector<Block>, 64> spare_;
};

inline Memory memory;

/// Bytes that wait: the beginning of a message, or what the kernel did not take. Has memory only while it has
/// bytes.
class Bytes {
 public:
  Bytes() = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { clear(); }

  [[nodiscard]] std::byte* data() { return data_.get(); }
  [[nodiscard]] std::byte* end() { return data_.get() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void grown(std::size_t size) { size_ += size; }

  void clear() {
    memory.give_back(std::move(data_), capacity_);
    size_ = 0;
    capacity_ = 0;
  }
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    const std::size_t rounded = Memory::rounded(capacity);
    Memory::Block larger = memory.take(rounded);
    if (size_ != 0) std::memcpy(larger.get(), data_.get(), size_);
    memory.give_back(std::exchange(data_, std::move(larger)), capacity_);
    capacity_ = rounded;
  }
  void append(const std::byte* bytes, std::size_t size) {
    reserve(size_ + size);
    std::memcpy(end(), bytes, size);
    size_ += size;
  }
  /// Takes `size` bytes from the front.
  void drop(std::size_t size) {
    size_ -= size;
    if (size_ == 0) {
      clear();
    } else {
      std::memmove(data_.get(), data_.get() + size, size_);
    }
  }

 private:
  Memory::Block data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace bench
