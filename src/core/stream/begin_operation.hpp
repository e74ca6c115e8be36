#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/byte_view.hpp>
#include <utility>
#include <vector>

#include "core/loop/engine_place.hpp"
#include "core/loop/recyclable.hpp"
#include "core/loop/vector_cursor.hpp"
#include "core/stream/stream_core.hpp"

// What the functions of Stream that begin an operation share.

namespace tsock::inline v0::detail {

/// Returns null for a stream that was never opened, which has no loop to complete on.
template <class State, class... Args>
State* make_operation(const EnginePlace<StreamCore>& place, Args&&... args) {
  LoopCore* const core = place.loop_core();
  if (core == nullptr) return nullptr;
  if constexpr (requires { State::cached_as; }) {
    return make_recyclable<State>(*core, std::forward<Args>(args)...);
  } else {
    return make_state<State>(*core, std::forward<Args>(args)...);
  }
}

/// Adds up the sizes. \return 0, EINVAL for no bytes, EMSGSIZE for more than can be counted
[[nodiscard]] inline int check_vectors(std::span<const iovec> vectors, std::size_t& total) {
  if (!sum_vectors(vectors, total)) [[unlikely]]
    return EMSGSIZE;
  return total == 0 ? EINVAL : 0;
}

/// Bytes in a list as vectors: a few without the heap.
class VectorsOf {
 public:
  template <class Bytes>
  explicit VectorsOf(std::initializer_list<Bytes> list) : size_(list.size()) {
    if (size_ > few_.size()) many_.resize(size_);
    iovec* out = size_ > few_.size() ? many_.data() : few_.data();
    for (const Bytes& bytes : list) *out++ = vector_of(bytes);
  }
  [[nodiscard]] std::span<const iovec> vectors() const noexcept {
    return {size_ > few_.size() ? many_.data() : few_.data(), size_};
  }

 private:
  static iovec vector_of(const ByteView& bytes) noexcept { return make_vector(bytes.bytes()); }
  static iovec vector_of(std::span<std::byte> bytes) noexcept { return make_vector(bytes); }

  std::size_t size_;
  std::array<iovec, 8> few_{};
  std::vector<iovec> many_;
};

}  // namespace tsock::inline v0::detail
