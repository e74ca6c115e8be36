#pragma once

#include <tsock/stream.hpp>

namespace tsock {

/// What is behind a Stream, for operations of the library that use it directly.
class StreamAccess {
 public:
  [[nodiscard]] static detail::StreamCore* core(const Stream& stream) noexcept {
    return stream.place_.core();
  }
  [[nodiscard]] static Loop* loop(const Stream& stream) noexcept { return stream.place_.loop(); }
};

}  // namespace tsock
