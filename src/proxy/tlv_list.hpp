#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tsock::inline v0::proxy {

/// Goes through values of a type, a length of two bytes, and so many bytes.
class TlvList {
 public:
  struct Entry {
    std::uint8_t type;
    std::span<const std::byte> value;
  };
  explicit TlvList(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] std::optional<Entry> next() noexcept {
    if (rest_.empty() || is_cut_) return std::nullopt;
    if (rest_.size() < front) return cut();
    const std::size_t length =
        std::to_integer<std::size_t>(rest_[1]) << 8U | std::to_integer<std::size_t>(rest_[2]);
    if (rest_.size() - front < length) return cut();
    const Entry entry{std::to_integer<std::uint8_t>(rest_[0]), rest_.subspan(front, length)};
    rest_ = rest_.subspan(front + length);
    return entry;
  }
  /// Whether the last one is not all there.
  [[nodiscard]] bool is_cut() const noexcept { return is_cut_; }

 private:
  static constexpr std::size_t front = 3;
  std::nullopt_t cut() noexcept {
    is_cut_ = true;
    return std::nullopt;
  }

  std::span<const std::byte> rest_;
  bool is_cut_ = false;
};

}  // namespace tsock::inline v0::proxy
