#pragma once

#include <tsock/stream.hpp>

namespace tsock {

/// What is behind a Stream, for operations of the library that use it directly.
class StreamAccess {
 public:
  [[nodiscard]] static detail::StreamCore* core(const Stream& stream) noexcept {
    return stream.place_.engine();
  }
  [[nodiscard]] static Loop* loop(const Stream& stream) noexcept { return stream.loop_or_null(); }
};

}  // namespace tsock
