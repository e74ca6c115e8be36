#pragma once

#include <cstdint>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::detail {

class LoopCore;

/// What a Stream, Datagram or Listener holds: its engine; once moved from, the loop that its operations
/// complete on; or neither. The lowest bit of the word distinguishes them. Members that need the engine's
/// definition are defined in core/loop/engine_place.hpp.
template <class Engine>
class EnginePlace {
 public:
  EnginePlace() noexcept = default;
  explicit EnginePlace(Engine& engine) noexcept : bits_(reinterpret_cast<std::uintptr_t>(&engine)) {}

  /// Null when there is none.
  [[nodiscard]] Engine* engine() const noexcept {
    if ((bits_ & no_engine) != 0) return nullptr;
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    auto* const engine = reinterpret_cast<Engine*>(bits_);
    // Spares callers the look for a null pointer: 9 instructions for a message of NPA, echoed.
    if (engine == nullptr) __builtin_unreachable();
    return engine;
  }
  /// Null when there is none.
  [[nodiscard]] Loop* loop() const noexcept;
  [[nodiscard]] LoopCore* loop_core() const noexcept;
  /// Gives the engine away and keeps the loop.
  [[nodiscard]] EnginePlace take() noexcept;

 private:
  static constexpr std::uintptr_t no_engine = 1;
  std::uintptr_t bits_ = no_engine;
};

}  // namespace tsock::inline v0::detail
