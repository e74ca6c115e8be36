#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tsock::inline v0::detail {

/// Counts the requests of a loop. As many are in progress as ids were given out, less those that have ended.
class Census {
 public:
  [[nodiscard]] std::uint64_t next_id() noexcept { return ++last_id_; }
  void count_end() noexcept { ++ended_; }
  /// Counts a request that has ended without being delivered.
  void count_drop() noexcept {
    ++ended_;
    ++dropped_;
  }
  [[nodiscard]] std::size_t in_progress() const noexcept {
    return static_cast<std::size_t>(last_id_ - ended_);
  }
  [[nodiscard]] std::uint64_t completions() const noexcept { return ended_ - dropped_; }

  /// Remembers how many requests have ended; see `LoopCore::begin_last_look()`.
  void begin_look() noexcept { ended_at_look_ = ended_; }
  [[nodiscard]] bool has_ended_since_look() const noexcept { return ended_ != ended_at_look_; }

  /// The composite operation on whose behalf code runs now; new requests become its children.
  [[nodiscard]] std::uint64_t current_parent() const noexcept { return current_parent_; }
  void set_current_parent(std::uint64_t id) noexcept { current_parent_ = id; }
  std::uint64_t exchange_current_parent(std::uint64_t id) noexcept {
    return std::exchange(current_parent_, id);
  }

 private:
  std::uint64_t last_id_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t dropped_ = 0;  // included in ended_
  std::uint64_t ended_at_look_ = 0;
  std::uint64_t current_parent_ = 0;
};

}  // namespace tsock::inline v0::detail
