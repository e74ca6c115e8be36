#pragma once

#include <cstdint>
#include <tsock/export.hpp>

namespace tsock {
class Loop;
}

namespace tsock::detail {

class LoopCore;
class StreamCore;

/// What a Stream holds: its engine, or, when it was moved away, the loop that its operations complete on, or
/// neither. The lowest bit of the address tells which.
class StreamPlace {
 public:
  StreamPlace() noexcept = default;
  explicit StreamPlace(StreamCore& core) noexcept : bits_(reinterpret_cast<std::uintptr_t>(&core)) {}

  [[nodiscard]] StreamCore* core() const noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return (bits_ & no_core) == 0 ? reinterpret_cast<StreamCore*>(bits_) : nullptr;
  }
  /// Null when there is none.
  [[nodiscard]] TSOCK_EXPORT Loop* loop() const noexcept;
  [[nodiscard]] LoopCore* loop_core() const noexcept;
  /// Gives it away and keeps the loop.
  [[nodiscard]] TSOCK_EXPORT StreamPlace take() noexcept;

 private:
  static constexpr std::uintptr_t no_core = 1;
  std::uintptr_t bits_ = no_core;
};

}  // namespace tsock::detail
