#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace tsock::inline v0::layer {

/// Overwrites a secret. The compiler does not leave it out: it has to believe that the empty instruction
/// reads the bytes.
inline void wipe(std::span<std::byte> secret) noexcept {
  if (secret.empty()) return;
  std::memset(secret.data(), 0, secret.size());
  __asm__ volatile("" : : "r"(secret.data()) : "memory");
}

/// Overwrites what functions that were called from here, and have returned, left on the stack: a buffer of a
/// library, or a register that was saved.
[[gnu::noinline]] inline void wipe_stack() noexcept {
  std::array<std::byte, 32768> left;
  wipe(left);
}

/// Bytes that are wiped when they go, such as a message with a password.
class WipedBytes {
 public:
  WipedBytes() noexcept = default;
  explicit WipedBytes(std::vector<std::byte> bytes) noexcept : bytes_(std::move(bytes)) {}
  WipedBytes(WipedBytes&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  WipedBytes& operator=(WipedBytes&& other) noexcept {
    if (this == &other) return *this;
    clear();
    bytes_.swap(other.bytes_);
    return *this;
  }
  WipedBytes(const WipedBytes&) = delete;
  WipedBytes& operator=(const WipedBytes&) = delete;
  ~WipedBytes() { clear(); }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  void clear() noexcept {
    wipe(bytes_);
    bytes_.clear();
  }
  /// Shorter or longer; bytes that move leave nothing behind. Throws std::bad_alloc.
  void resize(std::size_t size) {
    if (size > bytes_.capacity()) {
      std::vector<std::byte> grown;
      grown.reserve(size);
      grown.assign(bytes_.begin(), bytes_.end());
      wipe(bytes_);
      bytes_.swap(grown);
    }
    if (size < bytes_.size()) wipe(std::span(bytes_).subspan(size));
    bytes_.resize(size);
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace tsock::inline v0::layer
