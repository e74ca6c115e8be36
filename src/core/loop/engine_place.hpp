#pragma once

#include <cstdint>
#include <tsock/detail/engine_place.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

template <class Engine>
Loop* EnginePlace<Engine>::loop() const noexcept {
  if (const Engine* const there = engine(); there != nullptr) return &there->core().loop();
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<Loop*>(bits_ & ~no_engine);
}

template <class Engine>
LoopCore* EnginePlace<Engine>::loop_core() const noexcept {
  if (const Engine* const there = engine(); there != nullptr) return &there->core();
  Loop* const left = loop();
  return left != nullptr ? &left->core() : nullptr;
}

template <class Engine>
EnginePlace<Engine> EnginePlace<Engine>::take() noexcept {
  EnginePlace taken;
  Loop* left = loop();
  // Once the Loop is destroyed, its stand-in lives no longer than the engine: do not keep a pointer to it.
  if (const Engine* const there = engine(); there != nullptr && there->core().is_closing()) left = nullptr;
  taken.bits_ = std::exchange(bits_, reinterpret_cast<std::uintptr_t>(left) | no_engine);
  return taken;
}

}  // namespace tsock::inline v0::detail
