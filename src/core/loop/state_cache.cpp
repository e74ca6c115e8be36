#include "core/loop/state_cache.hpp"

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

void StateCache::turn(bool on) noexcept {
  is_on_ = on && !Pool::passes_through();
  if (is_on_) return;
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    while (first_[kind] != nullptr) {
      RequestState& state = *first_[kind];
      take(static_cast<Kind>(kind));
      state.free();
    }
  }
}

std::size_t StateCache::size() const noexcept {
  std::size_t count = 0;
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    for (RequestState* state = first_[kind]; state != nullptr; ++count) {
      unpoison_memory(static_cast<void*>(&state->handle_), sizeof(state->handle_));
      auto* const next = static_cast<RequestState*>(state->handle_);
      poison_memory(static_cast<void*>(&state->handle_), sizeof(state->handle_));
      state = next;
    }
  }
  return count;
}

}  // namespace tsock::inline v0::detail
