#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <tsock/layer/byte_block.hpp>
#include <utility>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::layer {

namespace {

constexpr std::size_t smallest = 64;
// Above it, capacities are powers of two, which the loop's pool keeps.
constexpr std::size_t largest_exact = 1024;

}  // namespace

std::byte* ByteBlock::allocate(std::size_t& size) noexcept {
  size = size <= largest_exact ? (size + smallest - 1) / smallest * smallest : std::bit_ceil(size);
  try {
    return static_cast<std::byte*>(memory_->allocate(size, alignment));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void ByteBlock::wipe(std::size_t begin, std::size_t end) noexcept {
  if (wipes_) layer::wipe({data_ + begin, data_ + end});
}

void ByteBlock::free() noexcept {
  if (data_ != nullptr) memory_->deallocate(data_, capacity_, alignment);
  data_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void ByteBlock::clear() noexcept {
  wipe(begin_, end_);
  free();
}

void ByteBlock::move_to(std::byte* data, std::size_t capacity) noexcept {
  const std::size_t kept = size();
  if (kept != 0) std::memcpy(data, data_ + begin_, kept);
  clear();
  data_ = data;
  capacity_ = capacity;
  end_ = kept;
}

bool ByteBlock::make_room(std::size_t least) noexcept {
  if (data_ == nullptr) {
    capacity_ = least;
    data_ = allocate(capacity_);
    if (data_ == nullptr) capacity_ = 0;
    return data_ != nullptr;
  }
  // Moving to the front is worth it where it is no more than what has been consumed.
  if (capacity_ - size() >= least && size() <= begin_) {
    if (!empty()) std::memmove(data_, data_ + begin_, size());
    wipe(std::max(begin_, size()), end_);
    end_ -= std::exchange(begin_, 0);
    return true;
  }
  // Small messages that are collected double the room, too.
  std::size_t capacity = std::max(size() + least, empty() ? 0 : 2 * std::min(capacity_, largest_exact));
  std::byte* const data = allocate(capacity);
  if (data != nullptr) move_to(data, capacity);
  return data != nullptr;
}

bool ByteBlock::append(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return true;
  const std::span<std::byte> target = room(bytes.size());
  if (target.empty()) return false;
  std::memcpy(target.data(), bytes.data(), bytes.size());
  put(bytes.size());
  return true;
}

void ByteBlock::trim_memory() noexcept {
  if (empty()) {
    free();
    return;
  }
  constexpr std::size_t worth_it = 4;  // times smaller
  std::size_t capacity = size();
  if (capacity_ <= largest_exact || capacity > capacity_ / worth_it) return;
  if (std::byte* const data = allocate(capacity); data != nullptr) move_to(data, capacity);
}

}  // namespace tsock::inline v0::layer
