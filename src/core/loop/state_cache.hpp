#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tsock/detail/request_state.hpp>
#include <utility>

#include "core/base/memory_poison.hpp"
#include "core/loop/pool.hpp"

namespace tsock::inline v0::detail {

/// States of the operations that run for every message. A state that ends with nothing to destroy is kept
/// alive and poisoned, and the next operation of its kind sets only what differs (`begin_again()`).
///
/// The cache is off, and empty, while the loop is traced and once it is closed; a short way that finds a
/// state here need not check for either.
class StateCache {
 public:
  enum Kind : std::uint8_t {
    stream_write,
    pdu_write,
    prefixed_pdu,
    message,
    datagram_send,
    datagram_receive,
    datagram_into,
    kinds
  };

  /// The state that `take()` removes; null if there is none.
  template <class S>
  [[nodiscard]] S* first() const noexcept {
    return static_cast<S*>(first_[S::cached_as]);
  }
  /// Removes the first state. \pre there is one
  void take(Kind kind) noexcept {
    RequestState* const state = first_[kind];
    unpoison_memory(static_cast<void*>(state), size_of(kind));
    first_[kind] = static_cast<RequestState*>(state->handle_);
  }
  [[nodiscard]] bool is_on() const noexcept { return is_on_; }
  /// Keeps a state of `size` bytes. States are linked through `handle_`. \pre is_on()
  void keep(Kind kind, RequestState& state, [[maybe_unused]] std::size_t size) noexcept {
    state.handle_ = std::exchange(first_[kind], &state);
    if constexpr (memory_is_watched) {
      sizes_[kind] = size;
      poison_memory(static_cast<void*>(&state), size);
    }
  }
  /// Turning the cache off frees the states that it keeps.
  void turn(bool on) noexcept;
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  [[nodiscard]] std::size_t size_of([[maybe_unused]] Kind kind) const noexcept {
    if constexpr (memory_is_watched) {
      return sizes_[kind];
    } else {
      return 0;
    }
  }

  std::array<RequestState*, kinds> first_{};
  bool is_on_ = !Pool::passes_through();
  std::array<std::size_t, memory_is_watched ? kinds : 0> sizes_{};
};

}  // namespace tsock::inline v0::detail
