#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// A state like `Pooled`, for the operations that run for every message: it is kept for the next one if
/// `has_nothing_to_destroy()`, that is, if its destructor would find nothing to do. What a state owns in each
/// case, its `drop_owned()` destroys before.
template <class S>
class Recyclable final : public S {
 public:
  using S::S;

 private:
  void free() noexcept override {
    if constexpr (requires { this->drop_owned(); }) this->drop_owned();
    if (StateCache& cache = this->core().state_cache(); this->has_nothing_to_destroy() && cache.is_on())
        [[likely]] {
      cache.keep(S::cached_as, *this, sizeof(Recyclable));
    } else {
      destroy_and_free();
    }
  }
  [[gnu::noinline]] void destroy_and_free() noexcept {
    LoopCore& core = this->core();
    this->~Recyclable();
    core.deallocate(static_cast<void*>(this), sizeof(Recyclable));
  }
};

/// `make_state()` for recyclable states; uses the memory of one that was kept, if there is one.
template <class S, class... Args>
S* make_recyclable(LoopCore& core, Args&&... args) {
  static_assert(std::is_nothrow_constructible_v<Recyclable<S>, LoopCore&, Args...>);
  StateCache& cache = core.state_cache();
  void* block = cache.first<Recyclable<S>>();
  if (block != nullptr) {
    cache.take(S::cached_as);
  } else {
    block = core.allocate(sizeof(Recyclable<S>));
  }
  auto* const state = ::new (block) Recyclable<S>(core, std::forward<Args>(args)...);
  state->enter_loop(S::is_listed);
  return state;
}

}  // namespace tsock::inline v0::detail
